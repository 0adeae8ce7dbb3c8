/** Accounts elsewhere that let a person in here. */

import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** An account elsewhere. No token of its provider is ever kept, nor any claim but those sealed here. */
export const linkedIdentity = sqliteTable(
  "linked_identity",
  {
    id: text().primaryKey(),
    accountId: text("account_id").notNull(),
    /** Provider, issuer, subject, name and address: sealed JSON at `linked_identity.claims:<id>`. */
    claimsSealed: text("claims_sealed").notNull(),
    linkedAt: integer("linked_at").notNull(),
    /** Start of the last day (UTC) on which it let its owner in; null: never. */
    usedDay: integer("used_day"),
  },
  (table) => [index("linked_identity_account").on(table.accountId)],
);
