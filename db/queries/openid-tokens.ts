/**
 * Queries of the tokens that apps hold: access tokens, and the chains of refresh tokens. Each takes the
 * database of the region that holds the account; reads filter by expiry. A refresh token is turned in
 * one transaction, so two at once have one winner.
 */

import { and, eq, gt, lt, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/sqlite-core";
import type { Db } from "../db.ts";
import { oauthCode, oauthToken } from "../schema/region/openid.ts";
import { noteGrantUse } from "./openid-grants.ts";

/** What is new of the tokens that a code or a refresh token becomes. */
export interface NewTokens {
  readonly chain: string;
  readonly accessHash: string;
  readonly accessScope: string;
  readonly accessExpiresAt: number;
  /** Null: the app may not stay signed in. */
  readonly refresh: { readonly hash: string; readonly expiresAt: number } | null;
}

export interface TokenRow {
  readonly accountId: string;
  readonly grantId: string;
  readonly clientId: string;
  readonly chain: string;
  readonly turn: number;
  readonly scope: string;
  readonly methods: string;
  readonly authAt: number;
  readonly beganAt: number;
  readonly createdAt: number;
  readonly expiresAt: number;
}

/** A live token: one query. */
export async function tokenOf(
  db: Db,
  kind: "access" | "refresh",
  tokenHash: string,
  now: number,
): Promise<TokenRow | null> {
  const [row] = await db
    .select({
      accountId: oauthToken.accountId,
      grantId: oauthToken.grantId,
      clientId: oauthToken.clientId,
      chain: oauthToken.chain,
      turn: oauthToken.turn,
      scope: oauthToken.scope,
      methods: oauthToken.methods,
      authAt: oauthToken.authAt,
      beganAt: oauthToken.beganAt,
      createdAt: oauthToken.createdAt,
      expiresAt: oauthToken.expiresAt,
    })
    .from(oauthToken)
    .where(
      and(
        eq(oauthToken.tokenHash, tokenHash),
        eq(oauthToken.kind, kind),
        gt(oauthToken.expiresAt, now),
      ),
    );
  return row ?? null;
}

/**
 * Turns a refresh token into an access token and its one successor, in one transaction. It works
 * until the successor was used, so a response that got lost can be asked for again; false after that,
 * or when the token ended meanwhile.
 * @param olderUntil how long what came before this token is still known, to notice its reuse; ms
 */
export async function useRefreshToken(
  db: Db,
  tokenHash: string,
  { turn, chain, grantId }: Pick<TokenRow, "turn" | "chain" | "grantId">,
  tokens: NewTokens & { readonly refresh: NonNullable<NewTokens["refresh"]> },
  { now, olderUntil }: { readonly now: number; readonly olderUntil: number },
): Promise<boolean> {
  const later = alias(oauthToken, "later");
  const parent = and(
    eq(oauthToken.tokenHash, tokenHash),
    eq(oauthToken.kind, "refresh"),
    gt(oauthToken.expiresAt, now),
    sql`NOT EXISTS ${db
      .select({ one: sql`1` })
      .from(later)
      .where(and(eq(later.chain, chain), eq(later.kind, "refresh"), gt(later.turn, turn + 1)))}`,
  );
  const token = (kind: "access" | "refresh", hash: string, expiresAt: number) =>
    db.insert(oauthToken).select(
      db
        .select({
          tokenHash: sql<string>`${hash}`.as("token_hash"),
          kind: sql<"access" | "refresh">`${kind}`.as("kind"),
          accountId: oauthToken.accountId,
          grantId: oauthToken.grantId,
          clientId: oauthToken.clientId,
          chain: oauthToken.chain,
          turn: sql<number>`${turn + 1}`.as("turn"),
          scope:
            kind === "refresh" ? oauthToken.scope : sql<string>`${tokens.accessScope}`.as("scope"),
          methods: oauthToken.methods,
          authAt: oauthToken.authAt,
          beganAt: oauthToken.beganAt,
          createdAt: sql<number>`${now}`.as("created_at"),
          expiresAt: sql<number>`${expiresAt}`.as("expires_at"),
        })
        .from(oauthToken)
        .where(parent),
    );
  const { refresh } = tokens;
  const results = await db.batch([
    token("refresh", refresh.hash, refresh.expiresAt).onConflictDoNothing(),
    token("access", tokens.accessHash, tokens.accessExpiresAt).returning({
      hash: oauthToken.tokenHash,
    }),
    db
      .update(oauthToken)
      .set({ expiresAt: sql`min(${oauthToken.expiresAt}, ${olderUntil})` })
      .where(
        and(eq(oauthToken.chain, chain), eq(oauthToken.kind, "refresh"), lt(oauthToken.turn, turn)),
      ),
    noteGrantUse(db, grantId, now),
  ]);
  return (results[1] as unknown[]).length === 1;
}

/** Ends every token of a chain and the code it came from: something of it was used twice. */
export async function deleteChain(db: Db, chain: string): Promise<void> {
  await db.batch([
    db.delete(oauthToken).where(eq(oauthToken.chain, chain)),
    db.delete(oauthCode).where(eq(oauthCode.chain, chain)),
  ]);
}
