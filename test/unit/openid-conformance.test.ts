/** The tables of docs/openid-conformance.md name modules once, and steps and tests that there are. */

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { differencesIn } from "../clients/openid/differences.ts";
import { script } from "../clients/openid/script.ts";

const page = readFileSync(new URL("../../docs/openid-conformance.md", import.meta.url), "utf8");
const exact = readFileSync(new URL("../edge/openid-exact.test.ts", import.meta.url), "utf8");
/** The tests of modules that wait: they run on a clock of their own. */
const waiting = [...exact.matchAll(/^ {2}it\("([^"]+)"/gm)].map(([, name = ""]) => name);
const rows = [...page.matchAll(/^\| (\d+) +\| `([\w-]+)` +\| (.+) \|$/gm)].map(
  ([, number, module, cell = ""]) => ({
    number: Number(number),
    module,
    covered: [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name),
  }),
);

describe("docs/openid-conformance.md", () => {
  it("has the 38 modules of the basic certification plan, each once", () => {
    expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: 38 }, (_, at) => at + 1));
    expect(new Set(rows.map(({ module }) => module)).size).toBe(38);
  });

  it("links every module to steps of the protocol script or to tests that exist", () => {
    const known = new Set([...script.map(({ name }) => name), ...waiting]);
    for (const { module, covered } of rows) {
      expect(covered, module).not.toEqual([]);
      for (const name of covered) expect(known, `${module}: ${name}`).toContain(name);
    }
  });

  it("lists differences of steps that exist, and says why there is each", () => {
    const known = new Set(script.map(({ name }) => name));
    const listed = differencesIn(page);
    expect(listed.size).toBeGreaterThan(20);
    for (const [name, { theirs, ours, why }] of listed) {
      expect(known, name).toContain(name);
      expect(theirs, name).not.toBe(ours);
      expect(why.length, name).toBeGreaterThan(8);
    }
  });

  it("names no step twice", () => {
    expect(new Set(script.map(({ name }) => name)).size).toBe(script.length);
  });
});
