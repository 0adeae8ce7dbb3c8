/**
 * How much each network may ask, a second. Networks (an IPv4 /24, an IPv6 /56) fall into a fixed number
 * of counters under a hash that is new at each start: nobody is written down, and no flood of sources
 * takes memory.
 */

import { ipv6Octets, parsePeer } from "./addresses.ts";

/** How much everybody together may, a second: what no number of networks gets beyond. */
export class Budget {
  readonly #max: number;
  #second = 0;
  #count = 0;

  /** @param max a second */
  constructor(max: number) {
    this.#max = max;
  }

  /** Counts one; false when this second is used up. */
  take(now: number): boolean {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) [this.#second, this.#count] = [second, 0];
    return ++this.#count <= this.#max;
  }
}

const COUNTERS = 1 << 16;
const V6_NETWORK_OCTETS = 7; // of /56

export class Floods {
  readonly #max: number;
  readonly #counts = new Uint32Array(COUNTERS);
  readonly #seed: number;
  #second = 0;

  /**
   * @param max questions a second
   * @param seed random
   */
  constructor(max: number, seed: number) {
    this.#max = max;
    this.#seed = seed >>> 0;
  }

  /** Counts one; false when its network has used its second up. */
  take(address: string, now: number): boolean {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#counts.fill(0);
    }
    const at = this.#slot(address);
    const count = (this.#counts[at] as number) + 1;
    this.#counts[at] = count;
    return count <= this.#max;
  }

  #slot(address: string): number {
    const network = address.includes(":") ? v6Network(address) : v4Network(address);
    let hash = this.#seed;
    for (let at = 0; at < network.length; at++) {
      hash = Math.imul(hash ^ network.charCodeAt(at), 0x01000193);
    }
    return (hash ^ (hash >>> 16)) & (COUNTERS - 1);
  }
}

function v4Network(address: string): string {
  return address.slice(0, address.lastIndexOf("."));
}

function v6Network(address: string): string {
  const parsed = parsePeer(address);
  if (parsed === null) return address;
  if (parsed.family === "ipv4") return v4Network(parsed.text);
  return (ipv6Octets(parsed.text) ?? []).slice(0, V6_NETWORK_OCTETS).join();
}
