/** What the database itself must do the same everywhere: migrations, batches, parameters, conflicts. */

import assert from "node:assert/strict";
import { eq, sql } from "drizzle-orm";
import { applyMigrations } from "../../../db/migrate.ts";
import { account, device } from "../../../db/schema/region.ts";
import { systemRandom } from "../../../durable-objects/system.ts";
import { newId } from "../../../protocol/ids.ts";
import type { Cases } from "./cases.ts";

const newAccount = () => newId("acc", "home", systemRandom.bytes);

export const schemaCases: Cases = {
  "migrations apply once, in order, and are remembered": async ({ run }) => {
    const files = [
      { name: "9002_b.sql", sql: "INSERT INTO step_log (name) VALUES ('b');" },
      {
        name: "9001_a.sql",
        sql: "CREATE TABLE step_log (name TEXT); INSERT INTO step_log VALUES ('a')",
      },
    ];
    assert.deepEqual(await applyMigrations(run, files), ["9001_a.sql", "9002_b.sql"]);
    assert.deepEqual(await applyMigrations(run, files), []);
    const rows = (await run("SELECT name FROM step_log ORDER BY rowid")) as { name: string }[];
    assert.deepEqual(
      rows.map((row) => row.name),
      ["a", "b"],
    );
    await run("DROP TABLE step_log");
    await run("DELETE FROM d1_migrations WHERE name LIKE '900%'");
  },

  "a batch is one transaction: all of it or nothing": async ({ region }) => {
    const [id, other] = [newAccount(), newAccount()];
    await region.insert(account).values({ id, createdAt: 1, activeDay: 0 });
    await assert.rejects(
      region.batch([
        region.insert(account).values({ id: other, createdAt: 2, activeDay: 0 }),
        region.insert(account).values({ id, createdAt: 3, activeDay: 0 }),
      ]),
    );
    assert.deepEqual(await region.select().from(account).where(eq(account.id, other)), []);
  },

  "a batch answers each statement in order": async ({ region }) => {
    const id = newAccount();
    const [, rows, gone] = await region.batch([
      region.insert(account).values({ id, createdAt: 7, activeDay: 0 }),
      region.select().from(account).where(eq(account.id, id)),
      region.delete(account).where(eq(account.id, id)).returning({ id: account.id }),
    ]);
    assert.deepEqual([rows, gone], [[{ id, createdAt: 7, activeDay: 0, warnings: 0 }], [{ id }]]);
  },

  "times keep their milliseconds and texts every character": async ({ region }) => {
    const id = newAccount();
    const accountId = '’ " é 😀 \\ % _';
    await region.insert(device).values({ id, accountId, createdAt: 1_999_999_999_999 });
    assert.deepEqual(await region.select().from(device).where(eq(device.accountId, accountId)), [
      {
        ...{ id, accountId, createdAt: 1_999_999_999_999, endsAt: null },
        ...{ namesAt: null, domainsAt: null, tokensAt: null },
      },
    ]);
  },

  "a hundred parameters fit into one statement": async ({ region }) => {
    const ids = Array.from({ length: 100 }, newAccount);
    for (const id of ids.slice(0, 3))
      await region.insert(account).values({ id, createdAt: 1, activeDay: 0 });
    const rows = await region.all(sql`SELECT id FROM account WHERE id IN ${ids}`);
    assert.equal(rows.length, 3);
  },
};
