/**
 * Builds what pages load (islands, styles, fonts, icon) into console/dist/public, the folder that the
 * platform uploads and Deno reads, and their names into console/dist/names.ts, which pages link. A name
 * carries a hash of the content, so a browser may keep the file for ever. What packs well lies there
 * packed too. It writes only what changed.
 */

import { access, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, gzip } from "node:zlib";
import { build } from "esbuild";
import { assetTypes, type Coding, codings } from "../workers/assets.ts";

const ROOT = join(import.meta.dirname, "..");
const DIST = join(ROOT, "console/dist");

/** The built files, and nothing else. */
export const publicFolder = join(DIST, "public");

const pack: Readonly<Record<Coding, (plain: Uint8Array) => Promise<Uint8Array>>> = {
  br: promisify(brotliCompress),
  gzip: (plain) => promisify(gzip)(plain, { level: 9 }),
};

/** Builds the files; a no-op on disk when everything is up to date. */
export async function buildConsole(): Promise<void> {
  const result = await build({
    entryPoints: [
      { in: join(ROOT, "console/islands/index.ts"), out: "console" },
      { in: join(ROOT, "console/styles/index.css"), out: "console" },
      { in: join(ROOT, "console/icon.svg"), out: "icon" },
    ],
    bundle: true,
    minify: true,
    format: "esm",
    target: ["es2022", "chrome120", "firefox128", "safari17"],
    loader: { ".woff2": "file", ".svg": "copy" },
    entryNames: "[name].[hash]",
    assetNames: "[name].[hash]",
    // They name each other by relative paths: whoever serves them chooses where.
    outdir: publicFolder,
    absWorkingDir: ROOT,
    write: false,
    logLevel: "error",
  });
  await mkdir(publicFolder, { recursive: true });
  const names: Record<string, string> = {};
  const kept = new Set<string>();
  for (const { path, contents } of result.outputFiles.sort((a, b) => (a.path < b.path ? -1 : 1))) {
    const name = basename(path);
    names[(name.split(".")[0] as string) + extname(name)] = name;
    for (const file of await store(name, contents)) kept.add(file);
  }
  await writeWhenChanged(
    join(DIST, "names.ts"),
    "/** Made by scripts/build-console.ts; not kept in git. */\n\n" +
      "/** The name of each built file by its plain name. */\n" +
      `export const names = ${JSON.stringify(names, null, 2)} as const;\n`,
  );
  for (const file of await readdir(publicFolder)) {
    if (!kept.has(file)) await rm(join(publicFolder, file), { force: true });
  }
}

/** Puts a file into the folder, plain and packed. @returns the names under which it lies there */
async function store(name: string, contents: Uint8Array): Promise<string[]> {
  const type = assetTypes[extname(name)];
  if (type === undefined) throw new Error(`no content type for ${name}`);
  const stored = [name];
  await writeWhenAbsent(join(publicFolder, name), async () => contents);
  if (!type.packed) return stored;
  for (const coding of Object.keys(codings) as Coding[]) {
    const packed = name + codings[coding];
    await writeWhenAbsent(join(publicFolder, packed), () => pack[coding](contents));
    stored.push(packed);
  }
  return stored;
}

/** A file whose name says its content is never changed. */
async function writeWhenAbsent(path: string, contents: () => Promise<Uint8Array>): Promise<void> {
  const there = await access(path).then(
    () => true,
    () => false,
  );
  if (!there) await moveInto(path, await contents());
}

async function writeWhenChanged(path: string, text: string): Promise<void> {
  const before = await readFile(path, "utf8").catch(() => null);
  if (before !== text) await moveInto(path, text);
}

/** Several processes may build at once: each writes its own draft and moves it into place. */
async function moveInto(path: string, contents: string | Uint8Array): Promise<void> {
  const draft = join(dirname(publicFolder), `draft.${process.pid}.${basename(path)}`);
  await writeFile(draft, contents);
  await rename(draft, path);
}

if (import.meta.main) await buildConsole();
