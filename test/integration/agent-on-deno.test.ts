/**
 * A box on Deno whose local service hangs up at the worst moment: what came whole is whole, what did not
 * is broken, and neither ends the program. The connections are those of agent/patient-socket.ts.
 */

import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, it } from "vitest";
import { DENO } from "../contract/deno-process.ts";

const entry = join(import.meta.dirname, "../support/hanging-up-on-deno.ts");

it("tells whole responses from broken ones, and goes on, when their services hang up", async () => {
  const may = ["--allow-net", "--allow-read", "--allow-env", "--allow-sys"];
  const { PATH, HOME } = process.env;
  const child = spawn(DENO, ["run", "--no-prompt", ...may, entry], {
    env: { PATH, HOME, DENO_NO_UPDATE_CHECK: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let faults = "";
  child.stderr.on("data", (text) => {
    faults += text;
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  const seen: { what: string; isRight: boolean }[] = [];
  for await (const line of createInterface({ input: child.stdout })) seen.push(JSON.parse(line));
  expect([await ended, faults]).toEqual([0, ""]);
  expect(seen.filter(({ isRight }) => !isRight)).toEqual([]);
  expect(seen).toHaveLength(3 * 6 + 5 + 3 * 3 * 2 * 4);
});
