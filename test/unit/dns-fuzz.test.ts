/** Some of the messages that `node scripts/dns-fuzz.ts` makes by the million. */

import { expect, it } from "vitest";
import { fuzz } from "../support/dns-fuzz.ts";

it("edge and front answer 20,000 generated and mutated messages so that another parser reads it", async () => {
  const { answered, rcodes } = await fuzz(20_000, 1);
  expect(answered).toBeGreaterThan(20_000);
  // All that there is to say was said.
  for (const rcode of ["NOERROR", "NXDOMAIN", "FORMERR", "NOTIMP", "REFUSED"]) {
    expect(rcodes[rcode], rcode).toBeGreaterThan(50);
  }
  expect(rcodes.SERVFAIL ?? 0).toBe(0);
}, 120_000);
