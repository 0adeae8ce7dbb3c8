/**
 * The directory: what must be unique across regions, as keyed hashes. It answers "which account has
 * this address or that account elsewhere" and "which device has this label", and can name none of them.
 */

import { and, eq, sql } from "drizzle-orm";
import { limits } from "../protocol/limits.ts";
import type { Db } from "./db.ts";
import type { Names, ReadLabel } from "./names.ts";
import type { Clock } from "./primitives.ts";
import { contact, label, linked } from "./schema/directory.ts";

/** Who has an account elsewhere. */
export interface LinkedEntry {
  readonly accountId: string;
  /** The row of `linked_identity` in the account's region. */
  readonly identityId: string;
}

/** Reads labels where the directory's tables are open already. */
export function readLabel(db: Db): ReadLabel {
  return async (hash) => {
    const rows = await db
      .select({ deviceId: label.deviceId })
      .from(label)
      .where(eq(label.hash, hash));
    return rows[0]?.deviceId ?? null;
  };
}

export class Directory {
  readonly db: Db;
  readonly #names: Names;
  readonly #clock: Clock;

  constructor(db: Db, names: Names, clock: Clock) {
    this.db = db;
    this.#names = names;
    this.#clock = clock;
  }

  /** Keyed hash of an e-mail address; the domain and the local part fold case. */
  contactHash(address: string): Promise<string> {
    return this.#names.hash("contact", address.trim().toLowerCase());
  }

  async accountOfContact(hash: string): Promise<string | null> {
    const rows = await this.db
      .select({ accountId: contact.accountId })
      .from(contact)
      .where(eq(contact.hash, hash));
    return rows[0]?.accountId ?? null;
  }

  /** The hashes of the contacts that an account holds. */
  async contactHashesOf(accountId: string): Promise<string[]> {
    const rows = await this.db
      .select({ hash: contact.hash })
      .from(contact)
      .where(eq(contact.accountId, accountId));
    return rows.map(({ hash }) => hash);
  }

  /** Claims a contact for an account; false when another account holds it. Idempotent. */
  async claimContact(hash: string, accountId: string): Promise<boolean> {
    await this.db.insert(contact).values({ hash, accountId }).onConflictDoNothing();
    return (await this.accountOfContact(hash)) === accountId;
  }

  /** Gives a contact back, if this account still holds it. Idempotent. */
  async releaseContact(hash: string, accountId: string): Promise<void> {
    await this.db
      .delete(contact)
      .where(and(eq(contact.hash, hash), eq(contact.accountId, accountId)));
  }

  async releaseContacts(accountId: string): Promise<void> {
    await this.db.delete(contact).where(eq(contact.accountId, accountId));
  }

  /** Keyed hash of an account elsewhere: whose it is stands nowhere else. */
  linkedHash(issuer: string, subject: string): Promise<string> {
    return this.#names.hash("linked", `${issuer}\n${subject}`);
  }

  async linkedEntry(hash: string): Promise<LinkedEntry | null> {
    const [row] = await this.db
      .select({ accountId: linked.accountId, identityId: linked.identityId })
      .from(linked)
      .where(eq(linked.hash, hash));
    return row ?? null;
  }

  /** Claims an account elsewhere; false when another identity holds it. Idempotent. */
  async claimLinked(hash: string, entry: LinkedEntry): Promise<boolean> {
    await this.db
      .insert(linked)
      .values({ hash, ...entry })
      .onConflictDoNothing();
    return (await this.linkedEntry(hash))?.identityId === entry.identityId;
  }

  /** Gives an account elsewhere back, if it is still held by this identity. */
  async releaseLinked(hash: string, identityId: string): Promise<void> {
    await this.db
      .delete(linked)
      .where(and(eq(linked.hash, hash), eq(linked.identityId, identityId)));
  }

  async releaseLinkedOf(accountId: string): Promise<void> {
    await this.db.delete(linked).where(eq(linked.accountId, accountId));
  }

  /** Claims a label; false when it is taken or still held. Idempotent for the same device. */
  async claimLabel(text: string, deviceId: string): Promise<boolean> {
    const hash = await this.#names.hash("label", text);
    const now = this.#clock.now();
    await this.db
      .insert(label)
      .values({ hash, deviceId, heldUntil: null })
      .onConflictDoUpdate({
        target: label.hash,
        set: { deviceId, heldUntil: null },
        setWhere: sql`${label.deviceId} IS NULL AND ${label.heldUntil} <= ${now}`,
      });
    const holder = await readLabel(this.db)(hash);
    this.#names.forget(text);
    return holder === deviceId;
  }

  /** True when nobody has the label and nobody gave it up lately. */
  async isLabelFree(text: string): Promise<boolean> {
    const hash = await this.#names.hash("label", text);
    const [row] = await this.db.select().from(label).where(eq(label.hash, hash));
    if (row === undefined) return true;
    return row.deviceId === null && (row.heldUntil ?? 0) <= this.#clock.now();
  }

  /** Frees a device's label: the hash is held for `limits.heldLabelMs`, the device forgotten. */
  async holdLabelsOf(deviceId: string): Promise<void> {
    await this.db
      .update(label)
      .set({ deviceId: null, heldUntil: this.#clock.now() + limits.heldLabelMs })
      .where(eq(label.deviceId, deviceId));
    this.#names.forget();
  }

  /** Gives back the label of a device that never came into being: nobody ever saw it, so no hold. */
  async releaseLabelsOf(deviceId: string): Promise<void> {
    await this.db.delete(label).where(eq(label.deviceId, deviceId));
    this.#names.forget();
  }
}
