/** What the Worker weighs as it is uploaded. The start-up, which is a time, stands in `npm run bench`. */

import { expect, it } from "vitest";
import { bundleWorker, gzippedBytes } from "../../scripts/local/bundle.ts";

const MAX_KIB = 400;

it("stays under 400 KiB, gzipped, and is all of the worker", { timeout: 60_000 }, async () => {
  const modules = await bundleWorker();
  expect(modules.map(({ type }) => type)).toEqual(["ESModule", "CompiledWasm"]);
  const [script] = modules;
  expect(String(script?.contents)).toContain("/api/sign-up");
  const kib = gzippedBytes(modules) / 1024;
  expect(kib).toBeLessThan(MAX_KIB);
  expect(kib).toBeGreaterThan(100);
});
