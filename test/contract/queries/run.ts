/** Runs every case on libSQL and prints one JSON line for each. Started under Deno by deno.test.ts. */

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createClient } from "@libsql/client";
import { Directory } from "../../../db/directory.ts";
import { systemRandom } from "../../../durable-objects/system.ts";
import { openDatabase } from "../../../workers/deno/databases.ts";
import { FolderKeyStore } from "../../../workers/deno/keys.ts";
import { cases } from "./cases.ts";

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error("which folder?");
const clock = { time: 1_800_000_000_000 };
const path = join(folder, "home.db");
const region = await openDatabase(path, "region");
const directory = await openDatabase(join(folder, "directory.db"), "directory");
const keys = new FolderKeyStore(join(folder, "keys"), systemRandom);
const client = createClient({ url: pathToFileURL(path).href, concurrency: 1, timeout: 5000 });
const stores = {
  region: region.db,
  keys,
  directory: new Directory(directory.db, keys, { now: () => clock.time }),
  run: async (statement: string, ...parameters: string[]) =>
    (await client.execute(statement, parameters)).rows as readonly unknown[],
  clock,
};

for (const [name, run] of Object.entries(cases)) {
  const error = await run(stores).then(
    () => null,
    (reason) => (reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)),
  );
  console.log(JSON.stringify({ name, error }));
}
client.close();
region.close();
directory.close();
