/**
 * Queries of apps that sign people in: grants, codes and tokens. Each takes the database of the region
 * that holds the account; reads filter by expiry. What one request may do once is one statement or one
 * transaction, so two at once have one winner.
 */

import { and, desc, eq, gt, isNull, lt, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/sqlite-core";
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

/** What is new of the tokens that a code or a refresh token becomes. */
export interface NewTokens {
  readonly chain: string;
  readonly accessHash: string;
  readonly accessScope: string;
  readonly accessExpiresAt: number;
  /** Null: the app may not stay signed in. */
  readonly refresh: { readonly hash: string; readonly expiresAt: number } | null;
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
    noteUse(db, grantId, now),
  ]);
  return (results[1] as unknown[]).length === 1;
}

/** The statement that notes on which day a grant was used last; it writes once a day. */
function noteUse(db: Db, grantId: string, now: number) {
  const today = startOfDay(now);
  return db
    .update(oauthGrant)
    .set({ usedDay: today })
    .where(and(eq(oauthGrant.id, grantId), lt(oauthGrant.usedDay, today)));
}

/** Ends every token of a chain and the code it came from: something of it was used twice. */
export async function deleteChain(db: Db, chain: string): Promise<void> {
  await db.batch([
    db.delete(oauthToken).where(eq(oauthToken.chain, chain)),
    db.delete(oauthCode).where(eq(oauthCode.chain, chain)),
  ]);
}
