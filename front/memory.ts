/**
 * The zone in memory, every set as it goes onto the wire: what devices publish, by name. It decides
 * what a question deserves as protocol/dns/zone.ts does, and says so where it cannot.
 */

import { rcodes } from "../protocol/dns/message.ts";
import { nameOf } from "../protocol/dns/names.ts";
import { types, uint16, uint32, writeData } from "../protocol/dns/rdata.ts";
import type { PublishedSet } from "../protocol/dns/sets.ts";
import type { FeedName } from "../protocol/feed.ts";
import { limits } from "../protocol/limits.ts";
import { checkLabel } from "../protocol/names.ts";
import { fromBase64url } from "../protocol/tokens.ts";
import { type Asked, type Part, verdict } from "./wire.ts";

const TO_QUESTION = [0xc0, 0x0c];
const CLASS_IN = [0, 1];

/** The sets of one name, each as an answer; none for a name that only has others below it. */
interface Node {
  /** The device that it belongs to: a name that changed hands stays when the one before lets it go. */
  readonly id: string;
  readonly sets: readonly SetParts[];
}

interface SetParts {
  readonly type: number;
  readonly plain: Part;
  /** With its signatures; the same as `plain` while there are none. */
  readonly signed: Part;
}

/** The zone's SOA, as it goes along with a denial. */
export interface Start {
  /** From its type on, with the TTL of a denial. */
  readonly record: Buffer;
  /** The same for its signatures; none in a zone without DNSSEC. */
  readonly signatures: readonly Buffer[];
}

/** What memory says: an answer, or that the edge is to be asked, and what to say when it is away. */
export type Found = Part | { readonly ask: true; readonly otherwise: Part | null };

export class Memory {
  readonly #apex: string;
  readonly #apexLabels: number;
  readonly #nodes = new Map<string, Node>();
  /** By device: the names that it has here. */
  readonly #held = new Map<string, readonly string[]>();
  /** Devices that no page of this reading has named yet; null while nothing is read anew. */
  #unseen: Set<string> | null = null;
  /** True once everything was read: what is not here does not exist. */
  #isWhole = false;
  #start: Start | null = null;

  /** @param zone the apex as text, `name.example` */
  constructor(zone: string) {
    const labels = nameOf(zone.toLowerCase());
    this.#apex = keyOf(labels);
    this.#apexLabels = labels.length;
  }

  /** How many names there are. */
  get size(): number {
    return this.#nodes.size;
  }

  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** The apex as `Asked` names it. */
  get apex(): string {
    return this.#apex;
  }

  // What the feed says

  /** Everything is read anew: what is not named until `finish` is gone. */
  begin(): void {
    this.#unseen = new Set(this.#held.keys());
  }

  finish(): void {
    for (const id of this.#unseen ?? []) this.#forget(id);
    this.#unseen = null;
    this.#isWhole = true;
  }

  put({ id, names: published }: FeedName): void {
    this.#unseen?.delete(id);
    this.#forget(id);
    const names = new Map<string, SetParts[]>();
    for (const { label, sets } of published) {
      names.set(keyOf([label]) + this.#apex, []);
      for (const set of sets) {
        const owner = [...nameOf(set.owner), label];
        // Names with nothing of their own between the owner and the label exist too (RFC 8020).
        for (let at = 0; at < owner.length; at++) {
          const name = keyOf(owner.slice(at)) + this.#apex;
          if (!names.has(name)) names.set(name, []);
        }
        const parts = setParts(set);
        if (parts !== null) names.get(keyOf(owner) + this.#apex)?.push(parts);
      }
    }
    for (const [name, own] of names) this.#nodes.set(name, { id, sets: own });
    if (names.size > 0) this.#held.set(id, [...names.keys()]);
  }

  /** The labels under which a device stands here. */
  labelsOf(id: string): string[] {
    const length = this.#apex.length;
    return (this.#held.get(id) ?? []).flatMap((name) => {
      const octets = name.charCodeAt(0);
      return name.length === octets + 1 + length ? [name.slice(1, 1 + octets)] : [];
    });
  }

  setStart(start: Start): void {
    this.#start = start;
  }

  #forget(id: string): void {
    for (const name of this.#held.get(id) ?? []) {
      if (this.#nodes.get(name)?.id === id) this.#nodes.delete(name);
    }
    this.#held.delete(id);
  }

  // What is asked

  /** The label right below the apex that a question is about; null at the apex and outside the zone. */
  labelOf({ name, labels, starts }: Asked): string | null {
    const at = labels - this.#apexLabels - 1;
    if (at < 0) return null;
    const start = starts[at] as number;
    return name.slice(start + 1, start + 1 + name.charCodeAt(start));
  }

  find(asked: Asked): Found {
    const { name, labels, starts, dnssecOk } = asked;
    const below = labels - this.#apexLabels;
    const inside =
      below >= 0 &&
      name.endsWith(this.#apex) &&
      (below === labels || starts[below] === name.length - this.#apex.length);
    if (!inside) return verdict(rcodes.refused);
    if (below === 0) return { ask: true, otherwise: null };
    if (asked.type === types.AXFR || asked.type === types.IXFR) return verdict(rcodes.refused);
    const node = this.#nodes.get(name);
    if (node !== undefined) return this.#at(node, asked.type, dnssecOk, asked);
    // A server of ours inside the zone, or what nobody has told us yet.
    const isOurs = checkLabel(this.labelOf(asked) ?? "") === "label-reserved";
    if (isOurs || !this.#isWhole || this.#start === null) return { ask: true, otherwise: null };
    const wildcard = this.#wildcard(asked, below);
    const part =
      wildcard === undefined
        ? this.#denial(rcodes.nameError, asked)
        : this.#at(wildcard, asked.type, false, asked);
    // That there is no such name has to be proved, with a signature that only the edge can make.
    if (!dnssecOk || !this.#isSigned) return part;
    return { ask: true, otherwise: "ask" in part ? part.otherwise : part };
  }

  get #isSigned(): boolean {
    return (this.#start?.signatures.length ?? 0) > 0;
  }

  #at(node: Node, type: number, dnssecOk: boolean, asked: Asked): Found {
    for (const set of node.sets) {
      if (set.type === type) return dnssecOk ? set.signed : set.plain;
    }
    if (type === types.RRSIG) return { ask: true, otherwise: null };
    if (type === types.ANY)
      return dnssecOk && this.#isSigned ? { ask: true, otherwise: minimal } : minimal;
    if (this.#start === null) return { ask: true, otherwise: null };
    const denial = this.#denial(rcodes.noError, asked);
    if (!dnssecOk || !this.#isSigned) return denial;
    const proof = node.sets.find((set) => set.type === types.NSEC);
    return proof === undefined
      ? { ask: true, otherwise: denial }
      : this.#denial(rcodes.noError, asked, proof.signed);
  }

  /** RFC 4592: the wildcard below the closest name that exists. */
  #wildcard({ name, starts }: Asked, below: number): Node | undefined {
    for (let at = 1; at < below; at++) {
      const encloser = name.slice(starts[at] as number);
      if (this.#nodes.has(encloser)) return this.#nodes.get(`\u0001*${encloser}`);
    }
    return undefined;
  }

  /** RFC 2308 §2: the SOA goes along; with `proof`, signed and with what proves it. */
  #denial(rcode: number, { name }: Asked, proof: Part | null = null): Part {
    const start = this.#start as Start;
    const apexAt = 12 + name.length - this.#apex.length;
    const owner = Buffer.from([0xc0 | (apexAt >> 8), apexAt & 0xff]);
    const records = proof === null ? [start.record] : [start.record, ...start.signatures];
    const body = records.flatMap((record) => [owner, record]);
    if (proof !== null) body.push(proof.body);
    return {
      rcode,
      authoritative: true,
      answers: 0,
      authorities: records.length + (proof?.answers ?? 0),
      additionals: 0,
      body: Buffer.concat(body),
    };
  }
}

/** RFC 8482 §4.2: `ANY` gets one small record. */
const minimal: Part = (() => {
  const data = writeData({ type: "HINFO", cpu: "RFC8482", os: "" }, [], 0);
  const body = record(types.HINFO, limits.zoneTtlSeconds, data);
  return { rcode: 0, authoritative: true, answers: 1, authorities: 0, additionals: 0, body };
})();

/** Null for a set that this program does not understand: the edge is newer, and is asked. */
function setParts(set: PublishedSet): SetParts | null {
  const type = types[set.type];
  try {
    const plain = set.data.map((data) => record(type, set.ttl, writeData(data, [], 0)));
    const signatures = set.signatures.map((text) => {
      const data = fromBase64url(text);
      if (data === null) throw new RangeError("not a signature");
      return record(types.RRSIG, set.ttl, data);
    });
    const part = (records: Buffer[]): Part => ({
      ...verdict(rcodes.noError, true),
      answers: records.length,
      body: Buffer.concat(records),
    });
    return { type, plain: part(plain), signed: part([...plain, ...signatures]) };
  } catch {
    return null;
  }
}

/** A record whose owner is the name in the question. */
function record(type: number, ttl: number, data: ArrayLike<number>): Buffer {
  const octets = [
    ...TO_QUESTION,
    ...uint16(type),
    ...CLASS_IN,
    ...uint32(ttl),
    ...uint16(data.length),
  ];
  return Buffer.concat([Buffer.from(octets), Buffer.from(Uint8Array.from(data))]);
}

/** Labels as they stand on the wire, one character an octet, without the root. */
function keyOf(labels: readonly string[]): string {
  return labels.map((label) => String.fromCharCode(label.length) + label).join("");
}
