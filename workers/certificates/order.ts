/**
 * One order of a certificate, from step to step (RFC 8555 §7.4). Each step asks the authority what it can
 * ask without waiting, and says when the next one is due; the box's next question or the sweep comes then.
 * What a step did stands in the device's object before the next one begins, so an order that broke off is
 * taken up where it was, and what was done twice does no harm.
 */

import type {
  Certificate,
  CertificateOrder,
  CertificateState,
} from "../../durable-objects/device/certificate-rpc.ts";
import type { DeviceStub } from "../../durable-objects/device/rpc.ts";
import { certificateFacts, pemCertificates, readRequest } from "../../protocol/certificates.ts";
import { limits } from "../../protocol/limits.ts";
import { fromBase64url } from "../../protocol/tokens.ts";
import type { Ports } from "../ports.ts";
import {
  type Acme,
  AcmeRefusal,
  type AuthorizationObject,
  type OrderObject,
  renewalWindow,
} from "./acme.ts";
import { earlierOf } from "./revocation.ts";

/** The state after a step, and when to go on; null: there is nothing more to do. */
export interface Stepped {
  readonly state: CertificateState;
  readonly dueAt: number | null;
}

interface Under {
  readonly ports: Ports;
  readonly acme: Acme;
  readonly device: DeviceStub;
  readonly state: CertificateState;
  readonly order: CertificateOrder;
}

/** Does the next thing for an order whose turn it is. @throws AcmeRefusal */
export async function step(under: Under): Promise<Stepped> {
  switch (under.order.step) {
    case "waiting":
      return await begin(under);
    case "proving":
      return await answer(under);
    case "checking":
      return await look(under);
    case "failed":
      return { state: under.state, dueAt: null };
  }
}

/** Orders, and puts into DNS what the authority wants to see there. */
async function begin(under: Under): Promise<Stepped> {
  const { ports, acme, device, order } = under;
  const { value, location } = await newOrder(acme, order);
  if (location === null) throw new AcmeRefusal({ detail: "an order without an address" }, 0, null);
  const challenges: string[] = [];
  const proofs: string[] = [];
  for (const url of value.authorizations) {
    const { value: authorization } = await acme.object<AuthorizationObject>(url);
    if (authorization.status === "valid") continue;
    const challenge = authorization.challenges.find(({ type }) => type === "dns-01");
    if (challenge?.token === undefined) {
      throw new AcmeRefusal({ detail: "the authority offers no dns-01" }, 0, null);
    }
    challenges.push(challenge.url);
    proofs.push(await acme.proofOf(challenge.token));
  }
  for (const put of proofs) await device.prove({ put });
  const dueAt = ports.clock.now() + (proofs.length === 0 ? 0 : limits.certificateSettleMs);
  return next(under, { step: "proving", url: location, challenges, proofs, dueAt });
}

/** RFC 9773 §5: an authority that does not know the old certificate any more is asked without it. */
async function newOrder(acme: Acme, { names, replaces }: CertificateOrder) {
  const identifiers = names.map((value) => ({ type: "dns", value }));
  const { newOrder: url, renewalInfo } = acme.directory;
  const replacing = replaces === null || renewalInfo === undefined ? null : { replaces };
  try {
    return await acme.object<OrderObject>(url, { identifiers, ...replacing });
  } catch (error) {
    const isAboutReplacing =
      replacing !== null &&
      error instanceof AcmeRefusal &&
      ["alreadyReplaced", "malformed", "conflict"].includes(error.kind);
    if (!isAboutReplacing) throw error;
    return await acme.object<OrderObject>(url, { identifiers });
  }
}

/** DNS shows the proofs by now: the authority may look. */
async function answer(under: Under): Promise<Stepped> {
  const { ports, acme, order } = under;
  for (const url of order.challenges) await acme.post(url, {});
  return next(under, {
    step: "checking",
    challenges: [],
    dueAt: ports.clock.now() + (order.challenges.length === 0 ? 0 : limits.certificateAskMs),
  });
}

async function look(under: Under): Promise<Stepped> {
  const { ports, acme, order } = under;
  const asked = await acme.object<OrderObject>(order.url ?? "");
  switch (asked.value.status) {
    case "ready": {
      // The request in base64url of DER is what RFC 8555 §7.4 wants.
      const finalized = await acme.object<OrderObject>(asked.value.finalize, {
        csr: order.request,
      });
      if (finalized.value.status === "valid") return await fetchCertificate(under, finalized.value);
      return next(under, { dueAt: later(ports, finalized.retryAfterMs) });
    }
    case "valid":
      return await fetchCertificate(under, asked.value);
    case "invalid":
      throw await whyInvalid(acme, asked.value);
    default:
      return next(under, { dueAt: later(ports, asked.retryAfterMs) });
  }
}

function later({ clock }: Ports, retryAfterMs: number | null): number {
  return clock.now() + Math.max(retryAfterMs ?? 0, limits.certificateAskMs);
}

/** What the authority found wrong, from where it says so. */
async function whyInvalid(acme: Acme, order: OrderObject): Promise<AcmeRefusal> {
  for (const url of order.authorizations) {
    const { value } = await acme.object<AuthorizationObject>(url);
    const error = value.challenges.find(({ status }) => status === "invalid")?.error;
    if (error !== undefined) return new AcmeRefusal(error, 0, null);
  }
  return new AcmeRefusal(order.error ?? { detail: "the order is not valid" }, 0, null);
}

async function fetchCertificate(under: Under, { certificate }: OrderObject): Promise<Stepped> {
  const { ports, acme, device, state, order } = under;
  if (certificate === undefined) {
    throw new AcmeRefusal({ detail: "a valid order without a certificate" }, 0, null);
  }
  const { body: chain } = await acme.post(certificate, null);
  const current = await certificateOf(ports, acme, chain, order);
  for (const remove of order.proofs) await device.prove({ remove });
  const earlier = earlierOf(state, ports.clock.now());
  return { state: { ...state, current, earlier, order: null }, dueAt: null };
}

/** @throws AcmeRefusal when it is not the certificate that was asked for */
async function certificateOf(
  ports: Ports,
  acme: Acme,
  chain: string,
  order: CertificateOrder,
): Promise<Certificate> {
  const facts = certificateFacts(pemCertificates(chain)?.[0] ?? new Uint8Array());
  const wanted = readRequest(fromBase64url(order.request) ?? new Uint8Array());
  const isOurs =
    facts !== null &&
    facts.spki.join() === wanted?.spki.join() &&
    order.names.every((name) => facts.names.includes(name));
  if (!isOurs) throw new AcmeRefusal({ detail: "a certificate that nobody asked for" }, 0, null);
  const { names, notBefore, notAfter, renewalId } = facts;
  const times = await renewalOf(ports, acme, { notBefore, notAfter, renewalId });
  return { chain, names, notBefore, notAfter, renewalId, ...times, revokedAt: null };
}

/**
 * When the box is to renew: at a random moment of the window that the authority names (RFC 9773 §4.2), else
 * when two thirds of its life are over. An authority that does not answer delays nothing.
 */
export async function renewalOf(
  ports: Ports,
  { directory }: Pick<Acme, "directory">,
  certificate: Pick<Certificate, "notBefore" | "notAfter" | "renewalId">,
): Promise<Pick<Certificate, "renewAt" | "askAt">> {
  const { notBefore, notAfter, renewalId } = certificate;
  const now = ports.clock.now();
  const plain = notBefore + Math.floor(((notAfter - notBefore) * 2) / 3);
  const window =
    renewalId === null ? null : await renewalWindow(ports, directory, renewalId).catch(() => null);
  if (window === null) return { renewAt: plain, askAt: now + limits.renewalAskMs };
  const [random = 0] = new Uint32Array(ports.random.bytes(4).buffer);
  const renewAt = window.start + Math.floor(((window.end - window.start) * random) / 2 ** 32);
  return { renewAt: Math.min(renewAt, notAfter), askAt: now + window.askAgainMs };
}

function next({ state, order }: Under, change: Partial<CertificateOrder>): Stepped {
  const changed = { ...order, ...change };
  return { state: { ...state, order: changed }, dueAt: changed.dueAt };
}

/**
 * The order after a refusal: tried again from its beginning for a while, then it has failed. Once the
 * authority was told to look, one that is only busy or away is asked about the same order again: it may have
 * issued by then, and what nobody fetched nobody could revoke.
 * @param isOurs false where it is for somebody's own domain too: then "too many" may be about that alone,
 *   which is no reason for others to wait, and the box comes again without it
 */
export function afterRefusal(
  order: CertificateOrder,
  refusal: AcmeRefusal,
  now: number,
  isOurs: boolean,
) {
  const isLimit = refusal.kind === "rateLimited" || refusal.status === 429;
  const isBusy = isLimit || refusal.status >= 500;
  const failures = order.failures + (isBusy ? 0 : 1);
  const isOver =
    lasting.has(refusal.kind) || (isLimit && !isOurs) || failures >= limits.certificateFailures;
  const waitMs =
    refusal.retryAfterMs ??
    (isBusy ? limits.acmePauseMs : limits.certificateRetryMs * 2 ** (failures - 1));
  const problem = refusal.detail === "" ? refusal.kind : `${refusal.kind}: ${refusal.detail}`;
  const goesOn =
    isBusy && !isOver && order.step === "checking" && now - order.askedAt < limits.acmeOrderMs;
  const dueAt = now + waitMs;
  const anew = {
    step: isOver ? "failed" : "waiting",
    url: null,
    challenges: [],
    proofs: [],
  } as const;
  const changed: CertificateOrder = { ...order, ...(!goesOn && anew), failures, problem, dueAt };
  return { order: changed, isOver, goesOn, pausesAll: refusal.kind === "rateLimited" && isOurs };
}

/** Refusals that another try does not change (RFC 8555 §6.7). */
const lasting: ReadonlySet<string> = new Set([
  "badCSR",
  "badPublicKey",
  "rejectedIdentifier",
  "unsupportedIdentifier",
  "accountDoesNotExist",
  "userActionRequired",
  "externalAccountRequired",
]);
