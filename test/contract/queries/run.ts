/** Runs every case on libSQL and prints one JSON line for each. Started under Deno by deno.test.ts. */

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createClient } from "@libsql/client";
import { Directory, readLabel } from "../../../db/directory.ts";
import { Names } from "../../../db/names.ts";
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
const now = { now: () => clock.time };
const names = new Names(readLabel(directory.db), keys, now);
const stores = {
  region: region.db,
  keys,
  names,
  directory: new Directory(directory.db, names, now),
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
