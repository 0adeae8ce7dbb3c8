/**
 * Devices as their owner sees and changes them. Every function finds the device's one row first, so
 * an id that is not the account's is `not-found` and never wakes, let alone creates, an object.
 */

import {
  deleteGuest,
  devicesOf,
  hasGuest,
  insertGuest,
  ownerOf,
} from "../../db/queries/devices.ts";
import { rulePrefix } from "../../durable-objects/device/paths.ts";
import type {
  AccessMode,
  DeviceDescription,
  DeviceStub,
  FeatureName,
  IdentityMode,
} from "../../durable-objects/device/rpc.ts";
import { isId } from "../../protocol/ids.ts";
import { webService } from "../../protocol/link/headers.ts";
import type { Reach } from "../../protocol/reach.ts";
import { keepToRevoke } from "../certificates/ending.ts";
import { doorOrigin } from "../config.ts";
import type { Db, Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { endDevice, regionDb } from "./ending.ts";
import { isOver } from "./rules.ts";

export {
  approveEnrolment,
  lookupEnrolment,
  type PollResult,
  pollEnrolment,
  startEnrolment,
} from "./enrolments.ts";

/** The object of a device that `accountId` owns. @throws Problem `not-found` */
export async function ownDevice(
  ports: Ports,
  accountId: string,
  deviceId: string,
): Promise<DeviceStub> {
  const db = isId("dev", deviceId) ? ports.regions.db(deviceId) : null;
  const owner = db === null ? null : await ownerOf(db, deviceId);
  if (owner === null || owner !== accountId) throw new Problem("not-found");
  return ports.devices.get(deviceId);
}

/** The object answers null once its device is gone. */
function present<T>(answer: T | null): T {
  if (answer === null) throw new Problem("not-found");
  return answer;
}

/** The account's devices, the oldest first. What an approval or an end left half done ends on the way. */
export async function listDevices(ports: Ports, accountId: string): Promise<DeviceDescription[]> {
  const db = ports.regions.db(accountId);
  const rows = db === null ? [] : await devicesOf(db, accountId);
  const described = await Promise.all(
    rows.map(async (row) => ({ row, device: await ports.devices.get(row.id).describe() })),
  );
  for (const { row, device } of described) {
    if (device === null && isOver(row, ports.clock.now())) {
      ports.background(endDevice(ports, row.id, accountId));
    }
  }
  return described.flatMap(({ device }) => (device === null ? [] : [device]));
}

export async function getDevice(
  ports: Ports,
  accountId: string,
  deviceId: string,
): Promise<DeviceDescription> {
  const object = await ownDevice(ports, accountId, deviceId);
  return present(await object.describe());
}

/** Where the device says it can be reached without the relay; null when nothing is on record. */
export async function ownReach(
  ports: Ports,
  accountId: string,
  deviceId: string,
): Promise<Reach | null> {
  const object = await ownDevice(ports, accountId, deviceId);
  return await object.ownReach();
}

/** Switches a feature; off deletes its data and destroys its key. Idempotent. */
export async function setFeature(
  ports: Ports,
  accountId: string,
  deviceId: string,
  feature: FeatureName,
  on: boolean,
): Promise<DeviceDescription> {
  const object = await ownDevice(ports, accountId, deviceId);
  const isNameOff = feature === "name" && !on;
  const revoke = isNameOff ? await keepToRevoke(ports, deviceId, await object.certificate()) : null;
  const device = present(await object.setFeature(feature, on));
  if (revoke !== null) ports.background(revoke());
  return device;
}

export async function setAccess(
  ports: Ports,
  accountId: string,
  deviceId: string,
  mode: AccessMode,
): Promise<DeviceDescription> {
  const object = await ownDevice(ports, accountId, deviceId);
  return present(await object.setAccess(mode));
}

/**
 * Lets a person in. The answer is the same whether or not there is such an account; where there is,
 * a row in the person's region lets an erasure of the person reach this device.
 * @throws Problem `bad-request` for what is no account id, `too-many` for a full list
 */
export async function allow(
  ports: Ports,
  accountId: string,
  deviceId: string,
  personId: string,
  ruleId: string | null = null,
): Promise<DeviceDescription> {
  const object = await ownDevice(ports, accountId, deviceId);
  if (!isId("acc", personId)) throw new Problem("bad-request", "account");
  if (personId === accountId) return present(await object.describe());
  const db = guestsDb(ports, personId);
  await insertGuest(db, deviceId, personId);
  const known = await hasGuest(db, deviceId, personId);
  const device = await object.allow(personId, ruleId);
  if (device === "full" || device === null) {
    const still = await object.describe();
    if (still === null || !isListed(still, personId)) await deleteGuest(db, deviceId, personId);
    throw new Problem(device === null ? "not-found" : "too-many");
  }
  // An erasure that ran in between took the row and may have missed the list. Looked at for people who
  // are not there too: the work must not tell.
  const stays = await hasGuest(db, deviceId, personId);
  return known && !stays ? present(await object.disallow(personId, ruleId)) : device;
}

/** Lets a person in no longer: what they have open ends at once. Idempotent. */
export async function disallow(
  ports: Ports,
  accountId: string,
  deviceId: string,
  personId: string,
  ruleId: string | null = null,
): Promise<DeviceDescription> {
  const object = await ownDevice(ports, accountId, deviceId);
  if (!isId("acc", personId)) throw new Problem("bad-request", "account");
  const device = present(await object.disallow(personId, ruleId));
  await forgetUnlisted(ports, device, [personId]);
  return device;
}

/** Where a person's rows are. A region that is none has nobody in it; ours finds as much. */
function guestsDb(ports: Ports, personId: string): Db {
  return ports.regions.db(personId) ?? regionDb(ports, ports.regions.default);
}

/** True while a person stands on some list of the device. */
function isListed({ access }: DeviceDescription, personId: string): boolean {
  return [access, ...access.rules].some(({ people }) => people.includes(personId));
}

/** Whoever is on no list of the device any more is not known to be let in by it. */
async function forgetUnlisted(
  ports: Ports,
  device: DeviceDescription,
  people: readonly string[],
): Promise<void> {
  for (const person of people) {
    if (!isListed(device, person)) await deleteGuest(guestsDb(ports, person), device.id, person);
  }
}

/**
 * Says who may come in to a path and all below it, or use a service. The deepest path counts.
 * @throws Problem `bad-request` for a path that a device might read as another, `too-many`
 */
export async function setRule(
  ports: Ports,
  accountId: string,
  deviceId: string,
  rule: { readonly service: string; readonly path: string; readonly mode: AccessMode },
): Promise<DeviceDescription> {
  const object = await ownDevice(ports, accountId, deviceId);
  const before = present(await object.describe());
  const origin = doorOrigin(ports.config, before.label);
  const path = rulePrefix(rule.path, origin);
  if (path === null) throw new Problem("path-unclear", "path");
  if (rule.service !== webService && (path !== "/" || rule.mode === "everyone")) {
    throw new Problem("bad-request", path === "/" ? "mode" : "path");
  }
  const device = present(await object.setRule(rule.service, path, rule.mode));
  if (device === "full") throw new Problem("too-many", "path");
  return device;
}

/** What is below its path comes under the rule above again. Idempotent. */
export async function removeRule(
  ports: Ports,
  accountId: string,
  deviceId: string,
  ruleId: string,
): Promise<DeviceDescription> {
  const object = await ownDevice(ports, accountId, deviceId);
  const before = present(await object.describe());
  const device = present(await object.removeRule(ruleId));
  const people = before.access.rules.find(({ id }) => id === ruleId)?.people ?? [];
  await forgetUnlisted(ports, device, people);
  return device;
}

/** What the device is told of who comes (docs/door.md). */
export async function setIdentity(
  ports: Ports,
  accountId: string,
  deviceId: string,
  mode: IdentityMode,
): Promise<DeviceDescription> {
  const object = await ownDevice(ports, accountId, deviceId);
  return present(await object.setIdentity(mode));
}

/**
 * Unregisters: nothing of the device remains but its names, held. Broken off, the sweep finishes it.
 * @param holder who may take them back; absent: nobody may
 */
export async function unregisterDevice(
  ports: Ports,
  accountId: string,
  deviceId: string,
  holder?: string,
): Promise<void> {
  await ownDevice(ports, accountId, deviceId);
  await endDevice(ports, deviceId, holder);
}
