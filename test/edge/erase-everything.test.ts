/** Erasing an account that has a row in every table there is: none is left, and nobody else's goes. */

import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { dataMap } from "../../db/data-map/map.ts";
import type { Db } from "../../db/db.ts";
import { eraseAccount } from "../../workers/privacy/erase.ts";
import { newPerson } from "../support/person.ts";
import { plantRows, type Tables } from "../support/planted.ts";
import { testPorts } from "../support/ports.ts";

const bindings = env as unknown as { DIRECTORY: D1Database; DB_HOME: D1Database };

it("[RGT-4] deletes the account's row from every table that names it, declared by whomever", async () => {
  const test = testPorts({ env });
  const { ports } = test;
  const leaver = (await newPerson(test, "leaver@example.org")).accountId;
  const stays = (await newPerson(test, "stays@example.org")).accountId;
  const stores = [
    [bindings.DB_HOME, ports.regions.db("home") as Db, dataMap.region],
    [bindings.DIRECTORY, ports.directory.db, dataMap.directory],
  ] as const;
  for (const accountId of [leaver, stays]) {
    for (const [, db, tables] of stores) await plantRows(ports, db, tables, accountId);
  }
  const rowsOf = async (accountId: string) => {
    const found: string[] = [];
    for (const [database, , tables] of stores) {
      for (const [table, { erase }] of Object.entries<Tables[string]>(tables)) {
        if (!("by" in erase)) continue;
        const row = await database
          .prepare(`SELECT 1 FROM "${table}" WHERE "${erase.by}" = ?`)
          .bind(accountId)
          .first();
        if (row !== null) found.push(table);
      }
    }
    return found;
  };
  const all = await rowsOf(stays);
  expect(all.length).toBeGreaterThan(15);
  expect(await rowsOf(leaver)).toEqual(all);
  await eraseAccount(ports, leaver);
  expect(await rowsOf(leaver)).toEqual([]);
  expect(await ports.keys.get(`person/${leaver}`)).toBeNull();
  expect(await rowsOf(stays)).toEqual(all);
  expect(await ports.keys.get(`person/${stays}`)).not.toBeNull();
});
