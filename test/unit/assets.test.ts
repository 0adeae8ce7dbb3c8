/** Which form of a built file is an answer, and who may serve it. */

import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { unstable_readConfig as readConfig } from "wrangler";
import { buildConsole } from "../../scripts/build-console.ts";
import { assetResponse } from "../../workers/assets.ts";
import type { Assets } from "../../workers/ports.ts";

const files = new Map(
  ["a.H.css", "a.H.css.br", "a.H.css.gz", "a.H.woff2", "a.H.html", "plain.H.css"].map((name) => [
    name,
    new TextEncoder().encode(name),
  ]),
);
const assets: Assets = { get: async (name) => files.get(name) ?? null };

function ask(name: string, headers: Record<string, string> = {}, cf?: object) {
  const request = new Request("https://latchkey.example/", { headers });
  if (cf !== undefined) Object.defineProperty(request, "cf", { value: cf });
  return assetResponse(request, assets, name);
}

describe("a built file", () => {
  it.each([
    ["", "a.H.css"],
    ["identity", "a.H.css"],
    ["deflate, zstd", "a.H.css"],
    ["gzip", "a.H.css.gz"],
    ["gzip, deflate, br", "a.H.css.br"],
    ["GZIP;q=0.5, BR ; q=1.0", "a.H.css.br"],
    ["br;q=0, gzip", "a.H.css.gz"],
    ["br; q=0.000, gzip;q=0", "a.H.css"],
    ["br;q=0.001", "a.H.css.br"],
    ["brotli", "a.H.css"],
    ["*", "a.H.css"],
  ])("goes to who takes %j as %s", async (accepted, stored) => {
    const response = await ask("a.H.css", { "accept-encoding": accepted });
    expect(await response?.text()).toBe(stored);
    expect(response?.headers.get("etag")).toBe(`"${stored}"`);
    expect(response?.headers.get("vary")).toBe("accept-encoding");
    const coding = stored.endsWith(".br") ? "br" : stored.endsWith(".gz") ? "gzip" : null;
    expect(response?.headers.get("content-encoding")).toBe(coding);
  });

  it("heeds what the client sent, not what the platform made of it", async () => {
    const normalized = { "accept-encoding": "gzip, br" };
    for (const [sent, stored] of [
      ["", "a.H.css"],
      ["gzip", "a.H.css.gz"],
    ] as const) {
      const response = await ask("a.H.css", normalized, { clientAcceptEncoding: sent });
      expect(await response?.text()).toBe(stored);
    }
  });

  it("is sent as it is when it is packed by itself", async () => {
    const response = await ask("a.H.woff2", { "accept-encoding": "br" });
    expect(await response?.text()).toBe("a.H.woff2");
    expect(response?.headers.get("content-encoding")).toBe(null);
    expect(response?.headers.get("content-type")).toBe("font/woff2");
  });

  it.each([
    ['"a.H.css"', 304],
    ['W/"a.H.css"', 304],
    ['"x", "a.H.css"', 304],
    ["*", 304],
    ['"a.H.css.br"', 200],
    ["a.H.css", 200],
  ])("answers If-None-Match: %s with %d", async (known, status) => {
    const response = await ask("a.H.css", { "if-none-match": known });
    expect(response?.status).toBe(status);
    expect(response?.headers.get("cache-control")).toContain("immutable");
    expect(await response?.text()).toBe(status === 304 ? "" : "a.H.css");
  });

  it.each([
    "a.H.css.br",
    "a.H.css.gz",
    "a.H.html",
    "b.H.css",
    "../a.H.css",
    "x/../a.H.css",
    "..%2fa.H.css",
    "%61.H.css",
    ".css",
    "__proto__",
    "constructor",
    "a.H.constructor",
    "",
  ])("is nothing under the name %j", async (name) => {
    expect(await ask(name)).toBe(null);
  });
});

describe("a build", () => {
  let dist: string;
  const files = async () =>
    new Map(
      await Promise.all(
        (await readdir(join(dist, "public"))).map(
          async (name) => [name, (await stat(join(dist, "public", name))).mtimeMs] as const,
        ),
      ),
    );
  beforeEach(async () => {
    dist = await mkdtemp(join(tmpdir(), "latchkey-dist-"));
  });
  afterEach(() => rm(dist, { recursive: true }));

  it("leaves what it names, plain and packed, and nothing of a build before", {
    timeout: 120_000,
  }, async () => {
    await mkdir(join(dist, "public"));
    await writeFile(join(dist, "public/console.OLD.css"), "old");
    await Promise.all([buildConsole(dist), buildConsole(dist)]);
    const { names } = await import(pathToFileURL(join(dist, "names.ts")).href);
    const expected = Object.values<string>(names).flatMap((name) =>
      name.endsWith(".woff2") ? [name] : [name, `${name}.br`, `${name}.gz`],
    );
    const first = await files();
    // What the PDF library asks for has the library's version in its name.
    const ofLibrary = (name: string) => /^pdfjs-\d/.test(name);
    const own = [...first.keys()].filter((name) => !ofLibrary(name));
    expect(own.sort()).toEqual(expected.sort());
    expect([...first.keys()].filter(ofLibrary).length).toBeGreaterThan(100);
    expect((await readdir(dist)).sort()).toEqual(["names.ts", "public"]);
    for (const plain of Object.keys(names)) {
      const [start, end] = [plain.slice(0, plain.lastIndexOf(".")), plain.split(".").at(-1)];
      expect(names[plain]).toMatch(new RegExp(`^${start}\\.[A-Z0-9]{8}\\.${end}$`));
    }
    await buildConsole(dist);
    expect(await files()).toEqual(first);
  });
});

describe("the platform", () => {
  it.each([undefined, "production"])("serves no file by itself (environment: %s)", (env) => {
    const config = join(import.meta.dirname, "../../wrangler.toml");
    expect(readConfig({ config, env }, { hideWarnings: true }).assets).toEqual({
      directory: expect.stringMatching(/console\/dist\/public$/),
      binding: "ASSETS",
      // A device's host is the device's alone: nothing of ours may answer before the worker.
      run_worker_first: true,
      html_handling: "none",
      not_found_handling: "none",
    });
  });
});
