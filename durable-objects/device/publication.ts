/**
 * Tells the zone's object what the device publishes, whenever that changes.
 *
 * A change marks itself in its own transaction, so that no change that was acknowledged is lost on the
 * way: until the zone has confirmed the newest one, every wake-up tells it again.
 */

import type { Published } from "../../protocol/feed.ts";
import { limits } from "../../protocol/limits.ts";
import { lastVersion, publishedAt } from "../zone/rpc.ts";
import type { DeviceContext } from "./context.ts";

interface Row extends Record<string, number> {
  /** How many changes there were. */
  version: number;
  /** The newest of them that the zone confirmed. */
  told: number;
}

/** What this needs of the device around it. */
interface Source {
  /** What is published at this moment; null: nothing. */
  published(): Promise<Published | null>;
  /** Seals under the key of the name; null when the name is off by now. */
  seal(at: string, text: string): Promise<string | null>;
  /** Called when the next wake-up may have changed. */
  settled(): void;
}

export class Publication {
  readonly #context: DeviceContext;
  readonly #source: Source;
  #telling: Promise<void> | null = null;
  /** In memory only: an object that was thrown out tells at once. */
  #retryAt = 0;

  constructor(context: DeviceContext, source: Source) {
    this.#context = context;
    this.#source = source;
  }

  /** Notes that what is published changes. Call it in the transaction that changes it. */
  mark(): void {
    this.#context.sql.run(
      `INSERT INTO publication (row, version, told) VALUES (1, 1, 0)
       ON CONFLICT (row) DO UPDATE SET version = version + 1`,
    );
    this.#retryAt = this.#context.clock.now() + limits.publishRetryMs;
  }

  /** When to tell again what nobody confirmed; null when the zone is up to date. */
  nextRetry(): number | null {
    const row = this.#row();
    return row === null || row.version === row.told ? null : this.#retryAt;
  }

  /** Tells what is not confirmed yet, in the background. Never rejects. */
  tell(): void {
    if (this.#telling !== null || this.nextRetry() === null) return;
    this.#retryAt = this.#context.clock.now() + limits.publishRetryMs;
    this.#telling = this.#tell()
      .catch(() => undefined) // what was not confirmed is told by the next wake-up
      .then(() => {
        this.#telling = null;
        this.#source.settled();
      });
    this.#context.background(this.#telling);
  }

  /** The device is gone for good. Rejects when the zone cannot be told: whoever ends it comes again. */
  async withdraw(): Promise<void> {
    const { deviceId, zone } = this.#context;
    await this.#telling;
    await zone.publish({ deviceId, version: lastVersion, name: null });
  }

  async #tell(): Promise<void> {
    const { deviceId, zone, sql } = this.#context;
    for (let row = this.#row(); row !== null && row.version !== row.told; row = this.#row()) {
      const { version } = row;
      const published = await this.#source.published();
      const sealed =
        published === null
          ? null
          : await this.#source.seal(publishedAt(deviceId), JSON.stringify(published));
      const name = published === null || sealed === null ? null : { ...published, sealed };
      // What changed in between is told next, and only then: it may be gone by now.
      if (this.#row()?.version !== version) continue;
      await zone.publish({ deviceId, version, name });
      sql.run("UPDATE publication SET told = ? WHERE told < ?", version, version);
    }
  }

  #row(): Row | null {
    return this.#context.sql.all<Row>("SELECT version, told FROM publication")[0] ?? null;
  }
}
