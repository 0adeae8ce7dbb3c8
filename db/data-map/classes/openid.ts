/** Classes of data that signing in elsewhere with Latchkey takes. */

import { limits } from "../../../protocol/limits.ts";
import type { DataClass } from "../data-class.ts";
import { HISTORY_MS, span } from "../periods.ts";

export const openidClasses = {
  "allowed app": {
    basis: "consent",
    title: "Apps you allowed",
    holds:
      "which app, from which kind of browser or device, what it may see, and its last day of use",
    purpose: "to sign you in there, and to let you see and end it",
    feature: "account",
    live: "until you end it",
    liveMs: null,
    copiesMs: HISTORY_MS,
    seenBy: "you; the app sees what you allowed and an identifier that no other app has",
    deletedBy: "ending it, erasing the account",
    inExport: "yes",
    place: "region",
    obligations: ["SHR-3", "ACC-5"],
  },
  "app code": {
    basis: "contract",
    title: "A sign-in on its way to an app",
    holds: "a hash of a code, and sealed where it goes and how you signed in",
    purpose: "to hand the sign-in to the app you came from, once",
    feature: "account",
    live: `${span(limits.openidCodeMs)}; used, ${span(limits.openidUsedCodeMs)}`,
    liveMs: limits.openidCodeMs + limits.openidUsedCodeMs,
    copiesMs: HISTORY_MS,
    seenBy: "nobody",
    deletedBy: "time, ending the app, erasing the account",
    inExport: "metadata",
    place: "region",
    obligations: ["SHR-3"],
  },
  "app token": {
    basis: "contract",
    title: "Keys that apps hold",
    holds: "hashes of the keys, what they allow, and when and how you signed in",
    purpose: "to answer an app you allowed",
    feature: "account",
    live: `${span(limits.accessTokenMs)}; to stay signed in, ${span(limits.refreshIdleMs)} without use`,
    liveMs: limits.refreshIdleMs,
    copiesMs: HISTORY_MS,
    seenBy: "nobody",
    deletedBy: "ending the app, a key that is used twice, time, erasing the account",
    inExport: "metadata",
    place: "region",
    obligations: ["SHR-3"],
  },
  "signing key": {
    basis: "contract",
    title: "The service's signing keys",
    holds: "keys of the service, sealed; nothing about a person",
    purpose: "so that apps can check who says that it is you",
    feature: "account",
    live: `${span(limits.signingKeyMs)}, and ${span(limits.signingKeyAheadMs)} before and ${span(limits.signingKeyAfterMs)} after`,
    liveMs: limits.signingKeyAheadMs + limits.signingKeyMs + limits.signingKeyAfterMs,
    copiesMs: HISTORY_MS,
    seenBy: "everyone sees the public half",
    deletedBy: "time",
    inExport: "no",
    place: "directory",
    obligations: ["SEC-3"],
  },
} as const satisfies Record<string, DataClass>;
