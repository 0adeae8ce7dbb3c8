/**
 * Codes of an app: TOTP (RFC 6238) with SHA-1, six digits and 30 seconds, which is what every app
 * takes. Pure: the caller gives the time, and remembers which time step was used last.
 */

import { createHmac, timingSafeEqual } from "node:crypto";

const PERIOD_MS = 30_000;
/** RFC 4226 §4, R6: 160 bits. */
const SECRET_BYTES = 20;
const DIGITS = 6;
/** RFC 6238 §5.2: one time step each way, for clocks that differ and fingers that are slow. */
const NEAR = [0, -1, 1] as const;
/** RFC 4648 §6. */
const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** A new secret in Base32, the form in which an app takes it. */
export function newTotpSecret(bytes: (count: number) => Uint8Array<ArrayBuffer>): string {
  const bits = [...bytes(SECRET_BYTES)].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return (bits.match(/.{5}/g) ?? []).map((five) => BASE32[Number.parseInt(five, 2)]).join("");
}

/** The bytes of a secret of ours: whole ones, without padding. */
function bytesOf(secret: string): Uint8Array {
  const bits = [...secret]
    .map((sign) => BASE32.indexOf(sign).toString(2).padStart(5, "0"))
    .join("");
  return Uint8Array.from(bits.match(/.{8}/g) ?? [], (eight) => Number.parseInt(eight, 2));
}

/** RFC 4226 §5.3: the last digits of what the hash's last four bits point at. */
function codeOfStep(secret: string, step: number): string {
  const counter = new DataView(new ArrayBuffer(8));
  counter.setBigUint64(0, BigInt(step));
  const hmac = createHmac("sha1", bytesOf(secret)).update(new Uint8Array(counter.buffer)).digest();
  const at = (hmac.at(-1) ?? 0) & 0x0f;
  const number = (hmac.readUInt32BE(at) & 0x7fffffff) % 10 ** DIGITS;
  return String(number).padStart(DIGITS, "0");
}

/** What the QR code says: `otpauth://totp/…`. `label` tells two accounts in one app apart. */
export function totpUri(secret: string, label: string): string {
  const facts = `secret=${secret}&algorithm=SHA1&digits=${DIGITS}&period=${PERIOD_MS / 1000}`;
  return `otpauth://totp/Latchkey:${encodeURIComponent(label)}?issuer=Latchkey&${facts}`;
}

/** The code of a moment, in milliseconds since the epoch. */
export function totpCode(secret: string, at: number): string {
  return codeOfStep(secret, Math.floor(at / PERIOD_MS));
}

/** The time step that `code` belongs to, near `now`; null when it belongs to none. */
export function totpStep(secret: string, code: string, now: number): number | null {
  const token = code.replace(/\s/g, "");
  if (!/^\d{6}$/.test(token)) return null;
  const step = Math.floor(now / PERIOD_MS);
  // Each is compared, in a time that says nothing of which it was.
  const given = new TextEncoder().encode(token);
  const found = NEAR.filter((delta) => {
    const own = new TextEncoder().encode(codeOfStep(secret, step + delta));
    return timingSafeEqual(own, given);
  });
  return found[0] === undefined ? null : step + found[0];
}
