/**
 * When a stream's window grows. Far away, a consumer that takes half of it faster than a credit can come
 * back is held up by the distance, not by itself. Near by the first window is enough, but a large one
 * lets more go in one message, which costs both ends less; as what is on its way delays what others ask
 * for, such a window grows only while nobody opens another stream, and shrinks when somebody does.
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
  /** The stream that was opened last, when, and when the one before it was. */
  #newest = 0;
  #newestAt = Number.NEGATIVE_INFINITY;
  #beforeAt = Number.NEGATIVE_INFINITY;

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

  /** Somebody asks for something: what others have on their way should not delay it long. */
  opened(stream: number): void {
    if (this.#now === null) return;
    this.#beforeAt = this.#newestAt;
    this.#newest = stream;
    this.#newestAt = this.#now();
  }

  /** True while a stream other than `stream` was opened of late. */
  othersAsk(stream: number): boolean {
    if (this.#now === null) return false;
    const since = stream === this.#newest ? this.#beforeAt : this.#newestAt;
    return this.#now() - since < limits.linkAloneMs;
  }

  /**
   * Credit is given for a stream's window now: by how many bytes the window grows with it; negative when
   * it shrinks.
   * @param due bytes that were taken since credit was given last
   */
  of({ id, receiveWindow: window }: LinkStream, due: number): number {
    if (this.#now === null || !Number.isFinite(this.#roundTrip)) return 0;
    const now = this.#now();
    const took = now - window.creditAt;
    window.creditAt = now;
    if (this.#roundTrip < limits.linkGrowRoundTripMs) {
      if (this.othersAsk(id)) return -window.shrink(due);
      const isFast = took * limits.linkNearBytesPerMs <= due;
      return isFast ? this.#grow(window, limits.linkNearWindowBytes) : 0;
    }
    // Half of a window within a round trip, whether credit comes for halves or for more at once.
    const isFast = took * (window.size / 2) < this.#roundTrip * due;
    return isFast ? this.#grow(window, limits.linkStreamWindowMaxBytes) : 0;
  }

  /** @returns by how much: to twice the size, as far as `maxBytes` and the other streams leave room */
  #grow(window: ReceiveWindow, maxBytes: number): number {
    const room = limits.linkGrownWindowsBytes - this.#grown();
    const more = Math.max(0, Math.min(window.size, maxBytes - window.size, room));
    window.grow(more);
    return more;
  }

  #grown(): number {
    let bytes = 0;
    for (const { receiveWindow } of this.#streams.values()) bytes += receiveWindow.grown;
    return bytes;
  }
}
