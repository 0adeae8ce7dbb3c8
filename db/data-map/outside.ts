/** Data map of everything that is not a table: keys, cookies, the log, and what leaves the house. */

/** Object storage, by prefix. Names hold random identifiers only. */
export const objectMap = {
  "person/": {
    class: "person key",
    holds: "32 random bytes that unseal one person's data",
    erase: "destroyed with the account, which makes every copy of the sealed data unreadable",
  },
  "feature/": {
    class: "feature key",
    holds: "32 random bytes that unseal one feature's data of one device",
    erase: "destroyed when the feature is switched off or the device unregistered",
  },
  "system/": {
    class: "operations",
    holds: "32 random bytes that key the hashes of the directory",
    erase: "kept: says nothing about a person",
  },
  "ledger/": {
    class: "erasure ledger",
    holds: "a random identifier of the account and which stores are done",
    erase: "kept 210 days as proof, then deleted",
  },
} as const;

/** Cookies and browser storage. The only place `setCookie` may take a name from. */
export const cookieMap = {
  "__Host-sid": {
    class: "session",
    kind: "security",
    purpose: "keeps you signed in",
    lifetime: "until you close the browser, at most 90 days",
    httpOnly: true,
    sameSite: "Lax",
  },
  "__Host-door": {
    class: "door visit",
    kind: "security",
    purpose: "keeps you let in at one device's door",
    lifetime: "until you close the browser, at most 12 hours",
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
} as const;

export type CookieName = keyof typeof cookieMap;

/** The only fields a log line may have (CON-14, ANO-5): no path, no address, no identifier. */
export const logMap = {
  event: { class: "operations", holds: "what happened, from a closed list" },
  route: { class: "operations", holds: "the route's template, never the path" },
  status: { class: "operations", holds: "the HTTP status" },
  ms: { class: "operations", holds: "how long it took" },
  code: { class: "operations", holds: "a problem code from a closed list" },
  count: { class: "operations", holds: "how many" },
} as const;

/** What leaves the house, to whom, field by field. The egress gate refuses anything else. */
export const egressMap = {
  mail: {
    class: "message",
    recipient: "the mail relay that the operator configured",
    fields: ["from", "to", "subject", "text"],
  },
} as const;

export type EgressRecipient = keyof typeof egressMap;
