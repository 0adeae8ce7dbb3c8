/** The counter of tries: it survives its own eviction, holds times only, and drops itself whole. */

import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import type { LimiterObject } from "../../durable-objects/limiter/index.ts";

const { LIMITER } = env as unknown as { LIMITER: DurableObjectNamespace<LimiterObject> };
const HOUR_MS = 3_600_000;

describe("the counter of tries", () => {
  it("remembers across its eviction, so that a patient guesser gains nothing", async () => {
    const counter = LIMITER.getByName("patient");
    expect(await counter.take(2, HOUR_MS)).toBe(true);
    expect(await counter.take(2, HOUR_MS)).toBe(true);
    await evictDurableObject(counter);
    expect(await counter.take(2, HOUR_MS)).toBe(false);
  });

  it("counts each subject for itself", async () => {
    expect(await LIMITER.getByName("one").take(1, HOUR_MS)).toBe(true);
    expect(await LIMITER.getByName("two").take(1, HOUR_MS)).toBe(true);
  });

  it("keeps times and nothing else, and drops them when the window has ended", async () => {
    const counter = LIMITER.getByName("ends");
    await counter.take(1, HOUR_MS);
    const tables = (_: LimiterObject, state: DurableObjectState) =>
      state.storage.sql
        .exec<{ name: string }>(
          "SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'",
        )
        .toArray()
        .map((row) => row.name);
    const rows = await runInDurableObject(counter, (_, state) => [
      ...state.storage.sql.exec("SELECT * FROM try"),
    ]);
    expect(rows).toEqual([{ at: expect.any(Number) }]);
    expect(await runInDurableObject(counter, (_, state) => state.storage.getAlarm())).toBe(
      (rows[0] as { at: number }).at + HOUR_MS,
    );
    await runDurableObjectAlarm(counter);
    expect(await runInDurableObject(counter, tables)).toEqual([]);
    expect(await counter.take(1, HOUR_MS)).toBe(true);
  });
});
