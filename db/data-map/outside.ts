/** Data map of everything that is not a table: keys, cookies, the log, and what leaves the house. */

import { limits } from "../../protocol/limits.ts";
import type { ClassName } from "./classes.ts";
import { span } from "./periods.ts";

/**
 * Where an object lies. Each region has keys and, apart from them, photos of its own: what destroys a
 * key needs no store of photos. The system's keys are about nobody, and all regions share them.
 */
export type ObjectStore = "keys" | "photos" | "system keys";

/** Object storage, by prefix. Names hold random identifiers only. */
export const objectMap = {
  "person/": {
    store: "keys",
    class: "person key",
    holds: "32 random bytes that unseal one person's data",
    erase: "destroyed with the account, which makes every copy of the sealed data unreadable",
  },
  "feature/": {
    store: "keys",
    class: "feature key",
    holds: "32 random bytes that unseal one feature's data of one device",
    erase: "destroyed when the feature is switched off or the device unregistered",
  },
  "photo/": {
    store: "photos",
    class: "profile",
    holds: "a person's photo without its metadata, sealed under the person's key",
    erase: "deleted, and unreadable everywhere because its key is destroyed",
  },
  "system/": {
    store: "system keys",
    class: "operations",
    holds:
      "32 random bytes each: for the hashes of the directory, for signing keys, for the keys of the names' zone, for our account at a certificate authority, for the cookie of a sign-in elsewhere",
    erase: "kept: says nothing about a person",
  },
  "ledger/": {
    store: "keys",
    class: "erasure ledger",
    holds:
      "a random identifier, a keyed hash and which stores are done; the account's identifier until then",
    erase: "kept as proof without identity, then deleted",
  },
} as const satisfies Record<
  string,
  { store: ObjectStore; class: ClassName; holds: string; erase: string }
>;

export interface CookieRule {
  readonly class: ClassName;
  readonly kind: "security" | "preference" | "performance";
  readonly purpose: string;
  readonly lifetime: string;
  readonly httpOnly: boolean;
  readonly sameSite: "Lax" | "Strict";
  /** Only a trusted device or a preference outlasts the browser session (CKY-7). */
  readonly maxAgeMs?: number;
}

/** Cookies and browser storage. The only place `setCookie` may take a name from. */
export const cookieMap = {
  "__Host-sid": {
    class: "session",
    kind: "security",
    purpose: "keeps you signed in",
    lifetime: `until you close the browser, at most ${span(limits.sessionMaxMs)}`,
    httpOnly: true,
    sameSite: "Lax",
  },
  "__Host-step": {
    class: "sign-in under way",
    kind: "security",
    purpose: "remembers the first step of a sign-in until the second",
    lifetime: span(limits.signInStepMs),
    httpOnly: true,
    sameSite: "Strict",
  },
  "__Host-fed": {
    class: "sign-in elsewhere",
    kind: "security",
    purpose: "knows you again when you come back from an account elsewhere",
    lifetime: `until you close the browser, at most ${span(limits.elsewhereMs)}`,
    httpOnly: true,
    sameSite: "Lax",
  },
  "__Host-trust": {
    class: "trusted browser",
    kind: "security",
    purpose: "spares a browser you trust the second step",
    lifetime: span(limits.trustedBrowserMs),
    maxAgeMs: limits.trustedBrowserMs,
    httpOnly: true,
    sameSite: "Strict",
  },
  pref: {
    class: "preference",
    kind: "preference",
    purpose: "remembers the language and the time zone you chose",
    lifetime: span(limits.preferenceMs),
    maxAgeMs: limits.preferenceMs,
    httpOnly: true,
    sameSite: "Lax",
  },
  "__Host-door": {
    class: "door visit",
    kind: "security",
    purpose: "keeps you let in at one device's door",
    lifetime: `until you close the browser, at most ${span(limits.doorSessionMs)}`,
    httpOnly: true,
    sameSite: "Lax",
  },
  "__Host-door-seen": {
    class: "preference",
    kind: "preference",
    purpose:
      "remembers that you were told whose pages an open door shows; says yes and nothing else",
    lifetime: span(limits.doorSeenMs),
    maxAgeMs: limits.doorSeenMs,
    httpOnly: true,
    sameSite: "Lax",
  },
  "__Host-door-nonce": {
    class: "door visit",
    kind: "security",
    purpose: "binds the way from sign-in back to the door to this browser",
    lifetime: "10 minutes",
    httpOnly: true,
    sameSite: "Lax",
  },
} as const satisfies Record<string, CookieRule>;

export type CookieName = keyof typeof cookieMap;

/** What a page keeps in the browser's own storage, which is never sent to us. */
export const storageMap = {
  "latchkey-ways": {
    class: "way to a device",
    kind: "preference",
    purpose: "remembers which way to a device was right last time",
    lifetime: `${span(limits.smartMemoryMs)}, or until you say “forget”`,
  },
} as const satisfies Record<string, Pick<CookieRule, "class" | "kind" | "purpose" | "lifetime">>;

/**
 * The only fields a log line may have (CON-14, ANO-5): no path, no address, no identifier.
 * - `word`: letters and hyphens, from a list in the code
 * - `template`: a method and a route with its parameters' names, never their values
 */
export const logMap = {
  event: { class: "operations", shape: "word", holds: "what happened" },
  route: { class: "operations", shape: "template", holds: "the route's template, never the path" },
  status: { class: "operations", shape: "number", holds: "the HTTP status" },
  ms: { class: "operations", shape: "number", holds: "how long it took" },
  code: { class: "operations", shape: "word", holds: "a problem's code or an error's name" },
  lane: { class: "operations", shape: "word", holds: "the kind of data that was swept" },
  count: { class: "operations", shape: "number", holds: "how many" },
  refused: {
    class: "operations",
    shape: "number",
    holds: "how many fields of a line were refused",
  },
} as const;

/** What leaves the house, to whom, field by field. The egress gate refuses anything else. */
export const egressMap = {
  mail: {
    class: "message",
    recipient: "the mail relay that the operator configured",
    fields: ["from", "to", "subject", "text"],
  },
  sms: {
    class: "message",
    recipient: "the text message provider that the operator configured",
    fields: ["from", "to", "text"],
  },
  "breached passwords": {
    class: "breach check",
    recipient: "the breached-password service that the operator configured",
    fields: ["prefix"],
  },
  "identity provider": {
    class: "sign-in elsewhere",
    recipient: "the provider of the account elsewhere that you chose",
    fields: ["provider", "method", "url", "authorization", "body"],
  },
  "certificate authority": {
    class: "certificate order",
    recipient: "the certificate authority that the operator configured",
    fields: ["method", "url", "body"],
  },
  "cloudflare dns": {
    class: "published name",
    recipient: "Cloudflare's DNS, where the operator chose it to answer for public names",
    fields: ["method", "query", "batch"],
  },
  "dns resolver": {
    class: "domain check",
    recipient: "the DNS resolver that the operator configured",
    fields: ["name", "type"],
  },
  "asker's own port": {
    class: "port check",
    recipient: "whatever answers at the public address that you ask from",
    fields: ["address", "port", "nonce"],
  },
} as const;

export type EgressRecipient = keyof typeof egressMap;
