/** How the agent comes back, and how it goes: spread over time, and without harm to whom it serves. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { backoffMs, failuresAfter } from "../../agent/backoff.ts";
import type { AgentClock } from "../../agent/clock.ts";
import { Home } from "../../agent/home.ts";
import { type RunEnd, run } from "../../agent/run.ts";
import type { OpenSocket, SocketEvents, UpgradeWords } from "../../agent/socket.ts";
import { limits } from "../../protocol/limits.ts";
import {
  decodeMessage,
  encodeMessage,
  frameType,
  helloPayload,
} from "../../protocol/link/frames.ts";
import { Chance } from "../support/link-world.ts";

describe("the back-off", () => {
  const TRIES = 20_000;

  it.each([1, 2, 3, 5, 6, 20])("after %i failures is spread evenly over its range", (failures) => {
    const chance = new Chance(failures);
    const most = Math.min(limits.agentBackoffMaxMs, limits.agentBackoffMinMs * 2 ** failures);
    const least = limits.agentBackoffMinMs;
    const buckets = new Array<number>(10).fill(0);
    for (let time = 0; time < TRIES; time++) {
      const ms = backoffMs(failures, chance.next());
      expect(ms).toBeGreaterThanOrEqual(least);
      expect(ms).toBeLessThanOrEqual(most);
      const at = Math.min(9, Math.floor(((ms - least) / (most - least)) * 10));
      buckets[at] = (buckets[at] ?? 0) + 1;
    }
    // Of a thousand boxes that lost the cloud at once, no tenth of the time gets more than its share.
    for (const count of buckets) expect(count / TRIES).toBeCloseTo(0.1, 1);
    for (const count of buckets) expect(Math.abs(count - TRIES / 10)).toBeLessThan(TRIES / 50);
  });

  it("begins anew only after a connection that lived", () => {
    const chance = new Chance(11);
    let failures = 0;
    for (let time = 0; time < 5000; time++) {
      const openMs = chance.pick([0, 1, limits.agentStableMs - 1, limits.agentStableMs, 1e7]);
      const next = failuresAfter(failures, openMs);
      expect(next).toBe(openMs >= limits.agentStableMs ? 1 : failures + 1);
      failures = next;
    }
    let stuck = 0;
    for (let time = 0; time < 50; time++) stuck = failuresAfter(stuck, limits.agentStableMs - 1);
    expect(backoffMs(stuck, 1)).toBe(limits.agentBackoffMaxMs);
  });
});

/** Time in the test's hand: a sleeper wakes when its time is passed. */
class HeldClock implements AgentClock {
  time = 1_800_000_000_000;
  readonly sleepers = new Set<{ at: number; wake: () => void }>();

  now(): number {
    return this.time;
  }
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const sleeper = { at: this.time + ms, wake: resolve };
      this.sleepers.add(sleeper);
      signal?.addEventListener("abort", () => {
        this.sleepers.delete(sleeper);
        resolve();
      });
    });
  }
  every(): () => void {
    return () => undefined;
  }
  async pass(ms: number): Promise<void> {
    this.time += ms;
    for (const sleeper of [...this.sleepers]) {
      if (sleeper.at > this.time) continue;
      this.sleepers.delete(sleeper);
      sleeper.wake();
    }
    await settle();
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** One connection as the cloud sees it. */
interface Seen {
  readonly who: UpgradeWords;
  readonly events: SocketEvents;
  readonly sent: (string | Uint8Array)[];
  closed: number | null;
}

describe("an agent with more than one connection", () => {
  let folder: string;
  let clock: HeldClock;
  let seen: Seen[];
  let stop: AbortController;
  let end: Promise<RunEnd>;

  const open: OpenSocket = (_cloud, who, events) => {
    const mine: Seen = { who, events, sent: [], closed: null };
    seen.push(mine);
    return {
      send: (data) => void mine.sent.push(typeof data === "string" ? data : data.slice()),
      close: (code) => {
        mine.closed = code;
        events.onEnd({ kind: "closed", code });
      },
      terminate: () => events.onEnd({ kind: "closed", code: 1006 }),
      bufferedAmount: () => 0,
    };
  };
  const at = (index: number) => seen[index] as Seen;
  /** Waits until so many connections were asked for: each signs its word first, which takes no turn of ours. */
  async function asked(count: number): Promise<void> {
    while (seen.length < count) await settle();
  }
  const goAway = encodeMessage([{ type: frameType.goaway, end: false, stream: 0, payload: [] }]);
  const hello = encodeMessage([
    { type: frameType.hello, end: false, stream: 0, payload: [helloPayload(1)] },
  ]);

  /** How often a connection said that it wants nobody new. */
  function goodbyes({ sent }: Seen): number {
    let count = 0;
    for (const message of sent) {
      if (typeof message === "string") continue;
      decodeMessage(message, (type) => {
        if (type === frameType.goaway) count++;
        return null;
      });
    }
    return count;
  }

  /** Opens the connection at the cloud, with Link on. */
  function accept({ events }: Seen): void {
    events.onOpen();
    events.onText('{"type":"features","name":false,"link":true,"lan":false}');
    events.onBinary(hello.slice());
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "latchkey-agent-many-"));
    const home = new Home(folder);
    await home.identityOrNew();
    const ids = { device_id: "dev_home_0000000000000000", label: "nas" };
    const places = { link: "https://nas.l", host: "nas.d", cloud: "https://cloud.example" };
    await home.saveDevice({ ...ids, ...places });
    clock = new HeldClock();
    seen = [];
    stop = new AbortController();
    const [chance, signal] = [() => 0.5, stop.signal];
    end = run({ home: folder, serve: null, log: () => undefined, signal, clock, chance, open });
    await asked(1);
    accept(at(0));
    await settle();
  });
  afterEach(() => rm(folder, { recursive: true }));

  it("says who it is and which connection this is", async () => {
    at(0).events.onEnd({ kind: "closed", code: 1006 });
    await settle();
    await clock.pass(limits.agentBackoffMaxMs);
    await asked(2);
    expect(seen.map(({ who }) => who.greeting.epoch)).toEqual([1, 2]);
    expect(new Set(seen.map(({ who }) => who.greeting.id)).size).toBe(1);
    expect(at(0).who.greeting.id).toMatch(/^[\w-]{22}$/);
  });

  it("has another ready before it gives up the one that the cloud wants replaced", async () => {
    at(0).events.onBinary(goAway.slice());
    await settle();
    await clock.pass(limits.agentBackoffMinMs);
    await asked(2);
    expect([seen.length, goodbyes(at(0)), at(0).closed]).toEqual([2, 0, null]);
    accept(at(1));
    await settle();
    expect([goodbyes(at(0)), at(0).closed, goodbyes(at(1))]).toEqual([1, null, 0]);
    at(0).events.onEnd({ kind: "closed", code: 1000 });
    await settle();
    await clock.pass(limits.agentBackoffMaxMs);
    expect(seen.length, "the end of the older one is no loss").toBe(2);
  });

  it("keeps the older one while the other does not come about, and gives it up in time", async () => {
    at(0).events.onBinary(goAway.slice());
    await settle();
    await clock.pass(limits.agentBackoffMinMs);
    await asked(2);
    at(1).events.onEnd({ kind: "refused", status: 503 });
    await settle();
    expect([goodbyes(at(0)), at(0).closed]).toEqual([0, null]);
    await clock.pass(limits.agentBackoffMaxMs);
    await asked(3);
    accept(at(2));
    await settle();
    expect(goodbyes(at(0))).toBe(1);
    await clock.pass(limits.linkDrainMs - 1);
    expect(at(0).closed).toBeNull();
    await clock.pass(1);
    expect(at(0).closed).toBe(1000);
  });

  it("that is stopped says so, and waits for the cloud to close what is served, not for ever", async () => {
    at(0).events.onBinary(goAway.slice());
    await settle();
    await clock.pass(limits.agentBackoffMinMs);
    await asked(2);
    accept(at(1));
    await settle();
    stop.abort();
    await settle();
    expect([goodbyes(at(1)), at(1).closed]).toEqual([1, null]);
    at(0).events.onEnd({ kind: "closed", code: 1000 });
    await clock.pass(limits.agentStopMs - 1);
    expect(at(1).closed).toBeNull();
    await clock.pass(1);
    expect([at(1).closed, await end]).toEqual([1000, "stopped"]);
    expect(clock.sleepers.size, "nothing keeps the process").toBe(0);
  });

  it("that is stopped ends as soon as the cloud has closed its connection", async () => {
    stop.abort();
    await settle();
    at(0).events.onEnd({ kind: "closed", code: 1000 });
    expect(await end).toBe("stopped");
    expect([at(0).closed, clock.sleepers.size]).toEqual([null, 0]);
  });
});
