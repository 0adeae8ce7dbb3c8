/**
 * One wake-up a device, kept in a file so that it outlives the process (kill -9 included), and one
 * timer for the earliest of them.
 *
 * At least once, as a Durable Object's alarm: a wake-up stands in the file until its handler has
 * returned, and a handler that fails is tried again later.
 */

import type { Clock } from "../../db/primitives.ts";
import type { Store } from "./store.ts";

const RETRY_MS = 30_000;
const BATCH = 100;
/** Timers take a 32-bit delay; a later wake-up is reached in steps. */
const TIMER_MAX_MS = 2 ** 31 - 1;

interface Row extends Record<string, string | number> {
  device_id: string;
  at: number;
}

export class Alarms {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #wake: (deviceId: string) => Promise<void>;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #running: Promise<void> | null = null;
  #stopped = false;

  /** @param wake the handler; it may set the device's next wake-up */
  constructor(store: Store, clock: Clock, wake: (deviceId: string) => Promise<void>) {
    this.#store = store;
    this.#clock = clock;
    this.#wake = wake;
    store.transaction(() => {
      store.run(
        "CREATE TABLE IF NOT EXISTS wake (device_id TEXT PRIMARY KEY, at INTEGER NOT NULL)",
      );
      store.run("CREATE INDEX IF NOT EXISTS wake_at ON wake (at)");
    });
  }

  /** Starts the timer; wake-ups that came due while nothing ran fire at once. */
  start(): void {
    this.#arm();
  }

  set(deviceId: string, at: number | null): void {
    if (this.get(deviceId) === at) return;
    if (at === null) this.#store.run("DELETE FROM wake WHERE device_id = ?", deviceId);
    else {
      this.#store.run(
        `INSERT INTO wake (device_id, at) VALUES (?, ?)
         ON CONFLICT (device_id) DO UPDATE SET at = excluded.at`,
        deviceId,
        at,
      );
    }
    this.#arm();
  }

  get(deviceId: string): number | null {
    const rows = this.#store.all<Row>("SELECT * FROM wake WHERE device_id = ?", deviceId);
    return rows[0]?.at ?? null;
  }

  /** Fires everything that is due; one run at a time. */
  fireDue(): Promise<void> {
    this.#running ??= this.#fireDue().finally(() => {
      this.#running = null;
      this.#arm();
    });
    return this.#running;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#running;
  }

  async #fireDue(): Promise<void> {
    const due = this.#store.all<Row>(
      `SELECT * FROM wake WHERE at <= ? ORDER BY at LIMIT ${BATCH}`,
      this.#clock.now(),
    );
    for (const { device_id, at } of due) {
      if (this.#stopped) return;
      try {
        await this.#wake(device_id);
        if (this.get(device_id) === at) this.set(device_id, null);
      } catch {
        // The wake-up acts on what is true when it runs, so running it again later is safe.
        this.set(device_id, this.#clock.now() + RETRY_MS);
      }
    }
  }

  #arm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#stopped || this.#running !== null) return;
    const [next] = this.#store.all<{ at: number | null }>("SELECT min(at) AS at FROM wake");
    if (next?.at == null) return;
    const delay = Math.min(Math.max(0, next.at - this.#clock.now()), TIMER_MAX_MS);
    this.#timer = setTimeout(() => void this.fireDue(), delay);
  }
}
