/** Writes the worker to dist/, from where wrangler takes it as it is (`[build]` in wrangler.toml). */

import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bundleWorker } from "./local/bundle.ts";

const TARGET = join(import.meta.dirname, "../dist");

const modules = await bundleWorker();
await mkdir(TARGET, { recursive: true });
const kept = new Set(modules.map(({ path }) => path.replace("./", "")));
for (const name of await readdir(TARGET)) {
  if (!kept.has(name)) await rm(join(TARGET, name));
}
for (const { path, contents } of modules) await writeFile(join(TARGET, path), contents);
