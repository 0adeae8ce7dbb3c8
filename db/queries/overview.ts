/**
 * How an account stands, in one statement: a subquery for each part of the account center, each of them
 * by an index. Rows whose time has passed count as gone.
 */

import { and, eq, type SQL, sql } from "drizzle-orm";
import type { Db } from "../db.ts";
import { account, activity, identifier } from "../schema/region/account.ts";
import { linkedIdentity } from "../schema/region/linked.ts";
import { oauthGrant } from "../schema/region/openid.ts";
import { passkey } from "../schema/region/passkeys.ts";
import { profileField } from "../schema/region/people.ts";
import {
  password,
  recoveryCode,
  secondStep,
  session,
  trustedBrowser,
} from "../schema/region/sign-in.ts";
import { personalToken } from "../schema/region/tokens.ts";

export interface OverviewRow {
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** Where notices go. */
  readonly primaryId: string;
  readonly addressSealed: string;
  readonly emails: number;
  readonly phones: number;
  /** Null: there is no password. */
  readonly passwordChangedAt: number | null;
  readonly passkeys: number;
  /** 1: codes from an app are on; 0: they are not. */
  readonly totp: number;
  /** 1: codes by text message are on; 0: they are not. */
  readonly sms: number;
  readonly recoveryCodes: number;
  readonly trusted: number;
  readonly linked: number;
  readonly sessions: number;
  /** Apps that were allowed to sign their owner in. */
  readonly apps: number;
  readonly tokens: number;
  /** 1: a name is held. */
  readonly name: number;
  /** 1: a photo is held. */
  readonly photo: number;
  /** What happened last; null when nothing is on record. */
  readonly lastEvent: string | null;
  readonly lastAt: number | null;
}

/** Null when the account is gone. */
export async function overviewOf(
  db: Db,
  accountId: string,
  now: number,
): Promise<OverviewRow | null> {
  const own = (condition?: SQL): SQL =>
    condition === undefined
      ? sql`"account_id" = ${accountId}`
      : sql`"account_id" = ${accountId} AND ${condition}`;
  const live = sql`"expires_at" > ${now}`;
  const count = (table: SQL, condition?: SQL) =>
    sql<number>`(SELECT count(*) FROM ${table} WHERE ${own(condition)})`;
  const latest = sql`FROM ${activity} WHERE ${own(live)} ORDER BY "at" DESC, "id" DESC LIMIT 1`;
  const on = (kind: string) => sql`"confirmed_at" IS NOT NULL AND "kind" = ${kind}`;
  const [row] = await db
    .select({
      createdAt: account.createdAt,
      primaryId: identifier.id,
      addressSealed: identifier.addressSealed,
      emails: count(sql`${identifier}`, sql`"kind" = 'email'`),
      phones: count(sql`${identifier}`, sql`"kind" = 'phone'`),
      passwordChangedAt: sql<number | null>`(SELECT "changed_at" FROM ${password} WHERE ${own()})`,
      passkeys: count(sql`${passkey}`),
      totp: count(sql`${secondStep}`, on("totp")),
      sms: count(sql`${secondStep}`, on("sms")),
      recoveryCodes: count(sql`${recoveryCode}`, sql`"used_at" IS NULL`),
      trusted: count(sql`${trustedBrowser}`, live),
      linked: count(sql`${linkedIdentity}`),
      sessions: count(sql`${session}`, live),
      apps: sql<number>`(SELECT count(DISTINCT "client_id") FROM ${oauthGrant} WHERE ${own()})`,
      tokens: count(sql`${personalToken}`, live),
      name: count(sql`${profileField}`, sql`"field" = 'name'`),
      photo: count(sql`${profileField}`, sql`"field" = 'photo'`),
      lastEvent: sql<string | null>`(SELECT "event" ${latest})`,
      lastAt: sql<number | null>`(SELECT "at" ${latest})`,
    })
    .from(account)
    .innerJoin(identifier, and(eq(identifier.accountId, account.id), eq(identifier.isPrimary, 1)))
    .where(eq(account.id, accountId));
  return row ?? null;
}
