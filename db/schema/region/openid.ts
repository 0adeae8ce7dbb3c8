/** Apps that sign a person in with Latchkey: what they were allowed, and the secrets that prove it. */

import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** What a person allowed one app on one kind of browser or one device. It stays until it is ended. */
export const oauthGrant = sqliteTable(
  "oauth_grant",
  {
    id: text().primaryKey(),
    /** Keyed hash of account, app and the browser or device: each has one grant. */
    slotHash: text("slot_hash").notNull().unique(),
    accountId: text("account_id").notNull(),
    /** An app the operator registered, or a device's identifier. */
    clientId: text("client_id").notNull(),
    /** Everything that was allowed, separated by spaces. */
    scope: text().notNull(),
    /** The app's name and the browser's or device's, sealed JSON. */
    appSealed: text("app_sealed").notNull(),
    createdAt: integer("created_at").notNull(),
    /** Start of the last day (UTC) on which it was used. */
    usedDay: integer("used_day").notNull(),
  },
  (table) => [
    index("oauth_grant_account").on(table.accountId, table.clientId),
    index("oauth_grant_client").on(table.clientId),
  ],
);

/** An authorization code on its way (RFC 6749 §4.1); used, it stays a little to notice a second use. */
export const oauthCode = sqliteTable(
  "oauth_code",
  {
    codeHash: text("code_hash").primaryKey(),
    accountId: text("account_id").notNull(),
    grantId: text("grant_id").notNull(),
    clientId: text("client_id").notNull(),
    /** What every token that came of it carries; null while it is unused. */
    chain: text(),
    /** Redirect address, challenge, nonce, scope and how its owner signed in: sealed JSON. */
    requestSealed: text("request_sealed").notNull(),
    expiresAt: integer("expires_at").notNull(),
  },
  (table) => [
    index("oauth_code_account").on(table.accountId),
    index("oauth_code_grant").on(table.grantId),
    index("oauth_code_chain").on(table.chain),
    index("oauth_code_expires_at").on(table.expiresAt),
  ],
);

/** Access and refresh tokens. All that came of one authorization are one chain. */
export const oauthToken = sqliteTable(
  "oauth_token",
  {
    tokenHash: text("token_hash").primaryKey(),
    kind: text({ enum: ["access", "refresh"] }).notNull(),
    accountId: text("account_id").notNull(),
    grantId: text("grant_id").notNull(),
    clientId: text("client_id").notNull(),
    chain: text().notNull(),
    /** How many refreshes came before it in its chain. */
    turn: integer().notNull(),
    /** What it allows, separated by spaces. */
    scope: text().notNull(),
    /** What was shown at sign-in, separated by spaces (`SignInMethod`). */
    methods: text().notNull(),
    /** When its owner last showed who they are. */
    authAt: integer("auth_at").notNull(),
    /** When its chain began. */
    beganAt: integer("began_at").notNull(),
    createdAt: integer("created_at").notNull(),
    expiresAt: integer("expires_at").notNull(),
  },
  (table) => [
    index("oauth_token_account").on(table.accountId),
    index("oauth_token_grant").on(table.grantId),
    index("oauth_token_chain").on(table.chain, table.kind, table.turn),
    index("oauth_token_expires_at").on(table.expiresAt),
  ],
);
