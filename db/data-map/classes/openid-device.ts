/** Classes of data that a program's request for a sign-in takes, before anybody answers it. */

import { limits } from "../../../protocol/limits.ts";
import type { DataClass } from "../data-class.ts";
import { HISTORY_MS, span } from "../periods.ts";

export const openidDeviceClasses = {
  "app device code": {
    basis: "contract",
    title: "A program that waits to be signed in",
    holds: "hashes of two codes, which app it is and what it asks for; nothing about a person",
    purpose: "so that a program without a browser can be signed in from another screen",
    feature: "account",
    live: span(limits.deviceCodeMs),
    liveMs: limits.deviceCodeMs,
    copiesMs: HISTORY_MS,
    seenBy: "whoever types the code sees which app asks, and for what",
    deletedBy: "an answer, time",
    inExport: "no",
    place: "region",
    obligations: ["SHR-3"],
  },
} as const satisfies Record<string, DataClass>;
