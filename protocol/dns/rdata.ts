/**
 * Record data that our zone answers with (RFC 1035 §3.3–3.4, RFC 3596, RFC 8659, RFC 9460), and the
 * numbers of the registry. What only signers and validators look into (RFC 4034) is carried as octets.
 */

import { ipv4Octets, ipv6Octets } from "../addresses.ts";
import { fromBase64url } from "../tokens.ts";
import { type Name, writeName, writeWholeName } from "./names.ts";

/** RR types and query types that mean something here. */
export const types = {
  A: 1,
  NS: 2,
  SOA: 6,
  HINFO: 13,
  TXT: 16,
  AAAA: 28,
  OPT: 41,
  DS: 43,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  CDS: 59,
  CDNSKEY: 60,
  SVCB: 64,
  HTTPS: 65,
  /** In type bitmaps only: there is no such name (RFC 9824 §3.1). */
  NXNAME: 128,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
  CAA: 257,
} as const;

export const classIN = 1;

/** What a service binding says of its endpoint (RFC 9460 §7); what is absent is not said. */
export interface ServiceParams {
  readonly alpn?: readonly string[];
  readonly port?: number;
  readonly ipv4hint?: readonly string[];
  readonly ipv6hint?: readonly string[];
}

export type Data =
  | { readonly type: "A" | "AAAA"; readonly address: string }
  | { readonly type: "NS"; readonly host: Name }
  | { readonly type: "HINFO"; readonly cpu: string; readonly os: string }
  /** Character strings of at most 255 octets each. */
  | { readonly type: "TXT"; readonly texts: readonly string[] }
  | {
      readonly type: "CAA";
      /** 128: who does not understand the tag must not issue. */
      readonly flags: number;
      readonly tag: string;
      readonly value: string;
    }
  | {
      readonly type: "HTTPS" | "SVCB";
      readonly priority: number;
      /** The root: the owner itself. */
      readonly target: Name;
      readonly params: ServiceParams;
    }
  /** RDATA as it stands on the wire, base64url. */
  | {
      readonly type: "RRSIG" | "NSEC" | "DNSKEY" | "CDS" | "CDNSKEY";
      readonly wire: string;
    }
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

/**
 * The RDATA octets of `data`. Names in the data of types that RFC 1035 defined may point into the
 * question at `questionAt`; no others do (RFC 3597 §4).
 */
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
    case "TXT":
      return data.texts.flatMap(characterString);
    case "CAA":
      return [data.flags, ...characterString(data.tag), ...utf8(data.value)];
    case "HTTPS":
    case "SVCB":
      return [
        ...uint16(data.priority),
        ...writeWholeName(data.target),
        ...serviceParams(data.params),
      ];
    case "SOA":
      return [
        ...writeName(data.primary, question, questionAt),
        ...writeName(data.mailbox, question, questionAt),
        ...[data.serial, data.refresh, data.retry, data.expire, data.minimum].flatMap(uint32),
      ];
    default:
      return octetsOf(fromBase64url(data.wire));
  }
}

export function uint16(value: number): number[] {
  return [(value >>> 8) & 0xff, value & 0xff];
}

export function uint32(value: number): number[] {
  return [...uint16(value >>> 16), ...uint16(value)];
}

/** RFC 9460 §2.2: by their numbers, the smallest first. */
function serviceParams({ alpn, port, ipv4hint, ipv6hint }: ServiceParams): number[] {
  const values: [key: number, value: number[] | undefined][] = [
    [1, alpn?.flatMap(characterString)],
    [3, port === undefined ? undefined : uint16(port)],
    [4, ipv4hint?.flatMap((address) => octetsOf(ipv4Octets(address)))],
    [6, ipv6hint?.flatMap((address) => octetsOf(ipv6Octets(address)))],
  ];
  return values.flatMap(([key, value]) =>
    value === undefined ? [] : [...uint16(key), ...uint16(value.length), ...value],
  );
}

function octetsOf(octets: ArrayLike<number> | null): number[] {
  if (octets === null) throw new RangeError("not record data of this type");
  return Array.from(octets);
}

function characterString(text: string): number[] {
  const octets = utf8(text).slice(0, 255);
  return [octets.length, ...octets];
}

function utf8(text: string): number[] {
  return [...new TextEncoder().encode(text)];
}
