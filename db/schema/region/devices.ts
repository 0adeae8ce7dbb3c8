/** Devices of an account, who is let in to them, and devices that wait to be approved. */

import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** Devices of an account; everything else about a device lives in its object. */
export const device = sqliteTable(
  "device",
  {
    id: text().primaryKey(),
    accountId: text("account_id").notNull(),
    createdAt: integer("created_at").notNull(),
    /** Since when it should be gone; null for a device that stays. */
    endsAt: integer("ends_at"),
    /** Since when a change of its names is under way; null while none is. */
    namesAt: integer("names_at"),
    /** When its owner's own domains are looked at next; null where nothing is to be looked at. */
    domainsAt: integer("domains_at"),
    /** When its name's passwords are next looked through for those that nobody uses; null: none is due. */
    tokensAt: integer("tokens_at"),
  },
  (table) => [
    index("device_account").on(table.accountId),
    index("device_ends_at").on(table.endsAt),
    index("device_names_at").on(table.namesAt),
    index("device_domains_at").on(table.domainsAt),
    index("device_tokens_at").on(table.tokensAt),
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

/**
 * Which devices know a person for a while: as their visitor, or because something is shared with them.
 * So that ending their session, or erasing them, reaches those devices.
 */
export const doorReach = sqliteTable(
  "door_reach",
  {
    id: text().primaryKey(), // `<device>/<account>`
    accountId: text("account_id").notNull(),
    deviceId: text("device_id").notNull(),
    expiresAt: integer("expires_at").notNull(),
  },
  (table) => [
    index("door_reach_account").on(table.accountId),
    index("door_reach_device").on(table.deviceId),
    index("door_reach_expires_at").on(table.expiresAt),
  ],
);

/** A name that its owner offers to a contact, in the region of the contact. */
export const nameOffer = sqliteTable(
  "name_offer",
  {
    /** Keyed hash of the name: it is offered to one at a time. */
    id: text().primaryKey(),
    /** Who may take it. */
    accountId: text("account_id").notNull(),
    fromId: text("from_id").notNull(),
    /** Which device has the name. */
    deviceId: text("device_id").notNull(),
    labelSealed: text("label_sealed").notNull(),
    expiresAt: integer("expires_at").notNull(),
  },
  (table) => [
    index("name_offer_account").on(table.accountId),
    index("name_offer_from").on(table.fromId),
    index("name_offer_device").on(table.deviceId),
    index("name_offer_expires_at").on(table.expiresAt),
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

/** Certificates of a name that ended, which are to be revoked (workers/certificates/ending.ts). */
export const revocation = sqliteTable(
  "revocation",
  {
    id: text().primaryKey(),
    deviceId: text("device_id").notNull(),
    /** Sealed JSON at `revocation.leaves:<id>` under `person/<id>`: the certificates, base64url of DER. */
    leavesSealed: text("leaves_sealed").notNull(),
    tries: integer().notNull(),
    dueAt: integer("due_at").notNull(),
    expiresAt: integer("expires_at").notNull(),
  },
  (table) => [
    index("revocation_device").on(table.deviceId),
    index("revocation_due_at").on(table.dueAt),
    index("revocation_expires_at").on(table.expiresAt),
  ],
);
