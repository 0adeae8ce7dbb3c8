/**
 * What is kept of a client: a browser's name from a closed list and a masked network (ACC-4). The
 * user agent's text and the full address never leave this file.
 */

import type { Ctx } from "../http.ts";

/** The client of a request, as it came. */
export interface Client {
  readonly userAgent: string | null;
  /** The address as the operator's source policy sees it. */
  readonly peer: string | null;
}

export function clientOf(c: Ctx): Client {
  return { userAgent: c.req.header("user-agent") ?? null, peer: c.env.peer };
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
  return network(peer, 24, 40);
}

/** Whom a limit counts: an IPv4 address, or an IPv6 /64, which is usually one household. */
export function limitedNetwork(peer: string | null): string {
  return network(peer, 32, 64) ?? "unknown";
}

function network(peer: string | null, bits4: number, bits6: number): string | null {
  const bytes = peer === null ? null : (ipv4Bytes(peer) ?? ipv6Bytes(peer));
  if (bytes === null) return null;
  if (bytes.length === 4) return `${mask(bytes, bits4).join(".")}/${bits4}`;
  const masked = mask(bytes, bits6);
  const groups = Array.from({ length: 8 }, (_, group) =>
    (((masked[group * 2] as number) << 8) | (masked[group * 2 + 1] as number)).toString(16),
  );
  return `${new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1)}/${bits6}`;
}

function mask(bytes: readonly number[], bits: number): number[] {
  return bytes.map((byte, index) => byte & (0xff00 >> Math.min(Math.max(bits - index * 8, 0), 8)));
}

function ipv4Bytes(text: string): number[] | null {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return null;
  const bytes = text.split(".").map(Number);
  return bytes.every((byte) => byte < 256) ? bytes : null;
}

/** The bytes of an IPv6 address; of the IPv4 address inside a mapped one (RFC 4291 §2.5.5.2). */
function ipv6Bytes(text: string): number[] | null {
  const [address = ""] = text.split("%");
  if (!address.includes(":") || !URL.canParse(`http://[${address}]`)) return null;
  const [head = "", tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => "0");
  const bytes = [...left, ...zeros, ...right].flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
  const mapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255;
  return mapped && bytes[11] === 255 ? bytes.slice(12) : bytes;
}
