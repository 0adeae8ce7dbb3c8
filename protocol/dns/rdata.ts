/** Record data that our zone answers with (RFC 1035 §3.3–3.4, RFC 3596), and the numbers of the registry. */

import { ipv4Octets, ipv6Octets } from "../addresses.ts";
import { type Name, writeName } from "./names.ts";

/** RR types and query types that mean something here. */
export const types = {
  A: 1,
  NS: 2,
  SOA: 6,
  HINFO: 13,
  AAAA: 28,
  OPT: 41,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
} as const;

export const classIN = 1;

export type Data =
  | { readonly type: "A" | "AAAA"; readonly address: string }
  | { readonly type: "NS"; readonly host: Name }
  | { readonly type: "HINFO"; readonly cpu: string; readonly os: string }
  | {
      readonly type: "SOA";
      readonly primary: Name;
      readonly mailbox: Name;
      readonly serial: number;
      readonly refresh: number;
      readonly retry: number;
      readonly expire: number;
      readonly minimum: number;
    };

/** The RDATA octets of `data`; names in it may point into the question at `questionAt`. */
export function writeData(data: Data, question: Name, questionAt: number): number[] {
  switch (data.type) {
    case "A":
      return octetsOf(ipv4Octets(data.address));
    case "AAAA":
      return octetsOf(ipv6Octets(data.address));
    case "NS":
      return writeName(data.host, question, questionAt);
    case "HINFO":
      return [...characterString(data.cpu), ...characterString(data.os)];
    case "SOA":
      return [
        ...writeName(data.primary, question, questionAt),
        ...writeName(data.mailbox, question, questionAt),
        ...[data.serial, data.refresh, data.retry, data.expire, data.minimum].flatMap(uint32),
      ];
  }
}

export function uint16(value: number): number[] {
  return [(value >>> 8) & 0xff, value & 0xff];
}

export function uint32(value: number): number[] {
  return [...uint16(value >>> 16), ...uint16(value)];
}

function octetsOf(octets: readonly number[] | null): number[] {
  if (octets === null) throw new RangeError("not an address of this family");
  return [...octets];
}

function characterString(text: string): number[] {
  const octets = [...new TextEncoder().encode(text)].slice(0, 255);
  return [octets.length, ...octets];
}
