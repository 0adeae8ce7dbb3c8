/**
 * The worker as it is uploaded: its entry, the modules that the entry loads by need, and its wasm. What
 * is not loaded is not compiled, so the start costs what a start needs (docs/decisions/weight.md).
 */

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type Plugin } from "esbuild";
import { minifySync } from "rolldown/utils";
import { buildConsole } from "../build-console.ts";
import { withOneFront } from "./one-front.ts";
import { withoutDescriptions } from "./without-descriptions.ts";
import { withoutUnused } from "./without-unused.ts";

const ROOT = join(import.meta.dirname, "../..");
const ENTRY = "index.mjs";

/** A module of a worker, in Miniflare's words. */
export type WorkerModule =
  | { readonly type: "ESModule"; readonly path: string; readonly contents: string }
  | { readonly type: "CompiledWasm"; readonly path: string; readonly contents: Buffer };

/** Builds the worker; its entry, `index.mjs`, comes first. */
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
    splitting: true,
    chunkNames: "[name]-[hash]",
    outExtension: { ".js": ".mjs" },
    jsx: "automatic",
    jsxImportSource: "hono/jsx",
    minify: true,
    write: false,
    absWorkingDir: ROOT,
    outdir: "out",
    logLevel: "error",
    plugins: [withoutUnused, withoutDescriptions, wasmModules(wasm)],
  });
  const split = new Map(result.outputFiles.map(({ path, text }) => [basename(path), text]));
  const scripts = [...(await withOneFront(split, ENTRY))].map(([path, text]) => ({
    type: "ESModule" as const,
    path,
    contents: smaller(path, text),
  }));
  const binaries = [...wasm].map(async ([path, file]) => ({
    type: "CompiledWasm" as const,
    path,
    contents: await readFile(file),
  }));
  return [...scripts, ...(await Promise.all(binaries))];
}

/** What esbuild has minified, once more by oxc, which finds a little that is left. @throws Error of its own */
function smaller(path: string, text: string): string {
  const { code, errors } = minifySync(path, text, {
    module: true,
    compress: { target: "es2024" },
    mangle: { toplevel: true },
  });
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`);
  return code;
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
