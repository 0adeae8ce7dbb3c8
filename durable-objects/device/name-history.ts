/**
 * What happened to a device's name, for its owner: when, which family, which client, which verdict, and
 * never an address (CON-2). Sealed, for `limits.nameHistoryMs`. What changed nothing is not written.
 */

import type { KeyName } from "../../db/primitives.ts";
import type { Sealer } from "../../db/seal.ts";
import { limits } from "../../protocol/limits.ts";
import type { DeviceContext } from "./context.ts";
import type { NameEvent } from "./name-rpc.ts";

/** An entry, sealed already, to be written with what it tells of. */
export interface SealedEvent {
  readonly id: string;
  readonly at: number;
  readonly sealed: string;
}

type What = Omit<NameEvent, "at">;

interface Row extends Record<string, string | number | null> {
  id: string;
  what_sealed: string;
  at: number;
}

export class NameHistory {
  readonly #context: DeviceContext;
  readonly #sealer: Sealer;
  readonly #key: KeyName;
  /** The last entry that was written in this wake, so that a client which insists costs no more. */
  #last: { readonly text: string; readonly at: number } | null = null;

  constructor(context: DeviceContext, sealer: Sealer, key: KeyName) {
    this.#context = context;
    this.#sealer = sealer;
    this.#key = key;
  }

  /** Null for what was said a moment ago in the same words. */
  async sealed(what: What): Promise<SealedEvent | null> {
    const { clock, random } = this.#context;
    const [text, at] = [JSON.stringify(what), clock.now()];
    const again = this.#last?.text === text && at - this.#last.at < limits.nameHistoryAgainMs;
    if (again && what.verdict !== "good") return null;
    const id = [...random.bytes(12)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const sealed = await this.#sealer.seal(this.#key, placeOf(id), text);
    return { id, at, sealed };
  }

  /** Writes an entry and forgets the oldest of too many. Inside the transaction of what it tells of. */
  write({ id, at, sealed }: SealedEvent, what: What): void {
    const { sql } = this.#context;
    this.#last = { text: JSON.stringify(what), at };
    sql.run(
      "INSERT INTO name_event (id, what_sealed, at, expires_at) VALUES (?, ?, ?, ?)",
      ...[id, sealed, at, at + limits.nameHistoryMs],
    );
    sql.run(
      `DELETE FROM name_event WHERE id NOT IN
         (SELECT id FROM name_event ORDER BY at DESC, id LIMIT ?)`,
      limits.nameHistoryEntries,
    );
  }

  /** The latest first. */
  async list(): Promise<NameEvent[]> {
    const query =
      "SELECT id, what_sealed, at FROM name_event WHERE expires_at > ? ORDER BY at DESC, id";
    const rows = this.#context.sql.all<Row>(query, this.#context.clock.now());
    const events = await Promise.all(
      rows.map(async ({ id, what_sealed, at }) => {
        const text = await this.#sealer.open(this.#key, placeOf(id), what_sealed);
        return text === null ? null : { ...(JSON.parse(text) as What), at };
      }),
    );
    return events.filter((event) => event !== null);
  }

  clear(): void {
    this.#context.sql.run("DELETE FROM name_event");
    this.#last = null;
  }

  nextExpiry(): number | null {
    const query = "SELECT min(expires_at) AS at FROM name_event";
    return this.#context.sql.all<{ at: number | null }>(query)[0]?.at ?? null;
  }

  sweep(): void {
    const now = this.#context.clock.now();
    this.#context.sql.run("DELETE FROM name_event WHERE expires_at <= ?", now);
  }
}

/** The place that an entry is sealed for. */
function placeOf(id: string): string {
  return `name_event.what:${id}`;
}
