/**
 * Identifiers: `<kind>_<region>_<random>`.
 *
 * An identifier is random (95 bits), carries no meaning but its kind and the region that holds its
 * rows, and is never derived from a person, an address or a name. (Where a password reset waits has the
 * form of one, and identifies nobody: workers/sign-in/waiting-reset.ts.)
 */

export type IdKind =
  | "acc" // account
  | "dev" // device
  | "ses" // session
  | "chl" // challenge
  | "idn" // identifier: a way to reach a person
  | "era" // erasure
  | "act" // entry of the activity log
  | "trb" // trusted browser
  | "psk" // passkey
  | "lnk" // linked account
  | "pat" // personal access token
  | "cli" // OpenID client
  | "rul" // rule of a device's door
  | "shr" // share
  | "rpt" // report about an open door
  | "rvk" // certificates that are to be revoked
  | "ntk" // token of a device's name
  | "grt"; // grant of an OpenID client
export type RegionId = string;
export type Id<K extends IdKind = IdKind> = `${K}_${string}_${string}`;

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_LENGTH = 16;
const PATTERN = /^([a-z]{3})_([a-z][a-z0-9]{1,7})_([0-9A-Za-z]{16})$/;
export const REGION_PATTERN = /^[a-z][a-z0-9]{1,7}$/;

/** Encodes bytes as base62 without bias, drawing more bytes from `bytes` as needed. */
export function randomBase62(length: number, bytes: (count: number) => Uint8Array): string {
  let text = "";
  while (text.length < length) {
    for (const byte of bytes((length - text.length) * 2)) {
      // 248 is the largest multiple of 62 below 256; larger values would favor the first letters.
      if (byte < 248 && text.length < length) text += ALPHABET[byte % 62];
    }
  }
  return text;
}

/** Makes a new identifier of `kind` whose rows live in `region`. */
export function newId<K extends IdKind>(
  kind: K,
  region: RegionId,
  bytes: (count: number) => Uint8Array,
): Id<K> {
  return `${kind}_${region}_${randomBase62(RANDOM_LENGTH, bytes)}`;
}

/** True when `value` is a well-formed identifier of `kind`. */
export function isId<K extends IdKind>(kind: K, value: unknown): value is Id<K> {
  return typeof value === "string" && PATTERN.exec(value)?.[1] === kind;
}

/** The region that holds the rows of `id`, or null when `id` is malformed. */
export function regionOf(id: string): RegionId | null {
  return PATTERN.exec(id)?.[2] ?? null;
}
