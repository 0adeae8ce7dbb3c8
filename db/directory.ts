/**
 * The directory: what must be unique across regions, as keyed hashes. It answers "which account has
 * this address or that account elsewhere" and "which device has this label", and can name none of them.
 */

import { and, eq, sql } from "drizzle-orm";
import { limits } from "../protocol/limits.ts";
import { checkLabel } from "../protocol/names.ts";
import { base64url } from "../protocol/tokens.ts";
import type { Db } from "./db.ts";
import type { Clock, KeyStore } from "./primitives.ts";
import { contact, label, linked } from "./schema/directory.ts";

const HASH_KEY = "system/directory";

/** Who has an account elsewhere. */
export interface LinkedEntry {
  readonly accountId: string;
  /** The row of `linked_identity` in the account's region. */
  readonly identityId: string;
}

export class Directory {
  readonly db: Db;
  readonly #keys: KeyStore;
  readonly #clock: Clock;
  #hmac: CryptoKey | null = null;
  readonly #labels = new Map<string, { deviceId: string | null; until: number }>();

  constructor(db: Db, keys: KeyStore, clock: Clock) {
    this.db = db;
    this.#keys = keys;
    this.#clock = clock;
  }

  /** Keyed hash of an e-mail address; the domain and the local part fold case. */
  contactHash(address: string): Promise<string> {
    return this.hash("contact", address.trim().toLowerCase());
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
    return this.hash("linked", `${issuer}\n${subject}`);
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

  /**
   * The device that has `label`, or null. Cached in the isolate for `limits.labelCacheMs`, so a hot
   * name costs no query; the device's object has the last word on whether it still exists. What can
   * be no label costs no query either, and no room in the cache.
   */
  async deviceOfLabel(text: string): Promise<string | null> {
    const now = this.#clock.now();
    const cached = this.#labels.get(text);
    if (cached !== undefined && cached.until > now) return cached.deviceId;
    if (checkLabel(text) === "label-syntax") return null;
    const hash = await this.hash("label", text);
    const rows = await this.db
      .select({ deviceId: label.deviceId })
      .from(label)
      .where(eq(label.hash, hash));
    const deviceId = rows[0]?.deviceId ?? null;
    if (this.#labels.size >= limits.labelCacheEntries) this.#labels.clear();
    this.#labels.set(text, { deviceId, until: now + limits.labelCacheMs });
    return deviceId;
  }

  /** Claims a label; false when it is taken or still held. Idempotent for the same device. */
  async claimLabel(text: string, deviceId: string): Promise<boolean> {
    const hash = await this.hash("label", text);
    const now = this.#clock.now();
    await this.db
      .insert(label)
      .values({ hash, deviceId, heldUntil: null })
      .onConflictDoUpdate({
        target: label.hash,
        set: { deviceId, heldUntil: null },
        setWhere: sql`${label.deviceId} IS NULL AND ${label.heldUntil} <= ${now}`,
      });
    const rows = await this.db
      .select({ deviceId: label.deviceId })
      .from(label)
      .where(eq(label.hash, hash));
    this.#labels.delete(text);
    return rows[0]?.deviceId === deviceId;
  }

  /** True when nobody has the label and nobody gave it up lately. */
  async isLabelFree(text: string): Promise<boolean> {
    const hash = await this.hash("label", text);
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
    this.#labels.clear();
  }

  /** Gives back the label of a device that never came into being: nobody ever saw it, so no hold. */
  async releaseLabelsOf(deviceId: string): Promise<void> {
    await this.db.delete(label).where(eq(label.deviceId, deviceId));
    this.#labels.clear();
  }

  /** HMAC-SHA-256 of `text` under the directory's key, for use `kind`: never comparable across uses. */
  async hash(
    kind:
      | "contact"
      | "reset"
      | "linked"
      | "label"
      | "limit"
      | "erasure"
      | "user-code"
      | "recovery-code"
      | "subject"
      | "grant"
      | "refresh",
    text: string,
  ): Promise<string> {
    if (this.#hmac === null) {
      const raw = await this.#keys.getOrCreate(HASH_KEY);
      this.#hmac = await crypto.subtle.importKey(
        "raw",
        raw,
        { name: "HMAC", hash: "SHA-256" },
        false,
        ["sign"],
      );
    }
    const bytes = new TextEncoder().encode(`${kind}\n${text}`);
    return base64url(new Uint8Array(await crypto.subtle.sign("HMAC", this.#hmac, bytes)));
  }
}
