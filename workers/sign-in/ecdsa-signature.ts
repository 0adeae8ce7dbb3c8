/**
 * Stands where the passkey library's ASN.1 reader would, in the Worker's bundle
 * (scripts/local/without-attestation.ts): of all ASN.1, a passkey's signature is the one thing read here.
 */

const SEQUENCE = 0x30;
const INTEGER = 0x02;
const MAX_SHORT_LENGTH = 0x7f;
const ONE_LENGTH_BYTE = 0x81;

/** What the library names when it asks for a signature. */
export class ECDSASigValue {}

export const AsnParser = {
  /**
   * `ECDSA-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER }` (RFC 3279 §2.2.3) in DER (X.690 §8.3, §10.1),
   * positive and as short as it can be, with nothing after it.
   * @throws Error for anything else
   */
  parse(der: BufferSource, schema: unknown): { readonly r: Uint8Array; readonly s: Uint8Array } {
    if (schema !== ECDSASigValue) throw new Error("only a signature is read here");
    const bytes = ArrayBuffer.isView(der)
      ? new Uint8Array(der.buffer, der.byteOffset, der.byteLength)
      : new Uint8Array(der);
    const content = element(bytes, SEQUENCE, 0);
    const r = element(bytes, INTEGER, content.start);
    const s = element(bytes, INTEGER, r.end);
    if (content.end !== bytes.length || s.end !== content.end) throw new Error("not one signature");
    return {
      r: positive(bytes.subarray(r.start, r.end)),
      s: positive(bytes.subarray(s.start, s.end)),
    };
  },
};

/** The content of the element at `at`: where it starts and ends. */
function element(bytes: Uint8Array, tag: number, at: number): { start: number; end: number } {
  const [first, length = 0, long = 0] = bytes.subarray(at, at + 3);
  if (first !== tag) throw new Error("not a signature");
  const isLong = length === ONE_LENGTH_BYTE && long > MAX_SHORT_LENGTH;
  if (length > MAX_SHORT_LENGTH && !isLong) throw new Error("not the shortest length");
  const start = at + (isLong ? 3 : 2);
  const end = start + (isLong ? long : length);
  if (end > bytes.length) throw new Error("cut short");
  return { start, end };
}

function positive(integer: Uint8Array): Uint8Array {
  const [first, second = 0] = integer;
  if (first === undefined || first > MAX_SHORT_LENGTH) throw new Error("not a positive number");
  const padded = first === 0 && integer.length > 1;
  if (padded && second <= MAX_SHORT_LENGTH) throw new Error("not the shortest number");
  return integer;
}
