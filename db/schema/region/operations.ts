/** What the sweeps remember of themselves. */

import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** One row per swept class: the lease, and when it last ran clean. */
export const sweep = sqliteTable("sweep", {
  name: text().primaryKey(),
  leaseUntil: integer("lease_until").notNull(),
  ranAt: integer("ran_at").notNull(),
  deleted: integer().notNull(),
});
