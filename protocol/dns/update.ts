/**
 * UPDATE messages (RFC 2136) and the TSIG record that signs them (RFC 8945): reading, and what is signed.
 * Any bytes are safe to read. What an update may change is decided elsewhere.
 */

import { type Name, readName, writeWholeName } from "./names.ts";
import { types, uint16, uint32 } from "./rdata.ts";

export const opcodeUpdate = 5;
export const classNone = 254;
export const classAny = 255;
const TSIG = 250;
const HEADER_BYTES = 12;

/** Response codes of RFC 2136 §2.2 and RFC 8945 §3. */
export const updateRcodes = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  nameError: 3,
  refused: 5,
  nameExists: 6,
  setExists: 7,
  noSuchSet: 8,
  notAuthorized: 9,
  notZone: 10,
} as const;

/** What a TSIG record says went wrong (RFC 8945 §3). */
export const tsigErrors = { none: 0, badSignature: 16, badKey: 17, badTime: 18 } as const;

export interface UpdateRecord {
  readonly name: Name;
  readonly type: number;
  readonly class: number;
  readonly ttl: number;
  readonly data: Uint8Array;
}

export interface Tsig {
  readonly key: Name;
  readonly algorithm: Name;
  /** Seconds since the epoch. */
  readonly signedAt: number;
  readonly fudge: number;
  readonly mac: Uint8Array<ArrayBuffer>;
  readonly originalId: number;
}

export interface UpdateMessage {
  readonly id: number;
  readonly zone: Name;
  readonly prerequisites: readonly UpdateRecord[];
  readonly updates: readonly UpdateRecord[];
  readonly tsig: Tsig | null;
  /** The message as it was signed: without TSIG, with the number that it had then. */
  readonly signed: Uint8Array<ArrayBuffer>;
}

/** True for a message that asks for a change, whatever else is in it. */
export function isUpdate(message: Uint8Array): boolean {
  return message.length >= HEADER_BYTES && ((message[2] as number) & 0xf8) === opcodeUpdate << 3;
}

/** Reads an UPDATE; null when it is not exactly one. */
export function readUpdate(message: Uint8Array): UpdateMessage | null {
  if (!isUpdate(message)) return null;
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const zone = readName(message, HEADER_BYTES);
  if (view.getUint16(4) !== 1 || zone === null || zone.next + 4 > message.length) return null;
  // RFC 2136 §2.3: the zone is named by its SOA, in class IN.
  if (view.getUint16(zone.next) !== types.SOA || view.getUint16(zone.next + 2) !== 1) return null;
  let at = zone.next + 4;
  const sections: UpdateRecord[][] = [];
  let tsig: { record: UpdateRecord; start: number } | null = null;
  for (const countAt of [6, 8, 10]) {
    const records: UpdateRecord[] = [];
    for (let left = view.getUint16(countAt); left > 0; left--) {
      // RFC 8945 §5.1: TSIG is the last record of the message.
      if (tsig !== null) return null;
      const read = readRecord(message, view, at);
      if (read === null) return null;
      if (read.record.type === TSIG && countAt === 10) tsig = { record: read.record, start: at };
      records.push(read.record);
      at = read.next;
    }
    sections.push(records);
  }
  if (at !== message.length) return null;
  const [prerequisites = [], updates = []] = sections;
  const read = tsig === null ? null : readTsig(tsig.record);
  if (tsig !== null && read === null) return null;
  const signed = Uint8Array.from(message.subarray(0, tsig?.start ?? message.length));
  if (read !== null) {
    const signedView = new DataView(signed.buffer);
    signedView.setUint16(0, read.originalId);
    signedView.setUint16(10, view.getUint16(10) - 1);
  }
  return { id: view.getUint16(0), zone: zone.name, prerequisites, updates, tsig: read, signed };
}

function readRecord(
  message: Uint8Array,
  view: DataView,
  at: number,
): { record: UpdateRecord; next: number } | null {
  const owner = readName(message, at);
  if (owner === null || owner.next + 10 > message.length) return null;
  const fixed = owner.next;
  const next = fixed + 10 + view.getUint16(fixed + 8);
  if (next > message.length) return null;
  const record = {
    name: owner.name,
    type: view.getUint16(fixed),
    class: view.getUint16(fixed + 2),
    ttl: view.getUint32(fixed + 4),
    data: message.slice(fixed + 10, next),
  };
  return { record, next };
}

/** RFC 8945 §4.2. */
function readTsig({ name, class: of, ttl, data }: UpdateRecord): Tsig | null {
  const algorithm = readName(data, 0);
  if (of !== classAny || ttl !== 0 || algorithm === null) return null;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const at = algorithm.next;
  if (at + 10 > data.length) return null;
  const macEnd = at + 10 + view.getUint16(at + 8);
  if (macEnd + 6 > data.length || macEnd + 6 + view.getUint16(macEnd + 4) !== data.length)
    return null;
  return {
    key: name,
    algorithm: algorithm.name,
    signedAt: view.getUint16(at) * 2 ** 32 + view.getUint32(at + 2),
    fudge: view.getUint16(at + 6),
    mac: Uint8Array.from(data.subarray(at + 10, macEnd)),
    originalId: view.getUint16(macEnd),
  };
}

/** What a TSIG record is about, besides the message (RFC 8945 §4.3.3). */
export interface TsigWords extends Pick<Tsig, "key" | "algorithm" | "signedAt" | "fudge"> {
  readonly error: number;
  /** The server's time, where the client's is wrong; empty otherwise. */
  readonly other: readonly number[];
}

/** The octets that a MAC is made over: names in lower case and whole. */
export function tsigVariables(words: TsigWords): number[] {
  const { key, algorithm, signedAt, fudge, error, other } = words;
  const folded = (name: Name) => writeWholeName(name.map((label) => label.toLowerCase()));
  return [
    ...folded(key),
    ...uint16(classAny),
    ...uint32(0),
    ...folded(algorithm),
    ...time48(signedAt),
    ...uint16(fudge),
    ...uint16(error),
    ...uint16(other.length),
    ...other,
  ];
}

/** Seconds since the epoch in 48 bits. */
export function time48(seconds: number): number[] {
  return [...uint16(Math.floor(seconds / 2 ** 32)), ...uint32((seconds % 2 ** 32) | 0)];
}

/** An answer to an UPDATE (RFC 2136 §3.8), without TSIG. */
export function writeUpdateAnswer(message: Uint8Array, rcode: number): Uint8Array<ArrayBuffer> {
  const octets = new Uint8Array(HEADER_BYTES);
  octets.set(message.subarray(0, 2));
  octets[2] = 0x80 | (opcodeUpdate << 3);
  octets[3] = rcode & 0x0f;
  return octets;
}

/** `answer` with a TSIG record at its end. */
export function withTsig(
  answer: Uint8Array<ArrayBuffer>,
  words: TsigWords,
  mac: Uint8Array,
  originalId: number,
): Uint8Array<ArrayBuffer> {
  const { key, algorithm, signedAt, fudge, error, other } = words;
  const data = [
    ...writeWholeName(algorithm),
    ...time48(signedAt),
    ...uint16(fudge),
    ...uint16(mac.length),
    ...mac,
    ...uint16(originalId),
    ...uint16(error),
    ...uint16(other.length),
    ...other,
  ];
  const record = [
    ...writeWholeName(key),
    ...uint16(TSIG),
    ...uint16(classAny),
    ...uint32(0),
    ...uint16(data.length),
    ...data,
  ];
  const octets = Uint8Array.from([...answer, ...record]);
  octets[11] = 1;
  return octets;
}
