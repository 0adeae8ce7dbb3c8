/** Queries of passkeys and of the challenges that they sign. Reads filter by expiry. */

import { and, eq, gt, isNull, lt, or, type SQL, sql } from "drizzle-orm";
import type { Db } from "../db.ts";
import { account } from "../schema/region/account.ts";
import { ceremony, type ceremonyKinds, passkey } from "../schema/region/passkeys.ts";
import { waysIn } from "./ways-in.ts";

export type CeremonyKind = (typeof ceremonyKinds)[number];
export type NewCeremony = typeof ceremony.$inferInsert;

/** Keeps a challenge that an authenticator is to sign. */
export async function insertCeremony(db: Db, row: NewCeremony): Promise<void> {
  await db.insert(ceremony).values(row);
}

export interface CeremonyKey {
  readonly challengeHash: string;
  readonly kind: CeremonyKind;
  /** Whose passkey was asked for; null when nobody was known. */
  readonly accountId: string | null;
}

/** Uses a challenge up that has not expired at `now`: one caller wins. */
export async function takeCeremony(db: Db, key: CeremonyKey, now: number): Promise<boolean> {
  const { accountId } = key;
  const rows = await db
    .delete(ceremony)
    .where(
      and(
        eq(ceremony.challengeHash, key.challengeHash),
        eq(ceremony.kind, key.kind),
        accountId === null ? isNull(ceremony.accountId) : eq(ceremony.accountId, accountId),
        gt(ceremony.expiresAt, now),
      ),
    )
    .returning({ kind: ceremony.kind });
  return rows.length === 1;
}

export interface NewPasskeyRow {
  readonly id: string;
  readonly accountId: string;
  readonly credentialHash: string;
  readonly credentialSealed: string;
  readonly nameSealed: string;
  readonly counter: number;
  readonly backedUp: number;
  readonly createdAt: number;
}

/**
 * Stores a passkey of an account that exists and has fewer than `max`. False when it has as many,
 * was erased meanwhile, or somebody has this very credential (WebAuthn §7.1).
 */
export async function insertPasskey(db: Db, row: NewPasskeyRow, max: number): Promise<boolean> {
  const own = sql`(SELECT count(*) FROM ${passkey} WHERE ${passkey.accountId} = ${row.accountId})`;
  const rows = await db
    .insert(passkey)
    .select(
      db
        .select({
          id: sql<string>`${row.id}`.as("passkey_id"),
          accountId: account.id,
          credentialHash: sql<string>`${row.credentialHash}`.as("credential_hash"),
          credentialSealed: sql<string>`${row.credentialSealed}`.as("credential_sealed"),
          nameSealed: sql<string>`${row.nameSealed}`.as("name_sealed"),
          counter: sql<number>`${row.counter}`.as("counter"),
          backedUp: sql<number>`${row.backedUp}`.as("backed_up"),
          createdAt: sql<number>`${row.createdAt}`.as("created_at"),
          usedDay: sql<null>`NULL`.as("used_day"),
        })
        .from(account)
        .where(and(eq(account.id, row.accountId), lt(own, max))),
    )
    .onConflictDoNothing()
    .returning({ id: passkey.id });
  return rows.length === 1;
}

export interface PasskeyRow {
  readonly id: string;
  readonly credentialSealed: string;
  readonly nameSealed: string;
  readonly counter: number;
  readonly backedUp: number;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** Start of a day (UTC); null when it was never used. */
  readonly usedDay: number | null;
}

const columns = {
  id: passkey.id,
  credentialSealed: passkey.credentialSealed,
  nameSealed: passkey.nameSealed,
  counter: passkey.counter,
  backedUp: passkey.backedUp,
  createdAt: passkey.createdAt,
  usedDay: passkey.usedDay,
} as const;

/** The passkeys of an account, the oldest first. */
export async function passkeysOf(db: Db, accountId: string): Promise<PasskeyRow[]> {
  return await db
    .select(columns)
    .from(passkey)
    .where(eq(passkey.accountId, accountId))
    .orderBy(passkey.createdAt, passkey.id);
}

/** How many passkeys an account has. */
export async function passkeysCount(db: Db, accountId: string): Promise<number> {
  return await db.$count(passkey, eq(passkey.accountId, accountId));
}

/** The passkey that an account has of this credential; null when it has none. */
export async function passkeyOf(
  db: Db,
  accountId: string,
  credentialHash: string,
): Promise<PasskeyRow | null> {
  const [row] = await db
    .select(columns)
    .from(passkey)
    .where(and(eq(passkey.accountId, accountId), eq(passkey.credentialHash, credentialHash)));
  return row ?? null;
}

/**
 * Notes that a passkey was used, and its count. False when it was removed meanwhile, or its count has
 * not gone up: then two authenticators have the same key (WebAuthn §6.1.1).
 */
export async function notePasskeyUse(
  db: Db,
  passkeyId: string,
  use: { readonly counter: number; readonly backedUp: number; readonly usedDay: number },
): Promise<boolean> {
  const counts = or(
    lt(passkey.counter, use.counter),
    and(eq(passkey.counter, 0), sql`${use.counter} = 0`),
  );
  const rows = await db
    .update(passkey)
    .set(use)
    .where(and(eq(passkey.id, passkeyId), counts))
    .returning({ id: passkey.id });
  return rows.length === 1;
}

const isPasskey = (accountId: string, passkeyId: string): SQL | undefined =>
  and(eq(passkey.id, passkeyId), eq(passkey.accountId, accountId));

/** Gives a passkey another name; false when the account has no such passkey. */
export async function renamePasskey(
  db: Db,
  accountId: string,
  passkeyId: string,
  nameSealed: string,
): Promise<boolean> {
  const rows = await db
    .update(passkey)
    .set({ nameSealed })
    .where(isPasskey(accountId, passkeyId))
    .returning({ id: passkey.id });
  return rows.length === 1;
}

/** Removes a passkey unless it is the last way in: one statement, so two at once leave one. */
export async function deletePasskey(
  db: Db,
  accountId: string,
  passkeyId: string,
): Promise<{ readonly nameSealed: string } | null> {
  const [row] = await db
    .delete(passkey)
    .where(and(isPasskey(accountId, passkeyId), waysIn(accountId, { besides: passkeyId })))
    .returning({ nameSealed: passkey.nameSealed });
  return row ?? null;
}
