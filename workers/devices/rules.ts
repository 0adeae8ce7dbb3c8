/** Decisions about devices and their enrolment: pure, `now` and chance passed in. */

import { limits } from "../../protocol/limits.ts";
import { fromBase64url } from "../../protocol/tokens.ts";

/** RFC 8628 §6.1: consonants only, so that no code spells a word; none looks like a digit. */
const USER_CODE_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ";
const USER_CODE_LENGTH = 8;
/** The largest multiple of 20 below 256; larger values would favor the first letters. */
const UNBIASED_BELOW = 240;

/** A new user code of 34 bits, without its hyphen. */
export function newUserCode(bytes: (count: number) => Uint8Array): string {
  let code = "";
  while (code.length < USER_CODE_LENGTH) {
    for (const byte of bytes(USER_CODE_LENGTH * 2)) {
      if (byte < UNBIASED_BELOW && code.length < USER_CODE_LENGTH) {
        code += USER_CODE_ALPHABET[byte % USER_CODE_ALPHABET.length];
      }
    }
  }
  return code;
}

/** `BCDFGHJK` → `BCDF-GHJK` */
export function formatUserCode(code: string): string {
  return `${code.slice(0, 4)}-${code.slice(4)}`;
}

/** The code a person typed, in whatever case and with whatever between the letters; null when it is none. */
export function parseUserCode(typed: string): string | null {
  const code = typed.toUpperCase().replace(/[^A-Z0-9]/g, "");
  const valid = code.length === USER_CODE_LENGTH;
  return valid && [...code].every((letter) => USER_CODE_ALPHABET.includes(letter)) ? code : null;
}

/** True when `text` is an Ed25519 public key: base64url of 32 bytes. */
export function isPublicKey(text: string): boolean {
  return text.length === 43 && fromBase64url(text)?.byteLength === 32;
}

export interface PollVerdict {
  readonly error: "authorization_pending" | "slow_down";
  /** What the device must wait from now on. */
  readonly intervalMs: number;
}

/** RFC 8628 §3.5: who polls too soon waits five seconds longer from then on. */
export function judgePoll(
  enrolment: { readonly polledAt: number; readonly intervalMs: number },
  now: number,
): PollVerdict {
  const tooSoon = now - enrolment.polledAt + limits.enrolmentSlackMs < enrolment.intervalMs;
  return tooSoon
    ? { error: "slow_down", intervalMs: enrolment.intervalMs + limits.enrolmentSlowDownMs }
    : { error: "authorization_pending", intervalMs: enrolment.intervalMs };
}

/**
 * What to make of a device row whose object knows nothing: true for an end that broke off, and for an
 * approval that did, once it can no longer be running.
 */
export function isOver(
  device: { readonly createdAt: number; readonly endsAt: number | null },
  now: number,
): boolean {
  return device.endsAt !== null || now - device.createdAt > limits.enrolmentMs;
}
