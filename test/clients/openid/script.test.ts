/**
 * The protocol script against panva's oidc-provider and against a running edge, step by step: what both
 * must do, the script demands; where they differ, docs/openid-conformance.md says so and why.
 */

import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { World } from "../../contract/suite/world.ts";
import { differencesIn } from "./differences.ts";
import { Run } from "./issuer.ts";
import { latchkey, startProvider } from "./latchkey.ts";
import { type Oracle, startOracle } from "./oracle.ts";
import { script } from "./script.ts";

const page = readFileSync(new URL("../../../docs/openid-conformance.md", import.meta.url), "utf8");
const listed = differencesIn(page);

describe("oidc-provider 9 and Latchkey", () => {
  let oracle: Oracle;
  let world: World;
  let theirs: Run;
  let ours: Run;

  beforeAll(async () => {
    oracle = await startOracle();
    world = await startProvider();
    theirs = await Run.of(oracle.issuer);
    ours = await Run.of(await latchkey(world));
  });
  afterAll(async () => {
    await oracle?.close();
    await world?.close();
  });

  it.each(script.map((step) => [step.name, step] as const))("%s", async (name, step) => {
    await ours.issuer.fresh();
    const seen = { theirs: await step.run(theirs), ours: await step.run(ours) };
    const difference = listed.get(name);
    const expected =
      difference === undefined
        ? { theirs: seen.theirs, ours: seen.theirs }
        : { theirs: difference.theirs, ours: difference.ours };
    expect(seen).toEqual(expected);
  });
});
