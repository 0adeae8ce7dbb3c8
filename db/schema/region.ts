/**
 * One region's tables. Every personal row carries `account_id`, every short-lived one `expires_at`
 * (milliseconds since the epoch). A `…_sealed` column is sealed under the person's key (db/seal.ts);
 * a `…_hash` column holds a hash of a secret. Each column has its row in db/data-map/region.ts.
 */

import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

export const account = sqliteTable("account", {
  id: text().primaryKey(),
  createdAt: integer("created_at").notNull(),
});

/** A verified way to reach a person; its keyed hash stands in the directory. */
export const identifier = sqliteTable(
  "identifier",
  {
    id: text().primaryKey(),
    accountId: text("account_id").notNull(),
    kind: text({ enum: ["email"] }).notNull(),
    addressSealed: text("address_sealed").notNull(),
    verifiedAt: integer("verified_at").notNull(),
  },
  (table) => [index("identifier_account").on(table.accountId)],
);

export const password = sqliteTable("password", {
  accountId: text("account_id").primaryKey(),
  /**
   * PHC string of argon2id, sealed under the person's key at `password.phc:<account>`: a stolen
   * database gives nothing to guess against, and erasing the person ends it in every copy.
   */
  phcSealed: text("phc_sealed").notNull(),
  changedAt: integer("changed_at").notNull(),
});

export const session = sqliteTable(
  "session",
  {
    tokenHash: text("token_hash").primaryKey(),
    id: text().notNull().unique(),
    accountId: text("account_id").notNull(),
    /** Client and masked network, sealed JSON. */
    clientSealed: text("client_sealed").notNull(),
    createdAt: integer("created_at").notNull(),
    seenAt: integer("seen_at").notNull(),
    expiresAt: integer("expires_at").notNull(),
  },
  (table) => [
    index("session_account").on(table.accountId),
    index("session_expires_at").on(table.expiresAt),
  ],
);

/** A secret sent to a contact address, waiting to come back. */
export const challenge = sqliteTable(
  "challenge",
  {
    tokenHash: text("token_hash").primaryKey(),
    /** The account that comes into being, or the one that asked. */
    accountId: text("account_id").notNull(),
    kind: text({ enum: ["sign-up"] }).notNull(),
    contactSealed: text("contact_sealed").notNull(),
    /** As in `password`, sealed at `challenge.phc:<token hash>`. */
    phcSealed: text("phc_sealed").notNull(),
    expiresAt: integer("expires_at").notNull(),
  },
  (table) => [
    index("challenge_account").on(table.accountId),
    index("challenge_expires_at").on(table.expiresAt),
  ],
);

/** Devices of an account; everything else about a device lives in its object. */
export const device = sqliteTable(
  "device",
  {
    id: text().primaryKey(),
    accountId: text("account_id").notNull(),
    createdAt: integer("created_at").notNull(),
    /** Since when it should be gone; null for a device that stays. */
    endsAt: integer("ends_at"),
  },
  (table) => [
    index("device_account").on(table.accountId),
    index("device_ends_at").on(table.endsAt),
  ],
);

/** Which devices a person was let in to: so that erasing the person reaches those devices. */
export const deviceGuest = sqliteTable(
  "device_guest",
  {
    id: text().primaryKey(), // `<device>/<account>`
    accountId: text("account_id").notNull(),
    deviceId: text("device_id").notNull(),
  },
  (table) => [
    index("device_guest_account").on(table.accountId),
    index("device_guest_device").on(table.deviceId),
  ],
);

/** RFC 8628 device authorization before anyone approved it: no person, no address. */
export const enrolment = sqliteTable(
  "enrolment",
  {
    deviceCodeHash: text("device_code_hash").primaryKey(),
    userCodeHash: text("user_code_hash").notNull().unique(),
    /** The device's Ed25519 public key, base64url of 32 bytes. */
    publicKey: text("public_key").notNull(),
    polledAt: integer("polled_at").notNull(),
    intervalMs: integer("interval_ms").notNull(),
    expiresAt: integer("expires_at").notNull(),
  },
  (table) => [index("enrolment_expires_at").on(table.expiresAt)],
);

/** An approved enrolment waiting for its device to fetch its id; lives in the owner's region. */
export const enrolmentGrant = sqliteTable(
  "enrolment_grant",
  {
    deviceCodeHash: text("device_code_hash").primaryKey(),
    accountId: text("account_id").notNull(),
    deviceId: text("device_id").notNull(),
    expiresAt: integer("expires_at").notNull(),
  },
  (table) => [
    index("enrolment_grant_account").on(table.accountId),
    index("enrolment_grant_expires_at").on(table.expiresAt),
  ],
);

/** One row per swept class: the lease, and when it last ran clean. */
export const sweep = sqliteTable("sweep", {
  name: text().primaryKey(),
  leaseUntil: integer("lease_until").notNull(),
  ranAt: integer("ran_at").notNull(),
  deleted: integer().notNull(),
});
