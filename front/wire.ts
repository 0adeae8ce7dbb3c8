/**
 * DNS messages as fast as they can be read and written: a query of the common form is looked at once
 * and nothing is copied but the name. Whatever is of any other form is left to protocol/dns/message.ts.
 */

import { ednsPayloadBytes, plainUdpBytes } from "../protocol/dns/message.ts";
import { types } from "../protocol/dns/rdata.ts";

const HEADER_BYTES = 12;
const OPT_BYTES = 11;
const NAME_OCTETS = 255;
const LABEL_OCTETS = 63;
const LABELS = 128;

/** What a query asks. One for all queries: it is overwritten by the next. */
export class Asked {
  /** The name on the wire without the last, empty label, in lower case, one character an octet. */
  name = "";
  /** How many labels the name has. */
  labels = 0;
  /** Where in `name` each label begins. */
  readonly starts = new Uint8Array(LABELS);
  type = 0;
  /** Where the question ends in the message. */
  end = 0;
  edns = false;
  dnssecOk = false;
  /** The largest answer that the client takes over UDP. */
  udpBytes = plainUdpBytes;
}

/** Reads a query of one question in class IN, with EDNS or without; false for everything else. */
export function readAsked(message: Buffer, asked: Asked): boolean {
  const length = message.length;
  if (length < HEADER_BYTES + 5) return false;
  // QR, opcode; one question, no answers, no authorities, at most one additional record.
  if (((message[2] as number) & 0xf8) !== 0) return false;
  if (message[4] !== 0 || message[5] !== 1 || message.readUInt32BE(6) !== 0) return false;
  const additionals = message.readUInt16BE(10);
  if (additionals > 1) return false;
  let at = HEADER_BYTES;
  let labels = 0;
  for (let octets = message[at] as number; octets !== 0; octets = message[at] as number) {
    if (octets > LABEL_OCTETS) return false;
    asked.starts[labels++] = at - HEADER_BYTES;
    at += octets + 1;
    if (at >= length || at - HEADER_BYTES >= NAME_OCTETS) return false;
  }
  const end = at + 5;
  if (end > length || message.readUInt16BE(at + 3) !== 1) return false;
  asked.labels = labels;
  asked.name = message.toString("latin1", HEADER_BYTES, at).toLowerCase();
  asked.type = message.readUInt16BE(at + 1);
  asked.end = end;
  return additionals === 0 ? withoutEdns(asked, end === length) : readEdns(message, end, asked);
}

function withoutEdns(asked: Asked, isWhole: boolean): boolean {
  asked.edns = false;
  asked.dnssecOk = false;
  asked.udpBytes = plainUdpBytes;
  return isWhole;
}

/** RFC 6891 §6.1: an OPT record of version 0 owned by the root, and after it nothing. */
function readEdns(message: Buffer, at: number, asked: Asked): boolean {
  if (at + OPT_BYTES > message.length || message[at] !== 0) return false;
  if (message.readUInt16BE(at + 1) !== types.OPT || message[at + 6] !== 0) return false;
  const end = at + OPT_BYTES + message.readUInt16BE(at + 9);
  if (end !== message.length) return false;
  for (let option = at + OPT_BYTES; option < end; ) {
    if (option + 4 > end) return false;
    option += 4 + message.readUInt16BE(option + 2);
    if (option > end) return false;
  }
  // RFC 9824 §5: who takes the real code for a name that is not there is answered by the edge.
  if (((message[at + 7] as number) & 0xc0) === 0xc0) return false;
  asked.edns = true;
  asked.dnssecOk = ((message[at + 7] as number) & 0x80) !== 0;
  const announced = Math.max(message.readUInt16BE(at + 3), plainUdpBytes);
  asked.udpBytes = Math.min(announced, ednsPayloadBytes);
  return true;
}

/** What follows the question in an answer, the same for everyone who asks the same. */
export interface Part {
  readonly rcode: number;
  readonly authoritative: boolean;
  readonly answers: number;
  readonly authorities: number;
  readonly additionals: number;
  /**
   * The records, without OPT, one character an octet: a string takes less memory than a buffer, and one step
   * less through it. Names in them may point into the question, which stands at 12.
   */
  readonly body: string;
}

/** A verdict without records. */
export function verdict(rcode: number, authoritative = false): Part {
  return { rcode, authoritative, answers: 0, authorities: 0, additionals: 0, body: "" };
}

/**
 * The answer to the query in `message`; the question is echoed as it was spelled.
 * @param room how long it may be; what does not fit is left out and TC says so (RFC 2181 §9)
 */
export function compose(message: Buffer, asked: Asked, part: Part, room: number): Buffer {
  const { end, edns } = asked;
  const whole = end + part.body.length + (edns ? OPT_BYTES : 0);
  return whole > room ? write(message, asked, part, true) : write(message, asked, part, false);
}

/** The same verdict and TC: whoever means it asks again over TCP. */
export function truncated(message: Buffer, asked: Asked): Buffer {
  return write(message, asked, verdict(0), true);
}

function write(message: Buffer, { end, edns, dnssecOk }: Asked, part: Part, cut: boolean): Buffer {
  const body = cut ? "" : part.body;
  const octets = Buffer.allocUnsafe(end + body.length + (edns ? OPT_BYTES : 0));
  message.copy(octets, 0, 0, end);
  const second = message[2] as number;
  octets[2] = 0x80 | (part.authoritative ? 0x04 : 0) | (cut ? 0x02 : 0) | (second & 0x01);
  octets[3] = ((message[3] as number) & 0x10) | (part.rcode & 0x0f);
  octets.writeUInt16BE(cut ? 0 : part.answers, 6);
  octets.writeUInt16BE(cut ? 0 : part.authorities, 8);
  octets.writeUInt16BE((cut ? 0 : part.additionals) + (edns ? 1 : 0), 10);
  if (body.length > 0) octets.write(body, end, "latin1");
  if (edns) writeOpt(octets, end + body.length, part.rcode, dnssecOk);
  return octets;
}

function writeOpt(octets: Buffer, at: number, rcode: number, dnssecOk: boolean): void {
  octets[at] = 0;
  octets.writeUInt16BE(types.OPT, at + 1);
  octets.writeUInt16BE(ednsPayloadBytes, at + 3);
  octets[at + 5] = rcode >>> 4;
  octets[at + 6] = 0;
  octets.writeUInt16BE(dnssecOk ? 0x8000 : 0, at + 7);
  octets.writeUInt16BE(0, at + 9);
}

/** A query to the edge: a name as in `Asked`, with EDNS. */
export function writeAsk(name: string, type: number, dnssecOk: boolean): Buffer {
  const asked = Buffer.alloc(HEADER_BYTES + name.length + 5 + OPT_BYTES);
  asked[5] = 1;
  asked[11] = 1;
  asked.write(name, HEADER_BYTES, "latin1");
  const at = HEADER_BYTES + name.length + 1;
  asked.writeUInt16BE(type, at);
  asked.writeUInt16BE(1, at + 2);
  writeOpt(asked, at + 4, 0, dnssecOk);
  return asked;
}

/** One record of an answer; offsets into the message. */
export interface WireRecord {
  readonly start: number;
  readonly type: number;
  readonly ttl: number;
  /** Where its type stands: the owner ends here. */
  readonly typeAt: number;
  readonly end: number;
  readonly section: 0 | 1 | 2;
}

/** The records after the question of an answer; null when it is not whole. */
export function recordsOf(message: Buffer, questionEnd: number): WireRecord[] | null {
  const records: WireRecord[] = [];
  let at = questionEnd;
  for (const section of [0, 1, 2] as const) {
    for (let left = message.readUInt16BE(6 + 2 * section); left > 0; left--) {
      const typeAt = afterName(message, at);
      if (typeAt === null || typeAt + 10 > message.length) return null;
      const end = typeAt + 10 + message.readUInt16BE(typeAt + 8);
      if (end > message.length) return null;
      const [type, ttl] = [message.readUInt16BE(typeAt), message.readUInt32BE(typeAt + 4)];
      records.push({ start: at, type, ttl, typeAt, end, section });
      at = end;
    }
  }
  return at === message.length ? records : null;
}

function afterName(message: Buffer, start: number): number | null {
  for (let at = start; ; ) {
    const octets = message[at];
    if (octets === undefined) return null;
    if (octets === 0) return at + 1;
    if (octets > LABEL_OCTETS) return octets >= 0xc0 ? at + 2 : null;
    at += octets + 1;
  }
}
