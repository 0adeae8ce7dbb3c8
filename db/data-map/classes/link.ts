/** Classes of data of Link, the door of a device. */

import { limits } from "../../../protocol/limits.ts";
import type { DataClass } from "../data-class.ts";
import { HISTORY_MS, span } from "../periods.ts";

export const linkClasses = {
  "door visit": {
    basis: "legitimate interest",
    title: "Who is at a device's door",
    holds:
      "a hash of the visit, the visitor's account identifier and that of the session it began in; for a WebSocket that is open, in memory only, who opened it and from which network",
    purpose: "to let a signed-in visitor through without asking on every page",
    feature: "link",
    live: span(limits.doorSessionMs),
    liveMs: limits.doorSessionMs,
    copiesMs: HISTORY_MS,
    seenBy: "nobody",
    deletedBy:
      "time, signing out or ending the session, switching Link off, unregistering, taking the visitor off the list, erasing a listed visitor's account",
    inExport: "metadata",
    place: "device object",
    obligations: ["CON-3", "CKY-1"],
  },
  "relayed content": {
    basis: "contract",
    title: "What passes through the door",
    holds:
      "nothing: bytes are passed on in memory; the device is told the visitor's network address, as any web server is",
    purpose: "to bring a page from your device to a browser",
    feature: "link",
    live: "never stored",
    liveMs: 0,
    copiesMs: 0,
    seenBy: "the two ends only",
    deletedBy: "it is never stored",
    inExport: "no",
    place: "memory",
    obligations: ["CON-8", "CON-14"],
  },
} as const satisfies Record<string, DataClass>;
