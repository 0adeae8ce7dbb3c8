/**
 * Names that somebody offers to a contact. An offer lies in the region of who may take it; one of many who
 * take it, decline it or withdraw it at once gets the row.
 */

import { and, asc, eq, gt, or } from "drizzle-orm";
import type { Db } from "../db.ts";
import { nameOffer } from "../schema/region.ts";

export type OfferRow = typeof nameOffer.$inferSelect;

export async function insertOffer(db: Db, row: OfferRow): Promise<void> {
  await db.insert(nameOffer).values(row).onConflictDoNothing();
}

/** What is offered to an account. */
export async function offersTo(db: Db, accountId: string, now: number): Promise<OfferRow[]> {
  return await db
    .select()
    .from(nameOffer)
    .where(and(eq(nameOffer.accountId, accountId), gt(nameOffer.expiresAt, now)))
    .orderBy(asc(nameOffer.expiresAt));
}

/** What an account offers to people of this region. */
export async function offersFrom(db: Db, fromId: string, now: number): Promise<OfferRow[]> {
  return await db
    .select()
    .from(nameOffer)
    .where(and(eq(nameOffer.fromId, fromId), gt(nameOffer.expiresAt, now)))
    .orderBy(asc(nameOffer.expiresAt));
}

/** Takes an offer that was made to `accountId` away; null when there is none, or somebody was first. */
export async function takeOffer(
  db: Db,
  id: string,
  accountId: string,
  now: number,
): Promise<OfferRow | null> {
  const [row] = await db
    .delete(nameOffer)
    .where(
      and(eq(nameOffer.id, id), eq(nameOffer.accountId, accountId), gt(nameOffer.expiresAt, now)),
    )
    .returning();
  return row ?? null;
}

/** Withdraws what `fromId` offered by this identifier; false when there was nothing. */
export async function withdrawOffer(db: Db, id: string, fromId: string): Promise<boolean> {
  const rows = await db
    .delete(nameOffer)
    .where(and(eq(nameOffer.id, id), eq(nameOffer.fromId, fromId)))
    .returning({ id: nameOffer.id });
  return rows.length === 1;
}

/** What two people offer each other ends, where either may take it. */
export async function deleteOffersBetween(db: Db, one: string, other: string): Promise<void> {
  const isFor = (to: string, from: string) =>
    and(eq(nameOffer.accountId, to), eq(nameOffer.fromId, from));
  await db.delete(nameOffer).where(or(isFor(one, other), isFor(other, one)));
}

/** A device is gone: so is what its names were offered for. */
export async function deleteOffersOf(db: Db, deviceId: string): Promise<void> {
  await db.delete(nameOffer).where(eq(nameOffer.deviceId, deviceId));
}
