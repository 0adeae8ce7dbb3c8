/** What waits, for days, to give an account back to its owner: an undo link, and a lost second step. */

import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** A link mailed to an address that an account gave up, which takes it back. */
export const undo = sqliteTable(
  "undo",
  {
    tokenHash: text("token_hash").primaryKey(),
    accountId: text("account_id").notNull(),
    /** The address and when it was given up, sealed JSON at `undo.payload:<token hash>`. */
    payloadSealed: text("payload_sealed").notNull(),
    expiresAt: integer("expires_at").notNull(),
  },
  (table) => [
    index("undo_account").on(table.accountId),
    index("undo_expires_at").on(table.expiresAt),
  ],
);

/** Somebody who took the first step waits to get in without the second; one at a time. */
export const recovery = sqliteTable(
  "recovery",
  {
    accountId: text("account_id").primaryKey(),
    /** SHA-256 of the secret in the link that stops it. */
    stopHash: text("stop_hash").notNull().unique(),
    startedAt: integer("started_at").notNull(),
    /** From here on it may be finished. */
    opensAt: integer("opens_at").notNull(),
    expiresAt: integer("expires_at").notNull(),
  },
  (table) => [index("recovery_expires_at").on(table.expiresAt)],
);
