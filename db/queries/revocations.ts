/**
 * Queries of certificates that are to be revoked although nothing else is kept of their device's name: one
 * row for an end or a switching-off, in the region of the device.
 */

import { and, asc, eq, gt, lte, sql } from "drizzle-orm";
import type { Db } from "../db.ts";
import { revocation } from "../schema/region.ts";

export type RevocationRow = typeof revocation.$inferSelect;

export async function insertRevocation(db: Db, row: RevocationRow): Promise<void> {
  await db.insert(revocation).values(row);
}

/** What is to be revoked of a device. */
export async function revocationsOf(
  db: Db,
  deviceId: string,
  now: number,
): Promise<RevocationRow[]> {
  return await db
    .select()
    .from(revocation)
    .where(and(eq(revocation.deviceId, deviceId), gt(revocation.expiresAt, now)));
}

/** What is to be tried at `now`, the longest due first. */
export async function dueRevocations(db: Db, now: number, limit: number): Promise<RevocationRow[]> {
  return await db
    .select()
    .from(revocation)
    .where(and(lte(revocation.dueAt, now), gt(revocation.expiresAt, now)))
    .orderBy(asc(revocation.dueAt), asc(revocation.id))
    .limit(limit);
}

/** Counts a try, the next at `dueAt`; false when another runner was first, or it is over. */
export async function takeRevocation(
  db: Db,
  { id, tries }: Pick<RevocationRow, "id" | "tries">,
  now: number,
  dueAt: number,
): Promise<boolean> {
  const taken = await db
    .update(revocation)
    .set({ tries: sql`${revocation.tries} + 1`, dueAt })
    .where(and(eq(revocation.id, id), eq(revocation.tries, tries), gt(revocation.expiresAt, now)))
    .returning({ id: revocation.id });
  return taken.length > 0;
}

/** What is left of it; false when it is not there any more. */
export async function setLeaves(db: Db, id: string, leavesSealed: string): Promise<boolean> {
  const set = await db
    .update(revocation)
    .set({ leavesSealed })
    .where(eq(revocation.id, id))
    .returning({ id: revocation.id });
  return set.length > 0;
}

export async function deleteRevocation(db: Db, id: string): Promise<void> {
  await db.delete(revocation).where(eq(revocation.id, id));
}
