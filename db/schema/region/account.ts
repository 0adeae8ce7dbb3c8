/** Who a person is here: the account, the ways to reach it, and what it did. */

import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

export const account = sqliteTable(
  "account",
  {
    id: text().primaryKey(),
    createdAt: integer("created_at").notNull(),
    /** Start of the last day (UTC) on which somebody signed in or used a session (ACC-14). */
    activeDay: integer("active_day").notNull(),
    /** How many warnings of dormancy were sent since that day: 0, 1 or 2. */
    warnings: integer().notNull().default(0),
  },
  (table) => [
    index("account_active_day").on(table.activeDay),
    index("account_dormancy").on(table.warnings, table.activeDay),
  ],
);

/** A verified way to reach a person; its keyed hash stands in the directory. */
export const identifier = sqliteTable(
  "identifier",
  {
    id: text().primaryKey(),
    accountId: text("account_id").notNull(),
    kind: text({ enum: ["email", "phone"] }).notNull(),
    addressSealed: text("address_sealed").notNull(),
    /** 1: notices go here; one of an account's identifiers is it. */
    isPrimary: integer("is_primary").notNull(),
    verifiedAt: integer("verified_at").notNull(),
  },
  (table) => [index("identifier_account").on(table.accountId)],
);

/** What happened to an account, for its owner to see (ACC-3). */
export const activity = sqliteTable(
  "activity",
  {
    id: text().primaryKey(),
    accountId: text("account_id").notNull(),
    /** From the closed list in workers/account/activity.ts. */
    event: text().notNull(),
    /** Client, masked network, coarse place and what it was about: sealed JSON. */
    detailSealed: text("detail_sealed").notNull(),
    at: integer().notNull(),
    expiresAt: integer("expires_at").notNull(),
  },
  (table) => [
    index("activity_account").on(table.accountId, table.at),
    index("activity_expires_at").on(table.expiresAt),
  ],
);
