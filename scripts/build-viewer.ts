/**
 * Builds the viewer: its page's script and styles, and a frame for each kind of document. A frame is
 * one file with everything in it, since nothing may be loaded there; the hash of its script goes into
 * its policy (workers/link/view.ts). Beside them lie what the PDF library asks for by need.
 */

import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { type BuildOptions, build, type OutputFile, type Plugin } from "esbuild";

const ROOT = join(import.meta.dirname, "..");
const frames = ["text", "markdown", "image", "pdf", "document", "sheet", "slides"] as const;

export interface BuiltViewer {
  /** By name; `hashed` ones still get the hash of their content. */
  readonly files: readonly { name: string; contents: Uint8Array; hashed: boolean }[];
  /** By a frame's plain name: what it may run, and whether it starts workers. */
  readonly policies: Readonly<Record<string, { scripts: string[]; workers: boolean }>>;
}

export const browsers = ["es2022", "chrome120", "firefox128", "safari17"];
const common: BuildOptions = {
  bundle: true,
  minify: true,
  target: browsers,
  absWorkingDir: ROOT,
  write: false,
  logLevel: "error",
  legalComments: "none",
};

export async function buildViewer(): Promise<BuiltViewer> {
  const built = await build({
    ...common,
    entryPoints: frames.map((kind) => ({ in: join(ROOT, `viewer/frames/${kind}.ts`), out: kind })),
    // A module's code stays strict and its names its own.
    format: "iife",
    outdir: "out",
    plugins: [workerText, withOwnZip],
  });
  const styles = await build({
    ...common,
    entryPoints: [join(ROOT, "viewer/styles/frame.css")],
    outdir: "out",
  });
  const style = styles.outputFiles?.[0]?.text ?? "";
  const documents = (built.outputFiles ?? []).map((file) => frameOf(file, style));
  return {
    files: [
      ...documents.map(({ name, html }) => ({
        name,
        contents: Buffer.from(html),
        hashed: true,
      })),
      ...(await pdfResources()),
    ],
    policies: Object.fromEntries(
      documents.map(({ name, script }) => [
        name,
        { scripts: [hashOf(script)], workers: name === "view-pdf.html" },
      ]),
    ),
  };
}

function frameOf({ path, text }: OutputFile, style: string) {
  const script = text.trim();
  // What would end the element early, or hide its end (HTML, script data double escaped state).
  if (/<\/script/i.test(script) || (script.includes("<!--") && /<script/i.test(script))) {
    throw new Error(`${basename(path)} cannot stand in a page as it is`);
  }
  const kind = basename(path, ".js");
  const html = `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark"><title>Document</title><style>${style}</style></head><body><script>${script}</script></body></html>`;
  return { name: `view-${kind}.html`, html, script };
}

/** As a policy spells it (CSP3 §2.3.1, hash-source). */
function hashOf(script: string): string {
  return `'sha256-${createHash("sha256").update(script).digest("base64")}'`;
}

/** Tables of old writing systems and decoders of rare pictures; their names carry the version. */
async function pdfResources() {
  const manifest = createRequire(import.meta.url).resolve("pdfjs-dist/package.json");
  const { version } = JSON.parse(await readFile(manifest, "utf8")) as { version: string };
  const wanted: [folder: string, names: RegExp][] = [
    ["cmaps", /\.bcmap$/],
    ["wasm", /^(?:jbig2|openjpeg|qcms_bg)\.wasm$/],
  ];
  const lists = wanted.map(async ([folder, names]) => {
    const path = join(dirname(manifest), folder);
    const found = (await readdir(path)).filter((name) => names.test(name));
    return await Promise.all(
      found.map(async (name) => ({
        name: `pdfjs-${version}-${name}`,
        contents: await readFile(join(path, name)),
        hashed: false,
      })),
    );
  });
  return (await Promise.all(lists)).flat();
}

/**
 * `worker:` before a name: the module with all it imports as the text of a plain script. Chromium starts
 * no module worker where there is no origin.
 */
const workerText: Plugin = {
  name: "worker-text",
  setup({ onResolve, onLoad, resolve }) {
    onResolve({ filter: /^worker:/ }, async ({ path, resolveDir, kind }) => {
      const found = await resolve(path.slice("worker:".length), { resolveDir, kind });
      return { ...found, namespace: "worker" };
    });
    onLoad({ filter: /^/, namespace: "worker" }, async ({ path }) => {
      const built = await build({ ...common, entryPoints: [path], format: "iife" });
      return { contents: built.outputFiles?.[0]?.text ?? "", loader: "text" };
    });
  },
};

/** docx-preview unpacks with our reader, which has limits. */
const withOwnZip: Plugin = {
  name: "own-zip",
  setup({ onResolve }) {
    onResolve({ filter: /^jszip$/ }, () => ({ path: join(ROOT, "viewer/office/jszip.ts") }));
  },
};
