/** A worker's start as one module: nothing runs twice, nothing late is loaded early, names stay apart. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { withOneFront } from "../../scripts/local/one-front.ts";

const worker = new Map([
  [
    "index.mjs",
    'import{a as x,b}from"./shared.mjs";import"./plain.mjs";async function l(){return(await import("./late.mjs")).say()}var d={l,now:()=>x()+b()};export{d as default,l as Late};',
  ],
  [
    "shared.mjs",
    'globalThis.ran.push("shared");var c=0;function a(){return++c}function b(){return 10}export{a,b};',
  ],
  ["plain.mjs", 'globalThis.ran.push("plain");'],
  [
    "late.mjs",
    'import{a as b}from"./shared.mjs";import{a}from"./both.mjs";import"./plain.mjs";globalThis.ran.push("late");function s(){return b()+a()}export{s as say};',
  ],
  ["both.mjs", 'import{b as a}from"./shared.mjs";function t(){return a()*10}export{t as a};'],
]);

it("runs each module once, by need, with the state that the start has", async () => {
  const folder = await mkdtemp(join(tmpdir(), "latchkey-front-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const modules = await withOneFront(worker, "index.mjs");
  for (const [name, text] of modules) await writeFile(join(folder, name), text);
  const ran: string[] = [];
  Object.assign(globalThis, { ran });
  const started = await import(join(folder, "index.mjs"));
  expect(Object.keys(started).sort()).toEqual(["Late", "default"]);
  expect(ran).toEqual(["shared", "plain"]);
  expect(started.default.now()).toBe(11);
  expect(await started.Late()).toBe(102);
  expect(ran).toEqual(["shared", "plain", "late"]);
  // The entry, the front, and what is loaded by need.
  expect([...modules.keys()].slice(0, 1)).toEqual(["index.mjs"]);
  expect(modules.size).toBe(3);
});

it("refuses a worker whose start is loaded by need as well: it would run twice", async () => {
  const twice = new Map(worker).set("both.mjs", 'var t=()=>import("./shared.mjs");export{t as a};');
  await expect(withOneFront(twice, "index.mjs")).rejects.toThrow("shared.mjs");
});
