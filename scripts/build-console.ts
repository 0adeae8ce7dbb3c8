/**
 * Builds what the console sends besides pages (islands, styles, fonts, icon) into one module that
 * workerd and Deno import alike: console/dist/assets.ts. Names carry a hash of the content, so a
 * browser may keep them for ever. It writes only when something changed.
 */

import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { build } from "esbuild";

const ROOT = join(import.meta.dirname, "..");
const TARGET = join(ROOT, "console/dist/assets.ts");
const PREFIX = "/assets/";

const types: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};
const binary = new Set([".woff2"]);

/** Builds the assets; a no-op on disk when console/dist/assets.ts is up to date. */
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
    publicPath: PREFIX,
    outdir: join(ROOT, "console/dist"),
    absWorkingDir: ROOT,
    write: false,
    logLevel: "error",
  });
  const assets: Record<string, { type: string; body: string; base64?: true }> = {};
  const urls: Record<string, string> = {};
  for (const file of result.outputFiles.sort((a, b) => (a.path < b.path ? -1 : 1))) {
    const name = basename(file.path);
    const extension = extname(name);
    const type = types[extension];
    if (type === undefined) throw new Error(`no content type for ${name}`);
    assets[PREFIX + name] = binary.has(extension)
      ? { type, body: Buffer.from(file.contents).toString("base64"), base64: true }
      : { type, body: file.text };
    urls[(name.split(".")[0] as string) + extension] = PREFIX + name;
  }
  await writeWhenChanged(
    `/** Made by scripts/build-console.ts; not kept in git. */\n\n` +
      `export interface Asset {\n  readonly type: string;\n  readonly body: string;\n  readonly base64?: boolean;\n}\n\n` +
      `/** By path. */\nexport const assets: Readonly<Record<string, Asset>> = ${JSON.stringify(assets, null, 2)};\n\n` +
      `/** The path of each asset by its plain name. */\nexport const urls: Readonly<Record<string, string>> = ${JSON.stringify(urls, null, 2)};\n`,
  );
}

/** Several processes may build at once: each writes its own file and moves it into place. */
async function writeWhenChanged(text: string): Promise<void> {
  const before = await readFile(TARGET, "utf8").catch(() => null);
  if (before === text) return;
  await mkdir(join(TARGET, ".."), { recursive: true });
  const draft = `${TARGET}.${process.pid}`;
  await writeFile(draft, text);
  await rename(draft, TARGET);
}

if (import.meta.main) await buildConsole();
