/**
 * Codes of an app: TOTP (RFC 6238) with SHA-1, six digits and 30 seconds, which is what every app
 * takes. Pure: the caller gives the time, and remembers which time step was used last.
 */

import { Secret, TOTP } from "otpauth";

const PERIOD_MS = 30_000;
/** RFC 4226 §4, R6: 160 bits. */
const SECRET_BYTES = 20;
/** RFC 6238 §5.2: one time step each way, for clocks that differ and fingers that are slow. */
const WINDOW = 1;

/** A new secret in Base32, the form in which an app takes it. */
export function newTotpSecret(bytes: (count: number) => Uint8Array<ArrayBuffer>): string {
  return new Secret({ buffer: bytes(SECRET_BYTES).buffer }).base32;
}

function totpOf(secret: string, label?: string): TOTP {
  return new TOTP({
    issuer: "Latchkey",
    ...(label === undefined ? {} : { label }),
    algorithm: "SHA1",
    digits: 6,
    period: PERIOD_MS / 1000,
    secret: Secret.fromBase32(secret),
  });
}

/** What the QR code says: `otpauth://totp/…`. `label` tells two accounts in one app apart. */
export function totpUri(secret: string, label: string): string {
  return totpOf(secret, label).toString();
}

/** The code of a moment, in milliseconds since the epoch. */
export function totpCode(secret: string, at: number): string {
  return totpOf(secret).generate({ timestamp: at });
}

/** The time step that `code` belongs to, near `now`; null when it belongs to none. */
export function totpStep(secret: string, code: string, now: number): number | null {
  const token = code.replace(/\s/g, "");
  if (!/^\d{6}$/.test(token)) return null;
  const delta = totpOf(secret).validate({ token, timestamp: now, window: WINDOW });
  return delta === null ? null : Math.floor(now / PERIOD_MS) + delta;
}
