/** Limits per network grow by the operator's factor; limits per person never do. */

import { expect, it } from "vitest";
import { forNetworks } from "../../workers/limits.ts";

it("multiplies what counts a network, and nothing else", async () => {
  const asked: [string, number][] = [];
  const scaled = forNetworks(
    {
      take: async (kind, _subject, max) => {
        asked.push([kind, max]);
        return true;
      },
    },
    50,
  );
  for (const kind of [
    "mail-network",
    "sign-in-network",
    "enrolment",
    "badauth",
    "breach-network",
    "sign-in-account",
  ]) {
    await scaled.take(kind, "192.0.2.1", 2, 1000);
  }
  expect(asked).toEqual([
    ["mail-network", 100],
    ["sign-in-network", 100],
    ["enrolment", 100],
    ["badauth", 100],
    ["breach-network", 100],
    ["sign-in-account", 2],
  ]);
});
