/** The worker as it is uploaded: one script and its wasm, built as wrangler builds it. */

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type Plugin } from "esbuild";
import { buildConsole } from "../build-console.ts";

const ROOT = join(import.meta.dirname, "../..");

/** A module of a worker, in Miniflare's words. */
export type WorkerModule =
  | { readonly type: "ESModule"; readonly path: string; readonly contents: string }
  | { readonly type: "CompiledWasm"; readonly path: string; readonly contents: Buffer };

/** Builds the worker; its script comes first. */
export async function bundleWorker(): Promise<WorkerModule[]> {
  await buildConsole();
  const wasm = new Map<string, string>();
  const result = await build({
    entryPoints: [join(ROOT, "workers/index.ts")],
    bundle: true,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    // As in wrangler.toml.
    alias: { "@peculiar/x509": join(ROOT, "workers/sign-in/no-certificates.ts") },
    jsx: "automatic",
    jsxImportSource: "hono/jsx",
    minify: true,
    write: false,
    absWorkingDir: ROOT,
    outdir: "out",
    logLevel: "error",
    plugins: [wasmModules(wasm)],
  });
  const [script] = result.outputFiles;
  if (script === undefined) throw new Error("the worker did not build");
  const binaries = [...wasm].map(async ([path, file]) => ({
    type: "CompiledWasm" as const,
    path,
    contents: await readFile(file),
  }));
  return [
    { type: "ESModule", path: "index.js", contents: script.text },
    ...(await Promise.all(binaries)),
  ];
}

/** Bytes of a worker's modules, gzipped: what the platform's size limit counts. */
export function gzippedBytes(modules: readonly WorkerModule[]): number {
  return modules.reduce((sum, { contents }) => sum + gzipSync(contents, { level: 9 }).length, 0);
}

/** Leaves wasm imports standing as modules beside the script, and notes their files in `found`. */
function wasmModules(found: Map<string, string>): Plugin {
  return {
    name: "wasm-modules",
    setup({ onResolve }) {
      onResolve({ filter: /\.wasm$/ }, ({ path }) => {
        const name = basename(path);
        found.set(name, createRequire(import.meta.url).resolve(path));
        return { path: `./${name}`, external: true };
      });
    },
  };
}
