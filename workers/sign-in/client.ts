/**
 * What is kept of a client: a browser's name from a closed list and a masked network (ACC-4). The
 * user agent's text and the full address never leave this file.
 */

import {
  ipv4Octets,
  ipv6Octets,
  networkOf,
  parseAddress,
  parsePeer,
} from "../../protocol/addresses.ts";
import type { Ctx } from "../http.ts";

/** The client of a request, as it came. */
export interface Client {
  readonly userAgent: string | null;
  /** The address as the operator's source policy sees it. */
  readonly peer: string | null;
  /** Country code (ISO 3166-1 alpha-2) by the edge's own reckoning; null when it was not known. */
  readonly place?: string | null;
}

export function clientOf(c: Ctx): Client {
  return { userAgent: c.req.header("user-agent") ?? null, peer: c.env.peer, place: c.env.place };
}

/** The first match wins: most browsers also name the ones they descend from. */
const BROWSERS: readonly (readonly [RegExp, string])[] = [
  [/Latchkey/, "Latchkey agent"],
  [/\bEdg(?:e|A|iOS)?\//, "Edge"],
  [/\bOPR\/|\bOPT\/|\bOpera\b/, "Opera"],
  [/\bSamsungBrowser\//, "Samsung Internet"],
  [/\bVivaldi\//, "Vivaldi"],
  [/\bDuckDuckGo\//, "DuckDuckGo"],
  [/\bFirefox\/|\bFxiOS\//, "Firefox"],
  [/\bChromium\/|\bHeadlessChrome\/|\bChrome\/|\bCriOS\//, "Chrome"],
  [/\bSafari\//, "Safari"],
  [/^curl\//i, "curl"],
];

const SYSTEMS: readonly (readonly [RegExp, string])[] = [
  [/\biPhone\b/, "iPhone"],
  [/\biPad\b/, "iPad"],
  [/\bAndroid\b/, "Android"],
  [/\bWindows\b/, "Windows"],
  [/\bCrOS\b/, "ChromeOS"],
  [/\bMac OS X\b|\bMacintosh\b/, "Mac"],
  [/\bLinux\b|\bX11\b/, "Linux"],
];

/** A name such as `Firefox on Linux`; says nothing that is not in the lists above. */
export function browserName(userAgent: string | null): string {
  const named = (list: readonly (readonly [RegExp, string])[]) =>
    list.find(([pattern]) => pattern.test(userAgent ?? ""))?.[1];
  const [browser, system] = [named(BROWSERS), named(SYSTEMS)];
  if (browser === undefined) return system === undefined ? "Unknown" : `Unknown on ${system}`;
  return system === undefined ? browser : `${browser} on ${system}`;
}

/** Masks an address for showing: IPv4 to /24, IPv6 to /40 (ANO-2). Null when it is no address. */
export function maskedNetwork(peer: string | null): string | null {
  const address = peer === null ? null : parsePeer(peer);
  if (address === null) return null;
  const octets = ipv4Octets(address.text);
  if (octets !== null) return `${octets.slice(0, 3).join(".")}.0/24`;
  const hex = (ipv6Octets(address.text) ?? []).map((octet) => octet.toString(16).padStart(2, "0"));
  const prefix = parseAddress(`${hex[0]}${hex[1]}:${hex[2]}${hex[3]}:${hex[4]}00::`);
  return prefix === null ? null : `${prefix.text}/40`;
}

/** Whom a limit counts: an IPv4 address, or an IPv6 /64, which is usually one household. */
export function limitedNetwork(peer: string | null): string {
  const address = peer === null ? null : parsePeer(peer);
  return address === null ? "unknown" : networkOf(address);
}
