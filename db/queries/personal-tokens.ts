/** Queries of personal access tokens. Reads filter by expiry, so a late sweep shows nothing. */

import { and, eq, gt, isNull, lt, or, sql } from "drizzle-orm";
import type { Db } from "../db.ts";
import { account } from "../schema/region/account.ts";
import { personalToken } from "../schema/region/tokens.ts";

export interface NewPersonalTokenRow {
  readonly tokenHash: string;
  readonly id: string;
  readonly accountId: string;
  readonly nameSealed: string;
  readonly scopes: string;
  readonly createdAt: number;
  readonly expiresAt: number;
}

/**
 * Stores a token of an account that exists and has fewer than `max` that live; false when it has as
 * many or was erased meanwhile.
 */
export async function insertPersonalToken(
  db: Db,
  row: NewPersonalTokenRow,
  max: number,
): Promise<boolean> {
  const own = sql`(SELECT count(*) FROM ${personalToken}
    WHERE ${personalToken.accountId} = ${row.accountId}
      AND ${personalToken.expiresAt} > ${row.createdAt})`;
  const rows = await db
    .insert(personalToken)
    .select(
      db
        .select({
          tokenHash: sql<string>`${row.tokenHash}`.as("token_hash"),
          id: sql<string>`${row.id}`.as("token_id"),
          accountId: account.id,
          nameSealed: sql<string>`${row.nameSealed}`.as("name_sealed"),
          scopes: sql<string>`${row.scopes}`.as("scopes"),
          createdAt: sql<number>`${row.createdAt}`.as("created_at"),
          usedDay: sql<null>`NULL`.as("used_day"),
          expiresAt: sql<number>`${row.expiresAt}`.as("expires_at"),
        })
        .from(account)
        .where(and(eq(account.id, row.accountId), lt(own, max))),
    )
    .returning({ id: personalToken.id });
  return rows.length === 1;
}

export interface CheckedToken {
  readonly id: string;
  readonly accountId: string;
  readonly scopes: string;
  readonly usedDay: number | null;
  readonly expiresAt: number;
}

/** The live token with this hash. */
export async function personalTokenOf(
  db: Db,
  tokenHash: string,
  now: number,
): Promise<CheckedToken | null> {
  const [row] = await db
    .select({
      id: personalToken.id,
      accountId: personalToken.accountId,
      scopes: personalToken.scopes,
      expiresAt: personalToken.expiresAt,
      usedDay: personalToken.usedDay,
    })
    .from(personalToken)
    .where(and(eq(personalToken.tokenHash, tokenHash), gt(personalToken.expiresAt, now)));
  return row ?? null;
}

/** Notes the day on which a token was used; writes once a day. */
export async function notePersonalTokenUse(
  db: Db,
  tokenHash: string,
  usedDay: number,
): Promise<void> {
  const before = or(isNull(personalToken.usedDay), lt(personalToken.usedDay, usedDay));
  await db
    .update(personalToken)
    .set({ usedDay })
    .where(and(eq(personalToken.tokenHash, tokenHash), before));
}

export interface PersonalTokenRow {
  readonly id: string;
  readonly nameSealed: string;
  readonly scopes: string;
  readonly createdAt: number;
  readonly usedDay: number | null;
  readonly expiresAt: number;
}

/** The live tokens of an account, the oldest first. */
export async function personalTokensOf(
  db: Db,
  accountId: string,
  now: number,
): Promise<PersonalTokenRow[]> {
  return await db
    .select({
      id: personalToken.id,
      nameSealed: personalToken.nameSealed,
      scopes: personalToken.scopes,
      createdAt: personalToken.createdAt,
      usedDay: personalToken.usedDay,
      expiresAt: personalToken.expiresAt,
    })
    .from(personalToken)
    .where(and(eq(personalToken.accountId, accountId), gt(personalToken.expiresAt, now)))
    .orderBy(personalToken.createdAt, personalToken.id);
}

/** Lets a token of an account open nothing from `now` on; null when it has no such token. */
export async function expirePersonalToken(
  db: Db,
  accountId: string,
  id: string,
  now: number,
): Promise<{ readonly scopes: string } | null> {
  const [row] = await db
    .update(personalToken)
    .set({ expiresAt: now })
    .where(and(eq(personalToken.id, id), eq(personalToken.accountId, accountId)))
    .returning({ scopes: personalToken.scopes });
  return row ?? null;
}

/** Deletes a token of an account; null when it has no such token. */
export async function deletePersonalToken(
  db: Db,
  accountId: string,
  id: string,
): Promise<{ readonly nameSealed: string } | null> {
  const [row] = await db
    .delete(personalToken)
    .where(and(eq(personalToken.id, id), eq(personalToken.accountId, accountId)))
    .returning({ nameSealed: personalToken.nameSealed });
  return row ?? null;
}
