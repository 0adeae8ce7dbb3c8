/** Cloudflare's clock, chance, buckets and static assets behind small interfaces. */

import type { ReadLabel } from "../db/names.ts";
import type { BlobStore, KeyName, KeyStore, Ledger } from "../db/primitives.ts";
import { regionalBlobs, regionalKeys, regionalLedger } from "../db/regional.ts";
import type { ReadZoneKeys, ZoneKeyRow } from "../db/zone-keys.ts";
import type { RegionId } from "../protocol/ids.ts";
import { limits } from "../protocol/limits.ts";
import { keysBinding, photosBinding, systemKeysBinding } from "./bindings.ts";
import { systemRandom } from "./system.ts";

export { systemClock, systemRandom } from "./system.ts";

/** Keys in R2: strongly consistent, without history; a deleted value is gone at once. */
export class R2KeyStore implements KeyStore {
  readonly #bucket: R2Bucket;

  constructor(bucket: R2Bucket) {
    this.#bucket = bucket;
  }

  async get(name: KeyName): Promise<Uint8Array<ArrayBuffer> | null> {
    const object = await this.#bucket.get(name);
    return object === null ? null : new Uint8Array(await object.arrayBuffer());
  }

  async getOrCreate(name: KeyName): Promise<Uint8Array<ArrayBuffer>> {
    const existing = await this.get(name);
    if (existing !== null) return existing;
    // Only the first of two writers wins; the other reads what the first wrote.
    await this.#bucket.put(name, systemRandom.bytes(32), { onlyIf: { etagDoesNotMatch: "*" } });
    const key = await this.get(name);
    if (key === null) throw new Error("the key store lost a key that was just written");
    return key;
  }

  async destroy(name: KeyName): Promise<void> {
    await this.#bucket.delete(name);
  }
}

/**
 * The device of a label's hash in the directory's table. It comes first on the way of everyone at a
 * door, so it is the one query that is not drizzle's: an edge answers them without having loaded that.
 */
export function labelsIn(directory: D1Database): ReadLabel {
  return (hash) =>
    directory.prepare("SELECT device_id FROM label WHERE hash = ?").bind(hash).first("device_id");
}

/** The keys of the zone in the directory's table, not drizzle's either: every device's object reads them. */
export function zoneKeysIn(directory: D1Database): ReadZoneKeys {
  const query = `SELECT slot, public_key AS publicKey, private_sealed AS privateSealed,
    created_at AS createdAt, signs_at AS signsAt FROM zone_key ORDER BY slot`;
  return async () => (await directory.prepare(query).all<ZoneKeyRow>()).results;
}

/** Objects in R2. */
function r2Blobs(bucket: R2Bucket): BlobStore {
  return {
    put: async (name, bytes) => void (await bucket.put(name, bytes)),
    get: async (name) => {
      const object = await bucket.get(name);
      return object === null ? null : new Uint8Array(await object.arrayBuffer());
    },
    delete: (name) => bucket.delete(name),
  };
}

/** Built files behind the binding of the static assets. */
export function boundAssets(binding: Fetcher) {
  return {
    async get(name: string): Promise<ReadableStream | null> {
      const response = await binding.fetch(`https://assets.invalid/${name}`);
      if (response.status === 200) return response.body;
      await response.body?.cancel();
      return null;
    },
  };
}

/** Erasures in R2, beside the keys that they destroy: neither needs the store of photos. */
function r2Ledger(bucket: R2Bucket): Ledger {
  const prefix = "ledger/";
  return {
    put: async (id, text) => void (await bucket.put(prefix + id, text)),
    get: async (id) => (await (await bucket.get(prefix + id))?.text()) ?? null,
    list: async (start) => {
      const page = await bucket.list({ prefix: prefix + start, limit: limits.ledgerPage });
      return page.objects.map((object) => object.key.slice(prefix.length));
    },
    delete: (id) => bucket.delete(prefix + id),
  };
}

type Bindings = Readonly<Record<string, unknown>>;

/** Keys in the buckets of their regions. */
export function keysOf(env: Bindings): KeyStore {
  return regionalKeys(
    (region) =>
      new R2KeyStore(bucketOf(env, region === null ? systemKeysBinding : keysBinding(region))),
  );
}

/** Photos in the buckets of their regions. */
export function photosOf(env: Bindings): BlobStore {
  return regionalBlobs((region) => r2Blobs(bucketOf(env, photosBinding(region))));
}

/** Erasures of `regions`, each beside its keys. */
export function ledgerOf(env: Bindings, regions: readonly RegionId[]): Ledger {
  return regionalLedger(
    new Map(regions.map((region) => [region, r2Ledger(bucketOf(env, keysBinding(region)))])),
  );
}

/** @throws Error that names the binding which is missing */
function bucketOf(env: Bindings, name: string): R2Bucket {
  const bucket = env[name];
  if (typeof bucket !== "object") throw new Error(`The binding ${name} is missing: a bucket.`);
  return bucket as R2Bucket;
}
