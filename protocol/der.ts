/**
 * DER (ITU-T X.690 §10) as far as certificate requests and certificates need it. Reading is strict:
 * definite lengths in their shortest form, nothing behind the end. Knows no certificate.
 */

export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8: 0x0c,
  utcTime: 0x17,
  time: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** One element. */
export interface Der {
  readonly tag: number;
  /** Its content. */
  readonly bytes: Uint8Array;
  /** With tag and length, as it was signed. */
  readonly whole: Uint8Array;
}

/** It is no DER, or not of the shape that was asked for. */
export class DerError extends Error {
  override readonly name = "DerError";
}

/** Reads one element that fills `bytes`. @throws DerError */
export function readDer(bytes: Uint8Array): Der {
  const [element, ...more] = elementsIn(bytes);
  if (element === undefined || more.length > 0) throw new DerError("one element");
  return element;
}

/** The elements of a constructed one. @throws DerError */
export function childrenOf({ tag, bytes }: Der): Der[] {
  if ((tag & 0x20) === 0) throw new DerError("constructed");
  return elementsIn(bytes);
}

/** The elements of a sequence. @throws DerError for any other element */
export function sequenceOf(element: Der | undefined): Der[] {
  return childrenOf(expect(element, tags.sequence));
}

/** `element`, which has this tag. @throws DerError */
export function expect(element: Der | undefined, tag: number): Der {
  if (element?.tag !== tag) throw new DerError(`tag ${tag}`);
  return element;
}

function elementsIn(bytes: Uint8Array): Der[] {
  const elements: Der[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at] as number;
    if ((tag & 0x1f) === 0x1f) throw new DerError("a tag of one byte");
    const { length, start } = lengthAt(bytes, at + 1);
    const end = start + length;
    if (end > bytes.length) throw new DerError("length");
    elements.push({ tag, bytes: bytes.subarray(start, end), whole: bytes.subarray(at, end) });
    at = end;
  }
  return elements;
}

function lengthAt(bytes: Uint8Array, at: number): { length: number; start: number } {
  const first = bytes[at];
  if (first === undefined) throw new DerError("length");
  if (first < 0x80) return { length: first, start: at + 1 };
  const count = first & 0x7f;
  if (count === 0 || count > 3 || at + count >= bytes.length) throw new DerError("length");
  let length = 0;
  for (const byte of bytes.subarray(at + 1, at + 1 + count)) length = length * 256 + byte;
  if (length < 0x80 || length < 256 ** (count - 1)) throw new DerError("shortest length");
  return { length, start: at + 1 + count };
}

/** An object identifier as `1.2.840.…`. @throws DerError */
export function oidOf(element: Der | undefined): string {
  const { bytes } = expect(element, tags.oid);
  const arcs: number[] = [];
  let arc = 0;
  for (const [at, byte] of bytes.entries()) {
    arc = arc * 128 + (byte & 0x7f);
    if (arc > Number.MAX_SAFE_INTEGER / 128) throw new DerError("an arc");
    if ((byte & 0x80) !== 0) {
      if (at === bytes.length - 1) throw new DerError("an arc's end");
      continue;
    }
    if (arcs.length === 0) arcs.push(Math.min(2, Math.floor(arc / 40)));
    arcs.push(arcs.length === 1 ? arc - 40 * (arcs[0] as number) : arc);
    arc = 0;
  }
  return arcs.join(".");
}

/** The content of a bit string whose bits fill its bytes. @throws DerError */
export function bitsOf(element: Der | undefined): Uint8Array {
  const { bytes } = expect(element, tags.bits);
  if (bytes[0] !== 0) throw new DerError("whole bytes");
  return bytes.subarray(1);
}

/** Milliseconds since the epoch (RFC 5280 §4.1.2.5). @throws DerError */
export function timeOf(element: Der | undefined): number {
  const text = new TextDecoder("latin1").decode(element?.bytes);
  const years = element?.tag === tags.utcTime ? 2 : element?.tag === tags.time ? 4 : 0;
  const parts = new RegExp(`^(\\d{${years}})(\\d\\d)(\\d\\d)(\\d\\d)(\\d\\d)(\\d\\d)Z$`).exec(text);
  if (years === 0 || parts === null) throw new DerError("a time");
  const [year = 0, month = 0, day, hour, minute, second] = parts.slice(1).map(Number);
  const full = years === 4 ? year : year + (year < 50 ? 2000 : 1900);
  return Date.UTC(full, month - 1, day, hour, minute, second);
}

/** Writes one element. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const content = joined(parts);
  const { length } = content;
  const sizes: number[] = [];
  for (let left = length; left > 0; left = Math.floor(left / 256)) sizes.unshift(left % 256);
  const head = length < 0x80 ? [tag, length] : [tag, 0x80 | sizes.length, ...sizes];
  return joined([Uint8Array.from(head), content]);
}

/** Writes an object identifier. */
export function derOid(text: string): Uint8Array<ArrayBuffer> {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const groups = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) {
      groups.unshift((left % 128) | 0x80);
    }
    return groups;
  });
  return der(tags.oid, Uint8Array.from(bytes));
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
