/** Classes of data that come with an account elsewhere. */

import { limits } from "../../../protocol/limits.ts";
import type { DataClass } from "../data-class.ts";
import { LIVE_CLEAN_MS, span } from "../periods.ts";

export const linkedClasses = {
  "linked account": {
    basis: "consent",
    title: "Your accounts elsewhere",
    holds:
      "which provider, what it calls you (its identifier, your name and address there), sealed; the day it last let you in",
    purpose: "to let you in with an account that you have elsewhere",
    feature: "account",
    live: "until you unlink it",
    liveMs: null,
    copiesMs: LIVE_CLEAN_MS,
    seenBy: "you",
    deletedBy: "unlinking it, erasing the account",
    inExport: "yes",
    place: "region",
    obligations: ["ACC-2", "FEA-8"],
  },
  "sign-in elsewhere": {
    basis: "consent",
    title: "A sign-in with an account elsewhere, on its way",
    holds:
      "which provider you went to and, when you come back, what it calls you, sealed in your own browser; the provider learns that you sign in here",
    purpose: "to know you when you come back from the provider",
    feature: "account",
    live: span(limits.elsewhereMs),
    liveMs: limits.elsewhereMs,
    copiesMs: 0,
    seenBy: "the provider you chose",
    deletedBy: "coming back, time",
    inExport: "no",
    place: "browser",
    obligations: ["ACC-2", "FEA-8"],
  },
} as const satisfies Record<string, DataClass>;
