/** Classes of data of personal access tokens. */

import { limits } from "../../../protocol/limits.ts";
import type { DataClass } from "../data-class.ts";
import { HISTORY_MS, span } from "../periods.ts";

export const tokenClasses = {
  "personal token": {
    basis: "contract",
    title: "Access tokens for your own programs",
    holds:
      "a hash of each, the name you gave it, sealed, what it may do, and the day of its last use",
    purpose: "to let a program of yours do what you allowed it, and nothing else",
    feature: "account",
    live: `until the day you chose, at most ${span(limits.personalTokenMs)}`,
    liveMs: limits.personalTokenMs,
    copiesMs: HISTORY_MS,
    seenBy: "you",
    deletedBy: "ending it, time, erasing the account",
    inExport: "yes",
    place: "region",
    obligations: ["ACC-12", "RGT-14"],
  },
} as const satisfies Record<string, DataClass>;
