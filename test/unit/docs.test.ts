/** The published documents are what the code says, byte for byte. */

import { expect, it } from "vitest";
import { classes } from "../../db/data-map/classes.ts";
import { dataMap } from "../../db/data-map/map.ts";
import { storageMap } from "../../db/data-map/outside.ts";
import { documents, staleDocuments } from "../../scripts/generate-docs.ts";
import { policy } from "../../workers/privacy/policy.ts";

it("[PRI-3] the published data map and API description are those of the code", async () => {
  expect(await staleDocuments(), "run `npm run docs`").toEqual([]);
}, 60_000);

it("the policy has every class once, every cookie, recipient, table and column", () => {
  const { features, cookies, recipients, tables, objects } = policy();
  const named = features.flatMap((feature) => feature.classes.map(({ name }) => name));
  expect(named.sort()).toEqual(Object.keys(classes).sort());
  expect(cookies.map(({ name }) => name)).toEqual([
    ...Object.keys(dataMap.cookies),
    ...Object.keys(storageMap),
  ]);
  expect(recipients.map(({ name }) => name)).toEqual(Object.keys(dataMap.egress));
  expect(objects.map(({ prefix }) => prefix)).toEqual(Object.keys(dataMap.objects));
  const columns = Object.values({ ...dataMap.region, ...dataMap.directory, ...dataMap.device });
  expect(tables.flatMap((table) => table.columns)).toHaveLength(
    columns.flatMap((rule) => Object.keys(rule.columns)).length,
  );
});

it("the printed data map names every column of every table", async () => {
  const text = (await documents()).get("docs/data-map.md") ?? "";
  for (const tables of [dataMap.region, dataMap.directory, dataMap.device]) {
    for (const [name, rule] of Object.entries(tables)) {
      expect(text).toContain(`: \`${name}\`\n`);
      for (const column of Object.keys(rule.columns)) expect(text).toContain(`| \`${column}\` |`);
    }
  }
}, 60_000);
