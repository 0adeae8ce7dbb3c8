/**
 * IP addresses as text: strict reading, one canonical form (RFC 5952), and which of them a public
 * name may show. Every textual form that is read loosely elsewhere (`010.1`, `0x7f.1`, `127.1`,
 * zone identifiers, embedded IPv4) is refused, so that two readers never see two addresses.
 */

export type Family = "ipv4" | "ipv6";
export interface Address {
  readonly family: Family;
  /** Canonical text: dotted decimal, or RFC 5952. */
  readonly text: string;
}

/** Reads an address in any form of RFC 4291 §2.2 without embedded IPv4; null when it is none. */
export function parseAddress(text: string): Address | null {
  const octets = ipv4Octets(text);
  if (octets !== null) return { family: "ipv4", text: octets.join(".") };
  const wide = ipv6Octets(text);
  return wide === null ? null : { family: "ipv6", text: formatIpv6(wide) };
}

/**
 * The address of a connection's peer, as a socket or a header of the platform gives it: an IPv4
 * address that a dual-stack socket shows as IPv4-mapped, in whichever of its forms, is that address.
 * Otherwise all of IPv4 would be one /64, and one limit.
 */
export function parsePeer(text: string): Address | null {
  const dotted = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(text)?.[1];
  const address = parseAddress(dotted ?? text);
  if (address?.family !== "ipv6") return address;
  const octets = octetsOf(address);
  const isMapped = octets.slice(0, 12).every((octet, at) => octet === (at < 10 ? 0 : 0xff));
  return isMapped ? { family: "ipv4", text: octets.slice(12).join(".") } : address;
}

/** Four octets of strict dotted decimal: no leading zero, no other base. */
export function ipv4Octets(text: string): number[] | null {
  const parts = text.split(".");
  if (parts.length !== 4) return null;
  const octets = parts.map((part) => (/^(0|[1-9]\d{0,2})$/.test(part) ? Number(part) : 256));
  return octets.every((octet) => octet < 256) ? octets : null;
}

/** Sixteen octets of an IPv6 address in hexadecimal groups, with at most one `::`. */
export function ipv6Octets(text: string): number[] | null {
  if (text.length > 39 || !/^[0-9A-Fa-f:]+$/.test(text)) return null;
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const [head, tail] = halves.map((half) => (half === "" ? [] : half.split(":")));
  if (head === undefined) return null;
  const given = head.length + (tail?.length ?? 0);
  if (tail === undefined ? given !== 8 : given > 7) return null;
  const groups = [...head, ...Array<string>(8 - given).fill("0"), ...(tail ?? [])];
  if (!groups.every((group) => /^[0-9A-Fa-f]{1,4}$/.test(group))) return null;
  return groups.flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

/** RFC 5952: lower case, no leading zeros, the first longest run of two or more zero groups as `::`. */
function formatIpv6(octets: readonly number[]): string {
  const groups = Array.from(
    { length: 8 },
    (_, at) => ((octets[at * 2] as number) << 8) | (octets[at * 2 + 1] as number),
  );
  let [runAt, runLength] = [-1, 1];
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (groups[at + length] === 0) length++;
    if (length > runLength) [runAt, runLength] = [at, length];
  }
  const hex = groups.map((group) => group.toString(16));
  if (runAt < 0) return hex.join(":");
  return `${hex.slice(0, runAt).join(":")}::${hex.slice(runAt + runLength).join(":")}`;
}

type Range = readonly [prefix: string, bits: number];

/** Where a trial runs: documentation (RFC 5737, 3849, 9637) and loopback. */
const TRIAL_RANGES: readonly Range[] = [
  ["127.0.0.0", 8],
  ["192.0.2.0", 24],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["::1", 128],
  ["2001:db8::", 32],
  ["3fff::", 20],
];

/** IANA's IPv4 special-purpose registry, multicast, and what is reserved for the future. */
const REFUSED_IPV4: readonly Range[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10], // carrier-grade NAT
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.31.196.0", 24],
  ["192.52.193.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["192.175.48.0", 24],
  ["198.18.0.0", 15],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
];

/** Inside global unicast, what IANA's IPv6 special-purpose registry sets apart. */
const REFUSED_IPV6: readonly Range[] = [
  ["2001::", 23], // Teredo, benchmarking, ORCHID, drone identities
  ["2002::", 16], // 6to4
  ["2620:4f:8000::", 48],
];

/**
 * True when a public name may resolve to this address. Outside 2000::/3 nothing of IPv6 is global
 * unicast: loopback, link-local, unique local, multicast, IPv4-mapped and NAT64 all fall there.
 * @param allowTrial lets documentation and loopback addresses in
 */
export function isPublicAddress(address: Address, allowTrial: boolean): boolean {
  const octets = octetsOf(address);
  if (TRIAL_RANGES.some((range) => inRange(octets, range))) return allowTrial;
  if (address.family === "ipv4") return !REFUSED_IPV4.some((range) => inRange(octets, range));
  if (!inRange(octets, ["2000::", 3])) return false;
  // Subnet-router anycast (RFC 4291 §2.6.1): a prefix that was sent in place of an address.
  if (octets.slice(8).every((octet) => octet === 0)) return false;
  return !REFUSED_IPV6.some((range) => inRange(octets, range));
}

/** The network that one subscriber usually is: an IPv4 address, an IPv6 /64 in hexadecimal. */
export function networkOf(address: Address): string {
  if (address.family === "ipv4") return address.text;
  const octets = octetsOf(address).slice(0, 8);
  return `${octets.map((octet) => octet.toString(16).padStart(2, "0")).join("")}/64`;
}

/** Addresses that share their first `bits`. */
export interface Network {
  readonly family: Family;
  /** Canonical: the bits after the prefix are zero. */
  readonly text: string;
  readonly bits: number;
}

/**
 * Reads `192.0.2.0/24` or `2001:db8::/32`; an address alone is the network of itself. What stands
 * after the prefix is cut off. Null when it is neither.
 */
export function parseNetwork(text: string): Network | null {
  const [, base = "", length] = /^([^/]+)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text) ?? [];
  const address = parseAddress(base);
  if (address === null) return null;
  const { family } = address;
  const octets = octetsOf(address);
  const bits = length === undefined ? octets.length * 8 : Number(length);
  if (bits > octets.length * 8) return null;
  return { family, text: textOf(octets.map((octet, at) => octet & maskAt(at, bits))), bits };
}

/** A network as one writes it; one address alone without its length. */
export function networkText({ family, text, bits }: Network): string {
  return bits === (family === "ipv4" ? 32 : 128) ? text : `${text}/${bits}`;
}

export function isInNetwork(address: Address, { family, text, bits }: Network): boolean {
  return address.family === family && inRange(octetsOf(address), [text, bits]);
}

/** The address that begins as `prefix` does and goes on as `rest` does; both IPv6. */
export function joined(prefix: Network, rest: Address): Address {
  const [head, tail] = [octetsOf(prefix), octetsOf(rest)];
  const octets = head.map((octet, at) => octet | ((tail[at] ?? 0) & ~maskAt(at, prefix.bits)));
  return { family: "ipv6", text: textOf(octets) };
}

/** The bits of the octet at `at` that a prefix of `bits` covers. */
function maskAt(at: number, bits: number): number {
  const covered = Math.min(8, Math.max(0, bits - at * 8));
  return (0xff << (8 - covered)) & 0xff;
}

const textOf = (octets: readonly number[]): string =>
  octets.length === 4 ? octets.join(".") : formatIpv6(octets);

function octetsOf(address: Pick<Address, "family" | "text">): number[] {
  return (address.family === "ipv4" ? ipv4Octets(address.text) : ipv6Octets(address.text)) ?? [];
}

function inRange(octets: readonly number[], [prefix, bits]: Range): boolean {
  const base = ipv4Octets(prefix) ?? ipv6Octets(prefix) ?? [];
  if (base.length !== octets.length) return false;
  for (let bit = 0; bit < bits; bit += 8) {
    const mask = bits - bit >= 8 ? 0xff : (0xff << (8 - (bits - bit))) & 0xff;
    if ((((octets[bit / 8] as number) ^ (base[bit / 8] as number)) & mask) !== 0) return false;
  }
  return true;
}
