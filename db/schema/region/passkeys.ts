/** Passkeys (W3C Web Authentication), and what is asked of an authenticator at the moment. */

import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

export const passkey = sqliteTable(
  "passkey",
  {
    id: text().primaryKey(),
    accountId: text("account_id").notNull(),
    /** SHA-256 of the credential id, which is random and known to its authenticator alone. */
    credentialHash: text("credential_hash").notNull().unique(),
    /** Credential id, public key and transports: sealed JSON. */
    credentialSealed: text("credential_sealed").notNull(),
    nameSealed: text("name_sealed").notNull(),
    /** How often the authenticator signed, by its own count; 0 for one that does not count. */
    counter: integer().notNull(),
    /** 1: its owner has it on more than one device. */
    backedUp: integer("backed_up").notNull(),
    createdAt: integer("created_at").notNull(),
    /** Start of the day (UTC) of its last use; null before the first. */
    usedDay: integer("used_day"),
  },
  (table) => [index("passkey_account").on(table.accountId)],
);

/** What a challenge to an authenticator is for. */
export const ceremonyKinds = ["add", "sign-in", "step", "confirm"] as const;

/** A challenge that an authenticator is to sign, once. */
export const ceremony = sqliteTable(
  "ceremony",
  {
    challengeHash: text("challenge_hash").primaryKey(),
    kind: text({ enum: ceremonyKinds }).notNull(),
    /** Whose passkey is asked for; null when nobody is known yet. */
    accountId: text("account_id"),
    expiresAt: integer("expires_at").notNull(),
  },
  (table) => [
    index("ceremony_account").on(table.accountId),
    index("ceremony_expires_at").on(table.expiresAt),
  ],
);
