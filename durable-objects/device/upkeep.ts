/**
 * What a wake-up is for: deletes what has expired, destroys the keys that are to go, and says when to
 * wake the object next. A key store that is away fails no wake-up, for a platform gives up after a few:
 * the next one is set, a little later, until the key is gone. Whoever calls takes turns.
 */

import { limits } from "../../protocol/limits.ts";
import { nextCheck } from "./link/passages.ts";
import type { Rooms, Switches } from "./switches.ts";

/** What the device does when it is woken for it. */
export interface UpkeepCalls {
  /** A right has expired. */
  endWithoutRight(): void;
  /** Signatures are to be made anew. */
  sign(): Promise<unknown>;
}

export class Upkeep {
  readonly #rooms: Rooms;
  readonly #switches: Switches;
  readonly #calls: UpkeepCalls;
  /**
   * No key is tried again before this; ms since the epoch. In memory only: an object that was thrown
   * out tries at once.
   */
  #retryAt = 0;

  constructor(rooms: Rooms, switches: Switches, calls: UpkeepCalls) {
    this.#rooms = rooms;
    this.#switches = switches;
    this.#calls = calls;
  }

  /** Acts on what is true now; nothing that fails holds up the rest. */
  async run(): Promise<void> {
    this.#rooms.link.checkSockets();
    this.#rooms.door.visits.sweep();
    const tokensEnded = (this.#nextToken() ?? Infinity) <= this.#rooms.context.clock.now();
    if (this.#rooms.access.shares.sweep() || tokensEnded) this.#calls.endWithoutRight();
    this.#rooms.certificates.sweep();
    this.#rooms.publication.tell();
    await this.#tried(() => this.#rooms.certificates.sweepEarlier());
    await this.#tried(() => this.#rooms.name.sweep());
    await this.#tried(() => this.#rooms.connection.sweep());
    await this.#tried(() => this.#rooms.shortcut.sweep(this.#rooms.connection.online));
    await this.#tried(() => this.#rooms.traffic.sweep());
    if (this.#signaturesDue()) {
      await this.#tried(async () => {
        await this.#calls.sign();
        await this.#rooms.signatures.renewed();
      });
    }
    this.#rooms.signatures.sweep();
    await this.finishOff();
    this.schedule();
  }

  /** Writes what passed the door since the last time. */
  async writeTraffic(): Promise<void> {
    if (await this.#rooms.traffic.write()) this.schedule();
  }

  /** Destroys the keys of what was switched off, now or with a later wake-up. */
  async finishOff(): Promise<void> {
    await this.#tried(() => this.#switches.finishOff());
  }

  /** Sets the next wake-up; none when nothing waits. */
  schedule(): void {
    const { context, features, access, door, name, link, connection, shortcut, traffic } =
      this.#rooms;
    const { certificates, publication, signatures } = this.#rooms;
    const now = context.clock.now();
    const rooms = [connection, shortcut, traffic, signatures, name, certificates];
    const keyed = rooms.map((room) => room.nextExpiry());
    const keys = [...keyed, features.ending().length === 0 ? null : now].map((at) =>
      at !== null && at <= now ? Math.max(at, this.#retryAt) : at,
    );
    const rows = [door.visits.nextExpiry(), access.shares.nextExpiry()];
    const sockets = nextCheck(link.passages.size, now);
    const times = [...rows, publication.nextRetry(), this.#nextToken(), sockets, ...keys].filter(
      (at) => at !== null,
    );
    context.wakeAt(times.length === 0 ? null : Math.min(...times));
  }

  #signaturesDue(): boolean {
    const at = this.#rooms.signatures.nextExpiry();
    return at !== null && at <= this.#rooms.context.clock.now();
  }

  /** When the next token that opened a tunnel ends by itself; null without tunnels. */
  #nextToken(): number | null {
    const ends = this.#rooms.link.passages.tunnels().map(({ until }) => until);
    return ends.length === 0 ? null : Math.min(...ends);
  }

  async #tried(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch {
      // What failed still stands in its table, from where the next wake-up takes it up.
      this.#retryAt = this.#rooms.context.clock.now() + limits.keyRetryMs;
    }
  }
}
