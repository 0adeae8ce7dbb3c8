/**
 * A device's logic without a platform: SQL in memory, keys whose answers a test can hold back, and a
 * clock in the test's hand. For races and periods that a real object would make a test wait for.
 */

import { DatabaseSync } from "node:sqlite";
import type { KeyName, KeyStore } from "../../db/primitives.ts";
import type { DeviceContext, ObjectSql, SqlValue } from "../../durable-objects/device/context.ts";
import { Device } from "../../durable-objects/device/device.ts";

/** Counts what is asked of it; `hold()` makes every later key wait for `release()`, never a deletion. */
export class HeldKeys implements KeyStore {
  readonly kept = new Map<KeyName, Uint8Array<ArrayBuffer>>();
  reads = 0;
  #gate: Promise<void> = Promise.resolve();
  #open: () => void = () => undefined;
  #waiting: (() => void)[] = [];

  hold(): void {
    this.#gate = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  release(): void {
    this.#open();
  }

  /** Resolves when somebody waits for an answer. */
  asked(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async get(name: KeyName): Promise<Uint8Array<ArrayBuffer> | null> {
    this.reads++;
    await this.#answer();
    return this.kept.get(name) ?? null;
  }

  async getOrCreate(name: KeyName): Promise<Uint8Array<ArrayBuffer>> {
    this.reads++;
    await this.#answer();
    const key = this.kept.get(name) ?? crypto.getRandomValues(new Uint8Array(32));
    this.kept.set(name, key);
    return key;
  }

  async destroy(name: KeyName): Promise<void> {
    this.kept.delete(name);
  }

  #answer(): Promise<void> {
    for (const tell of this.#waiting.splice(0)) tell();
    return this.#gate;
  }
}

/** An object's SQL in memory; counts writes. */
export class MemorySql implements ObjectSql {
  #database = new DatabaseSync(":memory:");
  writes = 0;

  all<Row extends Record<string, SqlValue>>(query: string, ...params: SqlValue[]): Row[] {
    return this.#database.prepare(query).all(...params) as Row[];
  }

  run(query: string, ...params: SqlValue[]): void {
    if (query.trim() === "") return;
    if (!/^\s*SELECT/i.test(query)) this.writes++;
    this.#database.prepare(query).run(...params);
  }

  transaction<T>(work: () => T): T {
    this.#database.exec("BEGIN");
    try {
      const result = work();
      this.#database.exec("COMMIT");
      return result;
    } catch (error) {
      this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  drop(): void {
    this.#database.close();
    this.#database = new DatabaseSync(":memory:");
  }
}

export interface HeldDevice {
  /** A fresh instance over the same store, as after an eviction. */
  wake(): Device;
  readonly device: Device;
  readonly keys: HeldKeys;
  readonly sql: MemorySql;
  readonly clock: { time: number; now(): number; advance(ms: number): void };
  /** When the device wants to be woken; null: not at all. */
  wakeAt(): number | null;
  /** Resolves when what runs in the background is done. */
  settled(): Promise<void>;
}

/** A registered device with every feature off. */
export async function heldDevice(own: Partial<DeviceContext> = {}): Promise<HeldDevice> {
  const deviceId = "dev_home_0000000000000000";
  const keys = new HeldKeys();
  const sql = new MemorySql();
  const clock = {
    time: 1_800_000_000_000,
    now: () => clock.time,
    advance: (ms: number) => {
      clock.time += ms;
    },
  };
  const running: Promise<void>[] = [];
  let wakeAt: number | null = null;
  const context: DeviceContext = {
    deviceId,
    sql,
    sockets: {
      accept: () => new Response(null, { status: 501 }),
      acceptSocket: () => {
        throw new Error("no visitor's WebSocket comes here");
      },
      tagged: () => [],
    },
    clock,
    random: { bytes: (count) => crypto.getRandomValues(new Uint8Array(count)) },
    keys,
    allowSpecialAddresses: true,
    zone: { publish: async () => undefined },
    background: (work) => void running.push(work),
    wakeAt: (at) => {
      wakeAt = at;
    },
    deleteAll: async () => sql.drop(),
    ...own,
  };
  const device = new Device(context);
  await device.register({ deviceId, accountId: "acc", publicKey: "key", label: "nas" });
  const settled = async () => {
    while (running.length > 0) await Promise.all(running.splice(0));
  };
  const wake = () => new Device(context);
  return { wake, device, keys, sql, clock, wakeAt: () => wakeAt, settled };
}
