/**
 * Queries of the codes that apps turn into tokens. Each takes the database of the region that holds the
 * account; reads filter by expiry. A code is used in one transaction, so two at once have one winner.
 */

import { and, eq, gt, isNull, sql } from "drizzle-orm";
import type { Db } from "../db.ts";
import { oauthCode, oauthGrant, oauthToken } from "../schema/region/openid.ts";
import type { NewTokens } from "./openid-tokens.ts";

export interface NewCode {
  readonly codeHash: string;
  readonly grantId: string;
  readonly requestSealed: string;
  readonly expiresAt: number;
}

/** Keeps a code of a grant that stands; false when it was ended meanwhile. */
export async function insertCode(db: Db, row: NewCode): Promise<boolean> {
  const rows = await db
    .insert(oauthCode)
    .select(
      db
        .select({
          codeHash: sql<string>`${row.codeHash}`.as("code_hash"),
          accountId: oauthGrant.accountId,
          grantId: oauthGrant.id,
          clientId: oauthGrant.clientId,
          chain: sql<null>`NULL`.as("chain"),
          requestSealed: sql<string>`${row.requestSealed}`.as("request_sealed"),
          expiresAt: sql<number>`${row.expiresAt}`.as("expires_at"),
        })
        .from(oauthGrant)
        .where(eq(oauthGrant.id, row.grantId)),
    )
    .returning({ codeHash: oauthCode.codeHash });
  return rows.length === 1;
}

export interface CodeRow {
  readonly accountId: string;
  readonly grantId: string;
  readonly clientId: string;
  /** Null while it is unused. */
  readonly chain: string | null;
  readonly requestSealed: string;
}

/** A code that was not used, or lately; null when there is none or its time has passed. */
export async function codeOf(db: Db, codeHash: string, now: number): Promise<CodeRow | null> {
  const [row] = await db
    .select({
      accountId: oauthCode.accountId,
      grantId: oauthCode.grantId,
      clientId: oauthCode.clientId,
      chain: oauthCode.chain,
      requestSealed: oauthCode.requestSealed,
    })
    .from(oauthCode)
    .where(and(eq(oauthCode.codeHash, codeHash), gt(oauthCode.expiresAt, now)));
  return row ?? null;
}

/** What the tokens of a code say beside what its row says. */
export interface CodeFacts {
  readonly scope: string;
  readonly methods: string;
  readonly authAt: number;
  /** How long a used code is remembered; ms since the epoch. */
  readonly rememberedUntil: number;
}

/**
 * Turns a code into the tokens of a new chain, in one transaction with one winner; false when it was
 * used, too old or ended. The code's row takes the chain that used it up.
 */
export async function useCode(
  db: Db,
  codeHash: string,
  { scope, methods, authAt, rememberedUntil }: CodeFacts,
  tokens: NewTokens,
  now: number,
): Promise<boolean> {
  const mine = and(eq(oauthCode.codeHash, codeHash), eq(oauthCode.chain, tokens.chain));
  const token = (kind: "access" | "refresh", hash: string, of: string, expiresAt: number) =>
    db
      .insert(oauthToken)
      .select(
        db
          .select({
            tokenHash: sql<string>`${hash}`.as("token_hash"),
            kind: sql<"access" | "refresh">`${kind}`.as("kind"),
            accountId: oauthCode.accountId,
            grantId: oauthCode.grantId,
            clientId: oauthCode.clientId,
            chain: sql<string>`${tokens.chain}`.as("chain"),
            turn: sql<number>`0`.as("turn"),
            scope: sql<string>`${of}`.as("scope"),
            methods: sql<string>`${methods}`.as("methods"),
            authAt: sql<number>`${authAt}`.as("auth_at"),
            beganAt: sql<number>`${now}`.as("began_at"),
            createdAt: sql<number>`${now}`.as("created_at"),
            expiresAt: sql<number>`${expiresAt}`.as("expires_at"),
          })
          .from(oauthCode)
          .where(mine),
      )
      .returning({ hash: oauthToken.tokenHash });
  const { refresh } = tokens;
  const use = db
    .update(oauthCode)
    .set({ chain: tokens.chain, expiresAt: rememberedUntil })
    .where(
      and(eq(oauthCode.codeHash, codeHash), isNull(oauthCode.chain), gt(oauthCode.expiresAt, now)),
    );
  const access = token("access", tokens.accessHash, tokens.accessScope, tokens.accessExpiresAt);
  const results = await db.batch([
    use,
    access,
    ...(refresh === null ? [] : [token("refresh", refresh.hash, scope, refresh.expiresAt)]),
  ]);
  return (results[1] as unknown[]).length === 1;
}
