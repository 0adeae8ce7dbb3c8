/** How a person shows who they are: credentials, second steps, and what a sign-in leaves behind. */

import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

export const password = sqliteTable("password", {
  accountId: text("account_id").primaryKey(),
  /**
   * PHC string of argon2id, sealed under the person's key at `password.phc:<account>`: a stolen
   * database gives nothing to guess against, and erasing the person ends it in every copy.
   */
  phcSealed: text("phc_sealed").notNull(),
  changedAt: integer("changed_at").notNull(),
});

/** A second step that is switched on, or being switched on while `confirmed_at` is null. */
export const secondStep = sqliteTable(
  "second_step",
  {
    id: text().primaryKey(), // `<account>/<kind>`
    accountId: text("account_id").notNull(),
    kind: text({ enum: ["totp", "sms"] }).notNull(),
    /** Sealed JSON: the TOTP secret, or the identifier whose phone gets the code. */
    secretSealed: text("secret_sealed").notNull(),
    /** RFC 6238: the last time step that was used, so that no code works twice; 0 before. */
    lastStep: integer("last_step").notNull(),
    createdAt: integer("created_at").notNull(),
    confirmedAt: integer("confirmed_at"),
  },
  (table) => [index("second_step_account").on(table.accountId)],
);

/** One-time codes for the day the second step is lost. */
export const recoveryCode = sqliteTable(
  "recovery_code",
  {
    /** HMAC of account and code under the directory's key. */
    codeHash: text("code_hash").primaryKey(),
    accountId: text("account_id").notNull(),
    createdAt: integer("created_at").notNull(),
    usedAt: integer("used_at"),
  },
  (table) => [index("recovery_code_account").on(table.accountId)],
);

/** A browser that is asked for the first step only. */
export const trustedBrowser = sqliteTable(
  "trusted_browser",
  {
    tokenHash: text("token_hash").primaryKey(),
    id: text().notNull().unique(),
    accountId: text("account_id").notNull(),
    /** Client and masked network, sealed JSON. */
    clientSealed: text("client_sealed").notNull(),
    createdAt: integer("created_at").notNull(),
    seenAt: integer("seen_at").notNull(),
    expiresAt: integer("expires_at").notNull(),
  },
  (table) => [
    index("trusted_browser_account").on(table.accountId),
    index("trusted_browser_expires_at").on(table.expiresAt),
  ],
);

/** A sign-in that has shown something, but not yet what its account requires. */
export const signIn = sqliteTable(
  "sign_in",
  {
    tokenHash: text("token_hash").primaryKey(),
    accountId: text("account_id").notNull(),
    /** What was shown so far, separated by spaces (`SignInMethod`). */
    methods: text().notNull(),
    expiresAt: integer("expires_at").notNull(),
  },
  (table) => [
    index("sign_in_account").on(table.accountId),
    index("sign_in_expires_at").on(table.expiresAt),
  ],
);

export const session = sqliteTable(
  "session",
  {
    tokenHash: text("token_hash").primaryKey(),
    id: text().notNull().unique(),
    accountId: text("account_id").notNull(),
    /** Client and masked network, sealed JSON. */
    clientSealed: text("client_sealed").notNull(),
    /** What was shown at sign-in, separated by spaces (`SignInMethod`). */
    methods: text().notNull(),
    createdAt: integer("created_at").notNull(),
    /** When its owner last showed who they are: at sign-in, or when asked again. */
    confirmedAt: integer("confirmed_at").notNull(),
    seenAt: integer("seen_at").notNull(),
    expiresAt: integer("expires_at").notNull(),
  },
  (table) => [
    index("session_account").on(table.accountId),
    index("session_expires_at").on(table.expiresAt),
  ],
);

/** What a secret that was sent to somebody is for. */
export const challengeKinds = ["sign-up", "sms-code", "contact", "password", "recovery"] as const;

/** A secret sent to a contact address, waiting to come back. */
export const challenge = sqliteTable(
  "challenge",
  {
    tokenHash: text("token_hash").primaryKey(),
    /** The account that comes into being, or the one that asked. */
    accountId: text("account_id").notNull(),
    kind: text({ enum: challengeKinds }).notNull(),
    /** What it is about, sealed JSON at `challenge.payload:<token hash>`. */
    payloadSealed: text("payload_sealed").notNull(),
    expiresAt: integer("expires_at").notNull(),
  },
  (table) => [
    index("challenge_account").on(table.accountId),
    index("challenge_expires_at").on(table.expiresAt),
  ],
);
