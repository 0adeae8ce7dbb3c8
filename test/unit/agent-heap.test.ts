/** The agent's garbage: what passes through it does not make V8 go through all that it holds. */

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";

async function printed(program: string, ...args: readonly string[]): Promise<number> {
  const file = join(import.meta.dirname, "../support", program);
  const { stdout } = await promisify(execFile)(process.execPath, [file, ...args]);
  return Number(stdout);
}

const wholeCollections = (how: "noted" | "unnoted") => printed("passing-bytes.ts", how);

it("is found among the young: half a gigabyte passes without a whole collection", async () => {
  expect(await wholeCollections("unnoted"), "without, there are some").toBeGreaterThan(2);
  expect(await wholeCollections("noted")).toBeLessThanOrEqual(1);
});

it("is given back by the time that it is looked for, and not when a helper comes to it", async () => {
  expect(await printed("given-back.ts")).toBeLessThan(1.5 * limits.agentCollectBytes);
});
