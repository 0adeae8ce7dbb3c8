/**
 * What a device's visitors may take together, and what one of them may: streams, requests a second and
 * bytes a day, as the operator set them (docs/link.md). It keeps no time of its own and nothing on disk:
 * a visitor is a network in memory, and forgotten when the object sleeps (docs/decisions/traffic.md).
 */

import { DAY, limits } from "../../protocol/limits.ts";

export interface Budgets {
  /** Requests of all visitors at a time. */
  readonly streams: number;
  readonly visitorStreams: number;
  /** A second. */
  readonly requests: number;
  readonly visitorRequests: number;
  /** Both ways, each day of UTC. */
  readonly dayBytes: number;
  readonly visitorDayBytes: number;
}

export const defaultBudgets: Budgets = {
  streams: limits.linkStreamsPerDevice,
  visitorStreams: limits.linkStreamsPerVisitor,
  requests: limits.linkRequestsPerSecond,
  visitorRequests: limits.linkVisitorRequestsPerSecond,
  dayBytes: limits.linkBytesPerDay,
  visitorDayBytes: limits.linkVisitorBytesPerDay,
};

const names = {
  streams: "streams",
  "visitor-streams": "visitorStreams",
  requests: "requests",
  "visitor-requests": "visitorRequests",
  "day-bytes": "dayBytes",
  "visitor-day-bytes": "visitorDayBytes",
} as const satisfies Record<string, keyof Budgets>;

const UNITS: Readonly<Record<string, number>> = { "": 1, K: 1e3, M: 1e6, G: 1e9, T: 1e12 };

/**
 * Reads `LINK_BUDGETS`, e.g. `visitor-requests=50 day-bytes=200G`; what it does not name stays.
 * @throws Error with a sentence
 */
export function readBudgets(text: string | null): Budgets {
  const budgets: { -readonly [name in keyof Budgets]: number } = { ...defaultBudgets };
  for (const entry of text?.split(/[\s,]+/).filter((word) => word !== "") ?? []) {
    const [, name = "", digits = "", unit = ""] =
      /^([a-z-]+)=(\d{1,15})([KMGT]?)$/.exec(entry) ?? [];
    const value = Number(digits) * (UNITS[unit] ?? 1);
    if (!Object.hasOwn(names, name) || value < 1 || !Number.isSafeInteger(value)) {
      throw new Error(
        `LINK_BUDGETS has a bad entry "${entry}"; it reads name=number, of ${Object.keys(names).join(", ")}.`,
      );
    }
    budgets[names[name as keyof typeof names]] = value;
  }
  return budgets;
}

/**
 * - `busy`: as many streams live as may be, or this visitor has a fair share of them
 * - `too-fast`: this visitor has used up what one visitor may
 * - `spent`: all of them together have used up what the device may
 */
export type Refused = "busy" | "too-fast" | "spent";

export interface Refusal {
  readonly verdict: Refused;
  /** Seconds after which trying again makes sense. */
  readonly retryAfter: number;
}

interface Bucket {
  tokens: number;
  at: number;
}

interface Visitor extends Bucket {
  day: number;
  bytes: number;
  streams: number;
}

export class Meter {
  readonly #budgets: Budgets;
  readonly #now: () => number;
  /** What all visitors moved today, as far as it is known. */
  readonly #bytesToday: () => number;
  readonly #all: Bucket;
  /** By network, in the order of use. */
  readonly #visitors = new Map<string, Visitor>();
  #streams = 0;
  /** Visitors that have a stream. */
  #busy = 0;

  constructor(budgets: Budgets, now: () => number, bytesToday: () => number) {
    this.#budgets = budgets;
    this.#now = now;
    this.#bytesToday = bytesToday;
    this.#all = { tokens: burst(budgets.requests), at: now() };
  }

  /** Counts one request of a visitor; null when it may go on. */
  admit(network: string): Refusal | null {
    const visitor = this.#visitor(network);
    const over = this.over(network);
    if (over !== null) return over;
    const { requests, visitorRequests } = this.#budgets;
    if (!hasShare(visitor.streams, this.#share(visitor))) return { verdict: "busy", retryAfter: 2 };
    if (!take(visitor, visitorRequests, this.#now())) return { verdict: "too-fast", retryAfter: 1 };
    if (!take(this.#all, requests, this.#now())) return { verdict: "spent", retryAfter: 1 };
    return null;
  }

  /** What a visitor who has something on the way has used up; null when they may go on. */
  over(network: string): Refusal | null {
    const retryAfter = Math.ceil((DAY - (this.#now() % DAY)) / 1000);
    const today = this.#bytesToday();
    if (today >= this.#budgets.dayBytes) return { verdict: "spent", retryAfter };
    const { bytes } = this.#visitor(network);
    return bytes >= this.#bytesFor(today - bytes) ? { verdict: "too-fast", retryAfter } : null;
  }

  /**
   * What one visitor may move today, where all others moved `others`: what one may, and once that is more
   * than half of what all may, half of what is left at most. A visitor who was forgotten while the object
   * slept is one of the others: so nobody uses up a day by coming again and again, and nobody is kept on
   * a disk for it (docs/decisions/traffic.md).
   */
  #bytesFor(others: number): number {
    const { dayBytes, visitorDayBytes } = this.#budgets;
    if (others * 2 <= dayBytes) return visitorDayBytes;
    return Math.min(visitorDayBytes, Math.max(1, (dayBytes - others) / 2));
  }

  /** True while a stream more fits. */
  get hasRoom(): boolean {
    return this.#streams < this.#budgets.streams;
  }

  begin(network: string): void {
    this.#streams++;
    if (this.#visitor(network).streams++ === 0) this.#busy++;
  }

  end(network: string): void {
    this.#streams--;
    if (--this.#visitor(network).streams === 0) this.#busy--;
  }

  /** A visitor's request moved bytes, either way. */
  moved(network: string, bytes: number): void {
    this.#visitor(network).bytes += bytes;
  }

  /**
   * How many streams this visitor may have: what one may, and while more than half of all are taken, no
   * more than an equal part, so that who comes next finds room.
   */
  #share(visitor: Visitor): number {
    const { streams, visitorStreams } = this.#budgets;
    if (this.#streams * 2 < streams) return visitorStreams;
    const visitors = this.#busy + (visitor.streams === 0 ? 1 : 0);
    return Math.min(visitorStreams, Math.max(1, Math.floor(streams / Math.max(2, visitors))));
  }

  #visitor(network: string): Visitor {
    const now = this.#now();
    const day = Math.floor(now / DAY);
    let visitor = this.#visitors.get(network);
    if (visitor === undefined) {
      visitor = {
        tokens: burst(this.#budgets.visitorRequests),
        at: now,
        day,
        bytes: 0,
        streams: 0,
      };
      this.#visitors.set(network, visitor);
      this.#forgetOldest();
    } else if (visitor.day !== day) {
      visitor.day = day;
      visitor.bytes = 0;
    }
    return visitor;
  }

  /** Keeps no more visitors than the limit; those on the way are never forgotten. */
  #forgetOldest(): void {
    if (this.#visitors.size <= limits.linkVisitorsKept) return;
    for (const [network, { streams }] of this.#visitors) {
      if (streams > 0) continue;
      this.#visitors.delete(network);
      return;
    }
  }
}

function hasShare(streams: number, share: number): boolean {
  return streams < share;
}

/** Two seconds' worth may come at once: a page asks for all its pictures. */
function burst(perSecond: number): number {
  return 2 * perSecond;
}

function take(bucket: Bucket, perSecond: number, now: number): boolean {
  const seconds = Math.max(0, now - bucket.at) / 1000;
  bucket.tokens = Math.min(burst(perSecond), bucket.tokens + seconds * perSecond);
  bucket.at = now;
  if (bucket.tokens < 1) return false;
  bucket.tokens--;
  return true;
}
