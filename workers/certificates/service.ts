/**
 * The order service: a box sends a request for a key that it keeps, we order at the authority, the box
 * fetches the certificate and comes again when it is to be renewed. The authority's limits count the whole
 * zone, so orders stand in one queue, whoever asked first first.
 */

import {
  deleteOrder,
  dueOrders,
  enqueueOrder,
  giveBackCertificate,
  leaseOrder,
  nextFree,
  type OrderRow,
  pauseAcme,
  placeInQueue,
  releaseOrder,
  takeCertificate,
  takeOrder,
} from "../../db/queries/certificate-orders.ts";
import { ownerOf } from "../../db/queries/devices.ts";
import type {
  CertificateOrder,
  CertificateState,
} from "../../durable-objects/device/certificate-rpc.ts";
import type { DeviceStub } from "../../durable-objects/device/rpc.ts";
import { certificateFacts, pemCertificates, readRequest } from "../../protocol/certificates.ts";
import { limits } from "../../protocol/limits.ts";
import { labelUnder } from "../../protocol/names.ts";
import { base64url, fromBase64url } from "../../protocol/tokens.ts";
import { note } from "../account/activity.ts";
import { certifiableDomains } from "../name/domains-check.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { authorityHere, authorityOf, caaOf, directoryOf } from "./account.ts";
import { AcmeRefusal } from "./acme.ts";
import type { Authority } from "./configuration.ts";
import { afterRefusal, renewalOf, step } from "./order.ts";
import { makeRoom } from "./revocation.ts";

/** How the certificate of a device stands. */
export interface CertificateView extends CertificateState {
  /** How many orders are before it; null when it does not wait for its turn. */
  readonly queue: number | null;
  /** Domains of its owner's that it may be certified for beside its own names. */
  readonly domains: readonly string[];
}

/**
 * Takes a device's request. The same request again changes nothing; another one takes the place of one
 * under way. @throws Problem `no-authority`, `certificate-request`, `feature-off`, `too-many-tries`
 */
export async function askCertificate(
  ports: Ports,
  who: { readonly deviceId: string; readonly accountId: string },
  request: string,
): Promise<void> {
  authorityHere(ports);
  const { deviceId, accountId } = who;
  const names = await namesOf(ports, deviceId, request);
  const device = ports.devices.get(deviceId);
  const state = await device.certificate();
  if (state === null) throw new Problem("feature-off");
  if (state.order?.request === request && state.order.step !== "failed") {
    return await enqueue(ports, deviceId, state.order);
  }
  if (state.order === null && isCertified(state, request, ports.clock.now())) return;
  const { certificatesPerDevice, certificatesPerAccount, certificateAskedWindowMs: day } = limits;
  const [mine, ours] = [
    await ports.limits.take("certificate", deviceId, certificatesPerDevice, day),
    await ports.limits.take("certificates", accountId, certificatesPerAccount, day),
  ];
  if (!mine || !ours) throw new Problem("too-many-tries");
  const order = newOrder(state, request, names, ports.clock.now());
  await withdraw(device, state.order);
  const kept = await makeRoom(ports, state);
  if (!(await device.setCertificate({ ...kept, order }))) throw new Problem("unavailable");
  await enqueue(ports, deviceId, order);
}

/** True when the certificate that there is came of this request: a box that broke off asks again. */
function isCertified({ current }: CertificateState, request: string, now: number): boolean {
  if (current === null || current.revokedAt !== null || current.renewAt <= now) return false;
  const leaf = pemCertificates(current.chain)?.[0];
  const certified = leaf === undefined ? null : certificateFacts(leaf);
  const wanted = readRequest(fromBase64url(request) ?? new Uint8Array());
  if (certified === null || wanted === null) return false;
  const isSameKey = certified.spki.join() === wanted.spki.join();
  return isSameKey && wanted.names.every((name) => certified.names.includes(name));
}

function newOrder(
  { current }: CertificateState,
  request: string,
  names: readonly string[],
  now: number,
): CertificateOrder {
  // RFC 9773 §5: spared only where the old one's names are asked for again.
  const again = current !== null && names.some((name) => current.names.includes(name));
  return {
    ...{ step: "waiting", request, names, askedAt: now },
    replaces: again ? current.renewalId : null,
    ...{ url: null, challenges: [], proofs: [], dueAt: now, failures: 0, problem: null },
  };
}

/** What an order put into DNS goes with it. */
async function withdraw(device: DeviceStub, order: CertificateOrder | null): Promise<void> {
  for (const remove of order?.proofs ?? []) await device.prove({ remove });
}

/** The names of a request, all of which are the device's. @throws Problem `certificate-request` */
async function namesOf(ports: Ports, deviceId: string, request: string): Promise<string[]> {
  const bytes = fromBase64url(request);
  const read = bytes === null ? null : readRequest(bytes);
  if (read === null || read.names.length > limits.certificateNames) {
    throw new Problem("certificate-request", "request");
  }
  // The device's word: an edge may remember for a while whose a name was.
  const device = ports.devices.get(deviceId);
  const own = (await device.describe())?.labels ?? [];
  const domains = certifiableDomains((await device.ownDomains())?.domains ?? []);
  for (const name of read.names) {
    const label = labelOf(ports, name);
    const isOwn = label === null ? domains.includes(name) : own.includes(label);
    if (!isOwn) throw new Problem("certificate-request", "request");
  }
  return [...read.names];
}

async function enqueue(ports: Ports, deviceId: string, order: CertificateOrder): Promise<void> {
  const { askedAt, replaces } = order;
  await enqueueOrder(ports.directory.db, {
    deviceId,
    slot: base64url(ports.random.bytes(16)),
    exempt: replaces === null ? 0 : 1,
    askedAt,
    expiresAt: ports.clock.now() + limits.certificateOrderMs,
  });
}

/** How the certificate stands; null while the name is off. Goes on with an order that is due. */
export async function certificateOf(
  ports: Ports,
  deviceId: string,
): Promise<CertificateView | null> {
  if (ports.config.authority !== null) await advance(ports, deviceId);
  const device = ports.devices.get(deviceId);
  const state = await device.certificate();
  if (state === null) return null;
  const isWaiting = state.order?.step === "waiting";
  const { db } = ports.directory;
  return {
    ...state,
    domains: certifiableDomains((await device.ownDomains())?.domains ?? []),
    queue: isWaiting ? await placeInQueue(db, deviceId, ports.clock.now()) : null,
  };
}

/** Goes on with the orders of all regions that are due; the sweep calls it. */
export async function advanceDue(ports: Ports): Promise<number> {
  if (ports.config.authority === null) return 0;
  const { db } = ports.directory;
  const due = await dueOrders(db, ports.clock.now(), limits.certificatesAtOnce);
  let failure: unknown = null;
  for (const deviceId of due) {
    await advance(ports, deviceId).catch((error) => {
      failure = error; // one that fails holds up no other
    });
  }
  if (failure !== null) throw failure;
  return due.length;
}

/** Goes on with one order as far as it goes without waiting; nothing when it is not due or another does. */
export async function advance(ports: Ports, deviceId: string): Promise<void> {
  const { db } = ports.directory;
  const now = ports.clock.now();
  const row = await leaseOrder(db, deviceId, now, now + limits.certificateLeaseMs);
  if (row === null) return;
  let dueAt: number | null = now + limits.certificateRetryMs;
  try {
    dueAt = await drive(ports, row);
  } finally {
    if (dueAt === null) await deleteOrder(db, deviceId);
    else await releaseOrder(db, row, dueAt);
  }
}

/** @returns when the order is due again; null: it is done with */
async function drive(ports: Ports, row: OrderRow): Promise<number | null> {
  const authority = authorityHere(ports);
  const device = ports.devices.get(row.deviceId);
  for (let left = limits.certificateSteps; left > 0; left--) {
    const state = await device.certificate();
    const order = state?.order ?? null;
    if (state === null || order === null || order.step === "failed") return null;
    const now = ports.clock.now();
    if (order.dueAt > now) return order.dueAt;
    if (order.step === "waiting") {
      const freeAt = await placeTaken(ports, authority, row);
      if (freeAt !== null) return freeAt;
    }
    if (!(await isWanted(ports, device, order))) {
      await withdraw(device, order);
      return (await device.setCertificate({ ...state, order: null })) ? null : now;
    }
    const after = await stepOrRefusal(ports, authority, device, state, order);
    if (!(await device.setCertificate(after.state))) return now;
    if (after.state.order === null) await noteIssued(ports, row.deviceId, after.state);
    if (after.over) await giveBackCertificate(ports.directory.db, row.slot);
    if (after.dueAt === null) return null;
    if (after.dueAt > now) return after.dueAt;
  }
  return ports.clock.now() + limits.certificateAskMs;
}

/** False once a domain of somebody's own that it is for was taken away. */
async function isWanted(
  ports: Ports,
  device: DeviceStub,
  { names }: CertificateOrder,
): Promise<boolean> {
  const foreign = names.filter((name) => labelOf(ports, name) === null);
  if (foreign.length === 0) return true;
  const domains = (await device.ownDomains())?.domains ?? [];
  return foreign.every((name) => domains.some((one) => one.name === name));
}

/** NOT-1's log: what carries its owner's name came to be. */
async function noteIssued(
  ports: Ports,
  deviceId: string,
  { current }: CertificateState,
): Promise<void> {
  const db = ports.regions.db(deviceId);
  const owner = db === null ? null : await ownerOf(db, deviceId);
  const about = current?.names[0];
  if (owner === null || about === undefined) return;
  await note(ports, owner, "certificate-issued", { about });
}

interface After {
  readonly state: CertificateState;
  readonly dueAt: number | null;
  /** It came to nothing: its place is another's. */
  readonly over: boolean;
}

async function stepOrRefusal(
  ports: Ports,
  authority: Authority,
  device: DeviceStub,
  state: CertificateState,
  order: CertificateOrder,
): Promise<After> {
  try {
    const { acme, account } = await authorityOf(ports, authority);
    const isFirst = state.current === null && order.step === "waiting" && order.failures === 0;
    const caa = isFirst ? caaOf(authority, acme.directory, account) : state.caa;
    const done = await step({ ports, acme, device, state: { ...state, caa }, order });
    return { ...done, over: false };
  } catch (error) {
    const refusal =
      error instanceof AcmeRefusal
        ? error
        : new AcmeRefusal(
            { detail: "the authority cannot be reached" },
            503,
            limits.certificateRetryMs,
          );
    if (!(error instanceof AcmeRefusal))
      ports.log({ event: "authority-away", code: nameOf(error) });
    const isOurs = order.names.every((name) => labelOf(ports, name) !== null);
    const after = afterRefusal(order, refusal, ports.clock.now(), isOurs);
    if (!after.goesOn) await withdraw(device, order);
    if (after.pausesAll) {
      await pauseAcme(ports.directory.db, authority.directory, after.order.dueAt);
    }
    const dueAt = after.isOver ? null : after.order.dueAt;
    return { state: { ...state, order: after.order }, dueAt, over: after.isOver };
  }
}

/** The label of a name in our zone, or of all below it; null for a domain of somebody's own. */
const labelOf = ({ config }: Ports, name: string) =>
  labelUnder(name.replace(/^\*\./, ""), config.ddnsZone);

const nameOf = (error: unknown) => (error instanceof Error ? error.name : "unknown");

/** Null when the order may go to the authority now; else when it is worth asking again. */
async function placeTaken(
  ports: Ports,
  authority: Authority,
  row: OrderRow,
): Promise<number | null> {
  const { db } = ports.directory;
  const now = ports.clock.now();
  const { account } = await authorityOf(ports, authority).catch(() => ({ account: null }));
  if (account !== null && account.pausedUntil > now) return account.pausedUntil;
  if (row.exempt === 1) return null;
  const { certificatesWindowMs, acmeOrdersWindowMs, certificateRetryMs } = limits;
  const certificate = { max: authority.certificates, now, expiresAt: now + certificatesWindowMs };
  if (!(await takeCertificate(db, row, certificate))) {
    return Math.min((await nextFree(db, "certificate", now)) ?? Infinity, now + certificateRetryMs);
  }
  const id = base64url(ports.random.bytes(16));
  const order = { max: authority.orders, now, expiresAt: now + acmeOrdersWindowMs };
  if (await takeOrder(db, id, order)) return null;
  return (await nextFree(db, "order", now)) ?? now + certificateRetryMs;
}

/** Asks the authority again when to renew, where it is time to. Never throws for an authority that is away. */
export async function refreshRenewal(ports: Ports, deviceId: string): Promise<void> {
  const device = ports.devices.get(deviceId);
  const state = await device.certificate();
  const current = state?.current ?? null;
  if (state === null || current === null || current.revokedAt !== null) return;
  if (current.askAt > ports.clock.now() || ports.config.authority === null) return;
  const directory = await directoryOf(ports, ports.config.authority).catch(() => null);
  if (directory === null) return;
  const times = await renewalOf(ports, { directory }, current);
  // Whoever changed it meanwhile knows better.
  await device.setCertificate({ ...state, current: { ...current, ...times } });
}

/** Lets every authority certify the name, or again only ours. @throws Problem `feature-off`, `no-authority` */
export async function setAuthorities(
  ports: Ports,
  device: DeviceStub,
  any: boolean,
): Promise<void> {
  const authority = authorityHere(ports);
  const state = await device.certificate();
  if (state === null) throw new Problem("feature-off");
  let caa: string | null = null;
  if (!any) {
    const { acme, account } = await authorityOf(ports, authority).catch(() => {
      throw new Problem("unavailable");
    });
    caa = caaOf(authority, acme.directory, account);
  }
  if (!(await device.setCertificate({ ...state, caa }))) throw new Problem("unavailable");
}
