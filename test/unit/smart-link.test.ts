/** Which way a smart link takes: a pure choice over what answered, what is awaited and how long it took. */

import { describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import {
  choose,
  forget,
  type Memory,
  type NearWay,
  type Proven,
  readMemory,
  remember,
  type Standing,
  type WayTo,
} from "../../protocol/smart-link.ts";

const proof = (way: NearWay): Proven => ({
  way,
  ms: 4,
  probe: `https://${way}`,
  page: `https://${way}`,
});
const [home, direct] = [proof("home"), proof("direct")];
const { smartHomeMs, smartAllMs } = limits;
const standing = (more: Partial<Standing>): Standing => ({
  ...{ elapsedMs: 0, remembered: null, waiting: [], proven: [] },
  ...more,
});

describe("the choice", () => {
  const cases: [string, Partial<Standing>, Proven | "relay" | null][] = [
    ["nothing to ask", {}, "relay"],
    ["home answers first", { proven: [home], waiting: ["direct"] }, home],
    ["direct answers first: home is given a moment", { proven: [direct], waiting: ["home"] }, null],
    ["the moment is over", { proven: [direct], waiting: ["home"], elapsedMs: smartHomeMs }, direct],
    ["home has failed", { proven: [direct], waiting: [] }, direct],
    [
      "direct was right last time",
      { proven: [direct], waiting: ["home"], remembered: "direct" },
      direct,
    ],
    ["home answers after direct", { proven: [direct, home], remembered: "direct" }, home],
    ["nobody answered yet", { waiting: ["home"], elapsedMs: smartAllMs - 1 }, null],
    ["nobody answers", { waiting: ["home", "direct"], elapsedMs: smartAllMs }, "relay"],
    [
      "relay last time: less patience",
      { waiting: ["home"], remembered: "relay", elapsedMs: smartHomeMs },
      "relay",
    ],
    [
      "home last time: full patience",
      { waiting: ["home"], remembered: "home", elapsedMs: smartHomeMs },
      null,
    ],
  ];
  it.each(cases)("%s", (_, more, chosen) => {
    expect(choose(standing(more))).toEqual(chosen);
  });

  it("is made within a second and a half, whatever happens, and never for one that did not prove itself", () => {
    expect(smartAllMs).toBeLessThanOrEqual(1500);
    const sets: NearWay[][] = [[], ["home"], ["direct"], ["home", "direct"], ["home", "home"]];
    const memories: (WayTo | null)[] = [null, "home", "direct", "relay"];
    for (const waiting of sets) {
      for (const proven of sets) {
        for (const remembered of memories) {
          const more = { waiting, remembered, proven: proven.map(proof), elapsedMs: smartAllMs };
          const chosen = choose(standing(more));
          expect(chosen).not.toBeNull();
          if (chosen !== null && chosen !== "relay") expect(proven).toContain(chosen.way);
          if (proven.includes("home")) expect(chosen).toEqual(home);
        }
      }
    }
  });
});

describe("the memory", () => {
  const now = 1_800_000_000_000;
  const kept: Memory = { attic: { way: "direct", at: now - 1000 } };

  it("reads what it wrote", () => {
    expect(readMemory(JSON.stringify(kept), now)).toEqual(kept);
  });

  it.each([null, "", "{", "[]", "7", '{"attic":1}', '{"attic":{"way":"moon","at":1}}'])(
    "makes nothing of %s",
    (text) => {
      expect(readMemory(text, now)).toEqual({});
    },
  );

  it("forgets by itself, and when told", () => {
    expect(readMemory(JSON.stringify(kept), now + limits.smartMemoryMs)).toEqual({});
    expect(readMemory(JSON.stringify({ attic: { way: "home", at: now + 1 } }), now)).toEqual({});
    expect(forget(remember(kept, "nas", "home", now), "attic")).toEqual({
      nas: { way: "home", at: now },
    });
  });

  it("holds no more labels than its limit, the latest", () => {
    let memory: Memory = {};
    for (let at = 0; at < limits.smartMemoryLabels + 5; at++) {
      memory = remember(memory, `box-${at}`, "relay", now + at);
    }
    expect(Object.keys(memory)).toHaveLength(limits.smartMemoryLabels);
    expect(memory).not.toHaveProperty("box-4");
    expect(memory).toHaveProperty(`box-${limits.smartMemoryLabels + 4}`);
  });
});
