/** The agent's garbage: what passes through it does not make V8 go through all that it holds. */

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const PROGRAM = join(import.meta.dirname, "../support/passing-bytes.ts");

async function wholeCollections(how: "noted" | "unnoted"): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, how]);
  return Number(stdout);
}

it("is found among the young: half a gigabyte passes without a whole collection", async () => {
  expect(await wholeCollections("unnoted"), "without, there are some").toBeGreaterThan(2);
  expect(await wholeCollections("noted")).toBeLessThanOrEqual(1);
});
