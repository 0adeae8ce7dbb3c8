/**
 * The generated documents: `npm run docs` writes them, `npm run docs -- --check` fails when one is
 * not what the code says. docs/openapi.json comes from the routes, docs/data-map.md from the data map.
 */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { policy } from "../workers/privacy/policy.ts";
import { buildConsole } from "./build-console.ts";
import type * as Generator from "./openapi.ts";
import { printDataMap } from "./print-data-map.ts";

const ROOT = join(import.meta.dirname, "..");

/** Every generated document: its path in the repository and its text. */
export async function documents(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ["docs/data-map.md", printDataMap(policy())],
    ["docs/openapi.json", await openApi()],
  ]);
}

async function openApi(): Promise<string> {
  const { openApiDocument } = await loadGenerator();
  return `${JSON.stringify(openApiDocument(), null, 2)}\n`;
}

/** The generator and the route table as a module: Node runs no JSX by itself. */
async function loadGenerator(): Promise<typeof Generator> {
  await buildConsole();
  const result = await build({
    entryPoints: [join(ROOT, "scripts/openapi.ts")],
    bundle: true,
    format: "esm",
    platform: "node",
    jsx: "automatic",
    jsxImportSource: "hono/jsx",
    // Some dependencies are CommonJS and ask for Node's modules by `require`.
    banner: {
      js: `import { createRequire as from } from "node:module"; const require = from("file://${ROOT}/");`,
    },
    write: false,
    absWorkingDir: ROOT,
    logLevel: "error",
  });
  const code = result.outputFiles[0]?.contents ?? new Uint8Array();
  return await import(`data:text/javascript;base64,${Buffer.from(code).toString("base64")}`);
}

/** Paths of documents that are not what the code says. */
export async function staleDocuments(): Promise<string[]> {
  const stale = [];
  for (const [path, text] of await documents()) {
    const written = await readFile(join(ROOT, path), "utf8").catch(() => null);
    if (written !== text) stale.push(path);
  }
  return stale;
}

if (import.meta.main) {
  if (process.argv.includes("--check")) {
    const stale = await staleDocuments();
    if (stale.length > 0) {
      console.error(`${stale.join(" and ")}: not what the code says. Run \`npm run docs\`.`);
      process.exitCode = 1;
    }
  } else {
    for (const [path, text] of await documents()) await writeFile(join(ROOT, path), text);
  }
}
