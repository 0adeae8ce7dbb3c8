/** Classes of data of the name, a device's feature. */

import { limits } from "../../../protocol/limits.ts";
import type { DataClass } from "../data-class.ts";
import { HISTORY_MS, span } from "../periods.ts";

export const nameClasses = {
  "name record": {
    basis: "contract",
    title: "The public name of a device",
    holds:
      "the addresses its name resolves to, sealed, a hash of the update password, and the last day on which they were reported",
    purpose: "to answer DNS queries for the name",
    feature: "name",
    live: "while the name is on",
    liveMs: null,
    copiesMs: HISTORY_MS,
    seenBy: `everyone: a public name is public, and resolvers keep its answer for ${limits.addressTtlSeconds} seconds`,
    deletedBy: "switching the name off, unregistering; the addresses' key at once",
    inExport: "yes",
    place: "device object",
    obligations: ["CON-5", "FEA-4"],
  },
  "name changes": {
    basis: "legitimate interest",
    title: "Recent changes of a name",
    holds: "times of recent changes, and which kind of address changed; no address",
    purpose: "so that nobody floods the name service with changes",
    feature: "name",
    live: span(limits.updateWindowMs),
    liveMs: limits.updateWindowMs,
    copiesMs: HISTORY_MS,
    seenBy: "nobody",
    deletedBy: "time, switching the name off, unregistering",
    inExport: "metadata",
    place: "device object",
    obligations: ["CON-5", "ANO-6"],
  },
  "held name": {
    basis: "legitimate interest",
    title: "A name that was given up",
    holds: "a keyed hash of the name, without its former owner",
    purpose: "so that nobody takes over a name that people still trust",
    feature: "name",
    live: span(limits.heldLabelMs),
    liveMs: limits.heldLabelMs,
    copiesMs: HISTORY_MS,
    seenBy: "nobody",
    deletedBy: "time",
    inExport: "no",
    place: "directory",
    obligations: ["CON-6"],
  },
} as const satisfies Record<string, DataClass>;
