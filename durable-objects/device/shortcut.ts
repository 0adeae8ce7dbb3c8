/**
 * The shortcut: where the device says it can be reached without the relay, for people who are let in.
 *
 * One sealed row, overwritten, under the key of its own feature; gone with the feature, and 24 hours after
 * the device went offline (CON-2). Off until the owner switches it on (FEA-1).
 */

import type { Sealer } from "../../db/seal.ts";
import { limits } from "../../protocol/limits.ts";
import { type Reach, readReach } from "../../protocol/reach.ts";
import type { DeviceContext } from "./context.ts";

export class Shortcut {
  readonly #context: DeviceContext;
  readonly #sealer: Sealer;
  readonly #isOn: () => boolean;
  /** When reports were written, in this window: a device cannot make the store busy. */
  #written: number[] = [];

  /** @param isOn whether the feature is on at this moment; whatever awaits asks again after */
  constructor(context: DeviceContext, sealer: Sealer, isOn: () => boolean) {
    this.#context = context;
    this.#sealer = sealer;
    this.#isOn = isOn;
  }

  /** Keeps what the device says; what is malformed, the same as before or too often is not written. */
  async report(value: unknown): Promise<void> {
    const { sql, clock, allowSpecialAddresses } = this.#context;
    const reach = readReach(value, allowSpecialAddresses);
    if (reach === null || !this.#isOn()) return;
    const text = JSON.stringify(reach);
    const before = await this.read();
    if (before !== null && JSON.stringify(before) === text) return;
    const now = clock.now();
    this.#written = this.#written.filter((at) => now - at < limits.reachChangesWindowMs);
    if (this.#written.length >= limits.reachChanges) return;
    // The key of a row whose time has come goes before anything new is sealed.
    if ((this.nextExpiry() ?? Infinity) <= now) await this.#sealer.destroy(this.#key());
    const sealed = await this.#sealer.seal(this.#key(), "shortcut.reach", text);
    if (!this.#isOn()) return;
    this.#written.push(now);
    sql.run(
      `INSERT INTO shortcut (row, reach_sealed, expires_at) VALUES (1, ?, ?)
       ON CONFLICT (row) DO UPDATE SET reach_sealed = excluded.reach_sealed,
         expires_at = excluded.expires_at`,
      sealed,
      now + limits.connectionAfterOfflineMs,
    );
  }

  /** What the device said last; null when nothing is on record. */
  async read(): Promise<Reach | null> {
    if (!this.#isOn()) return null;
    const [row] = this.#context.sql.all<{ reach_sealed: string }>(
      "SELECT reach_sealed FROM shortcut WHERE expires_at > ?",
      this.#context.clock.now(),
    );
    if (row === undefined) return null;
    const text = await this.#sealer.open(this.#key(), "shortcut.reach", row.reach_sealed);
    return text === null || !this.#isOn() ? null : (JSON.parse(text) as Reach);
  }

  /** While the device is here its word holds; from its last moment on, 24 hours more. */
  renew(): void {
    const until = this.#context.clock.now() + limits.connectionAfterOfflineMs;
    this.#context.sql.run("UPDATE shortcut SET expires_at = ?", until);
  }

  clear(): void {
    this.#context.sql.run("DELETE FROM shortcut");
  }

  nextExpiry(): number | null {
    const query = "SELECT min(expires_at) AS at FROM shortcut";
    return this.#context.sql.all<{ at: number | null }>(query)[0]?.at ?? null;
  }

  /**
   * Destroys the key of what is overdue, then deletes it: while the row stands, a key that could not be
   * destroyed is tried again.
   */
  async sweep(isOnline: boolean): Promise<void> {
    const expiresAt = this.nextExpiry();
    if (expiresAt === null || expiresAt > this.#context.clock.now()) return;
    if (isOnline) return this.renew();
    await this.#sealer.destroy(this.#key());
    this.clear();
  }

  #key(): `feature/${string}/lan` {
    return `feature/${this.#context.deviceId}/lan`;
  }
}
