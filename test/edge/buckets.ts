/** The buckets that tests have, and what is in them. */

import { env } from "cloudflare:workers";
import type { LiveObject } from "../../db/data-map/gate.ts";

const all = env as unknown as Readonly<Record<string, R2Bucket>>;

const bound = [
  { store: "system keys", region: null, binding: "SYSTEM_KEYS" },
  ...["home", "eu"].flatMap((region) => [
    { store: "keys", region, binding: `KEYS_${region.toUpperCase()}` } as const,
    { store: "photos", region, binding: `PHOTOS_${region.toUpperCase()}` } as const,
  ]),
] as const;

export const buckets = bound.map(({ store, region, binding }) => ({
  store,
  region,
  bucket: all[binding] as R2Bucket,
}));

/** Every object of every bucket whose name begins with `prefix`. */
export async function objects(prefix = ""): Promise<LiveObject[]> {
  const lists = buckets.map(async ({ store, region, bucket }) => {
    const page = await bucket.list({ prefix });
    return page.objects.map(({ key }) => ({ store, region, name: key }));
  });
  return (await Promise.all(lists)).flat();
}

/** The bytes of an object, wherever it is; null: nowhere. */
export async function objectBytes(name: string): Promise<Uint8Array<ArrayBuffer> | null> {
  for (const { bucket } of buckets) {
    const object = await bucket.get(name);
    if (object !== null) return new Uint8Array(await object.arrayBuffer());
  }
  return null;
}
