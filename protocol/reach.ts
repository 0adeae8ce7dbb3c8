/**
 * Where a box can be reached without the relay, and how it proves that it is the one that answers there
 * (docs/smart-link.md). The agent says the first, the browser of somebody who is let in asks the second.
 *
 * The proof is an Ed25519 signature by the device's registered key over the browser's nonce, the origin
 * that was asked and the origin of the page. A stranger's machine at the same private address cannot make
 * it, and one that passes the question on to the real box gets a signature for another origin.
 */

import { ipv4Octets, ipv6Octets, parseAddress } from "./addresses.ts";
import { limits } from "./limits.ts";
import { base64url, fromBase64url } from "./tokens.ts";

/** Where a box answers who it is. */
export const herePath = "/.well-known/latchkey/here";

/** Two origins on one host: where the box answers who it is, and where its page is. */
export interface Spot {
  readonly probe: string;
  readonly page: string;
}

/** What an agent says of its box. */
export interface Reach {
  /** In the home network: private addresses over http, names with a certificate over https. */
  readonly home: readonly Spot[];
  /** Under the box's name in DNS, from anywhere; null when its owner forwards no port to it. */
  readonly direct: DirectPorts | null;
}

export interface DirectPorts {
  /** `http` only where the cloud itself is tried out without a certificate. */
  readonly scheme: "http" | "https";
  readonly probe: number;
  readonly page: number;
}

/**
 * Reads what an agent said; null when it is not exactly that. Plain http is for private addresses, so
 * that no report makes a browser ask a machine on the internet in clear.
 * @param allowTrial lets loopback addresses and names in, and `http` under the name
 */
export function readReach(value: unknown, allowTrial: boolean): Reach | null {
  if (!isRecord(value, ["home", "direct"]) || !Array.isArray(value.home)) return null;
  if (value.home.length > limits.reachSpots) return null;
  const home = value.home.map((spot) => readSpot(spot, allowTrial));
  if (home.some((spot) => spot === null)) return null;
  const direct = value.direct === null ? null : readDirect(value.direct, allowTrial);
  if (direct === null && value.direct !== null) return null;
  return { home: home.filter((spot) => spot !== null), direct };
}

function readSpot(value: unknown, allowTrial: boolean): Spot | null {
  if (!isRecord(value, ["probe", "page"])) return null;
  const [probe, page] = [readOrigin(value.probe), readOrigin(value.page)];
  if (probe === null || page === null || probe.hostname !== page.hostname) return null;
  const fine = [probe, page].every(({ protocol, hostname }) =>
    protocol === "https:" ? isHostName(hostname) : isHomeHost(hostname, allowTrial),
  );
  return fine ? { probe: probe.origin, page: page.origin } : null;
}

function readDirect(value: unknown, allowTrial: boolean): DirectPorts | null {
  if (!isRecord(value, ["scheme", "probe", "page"])) return null;
  const { scheme, probe, page } = value;
  if (scheme !== "https" && !(scheme === "http" && allowTrial)) return null;
  return isPort(probe) && isPort(page) ? { scheme, probe, page } : null;
}

function isRecord<K extends string>(
  value: unknown,
  keys: readonly K[],
): value is Record<K, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const own = Object.keys(value);
  return own.length === keys.length && keys.every((key) => own.includes(key));
}

/** An origin and nothing more, in its one canonical form. */
function readOrigin(value: unknown): URL | null {
  if (typeof value !== "string" || value.length > limits.reachOriginLength) return null;
  const url = URL.parse(value);
  return url !== null && url.origin === value && /^https?:$/.test(url.protocol) ? url : null;
}

/** A name of two labels or more; no address, for no authority certifies a private one. */
function isHostName(hostname: string): boolean {
  if (hostname.length > 253 || /^[\d.]+$/.test(hostname)) return false;
  return /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]$/.test(hostname);
}

function isHomeHost(hostname: string, allowTrial: boolean): boolean {
  if (allowTrial && isLoopbackHost(hostname)) return true;
  return isHomeAddress(hostname.replace(/^\[|\]$/g, ""));
}

/** True for hosts that never leave a machine. */
function isLoopbackHost(hostname: string): boolean {
  return (
    /^(?:127(?:\.\d{1,3}){3}|\[::1\]|localhost)$/.test(hostname) || hostname.endsWith(".localhost")
  );
}

/** True for an address that means a machine in a home network: RFC 1918, and RFC 4193 for IPv6. */
export function isHomeAddress(text: string): boolean {
  const address = parseAddress(text);
  if (address?.family === "ipv4") {
    const [a = 0, b = 0] = ipv4Octets(address.text) ?? [];
    return a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168);
  }
  const first = address === null ? 0 : (ipv6Octets(address.text)?.[0] ?? 0);
  return (first & 0xfe) === 0xfc;
}

export function isPort(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 65535;
}

/** The box's own name at these ports. @param host `<label>.<DDNS zone>` */
export function directSpot(host: string, { scheme, probe, page }: DirectPorts): Spot {
  const origin = (port: number) => new URL(`${scheme}://${host}:${port}`).origin;
  return { probe: origin(probe), page: origin(page) };
}

/** What is signed for the edge, which asks at the device's public address (workers/devices/probe.ts). */
export const checkSpot: Spot = { probe: "check", page: "check" };

/** The ports that may be tried from outside, each with what usually stands there. */
export const checkedPorts = {
  22: "SSH",
  80: "web, without encryption",
  443: "web",
  4780: "the agent",
  5000: "a NAS’s page",
  5001: "a NAS’s page, encrypted",
  8080: "web, another port",
  8443: "web, encrypted, another port",
} as const;

export const isCheckedPort = (port: number): boolean => Object.hasOwn(checkedPorts, port);

/** True for a nonce as browsers and the edge make them: base64url of 32 bytes. */
export function isHereNonce(text: string): boolean {
  return text.length === 43 && fromBase64url(text)?.byteLength === 32;
}

/** What is signed. It begins with words that begin nothing else which the key signs (a JWT has no space). */
function hereText(nonce: string, { probe, page }: Spot): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(
    new TextEncoder().encode(`latchkey here 1\n${nonce}\n${probe}\n${page}\n`),
  );
}

/** The box's answer to `nonce`: a signature, base64url. */
export async function signHere(key: CryptoKey, nonce: string, spot: Spot): Promise<string> {
  const signature = await crypto.subtle.sign("Ed25519", key, hereText(nonce, spot));
  return base64url(new Uint8Array(signature));
}

/**
 * True when the holder of the device's key answered `nonce` at this very spot. Never throws.
 * @param publicKey Ed25519, base64url of 32 bytes, as the cloud registered it
 */
export async function verifyHere(
  publicKey: string,
  nonce: string,
  spot: Spot,
  signature: string,
): Promise<boolean> {
  const [raw, bytes] = [fromBase64url(publicKey), fromBase64url(signature)];
  if (raw === null || bytes === null) return false;
  try {
    const key = await crypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"]);
    return await crypto.subtle.verify("Ed25519", key, bytes, hereText(nonce, spot));
  } catch {
    return false;
  }
}
