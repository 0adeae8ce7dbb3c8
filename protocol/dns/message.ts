/**
 * DNS messages (RFC 1035 §4, EDNS of RFC 6891): reads queries, writes answers. Any bytes are safe to
 * read; whatever is not exactly a message is a format error.
 */

import { type Name, readName, writeName, writeWholeName } from "./names.ts";
import { classIN, type Data, types, uint16, uint32, writeData } from "./rdata.ts";

export const rcodes = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  nameError: 3,
  notImplemented: 4,
  refused: 5,
  badVersion: 16, // needs EDNS: its upper bits stand in the OPT record
} as const;

export const opcodeQuery = 0;
/** The largest answer over UDP that we announce: fits every path without fragments. */
export const ednsPayloadBytes = 1232;
/** The largest answer over UDP to a client without EDNS. */
export const plainUdpBytes = 512;

const HEADER_BYTES = 12;
const QUESTION_AT = HEADER_BYTES;

export interface Question {
  readonly name: Name;
  readonly type: number;
  readonly class: number;
}

export interface Edns {
  readonly payloadBytes: number;
  readonly version: number;
  /** DNSSEC OK (RFC 3225): copied into the answer. */
  readonly dnssecOk: boolean;
  /** Compact Answers OK (RFC 9824 §5.1): takes NXDOMAIN with a proof that says NOERROR. */
  readonly compactOk: boolean;
}

/** What of a header an answer repeats. */
export interface QueryHead {
  readonly id: number;
  readonly opcode: number;
  readonly recursionDesired: boolean;
  readonly checkingDisabled: boolean;
}

export interface Query extends QueryHead {
  readonly questions: readonly Question[];
  readonly edns: Edns | null;
}

export type ReadQuery =
  | { readonly kind: "query"; readonly query: Query }
  /** A header that can be answered, and after it something that is not a message. */
  | { readonly kind: "malformed"; readonly head: QueryHead }
  /** Too short for a header, or an answer: it gets no answer. */
  | { readonly kind: "unanswerable" };

export interface ResourceRecord {
  readonly name: Name;
  readonly ttl: number;
  readonly data: Data;
}

export interface Answer {
  readonly rcode: number;
  readonly authoritative: boolean;
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
}

/** Reads a query; strict about every count, length and name. */
export function readQuery(message: Uint8Array): ReadQuery {
  if (message.length < HEADER_BYTES) return { kind: "unanswerable" };
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const flags = view.getUint16(2);
  if ((flags & 0x8000) !== 0) return { kind: "unanswerable" };
  const head: QueryHead = {
    id: view.getUint16(0),
    opcode: (flags >> 11) & 0xf,
    recursionDesired: (flags & 0x0100) !== 0,
    checkingDisabled: (flags & 0x0010) !== 0,
  };
  const malformed = { kind: "malformed", head } as const;
  const questions: Question[] = [];
  let at = QUESTION_AT;
  for (let left = view.getUint16(4); left > 0; left--) {
    const read = readName(message, at);
    if (read === null || read.next + 4 > message.length) return malformed;
    const { name, next } = read;
    questions.push({ name, type: view.getUint16(next), class: view.getUint16(next + 2) });
    at = next + 4;
  }
  let edns: Edns | null = null;
  const ordinary = view.getUint16(6) + view.getUint16(8);
  for (let record = 0; record < ordinary + view.getUint16(10); record++) {
    const read = readName(message, at);
    if (read === null || read.next + 10 > message.length) return malformed;
    const fixed = read.next;
    at = fixed + 10 + view.getUint16(fixed + 8);
    if (at > message.length) return malformed;
    if (view.getUint16(fixed) !== types.OPT) continue;
    // RFC 6891 §6.1.1: one OPT, owned by the root, in the additional section.
    if (edns !== null || read.name.length > 0 || record < ordinary) return malformed;
    if (!areOptions(view, fixed + 10, at)) return malformed;
    edns = {
      payloadBytes: view.getUint16(fixed + 2),
      version: view.getUint8(fixed + 5),
      dnssecOk: (view.getUint16(fixed + 6) & 0x8000) !== 0,
      compactOk: (view.getUint16(fixed + 6) & 0x4000) !== 0,
    };
  }
  if (at !== message.length) return malformed;
  return { kind: "query", query: { ...head, questions, edns } };
}

/** True when the octets from `at` to `end` are options in full (RFC 6891 §6.1.2). */
function areOptions(view: DataView, at: number, end: number): boolean {
  while (at + 4 <= end) at += 4 + view.getUint16(at + 2);
  return at === end;
}

/** Writes the answer to a query of one question; the question's case is echoed. */
export function writeAnswer(query: Query, answer: Answer): Uint8Array<ArrayBuffer> {
  const question = query.questions.length === 1 ? query.questions[0] : undefined;
  const edns = query.edns;
  const octets = [
    ...header(query, answer, question === undefined ? 0 : 1, edns === null ? 0 : 1),
    ...(question === undefined ? [] : questionOctets(question)),
  ];
  const known = question?.name ?? [];
  for (const section of [answer.answers, answer.authorities, answer.additionals]) {
    for (const record of section) octets.push(...recordOctets(record, known));
  }
  if (edns !== null) octets.push(...optOctets(answer.rcode, edns.dnssecOk));
  return Uint8Array.from(octets);
}

/**
 * What UDP carries when the whole answer does not fit: the same verdict and the TC bit, so that the
 * client asks again over TCP (RFC 2181 §9).
 */
export function writeTruncated(query: Query, answer: Uint8Array): Uint8Array<ArrayBuffer> {
  const octets = writeAnswer(query, empty((answer[3] ?? 0) & 0xf));
  octets[2] = ((answer[2] ?? 0) & 0x04) | (octets[2] as number) | 0x02;
  return octets;
}

/** The largest answer that the client takes over UDP. */
export function udpBytes(query: Query): number {
  const announced = query.edns?.payloadBytes ?? plainUdpBytes;
  return Math.min(Math.max(announced, plainUdpBytes), ednsPayloadBytes);
}

/** An answer that says only `rcode`, to something of which no more than the header was understood. */
export function writeError(head: QueryHead, rcode: number): Uint8Array<ArrayBuffer> {
  return writeAnswer({ ...head, questions: [], edns: null }, empty(rcode));
}

/** An answer without records. */
export function empty(rcode: number): Answer {
  return { rcode, authoritative: false, answers: [], authorities: [], additionals: [] };
}

function header(query: Query, answer: Answer, questions: number, opt: number): number[] {
  const flags =
    0x8000 |
    (query.opcode << 11) |
    (answer.authoritative ? 0x0400 : 0) |
    (query.recursionDesired ? 0x0100 : 0) |
    (query.checkingDisabled ? 0x0010 : 0) |
    (answer.rcode & 0xf);
  return [
    ...uint16(query.id),
    ...uint16(flags),
    ...uint16(questions),
    ...uint16(answer.answers.length),
    ...uint16(answer.authorities.length),
    ...uint16(answer.additionals.length + opt),
  ];
}

function questionOctets(question: Question): number[] {
  return [...writeWholeName(question.name), ...uint16(question.type), ...uint16(question.class)];
}

function recordOctets(record: ResourceRecord, known: Name): number[] {
  const data = writeData(record.data, known, QUESTION_AT);
  return [
    ...writeName(record.name, known, QUESTION_AT),
    ...uint16(types[record.data.type]),
    ...uint16(classIN),
    ...uint32(record.ttl),
    ...uint16(data.length),
    ...data,
  ];
}

function optOctets(rcode: number, dnssecOk: boolean): number[] {
  return [
    0,
    ...uint16(types.OPT),
    ...uint16(ednsPayloadBytes),
    (rcode >>> 4) & 0xff,
    0, // EDNS version
    ...uint16(dnssecOk ? 0x8000 : 0),
    ...uint16(0),
  ];
}
