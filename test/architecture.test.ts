/**
 * The shape of the code, checked: who may import whom, who may reach the network, read the time, draw
 * a random number or set a cookie, and how long a file may be. Violations are planted, so that a
 * check which sees nothing fails.
 */

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const MAX_LINES = 400;

type Files = ReadonlyMap<string, string>;

/** Layers from the bottom up; a file imports from its own layer and from those below. */
const layers: readonly [layer: string, paths: RegExp][] = [
  ["protocol", /^protocol\//],
  ["db", /^db\//],
  ["durable-objects", /^durable-objects\//],
  ["workers", /^workers\/(?!(?:app|index|deno|site)\.ts$|deno\/)/],
  ["console", /^console\/(?!islands\/)/],
  ["entries", /^workers\//],
];
/** What runs at home or in a browser: it shares the protocol with the edge, and nothing else. */
const outside = /^(?:agent|demo|front|viewer|console\/islands)\//;

/** Edge code: what Cloudflare and Deno run for us. */
const isEdge = (path: string) => layers.some(([, of]) => of.test(path)) && !outside.test(path);

/** The few places where a rule does not hold, each for its reason. */
const allowed = {
  network: /^workers\/egress\/|^workers\/deno\/|^durable-objects\/host\//, // the gate; Deno's server
  log: /^workers\/(?:index|deno)\.ts$|^workers\/deno\//, // where the gate is built; what is said at start
  time: /^durable-objects\/system\.ts$/,
  random: /^durable-objects\/system\.ts$|^protocol\/assertion\.ts$/, // the device signs at home
  cookies: /^workers\/cookies\.ts$|^workers\/link\/routes\.ts$/, // a door is no Hono page
};

/** Every violation, as a sentence. */
function violations(files: Files): string[] {
  return [...files].flatMap(([path, text]) => {
    const code = withoutComments(text);
    return [
      ...importViolations(path, code),
      ...(isEdge(path) ? effectViolations(path, code) : []),
      ...lengthViolations(path, text),
    ];
  });
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|[^:"'`\\])\/\/.*$/gm, "$1");
}

function importsOf(code: string): string[] {
  const found = code.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']/g);
  return [...found].map(([, target]) => target as string);
}

function importViolations(path: string, code: string): string[] {
  const rank = (of: string) => layers.findIndex(([, paths]) => paths.test(of));
  return importsOf(code).flatMap((target) => {
    if (!target.startsWith(".")) return [];
    const to = posix.join(posix.dirname(path), target);
    if (outside.test(path)) {
      const own = `${(outside.exec(path) as RegExpExecArray)[0]}`;
      const fine = to.startsWith(own) || to.startsWith("protocol/") || to === "package.json";
      return fine ? [] : [`${path} imports ${to}, but may import the protocol only`];
    }
    if (rank(path) < 0) return [];
    const fine = !outside.test(to) && rank(to) >= 0 && rank(to) <= rank(path);
    return fine ? [] : [`${path} imports ${to}, which is not below it`];
  });
}

const NETWORK =
  /^(?:node:(?:net|tls|https?|http2|dgram|dns)|cloudflare:sockets|undici|ws|nodemailer)$/;
const DEFINES_FETCH = /^(?:override |async )*fetch\([^)]*\)\s*[:{]/;

function effectViolations(path: string, code: string): string[] {
  const list: string[] = [];
  const calls = code
    .split("\n")
    .filter((line) => /(?:^|[^.\w#])fetch\s*\(/.test(line) && !DEFINES_FETCH.test(line.trim()));
  const reaches =
    calls.length > 0 ||
    /\b(?:globalThis|self|window)\.fetch\b|\bnew WebSocket\(/.test(code) ||
    importsOf(code).some((target) => NETWORK.test(target));
  if (reaches && !allowed.network.test(path)) list.push(`${path} reaches the network`);
  const carries = /^import (?!type\b)[^;]*from "@hono\/zod-openapi"/m.test(code);
  if (carries) list.push(`${path} carries the document generator to the edge`);
  const loads = /^(?:export )?const \w+ = new Intl\./m.test(code);
  if (loads) list.push(`${path} loads language data at every start`);
  const reads = /\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\.now\b/.test(code);
  if (reads && !allowed.time.test(path)) list.push(`${path} reads the time`);
  const draws = /\bMath\.random\b|\bgetRandomValues\b|\brandomUUID\b|\brandomBytes\b/.test(code);
  if (draws && !allowed.random.test(path)) list.push(`${path} draws a random number`);
  const writes = /\bconsole\.(?:log|error|warn|info|debug)\b/.test(code);
  if (writes && !allowed.log.test(path)) list.push(`${path} writes past the log gate`);
  const sets = /["']hono\/cookie["']|["']set-cookie["']\s*,/i.test(code);
  if (sets && !allowed.cookies.test(path)) list.push(`${path} sets a cookie`);
  return list;
}

function lengthViolations(path: string, text: string): string[] {
  const lines = text.split("\n").length - 1;
  const counted = !/^(?:test|bench)\//.test(path);
  return counted && lines > MAX_LINES ? [`${path} has ${lines} lines`] : [];
}

/** The program's files as they stand, tracked or about to be. */
function ourFiles(): Files {
  const listed = execFileSync(
    "git",
    ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.ts", "*.tsx"],
    { cwd: ROOT, encoding: "utf8" },
  );
  const paths = listed.split("\0").filter((path) => path !== "" && !path.startsWith("test/"));
  return new Map(paths.map((path) => [path, read(path)]));
}

/** A file that was deleted, but not yet from the index, has no text. */
function read(path: string): string {
  try {
    return readFileSync(join(ROOT, path), "utf8");
  } catch {
    return "";
  }
}

describe("the architecture", () => {
  it("holds in every file", () => {
    const files = ourFiles();
    expect(files.size).toBeGreaterThan(50);
    for (const [layer, paths] of layers) {
      expect(
        [...files.keys()].some((path) => paths.test(path)),
        layer,
      ).toBe(true);
    }
    expect(violations(files)).toEqual([]);
  });

  const planted: [path: string, code: string, sentence: string | null][] = [
    ["protocol/a.ts", 'import { b } from "../db/b.ts";', "which is not below it"],
    ["db/a.ts", 'import type { Ports } from "../workers/ports.ts";', "which is not below it"],
    ["durable-objects/a/b.ts", 'export { c } from "../../workers/c.ts";', "which is not below it"],
    ["workers/a/b.ts", 'import c from "../../console/c.tsx";', "which is not below it"],
    ["workers/a/b.ts", 'const c = await import("../app.ts");', "which is not below it"],
    ["workers/a/b.ts", 'import c from "../../agent/c.ts";', "which is not below it"],
    ["console/pages/a.tsx", 'import { a } from "../islands/a.ts";', "which is not below it"],
    ["workers/app.ts", 'import { a } from "../console/a.tsx";', null],
    ["agent/a.ts", 'import { db } from "../db/db.ts";', "may import the protocol only"],
    ["agent/a.ts", 'import { limits } from "../protocol/limits.ts";', null],
    ["console/islands/a.ts", 'import { a } from "../layout.tsx";', "may import the protocol only"],
    ["workers/a/b.ts", "const c = await fetch(url);", "reaches the network"],
    ["workers/a/b.ts", "  fetch(url);", "reaches the network"],
    ["workers/a/b.ts", "const go = globalThis.fetch;", "reaches the network"],
    ["workers/a/b.ts", 'import { connect } from "node:net";', "reaches the network"],
    ["workers/a/b.ts", "return await ports.devices.get(id).fetch(request);", null],
    ["workers/index.ts", "  async fetch(request, env, context) {", null],
    ["workers/egress/a.ts", "await fetch(url);", null],
    [
      "workers/a/b.ts",
      'import { createRoute } from "@hono/zod-openapi";',
      "carries the document generator",
    ],
    ["workers/a/b.ts", 'import type { OpenAPIHono } from "@hono/zod-openapi";', null],
    ["console/a.ts", 'const f = new Intl.NumberFormat("en");', "loads language data"],
    ["console/a.ts", '  f ??= new Intl.NumberFormat("en");', null],
    ["workers/a/b.ts", "console.log(address);", "writes past the log gate"],
    ["db/a.ts", "const now = Date.now();", "reads the time"],
    ["console/a.tsx", "const now = new Date();", "reads the time"],
    ["workers/a/b.ts", "new Date(ms).toISOString(); // never new Date()", null],
    ["protocol/a.ts", "const a = Math.random();", "draws a random number"],
    ["workers/a/b.ts", "crypto.getRandomValues(bytes);", "draws a random number"],
    ["workers/a/b.ts", 'import { setCookie } from "hono/cookie";', "sets a cookie"],
    ["workers/a/b.ts", 'headers.append("Set-Cookie", text);', "sets a cookie"],
    ["agent/a.ts", "const now = Date.now(); await fetch(url);", null],
    ["workers/a/b.ts", "\n".repeat(MAX_LINES + 1), "has 401 lines"],
    ["workers/a/b.ts", "\n".repeat(MAX_LINES), null],
  ];

  it.each(planted)("judges a planted %s: %j", (path, code, sentence) => {
    const found = violations(new Map([[path, code]]));
    if (sentence === null) expect(found).toEqual([]);
    else expect(found).toEqual([expect.stringContaining(sentence)]);
  });
});
