/** The protocol script against panva's oidc-provider: what the script demands, an issuer can do. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Run } from "./issuer.ts";
import { type Oracle, startOracle } from "./oracle.ts";
import { script } from "./script.ts";

describe("oidc-provider 9", () => {
  let oracle: Oracle;
  let run: Run;

  beforeAll(async () => {
    oracle = await startOracle();
    run = await Run.of(oracle.issuer);
  });
  afterAll(() => oracle?.close());

  it.each(script.map((step) => [step.name, step] as const))("%s", async (_, step) => {
    expect(await step.run(run)).not.toBe("");
  });
});
