/** Keys, photos and erasures in folders of the data folder, each region in its own. */

import { join } from "node:path";
import type { BlobStore, KeyStore, Ledger, Random } from "../../db/primitives.ts";
import { regionalBlobs, regionalKeys, regionalLedger } from "../../db/regional.ts";
import type { RegionId } from "../../protocol/ids.ts";
import { folderBlobs } from "./blobs.ts";
import { FolderKeyStore } from "./keys.ts";
import { folderLedger } from "./ledger.ts";

export interface Stores {
  readonly keys: KeyStore;
  readonly blobs: BlobStore;
  readonly ledger: Ledger;
}

/** `system-keys/`, `keys/<region>/`, `photos/<region>/` and `ledger/<region>/` below `data`. */
export function folderStores(data: string, regions: readonly RegionId[], random: Random): Stores {
  const each = <T>(open: (folder: string) => T, kind: string) =>
    new Map(regions.map((region) => [region, open(join(data, kind, region))]));
  const system = new FolderKeyStore(join(data, "system-keys"), random);
  const keys = each((folder) => new FolderKeyStore(folder, random), "keys");
  const photos = each((folder) => folderBlobs(folder, random), "photos");
  return {
    keys: regionalKeys((region) => (region === null ? system : known(keys.get(region)))),
    blobs: regionalBlobs((region) => known(photos.get(region))),
    ledger: regionalLedger(each((folder) => folderLedger(folder, random), "ledger")),
  };
}

function known<T>(store: T | undefined): T {
  if (store === undefined) throw new Error("a name of an object names a region that is gone");
  return store;
}
