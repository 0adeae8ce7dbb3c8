/**
 * The end of a device: one row says that it is ending before anything of it goes, so that an end
 * which broke off is finished by the sweep, by the next look at the list or by asking again.
 */

import { accountOf, personKey } from "../../db/queries/accounts.ts";
import { deleteOrder } from "../../db/queries/certificate-orders.ts";
import {
  deleteDevice,
  deleteGuestsOf,
  endingDevices,
  markEnding,
  ownerOf,
} from "../../db/queries/devices.ts";
import { deleteOffersOf } from "../../db/queries/name-offers.ts";
import { deleteClient } from "../../db/queries/openid-device.ts";
import { deleteObjection, deleteReportsOf, reportsOf } from "../../db/queries/reports.ts";
import { limits } from "../../protocol/limits.ts";
import { keepToRevoke } from "../certificates/ending.ts";
import type { Db, Ports } from "../ports.ts";
import { Problem } from "../problem.ts";

/** The database of the region that `id` names. @throws Problem `not-found` for no region of ours */
export function regionDb(ports: Ports, id: string): Db {
  const db = ports.regions.db(id);
  if (db === null) throw new Problem("not-found");
  return db;
}

/**
 * Ends a device: the object drops its whole store and closes every socket, the label is held, the rows go, the
 * one that leads to the rest last. Each step may be repeated. Asks nobody's leave. What we had certified for
 * it is revoked beside that.
 * @param holder who gives its names up and may take them back while they have an account; absent: nobody may
 */
export async function endDevice(ports: Ports, deviceId: string, holder?: string): Promise<void> {
  await markEnding(regionDb(ports, deviceId), deviceId, ports.clock.now());
  const object = ports.devices.get(deviceId);
  const revoke = await keepToRevoke(ports, deviceId, await object.certificate());
  await object.unregister();
  // Whoever takes a device away does not wait for an authority, and the device goes on meanwhile for nobody.
  ports.background(revoke());
  const isHeld = holder !== undefined && !(await isErased(ports, holder));
  await ports.directory.holdLabelsOf(deviceId, isHeld ? holder : undefined);
  if (isHeld) await forgetErased(ports, holder);
  await deleteOrder(ports.directory.db, deviceId);
  // Guests' rows, and what people allowed its page, stand in their own regions.
  for (const region of ports.regions.ids) {
    await deleteGuestsOf(regionDb(ports, region), deviceId);
    await deleteClient(regionDb(ports, region), deviceId);
    await deleteOffersOf(regionDb(ports, region), deviceId);
  }
  await forgetReports(ports, deviceId);
  await deleteDevice(regionDb(ports, deviceId), deviceId);
}

/**
 * Call it after names were held for an account: one that was erased just before has forgotten itself
 * already, and nobody else would.
 */
export async function forgetErased(ports: Ports, accountId: string): Promise<void> {
  if (await isErased(ports, accountId)) await ports.directory.forgetHolder(accountId);
}

async function isErased(ports: Ports, accountId: string): Promise<boolean> {
  return (await accountOf(regionDb(ports, accountId), accountId)) === null;
}

/** What was reported of its page, each with its key, and what its owner said to it. */
async function forgetReports(ports: Ports, deviceId: string): Promise<void> {
  const db = regionDb(ports, deviceId);
  for (const id of await reportsOf(db, deviceId)) await ports.sealer.destroy(personKey(id));
  await deleteReportsOf(db, deviceId);
  await deleteObjection(db, deviceId);
}

/**
 * Undoes an approval that failed a moment ago: nobody ever saw the device, so its label is as it was
 * before, free or held. If this breaks off too, what is left ends like any other device.
 * @param heldUntil until when the label was held for `accountId`, ms since the epoch; null: it was free
 */
export async function abandonDevice(
  ports: Ports,
  { deviceId, accountId }: { readonly deviceId: string; readonly accountId: string },
  heldUntil: number | null,
): Promise<void> {
  await markEnding(regionDb(ports, deviceId), deviceId, ports.clock.now());
  await ports.devices.get(deviceId).unregister();
  await ports.directory.releaseLabelsOf(deviceId, accountId, heldUntil);
  if (heldUntil !== null) await forgetErased(ports, accountId);
  await deleteDevice(regionDb(ports, deviceId), deviceId);
}

/** Takes up the ends of one region that broke off; one that fails again holds up no other. */
export async function finishEndings(
  ports: Ports,
  db: Db,
): Promise<{ readonly deleted: number; readonly more: boolean }> {
  let deleted = 0;
  let failure: unknown = null;
  for (const deviceId of await endingDevices(db, limits.erasureObjectsPerRun)) {
    try {
      await endDevice(ports, deviceId, (await ownerOf(db, deviceId)) ?? undefined);
      deleted++;
    } catch (error) {
      failure = error;
    }
  }
  if (failure !== null) throw failure;
  return { deleted, more: false };
}
