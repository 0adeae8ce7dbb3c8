/** Queries of the keys that sign the DDNS zone; all regions share them, so they lie in the directory. */

import { asc, lt } from "drizzle-orm";
import type { Db } from "../db.ts";
import { zoneKey } from "../schema/directory.ts";
import type { ZoneKeyRow } from "../zone-keys.ts";

/** Every key, the oldest first. */
export async function zoneKeys(directory: Db): Promise<ZoneKeyRow[]> {
  return await directory.select().from(zoneKey).orderBy(asc(zoneKey.slot));
}

/** Keeps a key; false when another runner made the key of its slot first. */
export async function insertZoneKey(directory: Db, row: ZoneKeyRow): Promise<boolean> {
  const rows = await directory
    .insert(zoneKey)
    .values(row)
    .onConflictDoNothing()
    .returning({ slot: zoneKey.slot });
  return rows.length === 1;
}

/** Forgets the keys before `slot`. @returns how many there were */
export async function deleteZoneKeysBefore(directory: Db, slot: number): Promise<number> {
  const rows = await directory
    .delete(zoneKey)
    .where(lt(zoneKey.slot, slot))
    .returning({ slot: zoneKey.slot });
  return rows.length;
}
