/**
 * What a DNS front and the edge say to each other about the zone, as JSON over a WebSocket.
 *
 * The front asks from a position; the edge answers with a page of names, in the order of their last
 * change, and tells every later change by itself once the front has read to the end. The sets bring their
 * signatures along: a front holds no key.
 */

import { types } from "./dns/rdata.ts";
import type { PublishedSet } from "./dns/sets.ts";
import { limits } from "./limits.ts";

export const feedPath = "/api/zone/feed";
export const feedSubprotocol = "latchkey-zone.1";

/** A name right below the zone's apex, and what it answers. */
export interface PublishedName {
  readonly label: string;
  readonly sets: readonly PublishedSet[];
  /**
   * Since when it is the device's, ms since the epoch: of two that tell a name for a moment, who came to it
   * last has it. Absent: nobody knows, and that is long ago.
   */
  readonly since?: number;
}

/** What a device publishes: each of its names, signed for itself. */
export interface Published {
  readonly names: readonly PublishedName[];
}

/** A device's part of the zone; without names it is gone. */
export interface FeedName extends Published {
  readonly id: string;
}

/** Where a front has read to. `epoch` names the edge's store: a position of another means nothing. */
export interface Position {
  readonly epoch: string;
  readonly seq: number;
}

/** What a front says. */
export interface FeedAsk {
  /** null: it has nothing, or what it has is to be replaced. */
  readonly from: Position | null;
  /** True while it reads everything, page by page, from an answer that was `whole`. */
  readonly reading: boolean;
}

export type FeedAnswer =
  | {
      readonly kind: "page";
      /** True for the first page of everything: what no page of this reading names is gone. */
      readonly whole: boolean;
      readonly names: readonly FeedName[];
      readonly to: Position;
      /** True when nothing follows but changes. */
      readonly end: boolean;
    }
  | {
      readonly kind: "change";
      /** Whoever is not here has missed something and asks. */
      readonly before: Position;
      readonly to: Position;
      readonly name: FeedName;
    };

/** Reads what a front says; null when it is not understood. */
export function parseAsk(text: string): FeedAsk | null {
  const value = parsed(text);
  if (typeof value?.reading !== "boolean") return null;
  if (value.from === null) return { from: null, reading: value.reading };
  const from = positionOf(value.from);
  return from === null ? null : { from, reading: value.reading };
}

/** Reads what the edge says; null when it is not understood. */
export function parseAnswer(text: string): FeedAnswer | null {
  const value = parsed(text);
  const to = positionOf(value?.to);
  if (value === null || to === null) return null;
  if (value.kind === "change") {
    const [before, name] = [positionOf(value.before), nameOf(value.name)];
    return before === null || name === null ? null : { kind: "change", before, to, name };
  }
  if (value.kind !== "page" || !Array.isArray(value.names)) return null;
  if (typeof value.whole !== "boolean" || typeof value.end !== "boolean") return null;
  const names = value.names.map(nameOf);
  if (names.length > limits.feedPageNames || names.includes(null)) return null;
  const { whole, end } = value;
  return { kind: "page", whole, names: names as FeedName[], to, end };
}

type Fields = Readonly<Record<string, unknown>>;

function parsed(text: string): Fields | null {
  try {
    return fieldsOf(JSON.parse(text));
  } catch {
    return null;
  }
}

function fieldsOf(value: unknown): Fields | null {
  return typeof value === "object" && value !== null ? (value as Fields) : null;
}

function positionOf(value: unknown): Position | null {
  const { epoch, seq } = fieldsOf(value) ?? {};
  if (typeof epoch !== "string" || epoch.length > 64) return null;
  return Number.isSafeInteger(seq) && Number(seq) >= 0 ? { epoch, seq: Number(seq) } : null;
}

function nameOf(value: unknown): FeedName | null {
  const { id, names } = fieldsOf(value) ?? {};
  if (typeof id !== "string" || !Array.isArray(names)) return null;
  const read = names.map(publishedOf);
  return read.includes(null) ? null : { id, names: read as PublishedName[] };
}

function publishedOf(value: unknown): PublishedName | null {
  const { label, sets, since } = fieldsOf(value) ?? {};
  if (typeof label !== "string" || !Array.isArray(sets)) return null;
  if (since !== undefined && !Number.isFinite(since)) return null;
  const read = sets.map(setOf);
  return read.includes(null) ? null : (value as PublishedName);
}

/** What stands in `data` is read when it is written to the wire. */
function setOf(value: unknown): PublishedSet | null {
  const { owner, type, ttl, data, signatures } = fieldsOf(value) ?? {};
  const isType = typeof type === "string" && Object.hasOwn(types, type);
  const isTtl = Number.isInteger(ttl) && Number(ttl) >= 0 && Number(ttl) < 2 ** 31;
  if (typeof owner !== "string" || !isType || !isTtl) return null;
  return Array.isArray(data) && areTexts(signatures) ? (value as PublishedSet) : null;
}

function areTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((text) => typeof text === "string");
}
