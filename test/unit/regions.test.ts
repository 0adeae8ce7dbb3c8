/** wrangler.toml: every region that it offers has its stores, and they are in the region's jurisdiction. */

import { expect, it } from "vitest";
import { unstable_readConfig as readWrangler } from "wrangler";
import { keysBinding, photosBinding } from "../../durable-objects/bindings.ts";
import { requireBindings } from "../../workers/bindings.ts";
import { readConfig } from "../../workers/config.ts";

/** What of the configuration is looked at; wrangler's own types want those of workerd. */
interface Wrangler {
  readonly vars: Readonly<Record<string, unknown>>;
  readonly d1_databases: readonly { readonly binding: string }[];
  readonly r2_buckets: readonly {
    readonly binding: string;
    readonly bucket_name: string;
    readonly jurisdiction?: string;
  }[];
  readonly assets?: { readonly binding: string };
  readonly durable_objects: { readonly bindings: readonly { readonly name: string }[] };
}

it.each(["", "production"])("[LOC-1] wrangler.toml %s binds each region's stores", (env) => {
  const wrangler = readWrangler(
    { config: "wrangler.toml", env },
    { hideWarnings: true },
  ) as Wrangler;
  const { regions } = readConfig(wrangler.vars);
  const all = [
    ...wrangler.d1_databases,
    ...wrangler.r2_buckets,
    ...[wrangler.assets ?? []].flat(),
    ...wrangler.durable_objects.bindings.map(({ name }) => ({ binding: name })),
  ];
  const bindings = Object.fromEntries(all.map((bound) => [bound.binding, bound]));
  requireBindings(bindings, regions);
  const names = wrangler.r2_buckets.map((bucket) => bucket.bucket_name);
  expect(new Set(names).size).toBe(names.length);
  for (const { id, jurisdiction } of regions) {
    for (const binding of [keysBinding(id), photosBinding(id)]) {
      const bucket = wrangler.r2_buckets.find((candidate) => candidate.binding === binding);
      expect(bucket?.jurisdiction ?? null, binding).toBe(jurisdiction);
    }
  }
});
