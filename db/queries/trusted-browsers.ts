/**
 * Queries of trusted browsers, and the end of a sign-in under way, which may make one. Reads filter by
 * expiry, so a late sweep shows nothing.
 */

import { and, desc, eq, gt, sql } from "drizzle-orm";
import type { Db } from "../db.ts";
import { signIn, trustedBrowser } from "../schema/region/sign-in.ts";

export interface NewTrustedBrowser {
  readonly tokenHash: string;
  readonly id: string;
  readonly clientSealed: string;
  readonly expiresAt: number;
  /** The hash of the token that the browser had before, whose trust this takes over. */
  readonly replaces: string | null;
}

/**
 * Uses a sign-in under way up: one caller wins. The trust that comes with it is made in the same
 * transaction, so what ends trust and sign-ins together (`deleteTrust`) misses neither.
 */
export async function finishSignIn(
  db: Db,
  { tokenHash, accountId }: { readonly tokenHash: string; readonly accountId: string },
  trusted: NewTrustedBrowser | null,
  now: number,
): Promise<boolean> {
  const live = and(
    eq(signIn.tokenHash, tokenHash),
    eq(signIn.accountId, accountId),
    gt(signIn.expiresAt, now),
  );
  const used = db.delete(signIn).where(live).returning({ accountId: signIn.accountId });
  if (trusted === null) return (await used).length === 1;
  const results = await db.batch([
    db
      .delete(trustedBrowser)
      .where(
        and(
          eq(trustedBrowser.tokenHash, trusted.replaces ?? ""),
          eq(trustedBrowser.accountId, accountId),
        ),
      ),
    db.insert(trustedBrowser).select(
      db
        .select({
          tokenHash: sql<string>`${trusted.tokenHash}`.as("token_hash"),
          id: sql<string>`${trusted.id}`.as("trusted_id"),
          accountId: signIn.accountId,
          clientSealed: sql<string>`${trusted.clientSealed}`.as("client_sealed"),
          createdAt: sql<number>`${now}`.as("created_at"),
          seenAt: sql<number>`${now}`.as("seen_at"),
          expiresAt: sql<number>`${trusted.expiresAt}`.as("trusted_until"),
        })
        .from(signIn)
        .where(live),
    ),
    used,
  ]);
  return (results[2] as unknown[]).length === 1;
}

/** Notes that a trusted browser was spared the second step; false when the account trusts it not. */
export async function useTrust(
  db: Db,
  accountId: string,
  tokenHash: string,
  now: number,
): Promise<boolean> {
  const rows = await db
    .update(trustedBrowser)
    .set({ seenAt: now })
    .where(
      and(
        eq(trustedBrowser.tokenHash, tokenHash),
        eq(trustedBrowser.accountId, accountId),
        gt(trustedBrowser.expiresAt, now),
      ),
    )
    .returning({ id: trustedBrowser.id });
  return rows.length === 1;
}

export interface TrustedBrowserRow {
  readonly id: string;
  readonly tokenHash: string;
  readonly clientSealed: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly seenAt: number;
  readonly expiresAt: number;
}

/** The browsers an account trusts, the latest used first. */
export async function trustedBrowsersOf(
  db: Db,
  accountId: string,
  now: number,
): Promise<TrustedBrowserRow[]> {
  return await db
    .select({
      id: trustedBrowser.id,
      tokenHash: trustedBrowser.tokenHash,
      clientSealed: trustedBrowser.clientSealed,
      createdAt: trustedBrowser.createdAt,
      seenAt: trustedBrowser.seenAt,
      expiresAt: trustedBrowser.expiresAt,
    })
    .from(trustedBrowser)
    .where(and(eq(trustedBrowser.accountId, accountId), gt(trustedBrowser.expiresAt, now)))
    .orderBy(desc(trustedBrowser.seenAt), desc(trustedBrowser.createdAt));
}

/** Ends the trust in one browser of an account; false when it has no such browser. */
export async function deleteTrustedBrowser(
  db: Db,
  accountId: string,
  id: string,
): Promise<boolean> {
  const rows = await db
    .delete(trustedBrowser)
    .where(and(eq(trustedBrowser.id, id), eq(trustedBrowser.accountId, accountId)))
    .returning({ id: trustedBrowser.id });
  return rows.length === 1;
}

/** Ends the trust in every browser of an account, and its sign-ins under way, in one transaction. */
export async function deleteTrust(db: Db, accountId: string): Promise<void> {
  await db.batch([
    db.delete(trustedBrowser).where(eq(trustedBrowser.accountId, accountId)),
    db.delete(signIn).where(eq(signIn.accountId, accountId)),
  ]);
}
