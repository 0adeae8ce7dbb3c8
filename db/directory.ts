/**
 * The directory: what must be unique across regions, as keyed hashes. It answers "which account has
 * this address or that account elsewhere" and "which device has this label", and can name none of them.
 */

import { and, eq, gt, sql } from "drizzle-orm";
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

  /**
   * Claims a label; false when it is taken or still held. Idempotent for the same device.
   * @param accountId who may have given it up: a name is held for them too
   */
  async claimLabel(text: string, deviceId: string, accountId?: string): Promise<boolean> {
    const hash = await this.#names.hash("label", text);
    await this.#claim(hash, deviceId, await this.#holder(accountId));
    const holder = await readLabel(this.db)(hash);
    this.#names.forget(text);
    return holder === deviceId;
  }

  /**
   * A device gives up `from` for `to`, both or neither; false when `to` is taken or still held, or `from`
   * is not the device's. Idempotent.
   */
  async renameLabel(
    from: string,
    to: string,
    deviceId: string,
    accountId: string,
  ): Promise<boolean> {
    const [old, hash] = await Promise.all([from, to].map((one) => this.#names.hash("label", one)));
    if (old === undefined || hash === undefined) return false;
    const holder = await this.#holder(accountId);
    const has = sql`EXISTS (SELECT 1 FROM label AS new
      WHERE new.hash = ${hash} AND new.device_id = ${deviceId})`;
    await this.db.batch([
      this.#claim(hash, deviceId, holder, old),
      this.db
        .update(label)
        .set({ deviceId: null, heldUntil: this.#heldUntil(), heldFor: holder })
        .where(and(eq(label.hash, old), eq(label.deviceId, deviceId), has)),
    ]);
    this.#names.forget();
    return (await readLabel(this.db)(hash)) === deviceId;
  }

  /** Gives a label up, which is held for who gives it; nothing when it is not the device's. */
  async releaseLabel(text: string, deviceId: string, accountId: string): Promise<void> {
    const hash = await this.#names.hash("label", text);
    await this.db
      .update(label)
      .set({
        ...{ deviceId: null, heldUntil: this.#heldUntil() },
        heldFor: await this.#holder(accountId),
      })
      .where(and(eq(label.hash, hash), eq(label.deviceId, deviceId)));
    this.#names.forget(text);
  }

  /** Gives a label to another device; false when it is not `from`'s. */
  async moveLabel(text: string, from: string, to: string): Promise<boolean> {
    const hash = await this.#names.hash("label", text);
    const moved = await this.db
      .update(label)
      .set({ deviceId: to })
      .where(and(eq(label.hash, hash), eq(label.deviceId, from)))
      .returning({ hash: label.hash });
    this.#names.forget(text);
    return moved.length === 1;
  }

  /** Which of `texts` are the device's now; nothing is remembered. */
  async ownLabels(texts: readonly string[], deviceId: string): Promise<string[]> {
    const hashes = await this.#labelsOf(deviceId);
    const own = await Promise.all(
      texts.map(async (text) => hashes.has(await this.#names.hash("label", text))),
    );
    return texts.filter((_, at) => own[at]);
  }

  /**
   * Gives up every label of a device but those that it knows: what broke off before the device heard of it.
   * @param known is asked after the labels were read, so that none that came meanwhile is missed; null:
   *   the device is gone, which ends its labels by itself
   */
  async holdOtherLabels(
    deviceId: string,
    known: () => Promise<readonly string[] | null>,
  ): Promise<void> {
    const hashes = await this.#labelsOf(deviceId);
    const texts = await known();
    if (texts === null) return;
    for (const text of texts) hashes.delete(await this.#names.hash("label", text));
    for (const hash of hashes) {
      await this.db
        .update(label)
        .set({ deviceId: null, heldUntil: this.#heldUntil() })
        .where(and(eq(label.hash, hash), eq(label.deviceId, deviceId)));
    }
    if (hashes.size > 0) this.#names.forget();
  }

  /** How many labels an account gave up that nobody else may have yet. */
  async heldLabels(accountId: string): Promise<number> {
    const isTheirs = eq(label.heldFor, (await this.#holder(accountId)) ?? "");
    return await this.db.$count(label, and(isTheirs, gt(label.heldUntil, this.#clock.now())));
  }

  /** Until when a label is held for an account; null when it is not. */
  async heldUntil(text: string, accountId: string): Promise<number | null> {
    const [row] = await this.db
      .select({ until: label.heldUntil })
      .from(label)
      .where(
        and(
          eq(label.hash, await this.#names.hash("label", text)),
          eq(label.heldFor, (await this.#holder(accountId)) ?? ""),
          gt(label.heldUntil, this.#clock.now()),
        ),
      );
    return row?.until ?? null;
  }

  /** Forgets whom labels are held for, who is gone; the labels stay held. */
  async forgetHolder(accountId: string): Promise<void> {
    const isTheirs = eq(label.heldFor, (await this.#holder(accountId)) ?? "");
    await this.db.update(label).set({ heldFor: null }).where(isTheirs);
  }

  /** True when nobody has the label and nobody, or `accountId` itself, gave it up lately. */
  async isLabelFree(text: string, accountId?: string): Promise<boolean> {
    const hash = await this.#names.hash("label", text);
    const [row] = await this.db.select().from(label).where(eq(label.hash, hash));
    if (row === undefined) return true;
    if (row.deviceId !== null) return false;
    const holder = await this.#holder(accountId);
    return (row.heldUntil ?? 0) <= this.#clock.now() || (holder !== null && row.heldFor === holder);
  }

  /**
   * Frees a device's labels: the hashes are held for `limits.heldLabelMs`, the device forgotten.
   * @param accountId who gives them up, and may take them back; absent: who is gone too
   */
  async holdLabelsOf(deviceId: string, accountId?: string): Promise<void> {
    await this.db
      .update(label)
      .set({
        ...{ deviceId: null, heldUntil: this.#heldUntil() },
        heldFor: await this.#holder(accountId),
      })
      .where(eq(label.deviceId, deviceId));
    this.#names.forget();
  }

  /** @param before the hash of a label that the device must have for this; absent: none */
  #claim(hash: string, deviceId: string, holder: string | null, before?: string) {
    const isFree = sql`${label.heldUntil} <= ${this.#clock.now()} OR ${label.heldFor} = ${holder}`;
    const has =
      before === undefined
        ? sql`1`
        : sql`EXISTS (SELECT 1 FROM label AS old
            WHERE old.hash = ${before} AND old.device_id = ${deviceId})`;
    const row = sql`SELECT ${hash}, ${deviceId}, NULL, NULL WHERE ${has}`;
    return this.db
      .insert(label)
      .select(row)
      .onConflictDoUpdate({
        target: label.hash,
        set: { deviceId, heldUntil: null, heldFor: null },
        setWhere: sql`${label.deviceId} IS NULL AND (${isFree})`,
      });
  }

  async #labelsOf(deviceId: string): Promise<Set<string>> {
    const rows = await this.db
      .select({ hash: label.hash })
      .from(label)
      .where(eq(label.deviceId, deviceId));
    return new Set(rows.map(({ hash }) => hash));
  }

  /** What says whom a label is held for, to nobody but who asks for them. */
  async #holder(accountId: string | undefined): Promise<string | null> {
    return accountId === undefined ? null : await this.#names.hash("holder", accountId);
  }

  #heldUntil(): number {
    return this.#clock.now() + limits.heldLabelMs;
  }

  /**
   * Gives back the label of a device that never came into being: nobody ever saw it, so no new hold.
   * @param heldUntil until when it was held for `accountId` before; null: it was not
   */
  async releaseLabelsOf(
    deviceId: string,
    accountId: string,
    heldUntil: number | null,
  ): Promise<void> {
    const isIts = eq(label.deviceId, deviceId);
    if (heldUntil === null) await this.db.delete(label).where(isIts);
    else {
      const heldFor = await this.#holder(accountId);
      await this.db.update(label).set({ deviceId: null, heldUntil, heldFor }).where(isIts);
    }
    this.#names.forget();
  }
}
