/**
 * Builds what pages load (islands, styles, fonts, icon, the viewer) into console/dist/public, the folder
 * that the platform uploads and Deno reads, and their names into console/dist/names.ts, which pages
 * link. A name carries a hash of the content, so a browser may keep the file for ever. What packs well
 * lies there packed too. It writes only what changed.
 */

import { createHash, randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, gzip } from "node:zlib";
import { build } from "esbuild";
import { type Coding, codings, viewerTypes } from "../workers/assets.ts";
import { browsers, buildViewer } from "./build-viewer.ts";

const ROOT = join(import.meta.dirname, "..");
const DIST = join(ROOT, "console/dist");
const PUBLIC = "public";

/** The built files, and nothing else. */
export const publicFolder = join(DIST, PUBLIC);

const pack: Readonly<Record<Coding, (plain: Uint8Array) => Promise<Uint8Array>>> = {
  br: promisify(brotliCompress),
  gzip: (plain) => promisify(gzip)(plain, { level: 9 }),
};

/** Builds into the folder `dist`; a no-op on disk when everything is up to date. */
export async function buildConsole(dist: string = DIST): Promise<void> {
  const folder = join(dist, PUBLIC);
  const result = await build({
    entryPoints: [
      { in: join(ROOT, "console/islands/index.ts"), out: "console" },
      { in: join(ROOT, "console/styles/index.css"), out: "console" },
      { in: join(ROOT, "console/icon.svg"), out: "icon" },
      { in: join(ROOT, "viewer/shell/index.ts"), out: "viewer" },
      { in: join(ROOT, "viewer/styles/viewer.css"), out: "viewer" },
    ],
    bundle: true,
    minify: true,
    format: "esm",
    target: browsers,
    loader: { ".woff2": "file", ".svg": "copy" },
    entryNames: "[name].[hash]",
    assetNames: "[name].[hash]",
    // They name each other by relative paths: whoever serves them chooses where.
    outdir: folder,
    absWorkingDir: ROOT,
    write: false,
    logLevel: "error",
  });
  await mkdir(folder, { recursive: true });
  const names: Record<string, string> = {};
  const kept = new Set<string>();
  for (const { path, contents } of result.outputFiles.sort((a, b) => (a.path < b.path ? -1 : 1))) {
    const name = basename(path);
    names[(name.split(".")[0] as string) + extname(name)] = name;
    for (const stored of await store(dist, name, contents)) kept.add(stored);
  }
  const viewer = await buildViewer();
  const policies: Record<string, unknown> = {};
  for (const { name: plain, contents, hashed } of viewer.files) {
    const name = hashed ? withHash(plain, contents) : plain;
    if (hashed) names[plain] = name;
    if (plain in viewer.policies) policies[name] = viewer.policies[plain];
    for (const stored of await store(dist, name, contents)) kept.add(stored);
  }
  await writeWhenChanged(
    dist,
    "names.ts",
    "/** Made by scripts/build-console.ts; not kept in git. */\n\n" +
      "/** The name of each built file by its plain name. */\n" +
      `export const names = ${JSON.stringify(names, null, 2)} as const;\n\n` +
      "/** What each of the viewer's frames may do, by its name. */\n" +
      `export const framePolicies = ${JSON.stringify(policies, null, 2)};\n`,
  );
  for (const name of await readdir(folder)) {
    if (!kept.has(name)) await rm(join(folder, name), { recursive: true, force: true });
  }
}

/** The name with eight letters of its content's hash, like esbuild's. */
function withHash(name: string, contents: Uint8Array): string {
  const hash = createHash("sha256").update(contents).digest("hex").slice(0, 8).toUpperCase();
  const dot = name.lastIndexOf(".");
  return `${name.slice(0, dot)}.${hash}${name.slice(dot)}`;
}

/** Puts a file into the folder, plain and packed. @returns the names under which it lies there */
async function store(dist: string, name: string, contents: Uint8Array): Promise<string[]> {
  const type = viewerTypes[extname(name)];
  if (type === undefined) throw new Error(`no content type for ${name}`);
  await writeWhenAbsent(dist, name, async () => contents);
  const stored = [name];
  for (const coding of type.packed ? (Object.keys(codings) as Coding[]) : []) {
    const packed = name + codings[coding];
    await writeWhenAbsent(dist, packed, () => pack[coding](contents));
    stored.push(packed);
  }
  return stored;
}

/** A file whose name says its content is never written again. */
async function writeWhenAbsent(
  dist: string,
  name: string,
  contents: () => Promise<Uint8Array>,
): Promise<void> {
  const there = await stat(join(dist, PUBLIC, name)).catch(() => null);
  if (there === null) await moveInto(dist, join(PUBLIC, name), await contents());
}

async function writeWhenChanged(dist: string, name: string, text: string): Promise<void> {
  const before = await readFile(join(dist, name), "utf8").catch(() => null);
  if (before !== text) await moveInto(dist, name, text);
}

/** Several may build at once: each writes drafts of its own and moves them into place when whole. */
async function moveInto(dist: string, path: string, contents: string | Uint8Array): Promise<void> {
  const draft = join(dist, `draft-${randomUUID()}`);
  await writeFile(draft, contents);
  await rename(draft, join(dist, path));
}

if (import.meta.main) await buildConsole();
