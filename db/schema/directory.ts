/**
 * The global directory: what must be the same or unique across regions, and nothing else. It holds
 * keyed hashes of contact addresses, accounts elsewhere and labels, never any of these themselves.
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

/** Keyed hash of an account elsewhere (its issuer and subject) → account, and its row there. */
export const linked = sqliteTable(
  "linked",
  {
    hash: text().primaryKey(),
    accountId: text("account_id").notNull(),
    identityId: text("identity_id").notNull(),
  },
  (table) => [index("linked_account").on(table.accountId)],
);

/**
 * Keyed hash of a label → device; a freed label keeps its hash with `held_until` and no device. `held_for`
 * is a keyed hash of the account that gave it up, which may take it back.
 */
export const label = sqliteTable(
  "label",
  {
    hash: text().primaryKey(),
    deviceId: text("device_id"),
    heldUntil: integer("held_until"),
    heldFor: text("held_for"),
  },
  (table) => [
    index("label_device").on(table.deviceId),
    index("label_held_until").on(table.heldUntil),
    index("label_held_for").on(table.heldFor),
  ],
);

/** Keys that sign ID tokens, one for each algorithm and period (workers/openid/keys.ts). */
export const signingKey = sqliteTable(
  "signing_key",
  {
    /** `<alg>.<number of the period>`: two who make it at once make one. */
    slot: text().primaryKey(),
    alg: text({ enum: ["RS256", "EdDSA"] }).notNull(),
    /** RFC 7638 thumbprint. */
    kid: text().notNull(),
    /** RFC 7517, JSON. */
    publicJwk: text("public_jwk").notNull(),
    /** RFC 7517, JSON, sealed under `system/openid` at `signing_key.private:<slot>`. */
    privateSealed: text("private_sealed").notNull(),
    createdAt: integer("created_at").notNull(),
    /** From when on it signs. */
    startsAt: integer("starts_at").notNull(),
    expiresAt: integer("expires_at").notNull(),
  },
  (table) => [index("signing_key_expires_at").on(table.expiresAt)],
);

/** Our account at each certificate authority that the operator ever named (workers/certificates). */
export const acmeAccount = sqliteTable("acme_account", {
  /** The authority's directory, an address. */
  server: text().primaryKey(),
  /** The account's address there. */
  url: text().notNull(),
  /** RFC 7517, JSON, sealed under `system/acme` at `acme_account.key:<server>`. */
  keySealed: text("key_sealed").notNull(),
  createdAt: integer("created_at").notNull(),
  /** Until then the authority wants to be left alone; 0: it said nothing. */
  pausedUntil: integer("paused_until").notNull(),
});

/**
 * Orders of certificates on their way: the queue, for the authority's limits count the whole zone. What
 * is ordered lies in the device's object.
 */
export const certificateOrder = sqliteTable(
  "certificate_order",
  {
    deviceId: text("device_id").primaryKey(),
    /** Random: the place that it takes among the zone's certificates (`acme_slot`). */
    slot: text().notNull(),
    /** 1 for a renewal that no limit of the authority counts (RFC 9773 §5). */
    exempt: integer().notNull(),
    askedAt: integer("asked_at").notNull(),
    dueAt: integer("due_at").notNull(),
    leaseUntil: integer("lease_until").notNull(),
    expiresAt: integer("expires_at").notNull(),
  },
  (table) => [
    index("certificate_order_due_at").on(table.dueAt),
    index("certificate_order_expires_at").on(table.expiresAt),
  ],
);

/** What counts against the authority's limits, until it counts no more. */
export const acmeSlot = sqliteTable(
  "acme_slot",
  {
    id: text().primaryKey(),
    kind: text({ enum: ["certificate", "order"] }).notNull(),
    expiresAt: integer("expires_at").notNull(),
  },
  (table) => [index("acme_slot_expires_at").on(table.expiresAt)],
);

/** Keys that sign the DDNS zone (db/zone-keys.ts): one, and a second while it takes over. */
export const zoneKey = sqliteTable("zone_key", {
  /** Counts from 1: two who make the next one at once make one. */
  slot: integer().primaryKey(),
  /** x and y of the point on P-256, 64 octets, base64url. */
  publicKey: text("public_key").notNull(),
  /** RFC 7517, JSON, sealed under `system/zone` at `zone_key.private:<slot>`. */
  privateSealed: text("private_sealed").notNull(),
  createdAt: integer("created_at").notNull(),
  /** From when on it signs. */
  signsAt: integer("signs_at").notNull(),
});
