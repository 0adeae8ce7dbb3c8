/**
 * Queries of accounts: how one comes into being, its identifiers and its password. Each takes the
 * database of the region that holds the account.
 */

import { and, desc, eq, gt, inArray, lt, sql } from "drizzle-orm";
import type { Db } from "../db.ts";
import type { KeyName } from "../primitives.ts";
import { account, activity, identifier } from "../schema/region/account.ts";
import { linkedIdentity } from "../schema/region/linked.ts";
import { challenge, password } from "../schema/region/sign-in.ts";
import { liveChallenge } from "./challenges.ts";

/** The key that seals what is personal of `accountId`. */
export const personKey = (accountId: string): KeyName => `person/${accountId}`;

/** What each sealed column is bound to (db/seal.ts). */
export const sealedAt = {
  activity: (activityId: string) => `activity.detail:${activityId}`,
  address: (identifierId: string) => `identifier.address:${identifierId}`,
  challenge: (tokenHash: string) => `challenge.payload:${tokenHash}`,
  profile: (fieldId: string) => `profile_field.value:${fieldId}`,
  client: (sessionId: string) => `session.client:${sessionId}`,
  personalToken: (id: string) => `personal_token.name:${id}`,
  passkey: (id: string) => `passkey.credential:${id}`,
  passkeyName: (id: string) => `passkey.name:${id}`,
  grant: (grantId: string) => `oauth_grant.app:${grantId}`,
  code: (codeHash: string) => `oauth_code.request:${codeHash}`,
  report: (reportId: string) => `door_report.told:${reportId}`,
  objection: (deviceId: string) => `door_objection.words:${deviceId}`,
  linked: (identityId: string) => `linked_identity.claims:${identityId}`,
  phc: (accountId: string) => `password.phc:${accountId}`,
  secondStep: (id: string) => `second_step.secret:${id}`,
  trusted: (id: string) => `trusted_browser.client:${id}`,
  undo: (tokenHash: string) => `undo.payload:${tokenHash}`,
} as const;

/** What a new account begins with, sealed under its own key. */
export interface NewAccount {
  readonly identifier: {
    readonly id: string;
    readonly kind: "email" | "phone";
    readonly addressSealed: string;
  };
  /** Null for an account whose owner signs in another way. */
  readonly phcSealed: string | null;
  /** The account elsewhere that lets its owner in. */
  readonly linked?: { readonly id: string; readonly claimsSealed: string };
}

/**
 * Turns a waiting sign-up into an account, its identifier and its password, and consumes the secret:
 * one transaction with one winner. False when the secret was consumed or its time has passed.
 */
export async function createAccount(
  db: Db,
  tokenHash: string,
  { identifier: first, phcSealed, linked }: NewAccount,
  now: number,
): Promise<boolean> {
  const live = liveChallenge(tokenHash, "sign-up", now);
  const ofChallenge = { accountId: challenge.accountId };
  const results = await db.batch([
    db.insert(account).select(
      db
        .select({
          id: challenge.accountId,
          createdAt: sql<number>`${now}`.as("created_at"),
          activeDay: sql<number>`${startOfDay(now)}`.as("active_day"),
          warnings: sql<number>`0`.as("warnings"),
        })
        .from(challenge)
        .where(live),
    ),
    db.insert(identifier).select(
      db
        .select({
          id: sql<string>`${first.id}`.as("id"),
          ...ofChallenge,
          kind: sql<"email" | "phone">`${first.kind}`.as("kind"),
          addressSealed: sql<string>`${first.addressSealed}`.as("address_sealed"),
          isPrimary: sql<number>`1`.as("is_primary"),
          verifiedAt: sql<number>`${now}`.as("verified_at"),
        })
        .from(challenge)
        .where(live),
    ),
    db.insert(password).select(
      db
        .select({
          ...ofChallenge,
          phcSealed: sql<string>`${phcSealed}`.as("phc_sealed"),
          changedAt: sql<number>`${now}`.as("changed_at"),
        })
        .from(challenge)
        .where(and(live, sql`${phcSealed} IS NOT NULL`)),
    ),
    db.insert(linkedIdentity).select(
      db
        .select({
          id: sql<string>`${linked?.id ?? null}`.as("id"),
          ...ofChallenge,
          claimsSealed: sql<string>`${linked?.claimsSealed ?? null}`.as("claims_sealed"),
          linkedAt: sql<number>`${now}`.as("linked_at"),
          usedDay: sql<number>`${startOfDay(now)}`.as("used_day"),
        })
        .from(challenge)
        .where(and(live, sql`${linked?.id ?? null} IS NOT NULL`)),
    ),
    db.delete(challenge).where(live).returning(ofChallenge),
  ]);
  return (results[4] as unknown[]).length === 1;
}

export const DAY_MS = 86_400_000;

/** The start of the day (UTC) that `ms` falls in: the only precision in which a last use is kept. */
export function startOfDay(ms: number): number {
  return Math.floor(ms / DAY_MS) * DAY_MS;
}

/** Notes that an account is in use today, which takes back every warning; writes once a day. */
export async function noteActiveDay(db: Db, accountId: string, now: number): Promise<void> {
  const today = startOfDay(now);
  await db
    .update(account)
    .set({ activeDay: today, warnings: 0 })
    .where(and(eq(account.id, accountId), lt(account.activeDay, today)));
}

/** The sealed password hash of an account; null when there is no such account, or no password. */
export async function passwordOf(db: Db, accountId: string): Promise<string | null> {
  const [row] = await db
    .select({ phcSealed: password.phcSealed })
    .from(password)
    .where(eq(password.accountId, accountId));
  return row?.phcSealed ?? null;
}

export interface AccountRow {
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

export async function accountOf(db: Db, accountId: string): Promise<AccountRow | null> {
  const [row] = await db
    .select({ createdAt: account.createdAt })
    .from(account)
    .where(eq(account.id, accountId));
  return row ?? null;
}

export interface IdentifierRow {
  readonly id: string;
  readonly kind: "email" | "phone";
  readonly addressSealed: string;
  readonly isPrimary: number;
  readonly verifiedAt: number;
}

/** The verified ways to reach an account, the primary first. */
export async function identifiersOf(db: Db, accountId: string): Promise<IdentifierRow[]> {
  return await db
    .select({
      id: identifier.id,
      kind: identifier.kind,
      addressSealed: identifier.addressSealed,
      isPrimary: identifier.isPrimary,
      verifiedAt: identifier.verifiedAt,
    })
    .from(identifier)
    .where(eq(identifier.accountId, accountId))
    .orderBy(desc(identifier.isPrimary), identifier.verifiedAt);
}

export interface ActivityRow {
  readonly id: string;
  readonly event: string;
  readonly detailSealed: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** What happened to an account, after `before` in the order latest first; at most `limit` rows. */
export async function activityOf(
  db: Db,
  accountId: string,
  {
    before,
    now,
    limit,
  }: { before?: { at: number; id: string } | undefined; now: number; limit: number },
): Promise<ActivityRow[]> {
  return await db
    .select({
      id: activity.id,
      event: activity.event,
      detailSealed: activity.detailSealed,
      at: activity.at,
    })
    .from(activity)
    .where(
      and(
        eq(activity.accountId, accountId),
        gt(activity.expiresAt, now),
        before === undefined
          ? undefined
          : sql`(${activity.at}, ${activity.id}) < (${before.at}, ${before.id})`,
      ),
    )
    .orderBy(desc(activity.at), desc(activity.id))
    .limit(limit);
}

/** Where an account was opened or signed in to lately, the latest first; at most `limit` entries. */
export async function signInsNoted(
  db: Db,
  accountId: string,
  { now, limit }: { now: number; limit: number },
): Promise<Pick<ActivityRow, "id" | "detailSealed">[]> {
  return await db
    .select({ id: activity.id, detailSealed: activity.detailSealed })
    .from(activity)
    .where(
      and(
        eq(activity.accountId, accountId),
        inArray(activity.event, ["signed-in", "signed-up"]),
        gt(activity.expiresAt, now),
      ),
    )
    .orderBy(desc(activity.at))
    .limit(limit);
}

export type NewActivity = typeof activity.$inferInsert;

/** Writes what happened to an account that exists; an erased one leaves nothing. */
export async function insertActivity(db: Db, row: NewActivity): Promise<void> {
  await db.insert(activity).select(
    db
      .select({
        id: sql<string>`${row.id}`.as("id"),
        accountId: account.id,
        event: sql<string>`${row.event}`.as("event"),
        detailSealed: sql<string>`${row.detailSealed}`.as("detail_sealed"),
        at: sql<number>`${row.at}`.as("at"),
        expiresAt: sql<number>`${row.expiresAt}`.as("expires_at"),
      })
      .from(account)
      .where(eq(account.id, row.accountId)),
  );
}
