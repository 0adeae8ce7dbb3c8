/**
 * The published policy, computed from the data map and from nothing else. The privacy page, the
 * machine-readable policy and docs/data-map.md are printed from it; no sentence of it lives elsewhere.
 */

import { type ClassName, classes } from "../../db/data-map/classes.ts";
import type { DataClass, Feature, Place } from "../../db/data-map/data-class.ts";
import { type DataMap, dataMap } from "../../db/data-map/map.ts";
import {
  cookieMap,
  egressMap,
  type ObjectStore,
  objectMap,
  storageMap,
} from "../../db/data-map/outside.ts";
import { LIVE_CLEAN_MS, span } from "../../db/data-map/periods.ts";
import type { ColumnKind } from "../../db/data-map/types.ts";
import { DAY } from "../../protocol/limits.ts";

export interface PolicyClass {
  readonly name: ClassName;
  readonly title: string;
  readonly holds: string;
  readonly why: string;
  readonly basis: DataClass["basis"];
  /** How long it lives. */
  readonly live: string;
  /**
   * What ends it, roughly: somebody (or a year without use), its time after some days, or its time
   * within a day.
   */
  readonly ends: "by you" | "by itself" | "within a day";
  /** What becomes of copies once it has ended. */
  readonly copies: string;
  readonly seenBy: string;
  readonly deletedBy: string;
  /** Where it is kept, in words. */
  readonly place: string;
  readonly inExport: DataClass["inExport"];
  readonly obligations: readonly string[];
}

export interface PolicyColumn {
  readonly name: string;
  readonly kind: ColumnKind;
  readonly class: string;
}

export interface PolicyTable {
  readonly store: "region" | "directory" | "device object";
  readonly name: string;
  readonly class: string;
  /** The column whose time deletes a row; null when something else does. */
  readonly expires: string | null;
  /** What erasing an account does to it. */
  readonly erase: string;
  readonly columns: readonly PolicyColumn[];
}

export interface Policy {
  readonly features: readonly {
    readonly feature: Feature;
    readonly title: string;
    /** What is held for it, in a sentence or two. */
    readonly says: string;
    /** True when its owner switches it on and off. */
    readonly optional: boolean;
    readonly classes: readonly PolicyClass[];
  }[];
  readonly cookies: readonly {
    readonly name: string;
    readonly kind: string;
    readonly purpose: string;
    readonly lifetime: string;
  }[];
  /** To whom anything leaves, field by field. */
  readonly recipients: readonly {
    readonly name: string;
    readonly recipient: string;
    readonly what: string;
    readonly why: string;
    readonly fields: readonly string[];
  }[];
  readonly regions: readonly { readonly id: string; readonly title: string }[];
  readonly tables: readonly PolicyTable[];
  readonly objects: readonly {
    readonly prefix: string;
    /** Where it is kept, in words. */
    readonly place: string;
    readonly holds: string;
    readonly erase: string;
  }[];
}

const features: Readonly<Record<Feature, { title: string; says: string; optional: boolean }>> = {
  account: {
    title: "Account",
    says: "Where we reach you, how you show who you are, and what happened to the account lately.",
    optional: false,
  },
  device: {
    title: "Devices",
    says: "Each box you add, who may come in, and where it is connected from while it is.",
    optional: false,
  },
  name: {
    title: "Name",
    says: "The public address of a box. Everybody can look it up: that is what it is for.",
    optional: true,
  },
  link: {
    title: "Link, the door",
    says: "Who is at a door, for hours. What passes through it is never stored.",
    optional: true,
  },
  lan: {
    title: "Shortcut at home",
    says: "Where a box is in your home network, for the browsers of people you let in.",
    optional: true,
  },
};

const places: Readonly<Record<Place, string>> = {
  region: "your region's database",
  "region and photos": "your region's database; a photo in your region's store of photos",
  directory: "the directory that all regions share, as hashes only",
  keys: "your region's key store, which has no history",
  "device object": "the device's own store, in your region",
  "counter object": "a store of its own for each count",
  "zone object": "the store of the zone, from which name servers are told",
  browser: "your browser",
  memory: "memory only",
  recipient: "nowhere here",
};

const stores: Readonly<Record<ObjectStore, string>> = {
  keys: "the region's key store",
  photos: "the region's store of photos",
  "system keys": "the key store that all regions share",
};

const kinds: Readonly<Record<ColumnKind, string>> = {
  id: "random identifier",
  sealed: "sealed",
  personal: "personal, in a store that is dropped whole",
  "secret hash": "hash of a secret",
  "keyed hash": "keyed hash",
  "public key": "public key",
  time: "time",
  state: "state",
};

/** The words for a kind of column. */
export function kindInWords(kind: ColumnKind): string {
  return kinds[kind];
}

/** The policy; `regions` are the operator's (LOC-1). */
export function policy(regions: Policy["regions"] = [], map: DataMap = dataMap): Policy {
  const byName = Object.entries(classes) as [ClassName, DataClass][];
  return {
    features: (Object.keys(features) as Feature[]).map((feature) => ({
      feature,
      ...features[feature],
      classes: byName
        .filter(([, entry]) => entry.feature === feature)
        .map(([name, entry]) => policyClass(name, entry)),
    })),
    cookies: Object.entries({ ...cookieMap, ...storageMap }).map(([name, cookie]) => ({
      name,
      kind: cookie.kind,
      purpose: cookie.purpose,
      lifetime: cookie.lifetime,
    })),
    recipients: Object.entries(egressMap).map(([name, entry]) => ({
      name,
      recipient: entry.recipient,
      what: classes[entry.class].holds,
      why: classes[entry.class].purpose,
      fields: entry.fields,
    })),
    regions,
    tables: tables(map),
    objects: Object.entries(objectMap).map(([prefix, { store, holds, erase }]) => ({
      prefix,
      place: stores[store],
      holds,
      erase,
    })),
  };
}

function policyClass(name: ClassName, entry: DataClass): PolicyClass {
  const { title, holds, basis, live, seenBy, deletedBy, inExport, obligations } = entry;
  return {
    name,
    title,
    holds,
    why: entry.purpose,
    basis,
    live,
    ends: endsOf(entry),
    copies: copiesInWords(entry),
    seenBy,
    deletedBy,
    place: places[entry.place],
    inExport,
    obligations,
  };
}

function endsOf({ liveMs }: DataClass): PolicyClass["ends"] {
  if (liveMs === null || liveMs >= 365 * DAY) return "by you";
  return liveMs <= DAY ? "within a day" : "by itself";
}

/** What becomes of copies once it has ended, in words; the arithmetic is the gate's (RET-12). */
export function copiesInWords({ copiesMs }: DataClass): string {
  if (copiesMs === 0) return "no copy exists";
  const period = span(copiesMs);
  return copiesMs <= LIVE_CLEAN_MS
    ? `within ${period} no copy can be read: the key is destroyed`
    : `${period} more in the platform's history, then nowhere`;
}

function tables(map: DataMap): PolicyTable[] {
  const list: PolicyTable[] = [];
  for (const store of ["region", "directory"] as const) {
    for (const [name, rule] of Object.entries(map[store])) {
      const erase =
        "by" in rule.erase
          ? "its rows are deleted"
          : "via" in rule.erase
            ? "goes with the account's devices"
            : "soon" in rule.erase
              ? `goes with its key by itself, within a day: ${rule.erase.soon}`
              : `kept: ${rule.erase.keep}`;
      list.push({
        store,
        name,
        class: rule.class,
        expires: rule.expires ?? null,
        erase,
        columns: columns(rule),
      });
    }
  }
  for (const [name, rule] of Object.entries(map.device)) {
    list.push({
      store: "device object",
      name,
      class: rule.class,
      expires: rule.expires ?? null,
      erase: "dropped with the device",
      columns: columns(rule),
    });
  }
  return list;
}

function columns(rule: {
  readonly class: string;
  readonly columns: Readonly<
    Record<string, { readonly kind: ColumnKind; readonly class?: string }>
  >;
}): PolicyColumn[] {
  return Object.entries(rule.columns).map(([name, column]) => ({
    name,
    kind: column.kind,
    class: column.class ?? rule.class,
  }));
}
