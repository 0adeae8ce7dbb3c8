/**
 * Erasing an account: every store that the data map names, in an order that makes the person
 * unreadable first and tidies up after. Each step may run again, so an erasure that was cut short
 * anywhere is taken up by the next sweep; it never stops half way, and never keeps who it was.
 */

import { deleteGuest, deleteReach } from "../../db/queries/devices.ts";
import { deleteAccountRows, devicesIn } from "../../db/queries/retention.ts";
import { newId, regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { unregisterDevice } from "../devices/devices.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { forgetReset } from "../sign-in/waiting-reset.ts";
import { closeEntry, type OpenErasure, openEntry } from "./ledger.ts";
import { erasurePlan } from "./plan.ts";

/**
 * Erases an account everywhere. When it returns nobody can sign in to it and nothing of it opens;
 * what one run cannot reach (very many devices) is finished by the sweeps.
 * @throws Problem `not-found` for an identifier of no region
 */
export async function eraseAccount(ports: Ports, accountId: string): Promise<void> {
  const region = regionOf(accountId);
  if (region === null || ports.regions.db(region) === null) throw new Problem("not-found");
  const id = newId("era", region, (count) => ports.random.bytes(count));
  const erasure = { id, accountId, at: ports.clock.now() };
  await openEntry(ports, erasure);
  await finishErasure(ports, erasure);
}

/** Does what is left of an erasure; true when all is done and the ledger names nobody any more. */
export async function finishErasure(ports: Ports, erasure: OpenErasure): Promise<boolean> {
  const { accountId } = erasure;
  const db = ports.regions.db(accountId);
  if (db === null) throw new Error("an erasure names a region that is gone");
  const plan = erasurePlan();
  // From here on nobody is signed in, no password fits, and no new session can be made.
  await deleteAccountRows(db, plan.region, accountId);
  await ports.sealer.destroy(`person/${accountId}`);
  // While the directory still tells which addresses these were.
  await eachOf(await ports.directory.contactHashesOf(accountId), (contact) =>
    forgetReset(ports, contact),
  );
  await deleteAccountRows(ports.directory.db, plan.directory, accountId);
  await ports.directory.forgetHolder(accountId);
  await forgetElsewhere(ports, accountId);

  const limit = limits.erasureObjectsPerRun;
  const own = await devicesIn(db, "device", accountId, limit);
  await eachOf(own, (deviceId) => dropDevice(ports, accountId, deviceId));
  const others = await devicesIn(db, "device_guest", accountId, limit);
  const visited = await devicesIn(db, "door_reach", accountId, limit);
  await eachOf([...new Set([...others, ...visited])], async (deviceId) => {
    await ports.devices.get(deviceId).forgetPerson(accountId);
    await deleteGuest(db, deviceId, accountId);
    await deleteReach(db, deviceId, accountId);
  });
  if ([own, others, visited].some(({ length }) => length === limit)) return false;

  await deleteAccountRows(db, [...plan.region, ...plan.reach], accountId);
  // Again: a sign-in that was under way may have made the key anew, an ask that was have reached someone.
  await forgetElsewhere(ports, accountId);
  await ports.sealer.destroy(`person/${accountId}`);
  await closeEntry(ports, erasure, [
    ...[...plan.region, ...plan.reach].map(({ table }) => `region ${table}`),
    ...plan.directory.map(({ table }) => `directory ${table}`),
    ...plan.mentions.map(({ table }) => `region ${table} of other people`),
    "names held for them",
    "password resets under way",
    "photo",
    "device objects",
    "device objects of other people",
    "person key",
  ]);
  return true;
}

/** What stands in other people's rows, in every region (ACC-11), and the photo. */
async function forgetElsewhere(ports: Ports, accountId: string): Promise<void> {
  for (const region of ports.regions.ids) {
    const db = ports.regions.db(region);
    if (db !== null) await deleteAccountRows(db, erasurePlan().mentions, accountId);
  }
  await ports.blobs.delete(`photo/${accountId}`);
}

/** Ends one of the account's devices; another runner may have ended it a moment ago. */
async function dropDevice(ports: Ports, accountId: string, deviceId: string): Promise<void> {
  try {
    await unregisterDevice(ports, accountId, deviceId);
  } catch (error) {
    if (!(error instanceof Problem && error.code === "not-found")) throw error;
  }
}

/** Runs `work` over `items`, a few at a time. */
async function eachOf(
  items: readonly string[],
  work: (item: string) => Promise<unknown>,
): Promise<void> {
  const waiting = [...items];
  const lane = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: limits.erasureObjectsAtOnce }, lane));
}
