/**
 * What the Worker weighs as it is uploaded, and what a browser loads beside its first page. The
 * start-up, which is a time, stands in `npm run bench`.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { jsx } from "hono/jsx";
import { beforeAll, expect, it } from "vitest";
import { Page } from "../../console/layout.tsx";
import { buildConsole, publicFolder } from "../../scripts/build-console.ts";
import { bundleWorker, gzippedBytes } from "../../scripts/local/bundle.ts";

const MAX_KIB = 400;
const MAX_FIRST_VIEW_KIB = 60;

beforeAll(() => buildConsole());

it("stays under 400 KiB, gzipped, and is all of the worker", { timeout: 60_000 }, async () => {
  const modules = await bundleWorker();
  const whole = modules.map(({ contents }) => String(contents)).join("\n");
  for (const part of ["/nic/update", "/api/sign-up", "/oauth/token"]) expect(whole).toContain(part);
  const kib = gzippedBytes(modules) / 1024;
  console.log(`the worker: ${kib.toFixed(1)} of ${MAX_KIB} KiB`);
  expect(kib).toBeLessThan(MAX_KIB);
  expect(kib).toBeGreaterThan(100);
});

it("starts without what only people need", { timeout: 60_000 }, async () => {
  const scripts = new Map(
    (await bundleWorker()).map(({ path, contents }) => [path, `${contents}`]),
  );
  const started = new Set<string>();
  const start = (path: string) => {
    if (started.has(path)) return;
    started.add(path);
    const imports = scripts.get(path)?.matchAll(/(?:from|import)\s*"\.\/([^"]+\.mjs)"/g) ?? [];
    for (const [, name] of imports) start(name as string);
  };
  start("index.mjs");
  const code = [...started].map((path) => scripts.get(path)).join("\n");
  expect(code).toContain("/nic/update");
  for (const late of [
    "/api/sign-up",
    "/oauth/jwks",
    "ZodObject",
    "greetingTimeout",
    "SQLiteTable",
  ]) {
    expect([late, code.includes(late)]).toEqual([late, false]);
    expect([late, [...scripts.values()].join("\n").includes(late)]).toEqual([late, true]);
  }
});

it("carries what its routes take, and not what only their documents say", {
  timeout: 60_000,
}, async () => {
  const text = (await bundleWorker()).map(({ contents }) => String(contents)).join("\n");
  expect(text.includes("/api/account/activity")).toBe(true);
  for (const said of ["summary:", ".meta({", "Shown this once", "Latest first"]) {
    expect([said, text.includes(said)]).toEqual([said, false]);
  }
});

it("carries no font, no style and no island of the console", { timeout: 60_000 }, async () => {
  const text = (await bundleWorker()).map(({ contents }) => String(contents)).join("\n");
  const built = linked();
  expect(built.length).toBeGreaterThanOrEqual(4);
  for (const name of built) {
    expect(text).toContain(name);
    const bytes = readFileSync(join(publicFolder, name));
    for (const form of ["base64", "latin1"] as const) {
      expect(text.includes(bytes.toString(form).slice(0, 64)), `${name} as ${form}`).toBe(false);
    }
  }
});

it("loads at most 60 KiB, gzipped, beside a first page: styles, font, island and icon", () => {
  const names = linked();
  for (const end of [".css", ".woff2", ".js", ".svg"]) {
    expect(names.filter((name) => name.endsWith(end)).length, end).toBeGreaterThanOrEqual(1);
  }
  // As an old client would take them; most take less.
  const sizes = names.map((name) => {
    const stored = name.endsWith(".woff2") ? name : `${name}.gz`;
    return readFileSync(join(publicFolder, stored)).length;
  });
  const kib = sizes.reduce((sum, bytes) => sum + bytes, 0) / 1024;
  console.log(`beside a first page: ${kib.toFixed(1)} of ${MAX_FIRST_VIEW_KIB} KiB`);
  expect(kib).toBeLessThan(MAX_FIRST_VIEW_KIB);
});

/** The files that every page links, and those that its styles name. */
function linked(): string[] {
  const frame = { title: "Sign in", signedIn: false, nonce: "n", zone: null };
  const markup = String(jsx(Page, frame, "" as never));
  const names = [...markup.matchAll(/"\/assets\/([^"]+)"/g)].map(([, name]) => name as string);
  const styles = names.filter((name) => name.endsWith(".css"));
  for (const style of styles) {
    const text = readFileSync(join(publicFolder, style), "utf8");
    for (const [, name] of text.matchAll(/url\("?\.\/([^")]+)/g)) names.push(name as string);
  }
  return [...new Set(names)];
}
