/** Classes of data that give an account back to its owner. */

import { limits } from "../../../protocol/limits.ts";
import type { DataClass } from "../data-class.ts";
import { HISTORY_MS, LIVE_CLEAN_MS, span } from "../periods.ts";

export const recoveryClasses = {
  "change that can be undone": {
    basis: "legitimate interest",
    title: "An address you changed lately",
    holds: "the address before, sealed, and a hash of the link that brings it back",
    purpose: "to let you take back a change that somebody else made",
    feature: "account",
    live: span(limits.addressUndoMs),
    liveMs: limits.addressUndoMs,
    copiesMs: LIVE_CLEAN_MS,
    seenBy: "you",
    deletedBy: "opening the link, time, erasing the account",
    inExport: "yes",
    place: "region",
    obligations: ["ACC-5", "NOT-9"],
  },
  "recovery that waits": {
    basis: "legitimate interest",
    title: "A request to get in without the second step",
    holds: "when it began, and a hash of the link that stops it",
    purpose: "to let you in who lost the second step, and to let you stop somebody else",
    feature: "account",
    live: `${span(limits.recoveryWaitMs)} of waiting, then ${span(limits.recoveryOpenMs)}`,
    liveMs: limits.recoveryWaitMs + limits.recoveryOpenMs,
    copiesMs: HISTORY_MS,
    seenBy: "you",
    deletedBy:
      "stopping or finishing it, a sign-in with the second step, time, erasing the account",
    inExport: "yes",
    place: "region",
    obligations: ["ACC-5", "NOT-9"],
  },
} as const satisfies Record<string, DataClass>;
