/**
 * The zone in memory, every set as it goes onto the wire: what devices publish, by name. It decides
 * what a question deserves as protocol/dns/zone.ts does, and says so where it cannot.
 */

import { linksOf, proofAt } from "../protocol/dns/chain.ts";
import { rcodes } from "../protocol/dns/message.ts";
import { type Name, nameOf } from "../protocol/dns/names.ts";
import { types, uint16, uint32, writeData } from "../protocol/dns/rdata.ts";
import type { PublishedSet } from "../protocol/dns/sets.ts";
import type { FeedName } from "../protocol/feed.ts";
import { limits } from "../protocol/limits.ts";
import { isReserved } from "../protocol/names.ts";
import { fromBase64url } from "../protocol/tokens.ts";
import { Claims } from "./claims.ts";
import { type Asked, type Part, verdict } from "./wire.ts";

const TO_QUESTION = [0xc0, 0x0c];
const CLASS_IN = [0, 1];

/** The sets of one name, each as an answer; none for a name that only has others below it. */
interface Node {
  /** The device that it belongs to, and since when. */
  readonly id: string;
  readonly since: number;
  readonly first: SetParts | null;
  /** At a device's own name: what shows what is not there below it (protocol/dns/chain.ts). */
  readonly chain: readonly Link[];
}

/** An NSEC and its signatures. */
interface Link {
  /** Its owner, relative to the device's label. */
  readonly labels: Name;
  /** The same as octets. */
  readonly owner: Buffer;
  /** Each from its type on. */
  readonly records: readonly Buffer[];
}

/**
 * A set as an answer without its signatures. The sets of a name stand in a chain: of a large zone each step
 * that an answer takes through memory is one to where no cache has been.
 */
interface SetParts extends Part {
  readonly type: number;
  readonly next: SetParts | null;
  /** The same with them. */
  readonly signed: Part;
}

/** The zone's SOA, as it goes along with a denial. */
export interface Start {
  /** From its type on, with the TTL of a denial. */
  readonly record: Buffer;
  /** The same for its signatures; none in a zone without DNSSEC. */
  readonly signatures: readonly Buffer[];
}

/** That the edge is to be asked. */
export interface Ask {
  readonly ask: true;
  /** What to say when it is away. */
  readonly otherwise: Part | null;
  /** That anybody can make up such questions without end: there is no such name, or no such type. */
  readonly invented: boolean;
  /** That there is no such name, whatever type was asked for: one answer for all. */
  readonly anyType: boolean;
}

/** What memory says: an answer, or that the edge is to be asked. */
export type Found = Part | Ask;

const asking = (otherwise: Part | null, how: Partial<Ask> = {}): Ask => ({
  ...{ ask: true, otherwise, invented: false, anyType: false },
  ...how,
});

/** What names have; of every other type nobody needs to ask. */
const knownTypes: ReadonlySet<number> = new Set(Object.values(types));

export class Memory {
  readonly #apex: string;
  readonly #apexLabels: number;
  readonly #nodes = new Claims<Node>();
  /** True once everything was read: what is not here does not exist. */
  #isWhole = false;
  #start: Start | null = null;
  /** What is said without proof of what is not there, by verdict and by where the apex stands in the question. */
  readonly #denials = new Map<number, Part>();

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
    this.#nodes.begin();
  }

  finish(): void {
    this.#nodes.finish();
    this.#isWhole = true;
  }

  put({ id, names: published }: FeedName): void {
    const labels = new Map<string, Map<string, Node>>();
    for (const { label, sets, since = 0 } of published) {
      const top = keyOf([label]) + this.#apex;
      const names = new Map<string, SetParts | null>([[top, null]]);
      for (const set of sets) {
        const owner = [...nameOf(set.owner), label];
        // Names with nothing of their own between the owner and the label exist too (RFC 8020).
        for (let at = 0; at < owner.length; at++) {
          const name = keyOf(owner.slice(at)) + this.#apex;
          if (!names.has(name)) names.set(name, null);
        }
        const name = keyOf(owner) + this.#apex;
        names.set(name, withSet(names.get(name) ?? null, set));
      }
      const chain = chainOf(sets);
      const nodes = new Map<string, Node>();
      for (const [name, first] of names) {
        nodes.set(name, { id, since, first, chain: name === top ? chain : [] });
      }
      labels.set(top, nodes);
    }
    this.#nodes.put(id, labels);
  }

  /** The labels under which a device stands here. */
  labelsOf(id: string): string[] {
    const length = this.#apex.length;
    return this.#nodes.of(id).flatMap((name) => {
      const octets = name.charCodeAt(0);
      return name.length === octets + 1 + length ? [name.slice(1, 1 + octets)] : [];
    });
  }

  setStart(start: Start): void {
    this.#start = start;
    this.#denials.clear();
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
    const { name, labels, starts } = asked;
    const below = labels - this.#apexLabels;
    const inside =
      below >= 0 &&
      name.endsWith(this.#apex) &&
      (below === labels || starts[below] === name.length - this.#apex.length);
    if (!inside) return verdict(rcodes.refused);
    if (below === 0) return asking(null);
    if (asked.type === types.AXFR || asked.type === types.IXFR) return verdict(rcodes.refused);
    const node = this.#nodes.get(name);
    if (node !== undefined) return this.#at(node, asked, null);
    // A server of ours inside the zone, or what nobody has told us yet.
    const isOurs = isReserved(this.labelOf(asked) ?? "");
    if (!this.#isWhole || this.#start === null) return asking(null);
    if (isOurs) return asking(null, { invented: below > 1 || !knownTypes.has(asked.type) });
    const encloser = this.#encloser(asked, below);
    // Right below the apex stands no wildcard: no device is called `*`.
    const wildcard =
      encloser === null
        ? undefined
        : this.#nodes.get(`\u0001*${name.slice(starts[encloser] as number)}`);
    return wildcard === undefined
      ? this.#denied(rcodes.nameError, asked, encloser)
      : this.#at(wildcard, asked, encloser);
  }

  get #isSigned(): boolean {
    return (this.#start?.signatures.length ?? 0) > 0;
  }

  /** @param encloser where a wildcard's node stands for the name: below which of its labels */
  #at(node: Node, asked: Asked, encloser: number | null): Found {
    const { type, dnssecOk } = asked;
    for (let set = node.first; set !== null; set = set.next) {
      if (set.type !== type) continue;
      if (encloser === null) return dnssecOk ? set.signed : set;
      if (type !== types.NSEC) return this.#expanded(set, asked, encloser);
    }
    if (type === types.RRSIG) return asking(null);
    if (type === types.ANY) return dnssecOk && this.#isSigned ? asking(minimal) : minimal;
    if (this.#start === null) return asking(null);
    return this.#denied(rcodes.noError, asked, encloser);
  }

  /** A wildcard's set, with what shows that the name has no records of its own (RFC 4035 §3.1.3.3). */
  #expanded(set: SetParts, asked: Asked, encloser: number): Found {
    const { signed } = set;
    if (!asked.dnssecOk || !this.#isSigned) return set;
    const covering = this.#proof(asked, encloser).slice(0, 1);
    if (covering.length === 0) return asking(set, { invented: true });
    const records = this.#recordsOf(covering, asked);
    const body = signed.body + textOf(records.flat());
    return { ...signed, authorities: records.length, body };
  }

  /** That the name or its type is not there; who wants it proved and cannot have it here is the edge's. */
  #denied(rcode: number, asked: Asked, encloser: number | null): Found {
    const plain = this.#plainDenial(rcode, asked);
    if (!asked.dnssecOk || !this.#isSigned) return plain;
    const proof = this.#proof(asked, encloser);
    if (proof.length > 0) return this.#denial(rcode, asked, proof);
    const isName = rcode === rcodes.nameError;
    const invented = isName || encloser !== null || !knownTypes.has(asked.type);
    return asking(plain, { invented, anyType: isName && asked.type !== types.NSEC });
  }

  /** Which links of the device's chain show where the name stands; none where there is no chain. */
  #proof(asked: Asked, encloser: number | null): readonly Link[] {
    const { name, labels, starts } = asked;
    const device = labels - this.#apexLabels - 1;
    const chain = this.#nodes.get(name.slice(starts[device] as number))?.chain ?? [];
    if (chain.length === 0) return chain;
    const below = Array.from({ length: device }, (_, at) => {
      const start = starts[at] as number;
      return name.slice(start + 1, start + 1 + name.charCodeAt(start));
    });
    return proofAt(chain, below, encloser === null ? null : ["*", ...below.slice(encloser)]);
  }

  /** Links at their own names, which end with the device's in the question. */
  #recordsOf(links: readonly Link[], { labels, starts }: Asked): Buffer[][] {
    const at = 12 + (starts[labels - this.#apexLabels - 1] as number);
    const device = Buffer.from([0xc0 | (at >> 8), at & 0xff]);
    return links.flatMap(({ owner, records }) => records.map((one) => [owner, device, one]));
  }

  /** RFC 4592 §3.3.1: the first label of the closest name above that exists; null: none of a device. */
  #encloser({ name, starts }: Asked, below: number): number | null {
    for (let at = 1; at < below; at++) {
      if (this.#nodes.get(name.slice(starts[at] as number)) !== undefined) return at;
    }
    return null;
  }

  #plainDenial(rcode: number, asked: Asked): Part {
    // The same for all questions of one length: a name takes less than 256 octets.
    const key = (rcode << 8) | asked.name.length;
    let denial = this.#denials.get(key);
    if (denial === undefined) {
      denial = this.#denial(rcode, asked, []);
      this.#denials.set(key, denial);
    }
    return denial;
  }

  /** RFC 2308 §2: the SOA goes along; with `proof`, signed and with what proves it. */
  #denial(rcode: number, asked: Asked, proof: readonly Link[]): Part {
    const start = this.#start as Start;
    const apexAt = 12 + asked.name.length - this.#apex.length;
    const owner = Buffer.from([0xc0 | (apexAt >> 8), apexAt & 0xff]);
    const ours = proof.length === 0 ? [start.record] : [start.record, ...start.signatures];
    const records = [...ours.map((one) => [owner, one]), ...this.#recordsOf(proof, asked)];
    return {
      rcode,
      authoritative: true,
      answers: 0,
      authorities: records.length,
      additionals: 0,
      body: textOf(records.flat()),
    };
  }
}

/** RFC 8482 §4.2: `ANY` gets one small record. */
const minimal: Part = (() => {
  const data = writeData({ type: "HINFO", cpu: "RFC8482", os: "" }, [], 0);
  const body = textOf([record(types.HINFO, limits.zoneTtlSeconds, data)]);
  return { rcode: 0, authoritative: true, answers: 1, authorities: 0, additionals: 0, body };
})();

/** With one more, before the others: no two are of one type. */
function withSet(next: SetParts | null, set: PublishedSet): SetParts | null {
  const read = wired(set);
  if (read === null) return next;
  const part = (records: readonly Buffer[]): Part => ({
    ...verdict(rcodes.noError, true),
    answers: records.length,
    body: textOf(records),
  });
  const { plain, signatures } = read;
  const alone = part(plain);
  const signed = signatures.length === 0 ? alone : part([...plain, ...signatures]);
  return { ...alone, type: types[set.type], next, signed };
}

/** None for a name without a wildcard, and for one that is not signed all through. */
function chainOf(sets: readonly PublishedSet[]): Link[] {
  return linksOf(sets).flatMap(({ labels, set }) => {
    const read = wired(set);
    if (read === null) return [];
    const records = [...read.plain, ...read.signatures];
    const owner = Buffer.from(keyOf(labels), "latin1");
    return [{ labels, owner, records: records.map((one) => one.subarray(TO_QUESTION.length)) }];
  });
}

/** Null for a set that this program does not understand: the edge is newer, and is asked. */
function wired({ type, ttl, data, signatures }: PublishedSet) {
  try {
    return {
      plain: data.map((one) => record(types[type], ttl, writeData(one, [], 0))),
      signatures: signatures.map((text) => {
        const octets = fromBase64url(text);
        if (octets === null) throw new RangeError("not a signature");
        return record(types.RRSIG, ttl, octets);
      }),
    };
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

/** One character an octet. */
function textOf(octets: readonly Buffer[]): string {
  return Buffer.concat(octets).toString("latin1");
}

/** Labels as they stand on the wire, one character an octet, without the root. */
function keyOf(labels: readonly string[]): string {
  return labels.map((label) => String.fromCharCode(label.length) + label).join("");
}
