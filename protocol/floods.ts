/**
 * How much each network may ask, a second. Networks (an IPv4 /24, an IPv6 /56) fall into a fixed number
 * of counters under a hash that is new at each start: nobody is written down, and no flood of sources
 * takes memory.
 */

import { ipv6Octets, parsePeer } from "./addresses.ts";

/** How much everybody together may, a second: what no number of networks gets beyond. */
export class Budget {
  readonly #floods: Floods;

  /**
   * @param max a second, and at once
   * @param counters of one, for those who count together
   */
  constructor(max: number, counters = floodCounters(1)) {
    this.#floods = new Floods(max, 0, counters);
  }

  /** Counts one; false when there is no more for now. */
  take(now: number): boolean {
    return this.#floods.take("", now);
  }
}

const COUNTERS = 1 << 16;
const V6_NETWORK_OCTETS = 7; // of /56
const SECOND = 1000;

/**
 * What networks are counted in: of each when it has all of its share again, then of each when it asked for
 * too much last; ms since the epoch.
 * @param count a power of two
 * @param isShared true for what threads count in together
 */
export function floodCounters(count = COUNTERS, isShared = false): Float64Array {
  const octets = 2 * count * Float64Array.BYTES_PER_ELEMENT;
  const memory = isShared ? new SharedArrayBuffer(octets) : new ArrayBuffer(octets);
  return new Float64Array(memory).fill(-SECOND, count);
}

/**
 * A second's share may come at once; what is used of it comes back evenly, so that who goes on and on
 * takes no more than a steady trickle, and nobody beside them waits for a burst each second. The trickle of
 * who goes on asking for more than their share may be a smaller one.
 *
 * Threads that count together share the counters and the seed. They lock nothing: where two count the same
 * network in the same moment, one question goes uncounted, and no more than that.
 */
export class Floods {
  /** What one question takes of a second. */
  readonly #each: number;
  /** What it takes while the network asks for too much. */
  readonly #eachOfFlood: number;
  /** When each has all of its share again; ms since the epoch. */
  readonly #whole: Float64Array;
  /** When each asked for too much last. */
  readonly #refused: Float64Array;
  readonly #seed: number;

  /**
   * @param max questions a second
   * @param seed random
   * @param counters in which nothing else is counted
   * @param trickle questions a second of who asked for more within the last second
   */
  constructor(max: number, seed: number, counters = floodCounters(), trickle = max) {
    this.#each = SECOND / max;
    this.#eachOfFlood = SECOND / trickle;
    this.#seed = seed >>> 0;
    this.#whole = counters.subarray(0, counters.length / 2);
    this.#refused = counters.subarray(counters.length / 2);
  }

  /** Counts one; false when its network has used its share up. */
  take(address: string, now: number): boolean {
    const at = this.#slot(address);
    const whole = this.#after(at, now);
    if (this.#isTooMuch(at, whole, now)) return false;
    this.#whole[at] = whole;
    return true;
  }

  /** True where `take` would say no, which it is as good as; else nothing is counted. */
  refuses(address: string, now: number): boolean {
    const at = this.#slot(address);
    return this.#isTooMuch(at, this.#after(at, now), now);
  }

  /** When the share is whole again once one more is taken. */
  #after(at: number, now: number): number {
    const before = this.#whole[at] as number;
    // No use of a share reaches further ahead: the clock was set back, and what it said before tells nothing.
    const isAhead = before - now > 2 * SECOND;
    const floods = Math.abs(now - (this.#refused[at] as number)) < SECOND;
    return (isAhead ? now : Math.max(before, now)) + (floods ? this.#eachOfFlood : this.#each);
  }

  #isTooMuch(at: number, whole: number, now: number): boolean {
    // A hundredth of a millisecond: sums of fractions come out beside the second, and times are large.
    if (whole - now <= SECOND + 0.01) return false;
    this.#refused[at] = now;
    return true;
  }

  #slot(address: string): number {
    const isV6 = address.includes(":");
    const network = isV6 ? v6Network(address) : address;
    // Of an IPv4 address all but the last octet, read where it stands.
    const end = isV6 ? network.length : network.lastIndexOf(".");
    let hash = this.#seed;
    for (let at = 0; at < end; at++) {
      hash = Math.imul(hash ^ network.charCodeAt(at), 0x01000193);
    }
    return (hash ^ (hash >>> 16)) & (this.#whole.length - 1);
  }
}

function v6Network(address: string): string {
  const parsed = parsePeer(address);
  if (parsed === null) return address;
  if (parsed.family === "ipv4") return parsed.text.slice(0, parsed.text.lastIndexOf("."));
  return (ipv6Octets(parsed.text) ?? []).slice(0, V6_NETWORK_OCTETS).join();
}
