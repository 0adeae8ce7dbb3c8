/**
 * Queries of sessions. Each takes the database of the region that holds the account; reads filter by
 * expiry, so a late sweep shows nothing.
 */

import { and, desc, eq, gt, type SQL, sql } from "drizzle-orm";
import type { Db } from "../db.ts";
import { account } from "../schema/region/account.ts";
import { session } from "../schema/region/sign-in.ts";
import { type CheckedSession, forgetSessions } from "../session-cache.ts";

export interface NewSessionRow {
  readonly tokenHash: string;
  readonly id: string;
  readonly accountId: string;
  readonly clientSealed: string;
  /** `SignInMethod`s separated by spaces. */
  readonly methods: string;
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
          methods: sql<string>`${row.methods}`.as("methods"),
          createdAt: sql<number>`${now}`.as("created_at"),
          confirmedAt: sql<number>`${now}`.as("confirmed_at"),
          seenAt: sql<number>`${now}`.as("seen_at"),
          expiresAt: sql<number>`${row.expiresAt}`.as("expires_at"),
        })
        .from(account)
        .where(eq(account.id, row.accountId)),
    )
    .returning({ id: session.id });
  return rows.length === 1;
}

const checks = new WeakMap<Db, ReturnType<typeof prepareCheck>>();

function prepareCheck(db: Db) {
  return db
    .select({
      id: session.id,
      accountId: session.accountId,
      seenAt: session.seenAt,
      confirmedAt: session.confirmedAt,
      expiresAt: session.expiresAt,
    })
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

/** Notes that its owner has shown again who they are. */
export async function confirmSession(
  db: Db,
  key: { readonly accountId: string; readonly sessionId: string },
  now: number,
): Promise<void> {
  await db
    .update(session)
    .set({ confirmedAt: now })
    .where(and(sessionAt(key), gt(session.expiresAt, now)));
  forgetSessions(db);
}

/** How and when the owner of a live session showed who they are; always asks the database. */
export async function sessionProof(
  db: Db,
  accountId: string,
  sessionId: string,
  now: number,
): Promise<{ methods: string; confirmedAt: number } | null> {
  const [row] = await db
    .select({ methods: session.methods, confirmedAt: session.confirmedAt })
    .from(session)
    .where(and(sessionAt({ accountId, sessionId }), gt(session.expiresAt, now)));
  return row ?? null;
}

export interface SessionRow {
  readonly id: string;
  readonly clientSealed: string;
  /** `SignInMethod`s separated by spaces. */
  readonly methods: string;
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
      methods: session.methods,
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
  forgetSessions(db);
  return row ?? null;
}

/** Deletes a session; false when there is none. */
export async function deleteSession(db: Db, key: SessionKey): Promise<boolean> {
  const rows = await db.delete(session).where(sessionAt(key)).returning({ id: session.id });
  forgetSessions(db);
  return rows.length === 1;
}
