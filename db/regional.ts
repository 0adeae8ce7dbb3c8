/**
 * Stores that each region has for itself (LOC-2): which of them a name belongs to. An object's name
 * holds the identifier of who it is about, and an identifier names its region.
 */

import { type RegionId, regionOf } from "../protocol/ids.ts";
import { limits } from "../protocol/limits.ts";
import type { BlobStore, KeyStore, Ledger } from "./primitives.ts";

/** The region of the identifier in `name`, e.g. of `person/acc_eu_…`; null: it is about nobody. */
export function regionOfName(name: string): RegionId | null {
  return (
    name
      .split(/[/.]/)
      .map(regionOf)
      .find((region) => region !== null) ?? null
  );
}

/** Keys, each in the store of its region; `of(null)` has the `system/` keys, which are about nobody. */
export function regionalKeys(of: (region: RegionId | null) => KeyStore): KeyStore {
  const store = (name: string) => {
    // A person's key that names no region would be the service's own: rather none is made.
    if (name.startsWith("system/")) return of(null);
    return of(regionIn(name));
  };
  return {
    get: async (name) => await store(name).get(name),
    getOrCreate: async (name) => await store(name).getOrCreate(name),
    destroy: async (name) => await store(name).destroy(name),
  };
}

/** Objects, each in the store of its region. */
export function regionalBlobs(of: (region: RegionId) => BlobStore): BlobStore {
  return {
    put: async (name, bytes) => await of(regionIn(name)).put(name, bytes),
    get: async (name) => await of(regionIn(name)).get(name),
    delete: async (name) => await of(regionIn(name)).delete(name),
  };
}

/** The erasures of each region in its own ledger; one list of all. */
export function regionalLedger(ledgers: ReadonlyMap<RegionId, Ledger>): Ledger {
  const of = (id: string): Ledger => {
    const ledger = ledgers.get(regionIn(id));
    if (ledger === undefined) throw new Error("an erasure names a region that is gone");
    return ledger;
  };
  return {
    put: async (id, text) => await of(id).put(id, text),
    get: async (id) => await of(id).get(id),
    list: async (prefix) => {
      const lists = await Promise.all([...ledgers.values()].map((ledger) => ledger.list(prefix)));
      return lists.flat().sort().slice(0, limits.ledgerPage);
    },
    delete: async (id) => await of(id).delete(id),
  };
}

function regionIn(name: string): RegionId {
  const region = regionOfName(name);
  if (region === null) throw new Error("a name of an object names no region");
  return region;
}
