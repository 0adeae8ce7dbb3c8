/** The queries on D1, inside workerd: the cases that test/contract/queries/deno.test.ts runs on libSQL. */

import { env } from "cloudflare:workers";
import { drizzle } from "drizzle-orm/d1";
import { describe, it } from "vitest";
import type { Db } from "../../db/db.ts";
import { Directory } from "../../db/directory.ts";
import { onD1 } from "../../db/migrate.ts";
import { Names } from "../../db/names.ts";
import { keysOf, labelsIn } from "../../durable-objects/platform.ts";
import { cases } from "../contract/queries/cases.ts";

const { DIRECTORY, DB_HOME } = env as unknown as {
  DIRECTORY: D1Database;
  DB_HOME: D1Database;
};
const clock = { time: 1_800_000_000_000 };

describe("queries on D1", () => {
  const keys = keysOf(env as never);
  const now = { now: () => clock.time };
  const names = new Names(labelsIn(DIRECTORY), keys, now);
  const stores = {
    keys,
    region: drizzle(DB_HOME) as Db,
    names,
    directory: new Directory(drizzle(DIRECTORY) as Db, names, now),
    run: onD1(DB_HOME),
    clock,
  };
  it.each(Object.entries(cases))("%s", (_name, run) => run(stores));
});
