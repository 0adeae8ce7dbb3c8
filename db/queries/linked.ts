/**
 * Queries of accounts elsewhere that are linked to an account. Whose one is, the directory answers; it
 * counts only while its row is here.
 */

import { and, eq, isNull, lt, or, sql } from "drizzle-orm";
import type { Db } from "../db.ts";
import { account } from "../schema/region/account.ts";
import { linkedIdentity } from "../schema/region/linked.ts";
import { challenge } from "../schema/region/sign-in.ts";
import { startOfDay } from "./accounts.ts";
import { waysIn } from "./ways-in.ts";

export interface LinkedRow {
  readonly id: string;
  readonly claimsSealed: string;
  /** Milliseconds since the epoch. */
  readonly linkedAt: number;
  /** Start of the last day on which it let its owner in; null: never. */
  readonly usedDay: number | null;
}

/** The accounts elsewhere of an account, in the order in which they were linked. */
export async function linkedOf(db: Db, accountId: string): Promise<LinkedRow[]> {
  return await db
    .select({
      id: linkedIdentity.id,
      claimsSealed: linkedIdentity.claimsSealed,
      linkedAt: linkedIdentity.linkedAt,
      usedDay: linkedIdentity.usedDay,
    })
    .from(linkedIdentity)
    .where(eq(linkedIdentity.accountId, accountId))
    .orderBy(linkedIdentity.linkedAt, linkedIdentity.id);
}

export interface NewLinked {
  readonly id: string;
  readonly accountId: string;
  readonly claimsSealed: string;
}

/** Links to an account that exists and has fewer than `max`; false when it is gone or has them. */
export async function insertLinked(
  db: Db,
  row: NewLinked,
  { now, max }: { readonly now: number; readonly max: number },
): Promise<boolean> {
  const has = sql`(SELECT count(*) FROM ${linkedIdentity}
    WHERE ${linkedIdentity.accountId} = ${row.accountId})`;
  const rows = await db
    .insert(linkedIdentity)
    .select(
      db
        .select({
          id: sql<string>`${row.id}`.as("id"),
          accountId: account.id,
          claimsSealed: sql<string>`${row.claimsSealed}`.as("claims_sealed"),
          linkedAt: sql<number>`${now}`.as("linked_at"),
          usedDay: sql<number | null>`NULL`.as("used_day"),
        })
        .from(account)
        .where(and(eq(account.id, row.accountId), lt(has, max))),
    )
    .returning({ id: linkedIdentity.id });
  return rows.length === 1;
}

/**
 * True when an entry of the directory counts: its row is here, or a sign-up that claimed it is not done.
 * An entry that does not was left behind by an unlinking that was cut off.
 */
export async function holdsLinked(
  db: Db,
  { accountId, identityId }: { readonly accountId: string; readonly identityId: string },
): Promise<boolean> {
  const here = and(eq(linkedIdentity.id, identityId), eq(linkedIdentity.accountId, accountId));
  const rows = await db
    .select({ id: linkedIdentity.id })
    .from(linkedIdentity)
    .where(here)
    .unionAll(
      db
        .select({ id: challenge.accountId })
        .from(challenge)
        .where(and(eq(challenge.accountId, accountId), eq(challenge.kind, "sign-up"))),
    )
    .limit(1);
  return rows.length > 0;
}

/** Notes that it let its owner in today. False when it is not linked to that account (any more). */
export async function touchLinked(
  db: Db,
  { accountId, identityId }: { readonly accountId: string; readonly identityId: string },
  now: number,
): Promise<boolean> {
  const today = startOfDay(now);
  const at = and(eq(linkedIdentity.id, identityId), eq(linkedIdentity.accountId, accountId));
  const [row] = await db.select({ usedDay: linkedIdentity.usedDay }).from(linkedIdentity).where(at);
  if (row === undefined) return false;
  const older = or(isNull(linkedIdentity.usedDay), lt(linkedIdentity.usedDay, today));
  if (row.usedDay !== today) {
    await db.update(linkedIdentity).set({ usedDay: today }).where(and(at, older));
  }
  return true;
}

/** Takes back a link that was not completed. */
export async function dropLinked(db: Db, id: string): Promise<void> {
  await db.delete(linkedIdentity).where(eq(linkedIdentity.id, id));
}

/** Unlinks, unless nothing else would let its owner in: one statement, so that two at once cannot. */
export async function deleteLinked(db: Db, accountId: string, id: string): Promise<boolean> {
  const rows = await db
    .delete(linkedIdentity)
    .where(
      and(
        eq(linkedIdentity.id, id),
        eq(linkedIdentity.accountId, accountId),
        waysIn(accountId, { besides: id }),
      ),
    )
    .returning({ id: linkedIdentity.id });
  return rows.length === 1;
}
