/** What a person says of themself, and whom they know here. */

import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** Everything that a profile may hold; each is optional (FEA-5). */
export const profileFields = ["name", "photo", "about", "language", "time_zone"] as const;

/** Who may see a field, besides its owner. */
export const visibilities = ["nobody", "contacts", "everyone"] as const;

/** One thing that a person chose to say; no row: nothing is held. */
export const profileField = sqliteTable(
  "profile_field",
  {
    id: text().primaryKey(), // `<account>/<field>`
    accountId: text("account_id").notNull(),
    field: text({ enum: profileFields }).notNull(),
    /** What it says; of a photo its content type, for the picture lies under `photo/<account>`. */
    valueSealed: text("value_sealed").notNull(),
    visibility: text({ enum: visibilities }).notNull(),
    changedAt: integer("changed_at").notNull(),
  },
  (table) => [index("profile_field_account").on(table.accountId)],
);

/**
 * How one person stands to another, from the side of `account_id` only.
 * - `asked`: wants to be a contact, and asked; until `expires_at`
 * - `asking`: the other one asked; until `expires_at`
 * - `declined`: the other one asked, and the answer was no; kept until the ask ends, so that it is
 *   not asked anew and the other one learns nothing
 * - `contact`: wants to be a contact, and so did the other one
 * - `blocked`: wants to hear nothing of the other one
 */
export const edgeStates = ["asked", "asking", "declined", "contact", "blocked"] as const;

/** One side of what is between two people; the other side lies in the other one's region. */
export const contactEdge = sqliteTable(
  "contact_edge",
  {
    id: text().primaryKey(), // `<account>/<other>`
    accountId: text("account_id").notNull(),
    otherId: text("other_id").notNull(),
    state: text({ enum: edgeStates }).notNull(),
    since: integer().notNull(),
    /** When an ask ends that was not answered; null for what stays. */
    expiresAt: integer("expires_at"),
  },
  (table) => [
    index("contact_edge_account").on(table.accountId),
    index("contact_edge_other").on(table.otherId),
    index("contact_edge_expires_at").on(table.expiresAt),
  ],
);
