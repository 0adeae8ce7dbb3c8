/** Classes of data of passkeys. */

import { limits } from "../../../protocol/limits.ts";
import type { DataClass } from "../data-class.ts";
import { HISTORY_MS, LIVE_CLEAN_MS, span } from "../periods.ts";

export const passkeyClasses = {
  passkey: {
    basis: "contract",
    title: "Your passkeys",
    holds:
      "the public half of each, its number and the name you gave it, sealed; the day of its last use. Nothing of your finger, face or PIN, and not the make of your device",
    purpose: "to sign you in without a password",
    feature: "account",
    live: "until you remove it",
    liveMs: null,
    copiesMs: LIVE_CLEAN_MS,
    seenBy: "you",
    deletedBy: "removing it, erasing the account",
    inExport: "yes",
    place: "region",
    obligations: ["ACC-12"],
  },
  "passkey ceremony": {
    basis: "contract",
    title: "A question that a passkey is to answer",
    holds: "a hash of a random number and, once it is known, whose passkey is asked",
    purpose: "so that an answer of a passkey works once",
    feature: "account",
    live: span(limits.passkeyCeremonyMs),
    liveMs: limits.passkeyCeremonyMs,
    copiesMs: HISTORY_MS,
    seenBy: "nobody",
    deletedBy: "the answer, time, erasing the account",
    inExport: "metadata",
    place: "region",
    obligations: ["ACC-12"],
  },
} as const satisfies Record<string, DataClass>;
