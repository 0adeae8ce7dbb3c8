/** Cloudflare's clock, chance, key store and static assets behind small interfaces. */

import type { BlobStore, KeyName, KeyStore } from "../db/primitives.ts";
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

/** Objects in R2, beside the keys. */
export function r2Blobs(bucket: R2Bucket): BlobStore {
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
