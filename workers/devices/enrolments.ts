/**
 * Enrolment: how a device comes to its owner, in the shape of RFC 8628. Whoever may approve has a
 * session; whoever polls holds the device's key. Nothing names a person before the approval.
 */

import {
  claimUserCode,
  deleteEnrolment,
  enrolmentByUserCode,
  insertDevice,
  insertEnrolment,
  notePoll,
  ownerOf,
  pollState,
  restoreUserCode,
} from "../../db/queries/devices.ts";
import type { DeviceDescription } from "../../durable-objects/device/rpc.ts";
import {
  type EnrolmentDone,
  type EnrolmentError,
  type EnrolmentStart,
  keyFingerprint,
} from "../../protocol/agent.ts";
import { verifyAssertion } from "../../protocol/assertion.ts";
import { newId, regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { hashToken, newToken, parseToken } from "../../protocol/tokens.ts";
import { doorOrigin } from "../config.ts";
import { wantedLabel } from "../name/wanted.ts";
import type { Db, Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { limitedNetwork } from "../sign-in/client.ts";
import { abandonDevice, regionDb } from "./ending.ts";
import { formatUserCode, isPublicKey, judgePoll, newUserCode, parseUserCode } from "./rules.ts";

/** The region that holds enrolments nobody approved yet: they belong to no one. */
const waitingRoom = (ports: Ports): Db => regionDb(ports, ports.regions.default);

/** RFC 8628 §3.1–3.2. @throws Problem `bad-request` for a bad key, `too-many-tries` for a flood */
export async function startEnrolment(
  ports: Ports,
  request: { readonly publicKey: string },
): Promise<EnrolmentStart> {
  if (!isPublicKey(request.publicKey)) throw new Problem("bad-request", "public_key");
  const { enrolmentsPendingPerAddress: most, enrolmentMs } = limits;
  const network = limitedNetwork(ports.peer);
  if (!(await ports.limits.take("enrolment", network, most, enrolmentMs))) {
    throw new Problem("too-many-tries");
  }
  const bytes = (count: number) => ports.random.bytes(count);
  const deviceCode = newToken("enr", ports.regions.default, bytes);
  const userCode = newUserCode(bytes);
  await insertEnrolment(waitingRoom(ports), {
    deviceCodeHash: await hashToken(deviceCode),
    userCodeHash: await ports.names.hash("user-code", userCode),
    publicKey: request.publicKey,
    polledAt: 0,
    intervalMs: limits.enrolmentIntervalMs,
    expiresAt: ports.clock.now() + enrolmentMs,
  });
  const page = `${ports.config.origin}/devices/add`;
  return {
    device_code: deviceCode,
    user_code: formatUserCode(userCode),
    verification_uri: page,
    verification_uri_complete: `${page}?code=${formatUserCode(userCode)}`,
    expires_in: enrolmentMs / 1000,
    interval: limits.enrolmentIntervalMs / 1000,
  };
}

export type PollResult =
  | { readonly kind: "done"; readonly enrolment: EnrolmentDone }
  | { readonly kind: "error"; readonly error: EnrolmentError };

/** RFC 8628 §3.4–3.5. A grant stays until it expires: a device that lost the answer asks again. */
export async function pollEnrolment(
  ports: Ports,
  request: { readonly deviceCode: string; readonly assertion: string },
): Promise<PollResult> {
  if (parseToken("enr", request.deviceCode) === null) return refused("invalid_grant");
  const now = ports.clock.now();
  const codeHash = await hashToken(request.deviceCode);
  const holdsKey = async (publicKey: string) => {
    const { origin } = ports.config;
    const assertion = await verifyAssertion(publicKey, request.assertion, origin, now);
    return assertion?.deviceId === codeHash;
  };
  const states = await Promise.all(
    ports.regions.ids.map((region) => pollState(regionDb(ports, region), codeHash, now)),
  );
  const grant = states.find((state) => state.grant !== null)?.grant;
  const device = grant == null ? null : await ports.devices.get(grant.deviceId).describe();
  if (device !== null) {
    if (!(await holdsKey(device.publicKey))) return refused("access_denied");
    return { kind: "done", enrolment: doneOf(ports, device) };
  }
  const pending = states.find((state) => state.pending !== null)?.pending;
  if (pending == null) return refused("expired_token");
  if (!(await holdsKey(pending.publicKey))) return refused("access_denied");
  const verdict = judgePoll(pending, now);
  await notePoll(waitingRoom(ports), codeHash, now, verdict.intervalMs);
  return refused(verdict.error);
}

const refused = (error: EnrolmentError): PollResult => ({ kind: "error", error });

function doneOf(ports: Ports, device: DeviceDescription): EnrolmentDone {
  return {
    device_id: device.id,
    label: device.label,
    link: doorOrigin(ports.config, device.label),
    host: `${device.label}.${ports.config.ddnsZone}`,
  };
}

/**
 * What an owner sees before approving: the fingerprint that the device shows too. Tries are counted
 * per account, so codes cannot be searched for.
 */
export async function lookupEnrolment(
  ports: Ports,
  accountId: string,
  typedCode: string,
): Promise<{ fingerprint: string; expiresAt: number } | null> {
  const code = await countedCode(ports, accountId, typedCode);
  if (code === null) return null;
  const hash = await ports.names.hash("user-code", code);
  const row = await enrolmentByUserCode(waitingRoom(ports), hash, ports.clock.now());
  if (row === null) return null;
  return { fingerprint: await keyFingerprint(row.publicKey), expiresAt: row.expiresAt };
}

/** A well-formed code, or null; every one costs a try of the account. */
export async function countedCode(
  ports: Ports,
  accountId: string,
  typed: string,
): Promise<string | null> {
  const code = parseUserCode(typed);
  if (code === null) return null;
  const { userCodePerAccount, userCodeWindowMs } = limits;
  if (!(await ports.limits.take("user-code", accountId, userCodePerAccount, userCodeWindowMs))) {
    throw new Problem("too-many-tries");
  }
  return code;
}

/**
 * Makes the device that waits behind `userCode` the account's own, under `label`.
 *
 * The row in the owner's region comes first: from it an erasure, an unregistering or the next look at
 * the list finds whatever a broken-off approval left. The object's registration is the commit; until
 * then nobody sees a device, and whatever fails is undone.
 * @throws Problem `label-syntax`, `label-reserved`, `label-taken`, `names-held`, `code-expired`,
 *   `too-many`, `too-many-tries`
 */
export async function approveEnrolment(
  ports: Ports,
  accountId: string,
  request: { readonly userCode: string; readonly label: string },
): Promise<DeviceDescription> {
  const label = await wantedLabel(ports, accountId, request.label);
  const code = await countedCode(ports, accountId, request.userCode);
  if (code === null) throw new Problem("code-expired", "user_code");

  const bytes = (count: number) => ports.random.bytes(count);
  const codeHash = await ports.names.hash("user-code", code);
  const tombstone = await hashToken(newToken("enr", ports.regions.default, bytes));
  const waiting = waitingRoom(ports);
  const claimed = await claimUserCode(waiting, codeHash, tombstone, ports.clock.now());
  if (claimed === null) throw new Problem("code-expired", "user_code");
  const deviceId = newId("dev", regionOf(accountId) ?? ports.regions.default, bytes);
  const device = { deviceId, accountId, label, enrolment: claimed };
  const heldUntil = await ports.directory.heldUntil(label, accountId);
  const made = await makeDevice(ports, device).catch(async (error: unknown) => {
    await abandonDevice(ports, device, heldUntil);
    await restoreUserCode(waiting, tombstone, codeHash);
    throw error;
  });
  // The device is made; a row that stays behind is outranked by the grant and expires.
  await deleteEnrolment(waiting, claimed.deviceCodeHash).catch(() => reportLeftover(ports));
  return made;
}

const reportLeftover = (ports: Ports) => ports.log({ event: "enrolment-row-left", count: 1 });

interface NewDevice {
  readonly deviceId: string;
  readonly accountId: string;
  readonly label: string;
  readonly enrolment: { readonly deviceCodeHash: string; readonly publicKey: string };
}

async function makeDevice(ports: Ports, made: NewDevice): Promise<DeviceDescription> {
  const { deviceId, accountId, label, enrolment } = made;
  const db = regionDb(ports, deviceId);
  const now = ports.clock.now();
  const { deviceCodeHash } = enrolment;
  const expiresAt = now + limits.enrolmentMs;
  const have = await insertDevice(db, { id: deviceId, accountId, deviceCodeHash, expiresAt }, now);
  if (have === 0) throw new Problem("not-found");
  if (have > limits.devicesPerAccount) throw new Problem("too-many");
  if (!(await ports.directory.claimLabel(label, deviceId, accountId))) {
    throw new Problem("label-taken", "label");
  }
  const object = ports.devices.get(deviceId);
  await object.register({ deviceId, accountId, publicKey: enrolment.publicKey, label });
  const device = await object.describe();
  // The account may have been erased meanwhile: then its devices were, and this one must follow.
  if (device === null || (await ownerOf(db, deviceId)) === null) throw new Problem("not-found");
  return device;
}
