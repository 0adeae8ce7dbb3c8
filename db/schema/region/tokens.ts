/** Personal access tokens: secrets that a person makes for programs of their own. */

import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

export const personalToken = sqliteTable(
  "personal_token",
  {
    tokenHash: text("token_hash").primaryKey(),
    id: text().notNull().unique(),
    accountId: text("account_id").notNull(),
    nameSealed: text("name_sealed").notNull(),
    /** What it may do (`TokenScope`), separated by spaces. */
    scopes: text().notNull(),
    createdAt: integer("created_at").notNull(),
    /** Start of the day (UTC) of its last use; null before the first. */
    usedDay: integer("used_day"),
    expiresAt: integer("expires_at").notNull(),
  },
  (table) => [
    index("personal_token_account").on(table.accountId),
    index("personal_token_expires_at").on(table.expiresAt),
  ],
);
