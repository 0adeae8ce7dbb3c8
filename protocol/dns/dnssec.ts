/**
 * DNSSEC (RFC 4034, RFC 6605): what a signature covers, octet by octet, and what denies a name (RFC
 * 9824). Pure but for the signing itself. One key, which signs everything (a CSK of algorithm 13).
 */

import { foldLabel, type Name, writeWholeName } from "./names.ts";
import { classIN, type Data, types, uint16, uint32, writeData } from "./rdata.ts";

/** ECDSA on P-256 with SHA-256 (RFC 6605). */
export const algorithm = 13;
const SECURE_ENTRY_POINT = 257; // ZONE and SEP (RFC 4034 §2.1.1, RFC 3757)
const PROTOCOL = 3;
const DIGEST_SHA256 = 2; // RFC 4509
const LABEL_OCTETS = 63;
const NAME_OCTETS = 255;
const ECDSA = { name: "ECDSA", hash: "SHA-256" } as const;

/** A key of the zone that can sign. */
export interface SigningKey {
  /** RFC 4034 appendix B; of `dnskey`. */
  readonly tag: number;
  /** RDATA of its DNSKEY record. */
  readonly dnskey: Uint8Array;
  readonly privateKey: CryptoKey;
}

/** Between which seconds of the epoch a signature counts. */
export interface Validity {
  readonly inception: number;
  readonly expiration: number;
}

/** What is signed: all records of one type at one name. */
export interface Rrset {
  readonly name: Name;
  readonly type: number;
  readonly ttl: number;
  /** RDATA in canonical form (RFC 4034 §6.2), in any order. */
  readonly rdata: readonly ArrayLike<number>[];
}

/** RDATA of the DNSKEY of a public key, which is x and y, 64 octets. */
export function dnskeyOf(publicKey: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([...uint16(SECURE_ENTRY_POINT), PROTOCOL, algorithm, ...publicKey]);
}

/** RFC 4034 appendix B: a hint which key it is, not an identity. */
export function keyTag(dnskey: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < dnskey.length; at++) {
    sum += (at & 1) === 1 ? (dnskey[at] as number) : (dnskey[at] as number) << 8;
  }
  return (sum + (sum >>> 16)) & 0xffff;
}

/** RDATA of the DS that a parent shows for a key (RFC 4034 §5, RFC 4509); a CDS is the same. */
export async function dsOf(apex: Name, dnskey: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const covered = Uint8Array.from([...writeWholeName(apex.map(foldLabel)), ...dnskey]);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", covered));
  return Uint8Array.from([...uint16(keyTag(dnskey)), algorithm, DIGEST_SHA256, ...digest]);
}

/** RDATA of the RRSIG of `set` by `key` of the zone `apex` (RFC 4034 §3). */
export async function signSet(
  key: SigningKey,
  apex: Name,
  set: Rrset,
  { inception, expiration }: Validity,
): Promise<Uint8Array<ArrayBuffer>> {
  const owner = set.name.map(foldLabel);
  // A wildcard's own label does not count: that is how a validator tells that it was expanded.
  const labels = owner[0] === "*" ? owner.length - 1 : owner.length;
  const head = [
    ...uint16(set.type),
    algorithm,
    labels,
    ...uint32(set.ttl),
    ...uint32(expiration),
    ...uint32(inception),
    ...uint16(key.tag),
    ...writeWholeName(apex.map(foldLabel)),
  ];
  const prefix = [
    ...writeWholeName(owner),
    ...uint16(set.type),
    ...uint16(classIN),
    ...uint32(set.ttl),
  ];
  const records = canonicalOrder(set.rdata).flatMap((rdata) => [
    ...prefix,
    ...uint16(rdata.length),
    ...Array.from(rdata),
  ]);
  const covered = Uint8Array.from([...head, ...records]);
  // WebCrypto's r and s, 32 octets each, are the form that RFC 6605 §4 wants.
  const signature = new Uint8Array(await crypto.subtle.sign(ECDSA, key.privateKey, covered));
  return Uint8Array.from([...head, ...signature]);
}

/** RFC 4034 §6.3: by the octets, each record once. */
function canonicalOrder(rdata: readonly ArrayLike<number>[]): ArrayLike<number>[] {
  const sorted = [...rdata].sort(compareOctets);
  return sorted.filter((one, at) => at === 0 || compareOctets(one, sorted[at - 1] ?? []) !== 0);
}

function compareOctets(one: ArrayLike<number>, other: ArrayLike<number>): number {
  const shared = Math.min(one.length, other.length);
  for (let at = 0; at < shared; at++) {
    const difference = (one[at] as number) - (other[at] as number);
    if (difference !== 0) return difference;
  }
  return one.length - other.length;
}

/** The octets that a signature covers of `data`; names in our data are in lower case already. */
export function canonicalData(data: Data): number[] {
  return writeData(data, [], 0);
}

/** What a signature by `key` says of itself, without looking at what it covers. */
export function readSignature(rrsig: Uint8Array): { tag: number; expiration: number } {
  const view = new DataView(rrsig.buffer, rrsig.byteOffset, rrsig.byteLength);
  return { expiration: view.getUint32(8), tag: view.getUint16(16) };
}

/**
 * RDATA of an NSEC (RFC 4034 §4).
 * @param next the name after its owner in canonical order
 */
export function nsecOf(next: Name, present: Iterable<number>): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([...writeWholeName(next.map(foldLabel)), ...typeBitmap(present)]);
}

/**
 * RDATA of the NSEC that denies on demand (RFC 9824 §3): it says what stands at `name`, and nothing of
 * any other name.
 * @param present the types at the name; null when there is no such name
 */
export function compactNsec(
  name: Name,
  present: readonly number[] | null,
): Uint8Array<ArrayBuffer> {
  const shown = present === null ? [types.NXNAME] : present;
  return nsecOf(successor(name), [...shown, types.RRSIG, types.NSEC]);
}

/** The name right after `name`; where that would be too long, one before all that could be there. */
function successor(name: Name): Name {
  const child = ["\0", ...name];
  if (writeWholeName(child).length <= NAME_OCTETS) return child;
  // Nothing fits below a name this long, so the next one beside it is as good (RFC 4471 §3.1.2).
  const [label = "", ...rest] = name;
  return [siblingAfter(label), ...rest];
}

/** A label that comes after `label` and everything below it, and before all others after that. */
export function siblingAfter(label: string): string {
  if (label.length < LABEL_OCTETS) return `${label}\0`;
  const kept = label.replace(/\xff+$/, "");
  // A label of nothing but the highest octets is the last there is; it stands for itself.
  if (kept === "") return label;
  return kept.slice(0, -1) + String.fromCharCode(kept.charCodeAt(kept.length - 1) + 1);
}

/** RFC 4034 §4.1.2: a window of 256 types each, with as many octets as it needs. */
function typeBitmap(present: Iterable<number>): number[] {
  const windows = new Map<number, number[]>();
  for (const type of present) {
    const octets = windows.get(type >> 8) ?? [];
    windows.set(type >> 8, octets);
    const at = (type & 0xff) >> 3;
    while (octets.length <= at) octets.push(0);
    octets[at] = (octets[at] as number) | (0x80 >> (type & 7));
  }
  return [...windows]
    .sort(([one], [other]) => one - other)
    .flatMap(([window, octets]) => [window, octets.length, ...octets]);
}

/** RFC 4034 §6.1: by the labels from the right, each by its octets in lower case. */
export function compareNames(one: Name, other: Name): number {
  for (let at = 1; at <= Math.min(one.length, other.length); at++) {
    const [a, b] = [one, other].map((name) => foldLabel(name.at(-at) as string)) as [
      string,
      string,
    ];
    // Each character is one octet, so comparing code units compares octets.
    if (a !== b) return a < b ? -1 : 1;
  }
  return one.length - other.length;
}
