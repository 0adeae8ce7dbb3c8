/**
 * How much passed a device's door, hour by hour: counts and bytes, never what, never whose (CON-8).
 *
 * One sealed row, overwritten, of the last 24 hours, under a key of its own: gone with Link, and 24 hours
 * after the last that passed. The key is made anew each day, so that no copy of the row says more. What
 * passed since the last writing is in memory; it is written when nobody waits any more, and each minute.
 */

import type { Sealer } from "../../db/seal.ts";
import { DAY, limits } from "../../protocol/limits.ts";
import type { Refused } from "./budgets.ts";
import type { DeviceContext } from "./context.ts";
import type { TrafficHour, TrafficView } from "./rpc.ts";

const HOUR = DAY / 24;

interface TrafficRecord {
  readonly hours: readonly TrafficHour[];
  /** The UTC day that the key under the record was made for, in days since the epoch. */
  readonly day: number;
}

type Hour = { -readonly [field in keyof TrafficHour]: number };
type Counts = Partial<Omit<TrafficHour, "at">>;

export class Traffic {
  readonly #context: DeviceContext;
  readonly #sealer: Sealer;
  readonly #isOn: () => boolean;
  /** Not yet written. */
  #fresh = new Map<number, Hour>();
  #today = 0;
  #todayBytes = 0;
  /** What the row says, once it was read. */
  #kept: TrafficRecord | null = null;
  #wasRead = false;
  #writtenAt = 0;

  /** @param isOn whether Link is on at this moment; whatever awaits asks again after */
  constructor(context: DeviceContext, sealer: Sealer, isOn: () => boolean) {
    this.#context = context;
    this.#sealer = sealer;
    this.#isOn = isOn;
  }

  count(counts: Counts): void {
    const now = this.#context.clock.now();
    const at = now - (now % HOUR);
    let hour = this.#fresh.get(at);
    if (hour === undefined) {
      hour = emptyHour(at);
      this.#fresh.set(at, hour);
    }
    add(hour, counts);
    this.#startDay(Math.floor(now / DAY));
    this.#todayBytes += (counts.fromDevice ?? 0) + (counts.toDevice ?? 0);
  }

  #startDay(today: number): void {
    if (this.#today === today) return;
    this.#today = today;
    this.#todayBytes = 0;
  }

  /** Visitors were turned away because a budget was used up. */
  turnedAway(verdict: Refused): void {
    if (verdict === "busy") this.count({ busy: 1 });
    else this.count({ overBudget: 1 });
  }

  /** What moved today (UTC), both ways; without what is on record until that was read. */
  get bytesToday(): number {
    this.#startDay(Math.floor(this.#context.clock.now() / DAY));
    return this.#todayBytes;
  }

  /** True once what is on record was read. */
  get isKnown(): boolean {
    return this.#wasRead;
  }

  /** Reads what is on record, once. */
  async learn(): Promise<void> {
    if (this.#wasRead || !this.#isOn()) return;
    const [row] = this.#context.sql.all<{ record_sealed: string }>(
      "SELECT record_sealed FROM traffic WHERE expires_at > ?",
      this.#context.clock.now(),
    );
    const text =
      row === undefined
        ? null
        : await this.#sealer.open(this.#key(), "traffic.record", row.record_sealed);
    if (this.#wasRead) return;
    this.#wasRead = true;
    this.#kept = text === null ? null : (JSON.parse(text) as TrafficRecord);
    this.#startDay(Math.floor(this.#context.clock.now() / DAY));
    for (const hour of this.#kept?.hours ?? []) {
      if (hour.at >= this.#today * DAY) this.#todayBytes += hour.fromDevice + hour.toDevice;
    }
  }

  /** The last 24 hours, the oldest first; hours without anything are left out. */
  async view(): Promise<TrafficView> {
    await this.learn();
    return { hours: this.#hours() };
  }

  /** True when something waits to be written; `idle`: nobody is on the way, so that is now. */
  isDue(idle: boolean): boolean {
    if (this.#fresh.size === 0) return false;
    return idle || this.#context.clock.now() - this.#writtenAt >= limits.trafficWriteMs;
  }

  /**
   * Writes what passed since. Whoever calls takes turns with what switches Link off.
   * @returns true when something was written
   */
  async write(): Promise<boolean> {
    if (this.#fresh.size === 0 || !this.#isOn()) return false;
    await this.learn();
    const now = this.#context.clock.now();
    const day = Math.floor(now / DAY);
    this.#writtenAt = now;
    const record: TrafficRecord = { hours: this.#hours(), day };
    const [written, before] = [this.#fresh, this.#kept];
    // At once: whoever looks while this is being sealed sees it too.
    this.#fresh = new Map();
    this.#kept = record;
    try {
      const stale = before === null ? this.nextExpiry() !== null : before.day !== day;
      if (stale) await this.#sealer.destroy(this.#key());
      const text = JSON.stringify(record);
      const sealed = await this.#sealer.seal(this.#key(), "traffic.record", text, { fresh: stale });
      if (!this.#isOn()) return false;
      this.#context.sql.run(
        `INSERT INTO traffic (row, record_sealed, expires_at) VALUES (1, ?, ?)
         ON CONFLICT (row) DO UPDATE SET record_sealed = excluded.record_sealed,
           expires_at = excluded.expires_at`,
        sealed,
        now + limits.trafficMs,
      );
      return true;
    } catch {
      // The key store is away. Counts are no reason to fail anybody; they are written later.
      this.#kept = before;
      for (const hour of written.values()) addTo(this.#fresh, hour);
      return false;
    }
  }

  destroyKey(): Promise<void> {
    return this.#sealer.destroy(this.#key());
  }

  clear(): void {
    this.#context.sql.run("DELETE FROM traffic");
    this.#fresh = new Map();
    this.#kept = null;
    this.#wasRead = false;
  }

  nextExpiry(): number | null {
    const query = "SELECT min(expires_at) AS at FROM traffic";
    return this.#context.sql.all<{ at: number | null }>(query)[0]?.at ?? null;
  }

  /** Destroys the key of what is overdue, then deletes it. */
  async sweep(): Promise<void> {
    const expiresAt = this.nextExpiry();
    if (expiresAt === null || expiresAt > this.#context.clock.now()) return;
    await this.#sealer.destroy(this.#key());
    const fresh = this.#fresh;
    this.clear();
    this.#fresh = fresh;
  }

  /** What is on record and what is not yet, of the last 24 hours. */
  #hours(): TrafficHour[] {
    const oldest = this.#context.clock.now() - limits.trafficMs;
    const hours = new Map<number, Hour>();
    for (const hour of [...(this.#kept?.hours ?? []), ...this.#fresh.values()]) {
      if (hour.at > oldest) addTo(hours, hour);
    }
    return [...hours.values()].sort((a, b) => a.at - b.at);
  }

  #key(): `feature/${string}/traffic` {
    return `feature/${this.#context.deviceId}/traffic`;
  }
}

function emptyHour(at: number): Hour {
  return { at, requests: 0, fromDevice: 0, toDevice: 0, busy: 0, overBudget: 0 };
}

function addTo(hours: Map<number, Hour>, more: TrafficHour): void {
  const hour = hours.get(more.at) ?? emptyHour(more.at);
  hours.set(more.at, hour);
  add(hour, more);
}

function add(hour: Hour, more: Counts): void {
  hour.requests += more.requests ?? 0;
  hour.fromDevice += more.fromDevice ?? 0;
  hour.toDevice += more.toDevice ?? 0;
  hour.busy += more.busy ?? 0;
  hour.overBudget += more.overBudget ?? 0;
}
