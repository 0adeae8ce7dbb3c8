/** What must be bound on Cloudflare, asked for at the start: a missing store is found before a person is. */

import { keysBinding, photosBinding, systemKeysBinding } from "../durable-objects/bindings.ts";
import type { RegionConfig, Variables } from "./config.ts";

/** @throws Error that names each binding which is missing, and what it is for */
export function requireBindings(bindings: Variables, regions: readonly RegionConfig[]): void {
  const needed: readonly (readonly [binding: string, purpose: string])[] = [
    ["DIRECTORY", "the directory's database"],
    [systemKeysBinding, "the bucket of the keys that no region has for itself"],
    ["ASSETS", "the files that pages load"],
    ["DEVICES", "the objects of devices"],
    ["LIMITER", "the objects that count tries"],
    ["ZONE", "the object of the zone"],
    ...regions.flatMap(
      ({ id, database }) =>
        [
          [database, `the database of the region ${id}`],
          [keysBinding(id), `the bucket of the keys of the region ${id}`],
          [photosBinding(id), `the bucket of the photos of the region ${id}`],
        ] as const,
    ),
  ];
  const missing = needed.filter(([binding]) => typeof bindings[binding] !== "object");
  if (missing.length === 0) return;
  const list = missing.map(([binding, purpose]) => `${binding} (${purpose})`);
  throw new Error(`Not bound in wrangler.toml: ${list.join(", ")}.`);
}
