/**
 * Contacts at the doors of devices. A device's object knows no contacts: who comes is looked at when
 * they are handed over, and where a contact ends, the devices of both are told at once (CON-3).
 */

import { edgeState } from "../../db/queries/contacts.ts";
import { devicesOf, ownerOf } from "../../db/queries/devices.ts";
import { deleteOffersBetween } from "../../db/queries/name-offers.ts";
import { limits } from "../../protocol/limits.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";

/** True when two people agreed to be contacts, and neither thought better of it. */
export async function areContacts(ports: Ports, one: string, other: string): Promise<boolean> {
  const [mine, theirs] = [ports.regions.db(one), ports.regions.db(other)];
  if (mine === null || theirs === null) return false;
  const now = ports.clock.now();
  const states = await Promise.all([
    edgeState(mine, { me: one, other }, now),
    edgeState(theirs, { me: other, other: one }, now),
  ]);
  return states.every((state) => state === "contact");
}

/** True for an accepted contact of a device's owner, who is not the owner. */
export async function isContactAt(
  ports: Ports,
  deviceId: string,
  accountId: string,
): Promise<boolean> {
  const db = ports.regions.db(deviceId);
  const owner = db === null ? null : await ownerOf(db, deviceId);
  return owner !== null && owner !== accountId && (await areContacts(ports, owner, accountId));
}

/**
 * Two people are no contacts any more: what each had at the other's doors as one ends, and names that one
 * offers to the other. Idempotent.
 * @throws Problem `unavailable` when a device could not be told; asking again tells it
 */
export async function endContactAtDoors(ports: Ports, one: string, other: string): Promise<void> {
  for (const id of [one, other]) {
    const db = ports.regions.db(id);
    if (db !== null) await deleteOffersBetween(db, one, other);
  }
  const [mine, theirs] = await Promise.all([doorsOf(ports, one), doorsOf(ports, other)]);
  const waiting = [
    ...mine.map((id) => ({ id, person: other })),
    ...theirs.map((id) => ({ id, person: one })),
  ];
  let failed = false;
  const lane = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      try {
        await ports.devices.get(next.id).endContact(next.person);
      } catch {
        failed = true;
      }
    }
  };
  await Promise.all(Array.from({ length: limits.erasureObjectsAtOnce }, lane));
  if (failed) throw new Problem("unavailable");
}

async function doorsOf(ports: Ports, accountId: string): Promise<string[]> {
  const db = ports.regions.db(accountId);
  return db === null ? [] : (await devicesOf(db, accountId)).map(({ id }) => id);
}
