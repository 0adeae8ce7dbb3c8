/** Under which names a worker's buckets are bound in wrangler.toml. */

import type { RegionId } from "../protocol/ids.ts";

/** A region's keys and erasures. */
export const keysBinding = (region: RegionId) => `KEYS_${region.toUpperCase()}`;

/** A region's photos. */
export const photosBinding = (region: RegionId) => `PHOTOS_${region.toUpperCase()}`;

/** The keys that all regions share, which are about nobody. */
export const systemKeysBinding = "SYSTEM_KEYS";
