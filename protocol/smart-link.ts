/**
 * Which way a browser takes to a box: the nearest that proved itself, within a time that nobody notices.
 * Pure; the island (console/islands/smart.ts) asks, measures and goes.
 */

import { limits } from "./limits.ts";
import type { Spot } from "./reach.ts";

/** The nearest first. */
export const ways = ["home", "direct", "relay"] as const;
export type WayTo = (typeof ways)[number];
export type NearWay = Exclude<WayTo, "relay">;

/** A place to ask. */
export interface Candidate extends Spot {
  readonly way: NearWay;
}

/** A candidate whose answer was right. */
export interface Proven extends Candidate {
  readonly ms: number;
}

export interface Standing {
  /** Since all candidates were asked. */
  readonly elapsedMs: number;
  /** The way that was right last time in this browser; null when it is not known. */
  readonly remembered: WayTo | null;
  /** Candidates that have not answered yet. */
  readonly waiting: readonly NearWay[];
  /** In the order in which they answered. */
  readonly proven: readonly Proven[];
  /** A person asked for it, and their browser may ask them in turn: there is time. */
  readonly asked?: boolean;
}

/**
 * What to do now: go somewhere, or wait (null).
 * - the home network wins as soon as it answers
 * - the direct way gives the home network `limits.smartHomeMs`, unless it was right last time
 * - the relay gives all others `limits.smartAllMs`, and less where it was right last time
 * - where a person asked, everybody is given `limits.smartAskedMs`
 */
export function choose(standing: Standing): Proven | "relay" | null {
  const { elapsedMs, waiting, proven, asked = false } = standing;
  const remembered = asked ? null : standing.remembered;
  const homeMs = asked ? limits.smartAskedMs : limits.smartHomeMs;
  const allMs = asked ? limits.smartAskedMs : limits.smartAllMs;
  const home = proven.find(({ way }) => way === "home");
  if (home !== undefined) return home;
  const homeMayCome = waiting.includes("home") && elapsedMs < homeMs;
  const direct = proven.find(({ way }) => way === "direct");
  if (direct !== undefined) return homeMayCome && remembered !== "direct" ? null : direct;
  if (waiting.length === 0) return "relay";
  const patience = remembered === "relay" ? homeMs : allMs;
  return elapsedMs >= patience ? "relay" : null;
}

/** What a browser remembers: for each label the way that was right, and when (ms since the epoch). */
export type Memory = Readonly<Record<string, { readonly way: WayTo; readonly at: number }>>;

/** Reads what was kept; whatever is malformed or older than `limits.smartMemoryMs` is left out. */
export function readMemory(text: string | null, now: number): Memory {
  let value: unknown = null;
  try {
    value = JSON.parse(text ?? "null");
  } catch {
    // Somebody else's, or cut off: nothing is remembered.
  }
  if (typeof value !== "object" || value === null) return {};
  const entries = Object.entries(value).filter(([, kept]) => {
    const { way, at } = (kept ?? {}) as { way?: unknown; at?: unknown };
    const known = ways.some((candidate) => candidate === way);
    return known && typeof at === "number" && at <= now && now - at < limits.smartMemoryMs;
  });
  return Object.fromEntries(entries) as Memory;
}

/** `memory` with what is true now; the oldest give way to `limits.smartMemoryLabels`. */
export function remember(memory: Memory, label: string, way: WayTo, now: number): Memory {
  const entries = Object.entries({ ...memory, [label]: { way, at: now } });
  entries.sort(([, a], [, b]) => b.at - a.at);
  return Object.fromEntries(entries.slice(0, limits.smartMemoryLabels));
}

/** `memory` without `label`. */
export function forget(memory: Memory, label: string): Memory {
  return Object.fromEntries(Object.entries(memory).filter(([known]) => known !== label));
}
