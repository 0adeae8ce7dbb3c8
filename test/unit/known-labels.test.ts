/** What an edge remembers of labels, so that nobody who makes some up takes it from who has one. */

import { beforeEach, describe, expect, it } from "vitest";
import { Names } from "../../db/names.ts";
import { limits } from "../../protocol/limits.ts";

describe("a label", () => {
  let now: number;
  let names: Names;
  let asked: number;
  let there: string | null;

  beforeEach(async () => {
    now = 1_800_000_000_000;
    asked = 0;
    there = "device";
    const keys = { getOrCreate: async () => new Uint8Array(32) };
    const nas = { hash: "" };
    const read = async (hash: string) => {
      asked++;
      return hash === nas.hash ? there : null;
    };
    names = new Names(read, keys as never, { now: () => now });
    nas.hash = await names.hash("label", "nas");
  });

  it("is known while it costs no query, and one that had a device still is after that", async () => {
    expect([names.knows("nas"), names.knows("made-up"), names.knows("n_s")]).toEqual([
      ...[false, false, true],
    ]);
    expect(await names.deviceOfLabel("nas")).toBe("device");
    expect(await names.deviceOfLabel("made-up")).toBeNull();
    expect([names.knows("nas"), names.knows("made-up")]).toEqual([true, true]);
    now += limits.labelCacheMs;
    expect([names.knows("nas"), names.knows("made-up")]).toEqual([true, false]);
  });

  it("that has no device any more is nobody's, and another's once it has one", async () => {
    expect(await names.deviceOfLabel("nas")).toBe("device");
    there = null;
    expect(await names.deviceOfLabel("nas")).toBe("device");
    now += limits.labelCacheMs;
    expect(await names.deviceOfLabel("nas")).toBeNull();
    now += limits.labelCacheMs;
    expect(names.knows("nas")).toBe(false);
    there = "another";
    expect(await names.deviceOfLabel("nas")).toBe("another");
    names.forget("nas");
    expect(names.knows("nas")).toBe(false);
    expect(await names.deviceOfLabel("nas")).toBe("another");
    names.forget();
    expect(names.knows("nas")).toBe(false);
  });

  it("is not driven out by any number of those that nobody has", async () => {
    expect(await names.deviceOfLabel("nas")).toBe("device");
    for (let at = 0; at <= limits.labelCacheEntries; at++)
      await names.deviceOfLabel(`made-up-${at}`);
    const before = asked;
    expect(await names.deviceOfLabel("nas")).toBe("device");
    expect(asked).toBe(before);
    // These have their own bound.
    expect(names.knows("made-up-0")).toBe(false);
    expect(names.knows(`made-up-${limits.labelCacheEntries}`)).toBe(true);
  });
});
