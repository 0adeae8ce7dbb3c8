/** Queries of the keys that sign ID tokens; all regions share them, so they lie in the directory. */

import { desc, gt } from "drizzle-orm";
import type { Db } from "../db.ts";
import { signingKey } from "../schema/directory.ts";

export type SigningKeyRow = typeof signingKey.$inferSelect;

/** Every key that has not expired at `now`, the latest period first. */
export async function signingKeys(directory: Db, now: number): Promise<SigningKeyRow[]> {
  return await directory
    .select()
    .from(signingKey)
    .where(gt(signingKey.expiresAt, now))
    .orderBy(desc(signingKey.startsAt));
}

/** Keeps a key; false when another runner made the key of its slot first. */
export async function insertSigningKey(directory: Db, row: SigningKeyRow): Promise<boolean> {
  const rows = await directory
    .insert(signingKey)
    .values(row)
    .onConflictDoNothing()
    .returning({ slot: signingKey.slot });
  return rows.length === 1;
}
