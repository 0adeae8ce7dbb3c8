/** What an address and a password must be. Pure decisions; nothing here reads or stores anything. */

import { limits } from "../../protocol/limits.ts";
import { commonPasswords } from "./common-passwords.ts";

const LOCAL_PART = /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}$/;
const DOMAIN = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * One e-mail address (the HTML standard's syntax, with a dot in the domain) in the form that mail is
 * sent to: trimmed, the domain in lower case and ASCII (IDNA). Null when it is none. Lists, display
 * names, comments and line breaks never pass, so an address cannot become a second recipient.
 */
export function normalizeAddress(text: string): string | null {
  const trimmed = text.trim();
  const at = trimmed.lastIndexOf("@");
  const local = trimmed.slice(0, at);
  const domain = asciiDomain(trimmed.slice(at + 1));
  if (at < 1 || !LOCAL_PART.test(local) || domain === null) return null;
  const address = `${local}@${domain}`;
  return address.length <= limits.addressLength ? address : null;
}

function asciiDomain(text: string): string | null {
  if (/[\s/\\?#@:[\]%]/.test(text) || !URL.canParse(`http://${text}`)) return null;
  const { hostname } = new URL(`http://${text}`);
  return DOMAIN.test(hostname) && !/^[\d.]+$/.test(hostname) ? hostname : null;
}

/** A way to reach a person. */
export interface Contact {
  readonly kind: "email" | "phone";
  /** An e-mail address, or a phone number in E.164 (`+4915112345678`). */
  readonly text: string;
}

/** An e-mail address or a phone number as it was typed, in the form it is kept in; null: neither. */
export function normalizeContact(text: string): Contact | null {
  const email = normalizeAddress(text);
  if (email !== null) return { kind: "email", text: email };
  const phone = normalizePhone(text);
  return phone === null ? null : { kind: "phone", text: phone };
}

/** A phone number with its country code, in ITU-T E.164; null when it is none. */
export function normalizePhone(text: string): string | null {
  const digits = text
    .trim()
    .replace(/^00/, "+")
    .replace(/[\s().\u2010-\u2015/-]/g, "");
  return /^\+[1-9]\d{6,}$/.test(digits) && digits.length <= limits.phoneDigits + 1 ? digits : null;
}

/** The form in which a password is hashed: NFKC, so every keyboard's way to type it is the same. */
export function normalizePassword(text: string): string {
  return text.normalize("NFKC");
}

/**
 * True when a normalized password may be used (SEC-4): long enough, not one that everybody tries
 * first, not the address it belongs to. There is no rule on which characters it has.
 */
export function isStrongPassword(password: string, address: string): boolean {
  const length = [...password].length;
  if (length < limits.passwordMinLength || length > limits.passwordMaxLength) return false;
  const folded = password.toLowerCase();
  const [local, domain] = address.toLowerCase().split("@");
  if (address !== "" && [address.toLowerCase(), local, domain].includes(folded)) return false;
  if (normalizePhone(`+${folded.replace(/^\+/, "")}`) === address) return false;
  return !commonPasswords.has(folded) && !/^(.{1,4}?)\1+$/su.test(folded);
}
