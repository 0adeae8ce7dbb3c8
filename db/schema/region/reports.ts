/** What people say about doors: reports by whoever saw a page, objections by owners of closed doors. */

import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { reportKinds } from "../../../protocol/reports.ts";

export const reportOutcomes = ["closed", "dismissed"] as const;

/** A report. Whoever made it has no account, so each is sealed under a key of its own. */
export const doorReport = sqliteTable(
  "door_report",
  {
    id: text().primaryKey(),
    deviceId: text("device_id").notNull(),
    about: text({ enum: reportKinds }).notNull(),
    /** Sealed JSON at `door_report.told:<id>` under `person/<id>`: the words, a mail address or null. */
    toldSealed: text("told_sealed").notNull(),
    /** Null while nobody has decided. */
    outcome: text({ enum: reportOutcomes }),
    createdAt: integer("created_at").notNull(),
    expiresAt: integer("expires_at").notNull(),
  },
  (table) => [
    index("door_report_device").on(table.deviceId),
    index("door_report_waiting").on(table.outcome, table.createdAt, table.id),
    index("door_report_expires_at").on(table.expiresAt),
  ],
);

/** What the owner of a closed door says to it; one for a door. */
export const doorObjection = sqliteTable(
  "door_objection",
  {
    deviceId: text("device_id").primaryKey(),
    accountId: text("account_id").notNull(),
    /** Sealed at `door_objection.words:<device>`. */
    wordsSealed: text("words_sealed").notNull(),
    createdAt: integer("created_at").notNull(),
    expiresAt: integer("expires_at").notNull(),
  },
  (table) => [
    index("door_objection_account").on(table.accountId),
    index("door_objection_expires_at").on(table.expiresAt),
  ],
);
