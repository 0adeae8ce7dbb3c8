/**
 * Queries of what accounts allowed apps: their grants. Each takes the database of the region that holds
 * the account.
 */

import { and, desc, eq, lt, sql } from "drizzle-orm";
import type { Db } from "../db.ts";
import { account } from "../schema/region/account.ts";
import { oauthCode, oauthGrant, oauthToken } from "../schema/region/openid.ts";
import { startOfDay } from "./accounts.ts";

export interface NewGrant {
  readonly id: string;
  readonly slotHash: string;
  readonly accountId: string;
  readonly clientId: string;
  readonly scope: string;
  readonly appSealed: string;
}

/**
 * Keeps what an account allowed, or widens what the same slot was allowed before.
 * @returns the grant's id, which is another when the slot had one; null for an account that is gone
 */
export async function allowGrant(db: Db, row: NewGrant, now: number): Promise<string | null> {
  const day = startOfDay(now);
  const rows = await db
    .insert(oauthGrant)
    .select(
      db
        .select({
          id: sql<string>`${row.id}`.as("id"),
          slotHash: sql<string>`${row.slotHash}`.as("slot_hash"),
          accountId: account.id,
          clientId: sql<string>`${row.clientId}`.as("client_id"),
          scope: sql<string>`${row.scope}`.as("scope"),
          appSealed: sql<string>`${row.appSealed}`.as("app_sealed"),
          createdAt: sql<number>`${now}`.as("created_at"),
          usedDay: sql<number>`${day}`.as("used_day"),
        })
        .from(account)
        .where(eq(account.id, row.accountId)),
    )
    .onConflictDoUpdate({
      target: oauthGrant.slotHash,
      set: { scope: row.scope, usedDay: day },
    })
    .returning({ id: oauthGrant.id });
  return rows[0]?.id ?? null;
}

export interface GrantRow {
  readonly id: string;
  readonly slotHash: string;
  readonly clientId: string;
  readonly scope: string;
  readonly appSealed: string;
  readonly createdAt: number;
  /** Start of the last day on which it was used. */
  readonly usedDay: number;
}

/** What an account allowed, to one client or to all, the latest used first. */
export async function grantsOf(db: Db, accountId: string, clientId?: string): Promise<GrantRow[]> {
  return await db
    .select({
      id: oauthGrant.id,
      slotHash: oauthGrant.slotHash,
      clientId: oauthGrant.clientId,
      scope: oauthGrant.scope,
      appSealed: oauthGrant.appSealed,
      createdAt: oauthGrant.createdAt,
      usedDay: oauthGrant.usedDay,
    })
    .from(oauthGrant)
    .where(
      and(
        eq(oauthGrant.accountId, accountId),
        clientId === undefined ? undefined : eq(oauthGrant.clientId, clientId),
      ),
    )
    .orderBy(desc(oauthGrant.usedDay), desc(oauthGrant.createdAt), oauthGrant.id);
}

/** Ends a grant with every code and token of it, at once; null when the account has no such grant. */
export async function deleteGrant(
  db: Db,
  accountId: string,
  grantId: string,
): Promise<{ clientId: string; appSealed: string } | null> {
  const of = <T extends typeof oauthCode | typeof oauthToken>(table: T) =>
    and(eq(table.grantId, grantId), eq(table.accountId, accountId));
  const results = await db.batch([
    db.delete(oauthToken).where(of(oauthToken)),
    db.delete(oauthCode).where(of(oauthCode)),
    db
      .delete(oauthGrant)
      .where(and(eq(oauthGrant.id, grantId), eq(oauthGrant.accountId, accountId)))
      .returning({ clientId: oauthGrant.clientId, appSealed: oauthGrant.appSealed }),
  ]);
  return (results[2] as { clientId: string; appSealed: string }[])[0] ?? null;
}

/** The statement that notes on which day a grant was used last; it writes once a day. */
export function noteGrantUse(db: Db, grantId: string, now: number) {
  const today = startOfDay(now);
  return db
    .update(oauthGrant)
    .set({ usedDay: today })
    .where(and(eq(oauthGrant.id, grantId), lt(oauthGrant.usedDay, today)));
}
