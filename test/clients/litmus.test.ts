/**
 * litmus, the WebDAV suite (RFC 4918), against Debian's Apache: what it says of it through the door is
 * what it says of it beside the door.
 */

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deno } from "../contract/deno-process.ts";
import { World } from "../contract/suite/world.ts";
import { workerd } from "../contract/workerd.ts";
import { type HomeApache, startHomeApache } from "../support/home-apache.ts";
import { type OpenDoor, openDoor } from "../support/open-door.ts";

let folder: string;
let apache: HomeApache;
let beside: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "latchkey-litmus-"));
  apache = await startHomeApache(folder);
  beside = await litmus(`${apache.origin}/dav/`);
});

afterAll(async () => {
  await apache?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Each test with its verdict, e.g. `copymove copy_simple pass`, in order; with it what it warns of. */
function litmus(url: string, ...options: string[]): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const child = spawn("litmus", ["--keep-going", ...options, url], { cwd: folder });
    let said = "";
    child.stdout.on("data", (text) => {
      said += text;
    });
    child.on("error", () => reject(new Error("litmus is not installed: apt-get install litmus")));
    child.on("close", () => resolve(verdicts(said)));
  });
}

function verdicts(said: string): string[] {
  const found: string[] = [];
  let suite = "";
  // Progress is drawn over with carriage returns; what stands last counts.
  for (const line of said.split("\n").map((drawn) => drawn.split("\r").at(-1) ?? "")) {
    suite = /running `(\w+)'/.exec(line)?.[1] ?? suite;
    const [, test, verdict] = /^\s*\d+\. (\w+)\.* (pass|FAIL|SKIPPED|WARNING)/.exec(line) ?? [];
    if (test !== undefined) found.push(`${suite} ${test} ${verdict}`);
  }
  return found;
}

describe.each([workerd, deno])("litmus at a door on $name", (runtime) => {
  let world: World;
  let door: OpenDoor;

  beforeAll(async () => {
    world = await World.create(runtime);
    door = await openDoor(world, folder, apache.origin);
  });
  afterAll(async () => {
    await door?.close();
    await world?.close();
  });

  it("says what it says beside it, and nothing fails", { timeout: 170_000 }, async () => {
    expect(beside.length).toBeGreaterThan(80);
    // The door's host is known to nobody's DNS: the edge is told to be a proxy.
    const through = await litmus(
      `http://${door.host}/dav/`,
      `--proxy=http://127.0.0.1:${world.port}`,
    );
    // A target with a fragment: workerd cuts it off before any code of ours runs; Deno's edge refuses it.
    const cut = (verdict: string) =>
      verdict.replace("delete_fragment pass", "delete_fragment WARNING");
    expect(through).toEqual(runtime === workerd ? beside.map(cut) : beside);
    expect(through.filter((verdict) => verdict.endsWith("FAIL"))).toEqual([]);
  });
});
