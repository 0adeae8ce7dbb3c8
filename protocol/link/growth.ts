/**
 * When a stream's window grows: a consumer that takes half of it faster than a credit can come back is
 * held up by the distance, not by itself. Near by,
 * where the first window is enough, nothing grows: what is on its way delays what others ask for.
 *
 * What all streams of a connection grow by is bounded below the connection's own window, so that none
 * that stalls with a large one can hold up the others, and what may wait here is as much as before.
 */

import { limits } from "../limits.ts";
import type { ReceiveWindow } from "./flow.ts";
import type { LinkStream } from "./stream.ts";

/** What a PING carries that measures the way to the other end and back. */
export const probe = Uint8Array.of(1);

export class Growth {
  /** Milliseconds; null: nobody tells the time here, and nothing grows. */
  readonly #now: (() => number) | null;
  readonly #streams: ReadonlyMap<number, LinkStream>;
  /** The shortest way there and back that was seen, in ms. */
  #roundTrip = Number.POSITIVE_INFINITY;
  #askedAt: number | null = null;
  #nextAskAt = 0;

  constructor(now: (() => number) | null, streams: ReadonlyMap<number, LinkStream>) {
    this.#now = now;
    this.#streams = streams;
  }

  /** True when a `probe` is to be sent: somebody moves much, and the way was not measured of late. */
  get wantsProbe(): boolean {
    if (this.#now === null) return false;
    const now = this.#now();
    if (now < this.#nextAskAt) return false;
    this.#askedAt = now;
    this.#nextAskAt = now + limits.linkProbeMs;
    return true;
  }

  /** The answer to a probe came. One that nobody asked for measures nothing. */
  answered(): void {
    if (this.#now === null || this.#askedAt === null) return;
    this.#roundTrip = Math.min(this.#roundTrip, this.#now() - this.#askedAt);
    this.#askedAt = null;
  }

  /**
   * Credit is given for a window now: by how many bytes it grows with it.
   * @param due bytes that were taken since credit was given last
   */
  of(window: ReceiveWindow, due: number): number {
    if (this.#now === null) return 0;
    const now = this.#now();
    const took = now - window.creditAt;
    window.creditAt = now;
    const isFar = Number.isFinite(this.#roundTrip) && this.#roundTrip >= limits.linkGrowRoundTripMs;
    // Half of a window within a round trip, whether credit comes for halves or for more at once.
    const isFast = took * (window.size / 2) < this.#roundTrip * due;
    if (!isFar || !isFast) return 0;
    const room = limits.linkGrownWindowsBytes - this.#grown();
    const more = Math.min(window.size, limits.linkStreamWindowMaxBytes - window.size, room);
    if (more > 0) window.grow(more);
    return Math.max(0, more);
  }

  #grown(): number {
    let bytes = 0;
    for (const { receiveWindow } of this.#streams.values()) bytes += receiveWindow.grown;
    return bytes;
  }
}
