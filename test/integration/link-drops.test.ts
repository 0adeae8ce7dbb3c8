/**
 * Link over a line that fails ten thousand times: cut from both sides or one, in the handshake and in
 * the middle of bodies, and gone silent without a word. Every body is whole or an error, both ends
 * are told in time, and nothing is left behind.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FaultProxy } from "../support/fault-proxy.ts";
import { Chance } from "../support/link-world.ts";
import { NearEdge } from "../support/near-edge.ts";
import { openSockets } from "../support/processes.ts";
import { Storm, StormClock } from "../support/storm.ts";

/** CONTRIBUTING.md: 10,000 for the whole proof. */
const DROPS = Number(process.env.LINK_DROPS ?? 200);
const SEED = Number(process.env.LINK_SEED ?? 1);
const TOLD_MS = 2000;
const longest = (times: readonly number[]) => Math.max(0, ...times);

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "latchkey-drops-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const timers = () =>
  process.getActiveResourcesInfo().filter((resource) => resource === "Timeout").length;

/** Asks again, without a timer that it would count, until the answer is null or the time is over. */
async function within<T>(ms: number, look: () => Promise<T | null>): Promise<T | null> {
  const until = performance.now() + ms;
  for (;;) {
    const found = await look();
    if (found === null || performance.now() > until) return found;
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("a line that fails, with the host of devices in this process", () => {
  it(`tells both ends within two seconds and leaves nothing, ${DROPS} times`, {
    timeout: 120_000 + DROPS * 1000,
  }, async () => {
    const clock = new StormClock();
    const edge = await NearEdge.start(join(folder, "edge"), clock.now);
    const before = { sockets: await openSockets("self"), timers: timers() };
    const home = join(folder, "home");
    let storm: Storm | null = null;
    const proxy = await FaultProxy.start({
      target: () => edge.port,
      onLine: (line) => storm?.onLine(line),
      weather: () => storm?.weather() ?? { delayMs: 0, bytesPerSecond: null },
    });
    await edge.enroll(home, `http://localhost:${proxy.port}`);
    storm = await Storm.create({
      ...{ chance: new Chance(SEED), home, clock, edgeHasOwnClock: false },
      ...{ doorPort: () => edge.port, host: "nas.link.test", visitors: 6, drops: DROPS },
    });
    await storm.run();

    expect(storm.violations).toEqual([]);
    expect(storm.service.violations).toEqual([]);
    expect(edge.errors).toEqual([]);
    expect(storm.drops).toBe(DROPS);
    expect(longest(storm.told)).toBeLessThan(TOLD_MS);
    expect(longest(storm.service.told)).toBeLessThan(TOLD_MS);
    // It must have been eventful, or it proves nothing.
    for (const ending of ["whole", "body broken off", "502"]) {
      expect(storm.endings[ending] ?? 0, ending).toBeGreaterThan(DROPS / 30);
    }

    expect(edge.load).toEqual({ exchanges: 0, waiting: 0 });
    await proxy.close();
    await vi.waitFor(async () => {
      expect([edge.agents, storm?.service.open]).toEqual([0, 0]);
      expect(await storm?.service.connections()).toBe(0);
    });
    storm.service.close();
    // undici keeps one timer for all its connections.
    const left = () =>
      within(10_000, async () => {
        const now = { sockets: await openSockets("self"), timers: timers() };
        return now.sockets <= before.sockets && now.timers <= before.timers + 1 ? null : now;
      });
    expect(await left()).toBeNull();
    await edge.close();
  });
});
