/**
 * Bearer secrets: `lk_<kind>_<region>_<43 × base62><6 × base62 CRC-32>`.
 *
 * The prefix and the checksum let a scanner find a leaked secret and let us refuse a mistyped one
 * without a query. Stores keep `hashToken(token)` only; the token itself is shown once.
 */

import { REGION_PATTERN, type RegionId, randomBase62 } from "./ids.ts";

export const tokenKinds = [
  "ses", // session
  "stp", // sign-in that needs another step
  "tru", // trusted browser
  "chl", // challenge: a secret sent to somebody
  "upd", // token of a device's name
  "enr", // enrolment of a device
  "dor", // visit behind a door
  "shr", // link to a share
  "pat", // personal access token
  "oac", // authorization code (RFC 6749)
  "oat", // access token
  "ort", // refresh token
  "odc", // device code (RFC 8628)
] as const;
export type TokenKind = (typeof tokenKinds)[number];

const BODY_LENGTH = 43; // 256 bits
const PATTERN = /^lk_([a-z]{3})_([a-z][a-z0-9]{1,7})_([0-9A-Za-z]{43})([0-9A-Za-z]{6})$/;
const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value >>> 0;
});

/** CRC-32 (ISO 3309) of bytes. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (CRC_TABLE[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/**
 * CRC-32 of an ASCII text: each request has one, so no array of its bytes is made.
 * @throws RangeError for any other text
 */
export function crc32OfAscii(text: string): number {
  let crc = 0xffffffff;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code > 0x7f) throw new RangeError("not an ASCII text");
    crc = (CRC_TABLE[(crc ^ code) & 0xff] as number) ^ (crc >>> 8);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

function checksum(text: string): string {
  let value = crc32OfAscii(text);
  let digits = "";
  for (let place = 0; place < 6; place++) {
    digits = ALPHABET[value % 62] + digits;
    value = Math.floor(value / 62);
  }
  return digits;
}

/** Makes a new bearer secret of `kind` that belongs to `region`. */
export function newToken(
  kind: TokenKind,
  region: RegionId,
  bytes: (count: number) => Uint8Array,
): string {
  if (!REGION_PATTERN.test(region)) throw new RangeError(`not a region: ${region}`);
  const body = `lk_${kind}_${region}_${randomBase62(BODY_LENGTH, bytes)}`;
  return body + checksum(body);
}

/** The region of a well-formed token of `kind`, or null; costs no I/O. */
export function parseToken(kind: TokenKind, token: string): { region: RegionId } | null {
  const match = PATTERN.exec(token);
  if (match === null || match[1] !== kind) return null;
  const body = token.slice(0, -6);
  return checksum(body) === match[4] ? { region: match[2] as string } : null;
}

/** SHA-256 of a bearer secret as base64url: the only form in which a store may hold it. */
export async function hashToken(token: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token));
  return base64url(new Uint8Array(digest));
}

/** RFC 4648 §5 base64url without padding. */
export function base64url(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Decodes RFC 4648 §5 base64url; null when malformed. */
export function fromBase64url(text: string): Uint8Array<ArrayBuffer> | null {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) return null;
  try {
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    const octets = new Uint8Array(binary.length);
    for (let at = 0; at < octets.length; at++) octets[at] = binary.charCodeAt(at);
    return octets;
  } catch {
    return null;
  }
}

/** Compares two strings in a time that depends only on their lengths. */
export function equalInConstantTime(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let at = 0; at < a.length; at++) difference |= a.charCodeAt(at) ^ b.charCodeAt(at);
  return difference === 0;
}
