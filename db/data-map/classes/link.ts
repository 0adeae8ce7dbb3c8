/** Classes of data of Link, the door of a device. */

import { limits } from "../../../protocol/limits.ts";
import type { DataClass } from "../data-class.ts";
import { HISTORY_MS, LIVE_CLEAN_MS, span } from "../periods.ts";

export const linkClasses = {
  share: {
    basis: "contract",
    title: "What you share",
    holds:
      "the path that you share and what you call it, sealed; for whom, until when; of a link and its password hashes only",
    purpose: "to let others open one file or folder of your device",
    feature: "link",
    live: `until you stop it, ${span(limits.shareMs)} at most`,
    liveMs: limits.shareMs,
    copiesMs: HISTORY_MS,
    seenBy: "you; whom you share with sees the path and what your device shows there",
    deletedBy:
      "stopping it, time, switching Link off, unregistering; of a person you share with, erasing their account",
    inExport: "yes",
    place: "device object",
    obligations: ["FEA-6", "CON-12", "CON-14"],
  },
  "door visit": {
    basis: "legitimate interest",
    title: "Who is at a device's door",
    holds:
      "a hash of the visit, the visitor's account identifier and that of the session it began in, or which links it opened; for a WebSocket or a tunnel that is open, in memory only, who opened it, from which network and with which access token",
    purpose: "to let a visitor through without asking on every page",
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
  "door reach": {
    basis: "legitimate interest",
    title: "Whose devices know you as a visitor",
    holds:
      "your account identifier and that of a device that you visited, or where something is shared with you",
    purpose: "to end your visits with your session, and to be forgotten there with your account",
    feature: "link",
    live: `as long as the visit or the share, ${span(limits.shareMs)} at most`,
    liveMs: limits.shareMs,
    copiesMs: HISTORY_MS,
    seenBy: "you, in your export",
    deletedBy:
      "time, the owner stopping the share, unregistering the device, erasing either account",
    inExport: "yes",
    place: "region",
    obligations: ["RGT-14", "CON-11"],
  },
  "traffic counts": {
    basis: "contract",
    title: "How much passes a device's door",
    holds:
      "for each of the last 24 hours how many requests and bytes passed and how many were turned away, sealed; never which, never whose",
    purpose: "to show you what your door carries, and to keep to the operator's limits of a day",
    feature: "link",
    live: span(limits.trafficMs),
    liveMs: limits.trafficMs,
    copiesMs: LIVE_CLEAN_MS,
    seenBy: "you",
    deletedBy: "time, switching Link off, unregistering",
    inExport: "yes",
    place: "device object",
    obligations: ["CON-8", "FEA-4"],
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
