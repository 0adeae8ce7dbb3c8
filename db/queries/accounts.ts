/**
 * Queries of accounts: sign-ups that wait, identifiers, passwords, sessions. Each takes the region's
 * database that holds the account; reads filter by expiry, so a late sweep shows nothing.
 */

import { and, desc, eq, gt, type SQL, sql } from "drizzle-orm";
import type { Db } from "../db.ts";
import type { KeyName } from "../primitives.ts";
import { account, challenge, identifier, password, session } from "../schema/region.ts";

/** The key that seals what is personal of `accountId`. */
export const personKey = (accountId: string): KeyName => `person/${accountId}`;

/** What each sealed column is bound to (db/seal.ts). */
export const sealedAt = {
  address: (identifierId: string) => `identifier.address:${identifierId}`,
  client: (sessionId: string) => `session.client:${sessionId}`,
  contact: (tokenHash: string) => `challenge.contact:${tokenHash}`,
  pendingPhc: (tokenHash: string) => `challenge.phc:${tokenHash}`,
  phc: (accountId: string) => `password.phc:${accountId}`,
} as const;

export type NewChallenge = typeof challenge.$inferInsert;

export async function insertChallenge(db: Db, row: NewChallenge): Promise<void> {
  await db.insert(challenge).values(row);
}

/** Takes a waiting secret back; false when it was gone, be it that it was used. */
export async function deleteChallenge(db: Db, tokenHash: string): Promise<boolean> {
  const rows = await db
    .delete(challenge)
    .where(eq(challenge.tokenHash, tokenHash))
    .returning({ accountId: challenge.accountId });
  return rows.length === 1;
}

export interface PendingSignUp {
  readonly accountId: string;
  readonly contactSealed: string;
  readonly phcSealed: string;
}

/** The sign-up that waits for this token; null when there is none or its time has passed. */
export async function pendingSignUp(
  db: Db,
  tokenHash: string,
  now: number,
): Promise<PendingSignUp | null> {
  const [row] = await db
    .select({
      accountId: challenge.accountId,
      contactSealed: challenge.contactSealed,
      phcSealed: challenge.phcSealed,
    })
    .from(challenge)
    .where(liveSignUp(tokenHash, now));
  return row ?? null;
}

function liveSignUp(tokenHash: string, now: number): SQL | undefined {
  return and(
    eq(challenge.tokenHash, tokenHash),
    eq(challenge.kind, "sign-up"),
    gt(challenge.expiresAt, now),
  );
}

/**
 * Turns a waiting sign-up into an account, its identifier and its password, and consumes the token:
 * one transaction with one winner. False when the token was consumed or its time has passed.
 */
export async function createAccount(
  db: Db,
  tokenHash: string,
  sealed: { identifierId: string; address: string; phc: string },
  now: number,
): Promise<boolean> {
  const live = liveSignUp(tokenHash, now);
  const results = await db.batch([
    db.insert(account).select(
      db
        .select({ id: challenge.accountId, createdAt: sql<number>`${now}`.as("created_at") })
        .from(challenge)
        .where(live),
    ),
    db.insert(identifier).select(
      db
        .select({
          id: sql<string>`${sealed.identifierId}`.as("id"),
          accountId: challenge.accountId,
          kind: sql<"email">`'email'`.as("kind"),
          addressSealed: sql<string>`${sealed.address}`.as("address_sealed"),
          verifiedAt: sql<number>`${now}`.as("verified_at"),
        })
        .from(challenge)
        .where(live),
    ),
    db.insert(password).select(
      db
        .select({
          accountId: challenge.accountId,
          phcSealed: sql<string>`${sealed.phc}`.as("phc_sealed"),
          changedAt: sql<number>`${now}`.as("changed_at"),
        })
        .from(challenge)
        .where(live),
    ),
    db.delete(challenge).where(live).returning({ accountId: challenge.accountId }),
  ]);
  return (results[3] as unknown[]).length === 1;
}

/** The sealed password hash of an account; null when there is no such account. */
export async function passwordOf(db: Db, accountId: string): Promise<string | null> {
  const [row] = await db
    .select({ phcSealed: password.phcSealed })
    .from(password)
    .where(eq(password.accountId, accountId));
  return row?.phcSealed ?? null;
}

export interface AccountRow {
  readonly createdAt: number;
  readonly identifierId: string;
  readonly addressSealed: string;
}

export async function accountWithAddress(db: Db, accountId: string): Promise<AccountRow | null> {
  const [row] = await db
    .select({
      createdAt: account.createdAt,
      identifierId: identifier.id,
      addressSealed: identifier.addressSealed,
    })
    .from(account)
    .innerJoin(identifier, eq(identifier.accountId, account.id))
    .where(eq(account.id, accountId));
  return row ?? null;
}

export interface NewSessionRow {
  readonly tokenHash: string;
  readonly id: string;
  readonly accountId: string;
  readonly clientSealed: string;
  readonly expiresAt: number;
}

/**
 * Stores a session of an account that exists; false when it was erased meanwhile. Only
 * `completeSignIn()` may call this.
 */
export async function insertSession(db: Db, row: NewSessionRow, now: number): Promise<boolean> {
  const rows = await db
    .insert(session)
    .select(
      db
        .select({
          tokenHash: sql<string>`${row.tokenHash}`.as("token_hash"),
          id: sql<string>`${row.id}`.as("session_id"),
          accountId: account.id,
          clientSealed: sql<string>`${row.clientSealed}`.as("client_sealed"),
          createdAt: sql<number>`${now}`.as("created_at"),
          seenAt: sql<number>`${now}`.as("seen_at"),
          expiresAt: sql<number>`${row.expiresAt}`.as("expires_at"),
        })
        .from(account)
        .where(eq(account.id, row.accountId)),
    )
    .returning({ id: session.id });
  return rows.length === 1;
}

export interface CheckedSession {
  readonly id: string;
  readonly accountId: string;
  readonly seenAt: number;
}

const checks = new WeakMap<Db, ReturnType<typeof prepareCheck>>();

function prepareCheck(db: Db) {
  return db
    .select({ id: session.id, accountId: session.accountId, seenAt: session.seenAt })
    .from(session)
    .where(
      and(
        eq(session.tokenHash, sql.placeholder("tokenHash")),
        gt(session.expiresAt, sql.placeholder("now")),
      ),
    )
    .prepare();
}

/** The live session of a token: one prepared query, for it stands on every signed-in request. */
export async function sessionOfToken(
  db: Db,
  tokenHash: string,
  now: number,
): Promise<CheckedSession | null> {
  let check = checks.get(db);
  if (check === undefined) {
    check = prepareCheck(db);
    checks.set(db, check);
  }
  const [row] = (await check.execute({ tokenHash, now })) as CheckedSession[];
  return row ?? null;
}

/** Notes that a session was used, and lets it live `idleMs` from now but never past `maxMs` in all. */
export async function touchSession(
  db: Db,
  tokenHash: string,
  now: number,
  { idleMs, maxMs }: { idleMs: number; maxMs: number },
): Promise<void> {
  await db
    .update(session)
    .set({ seenAt: now, expiresAt: sql`min(${now + idleMs}, ${session.createdAt} + ${maxMs})` })
    .where(and(eq(session.tokenHash, tokenHash), gt(session.expiresAt, now)));
}

export interface SessionRow {
  readonly id: string;
  readonly clientSealed: string;
  readonly createdAt: number;
  readonly seenAt: number;
  readonly expiresAt: number;
}

/** Live sessions of an account, the latest used first. */
export async function sessionsOf(db: Db, accountId: string, now: number): Promise<SessionRow[]> {
  return await db
    .select({
      id: session.id,
      clientSealed: session.clientSealed,
      createdAt: session.createdAt,
      seenAt: session.seenAt,
      expiresAt: session.expiresAt,
    })
    .from(session)
    .where(and(eq(session.accountId, accountId), gt(session.expiresAt, now)))
    .orderBy(desc(session.seenAt), desc(session.createdAt));
}

/** A session by its token's hash, or by whose it is. */
export type SessionKey =
  | { readonly tokenHash: string }
  | { readonly accountId: string; readonly sessionId: string };

function sessionAt(key: SessionKey): SQL | undefined {
  return "tokenHash" in key
    ? eq(session.tokenHash, key.tokenHash)
    : and(eq(session.id, key.sessionId), eq(session.accountId, key.accountId));
}

/** Ends a session at once; its row stays for what must end with it. Null when there is none. */
export async function expireSession(
  db: Db,
  key: SessionKey,
  now: number,
): Promise<{ id: string; accountId: string } | null> {
  const [row] = await db
    .update(session)
    .set({ expiresAt: sql`min(${session.expiresAt}, ${now})` })
    .where(sessionAt(key))
    .returning({ id: session.id, accountId: session.accountId });
  return row ?? null;
}

/** Deletes a session; false when there is none. */
export async function deleteSession(db: Db, key: SessionKey): Promise<boolean> {
  const rows = await db.delete(session).where(sessionAt(key)).returning({ id: session.id });
  return rows.length === 1;
}
