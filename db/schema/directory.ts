/**
 * The global directory: what must be unique across regions, and nothing else. It holds keyed hashes
 * of contact addresses and labels, never the addresses or labels themselves.
 */

import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** Keyed hash of a verified contact address → account. */
export const contact = sqliteTable(
  "contact",
  {
    hash: text().primaryKey(),
    accountId: text("account_id").notNull(),
  },
  (table) => [index("contact_account").on(table.accountId)],
);

/** Keyed hash of a label → device; a freed label keeps its hash with `held_until` and no device. */
export const label = sqliteTable(
  "label",
  {
    hash: text().primaryKey(),
    deviceId: text("device_id"),
    heldUntil: integer("held_until"),
  },
  (table) => [
    index("label_device").on(table.deviceId),
    index("label_held_until").on(table.heldUntil),
  ],
);
