/**
 * Domain names on the wire (RFC 1035 §3.1, §4.1.4) and as text. Reading never leaves the message and
 * never loops: a pointer must lead to before the labels that it continues.
 */

/** Labels from the left, the root being none; each character is one octet (0–255). */
export type Name = readonly string[];

const LABEL_OCTETS = 63;
const NAME_OCTETS = 255;
const POINTER = 0xc0;
const CAPITAL = /[A-Z]/;
const CAPITALS = /[A-Z]/g;

/** A name of our own in presentation form, `nas.ddns.test`, without escapes. */
export function nameOf(text: string): Name {
  const bare = text.replace(/\.$/, "");
  return bare === "" ? [] : bare.split(".");
}

/** ASCII lower case only (RFC 4343): other octets stay as they are. */
export function foldLabel(label: string): string {
  // Nearly every label is in lower case already, and each question has several.
  return CAPITAL.test(label) ? label.replace(CAPITALS, (letter) => letter.toLowerCase()) : label;
}

/** The labels of `name` left of `zone`, folded; null when `name` is not at or below `zone`. */
export function labelsUnder(name: Name, zone: Name): Name | null {
  const left = name.length - zone.length;
  if (left < 0) return null;
  for (let at = 0; at < zone.length; at++) {
    if (foldLabel(name[left + at] as string) !== foldLabel(zone[at] as string)) return null;
  }
  return name.slice(0, left).map(foldLabel);
}

/**
 * Reads a name at `at`.
 * @returns the name and the offset after it, or null when it is malformed
 */
export function readName(message: Uint8Array, at: number): { name: Name; next: number } | null {
  const labels: string[] = [];
  let octets = 1;
  let next: number | null = null;
  let segment = at;
  for (;;) {
    const length = message[at];
    if (length === undefined) return null;
    if (length === 0) return { name: labels, next: next ?? at + 1 };
    if ((length & POINTER) === POINTER) {
      const low = message[at + 1];
      if (low === undefined) return null;
      const target = ((length & ~POINTER) << 8) | low;
      // Each jump goes to before the segment it was read in, so there are finitely many.
      if (target >= segment) return null;
      next ??= at + 2;
      at = target;
      segment = target;
      continue;
    }
    octets += 1 + length;
    if (length > LABEL_OCTETS || octets > NAME_OCTETS) return null;
    if (at + 1 + length > message.length) return null;
    let label = "";
    for (const end = at + 1 + length; ++at < end; ) {
      label += String.fromCharCode(message[at] as number);
    }
    labels.push(label);
  }
}

/**
 * The wire form of `name`. Where a suffix of it is also a suffix of `known`, which stands
 * uncompressed at offset `knownAt`, a pointer to it is written instead.
 */
export function writeName(name: Name, known: Name, knownAt: number): number[] {
  const octets: number[] = [];
  for (let at = 0; at < name.length; at++) {
    const rest = name.slice(at);
    if (labelsUnder(known, rest) !== null) {
      const target = knownAt + skipped(known, known.length - rest.length);
      octets.push(POINTER | (target >> 8), target & 0xff);
      return octets;
    }
    writeLabel(octets, name[at] as string);
  }
  octets.push(0);
  return octets;
}

/** The wire form of `name` without any pointer. */
export function writeWholeName(name: Name): number[] {
  const octets: number[] = [];
  for (const label of name) writeLabel(octets, label);
  octets.push(0);
  return octets;
}

function writeLabel(octets: number[], label: string): void {
  if (label.length === 0 || label.length > LABEL_OCTETS) throw new RangeError("not a DNS label");
  octets.push(label.length);
  for (let at = 0; at < label.length; at++) octets.push(label.charCodeAt(at) & 0xff);
}

/** How many octets the first `count` labels of `name` take. */
function skipped(name: Name, count: number): number {
  let octets = 0;
  for (let at = 0; at < count; at++) octets += 1 + (name[at] as string).length;
  return octets;
}
