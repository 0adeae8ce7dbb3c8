/**
 * The other end of a DNS conversation: a question to a resolver, and what it says (RFC 1035 §4.1). Any bytes
 * are safe to read; what is no whole answer to the very question is none.
 */

import { parseAddress } from "../addresses.ts";
import { foldLabel, type Name, nameOf, readName, writeWholeName } from "./names.ts";
import { classIN, uint16 } from "./rdata.ts";

/** What is asked of resolvers. */
export const lookups = { A: 1, CNAME: 5, AAAA: 28 } as const;
export type Lookup = keyof typeof lookups;

export interface ReplyRecord {
  /** In lower case, without the last dot. */
  readonly name: string;
  readonly type: Lookup;
  /** An address, or a name in lower case without the last dot. */
  readonly value: string;
}

export interface Reply {
  readonly rcode: number;
  /** Of the answer section, those of the types above. */
  readonly records: readonly ReplyRecord[];
}

const HEADER_BYTES = 12;
const RESPONSE = 0x8000;
const TRUNCATED = 0x0200;
const RECURSION_DESIRED = 0x0100;

/** A question with the id 0, as RFC 8484 §4.1 wants it. */
export function writeQuestion(name: string, type: Lookup): Uint8Array<ArrayBuffer> {
  const counts = [1, 0, 0, 0].flatMap(uint16);
  const asked = [...writeWholeName(nameOf(name)), ...uint16(lookups[type]), ...uint16(classIN)];
  return Uint8Array.from([...uint16(0), ...uint16(RECURSION_DESIRED), ...counts, ...asked]);
}

/** The answer to a question of `writeQuestion`; null for anything else. */
export function readReply(message: Uint8Array, name: string, type: Lookup): Reply | null {
  if (message.length < HEADER_BYTES) return null;
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const flags = view.getUint16(2);
  const isWhole = (flags & RESPONSE) !== 0 && (flags & TRUNCATED) === 0;
  if (!isWhole || view.getUint16(0) !== 0 || view.getUint16(4) !== 1) return null;
  const asked = readName(message, HEADER_BYTES);
  if (asked === null || asked.next + 4 > message.length) return null;
  if (textOf(asked.name) !== name || view.getUint16(asked.next) !== lookups[type]) return null;
  let at = asked.next + 4;
  const records: ReplyRecord[] = [];
  for (let left = view.getUint16(6); left > 0; left--) {
    const owner = readName(message, at);
    if (owner === null || owner.next + 10 > message.length) return null;
    const data = owner.next + 10;
    at = data + view.getUint16(owner.next + 8);
    if (at > message.length) return null;
    const read = typeOf(view.getUint16(owner.next));
    if (read === null || view.getUint16(owner.next + 2) !== classIN) continue;
    const value = dataOf(read, message, data, at);
    if (value === null) return null;
    records.push({ name: textOf(owner.name), type: read, value });
  }
  return { rcode: flags & 0xf, records };
}

function typeOf(number: number): Lookup | null {
  return (Object.keys(lookups) as Lookup[]).find((type) => lookups[type] === number) ?? null;
}

function dataOf(type: Lookup, message: Uint8Array, at: number, end: number): string | null {
  if (type === "CNAME") {
    const target = readName(message, at);
    return target?.next === end ? textOf(target.name) : null;
  }
  const octets = message.subarray(at, end);
  if (octets.length !== (type === "A" ? 4 : 16)) return null;
  if (type === "A") return octets.join(".");
  const groups = Array.from({ length: 8 }, (_, group) =>
    (((octets[group * 2] ?? 0) << 8) | (octets[group * 2 + 1] ?? 0)).toString(16),
  );
  return parseAddress(groups.join(":"))?.text ?? null;
}

/** A name to compare and to show: what no host name has is a `?`, so that it is never taken for one. */
function textOf(name: Name): string {
  return name.map((label) => foldLabel(label).replace(/[^a-z0-9_-]/g, "?")).join(".");
}
