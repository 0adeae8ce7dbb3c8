/** What visitors may take, as the operator set it: read, counted, kept to, and shown to the owner. */

import { describe, expect, it } from "vitest";
import { Sealer } from "../../../db/seal.ts";
import {
  type Budgets,
  defaultBudgets,
  Meter,
  readBudgets,
} from "../../../durable-objects/device/budgets.ts";
import type { DeviceContext } from "../../../durable-objects/device/context.ts";
import { migrate } from "../../../durable-objects/device/migrations.ts";
import { Traffic } from "../../../durable-objects/device/traffic.ts";
import { DAY, limits } from "../../../protocol/limits.ts";
import { HeldKeys, MemorySql } from "../../support/device.ts";
import { Chance, MAX_BODY, Visitor, World } from "../../support/link-world.ts";

const HOUR = DAY / 24;
const NOON = Math.floor(1_800_000_000_000 / DAY) * DAY + DAY / 2;

describe("LINK_BUDGETS", () => {
  it("says what differs", () => {
    expect(readBudgets(null)).toEqual(defaultBudgets);
    expect(readBudgets("visitor-requests=50, day-bytes=200G\nstreams=64")).toEqual({
      ...defaultBudgets,
      visitorRequests: 50,
      dayBytes: 200e9,
      streams: 64,
    });
  });

  it.each([
    "requests",
    "requests=",
    "requests=0",
    "requests=-1",
    "requests=1.5",
    "rquests=5",
    "toString=5",
    "day-bytes=9P",
    "day-bytes=999999999999T",
  ])("is refused with a sentence: %s", (text) => {
    expect(() => readBudgets(text)).toThrow("LINK_BUDGETS has a bad entry");
  });
});

describe("a device's meter", () => {
  let now = NOON;
  let today = 0;
  const meter = (budgets: Partial<Budgets>) =>
    new Meter(
      { ...defaultBudgets, ...budgets },
      () => now,
      () => today,
    );

  it("lets one visitor ask so often, and the others as before", () => {
    const { admit } = bound(meter({ visitorRequests: 5 }));
    for (let count = 0; count < 10; count++) expect(admit("a")).toBeNull();
    expect(admit("a")).toEqual({ verdict: "too-fast", retryAfter: 1 });
    expect(admit("b")).toBeNull();
    now += 1000;
    for (let count = 0; count < 5; count++) expect(admit("a")).toBeNull();
    expect(admit("a")?.verdict).toBe("too-fast");
  });

  it("lets all of them ask so often together", () => {
    const { admit } = bound(meter({ requests: 5 }));
    for (let count = 0; count < 10; count++) expect(admit(`visitor ${count}`)).toBeNull();
    expect(admit("one more")).toEqual({ verdict: "spent", retryAfter: 1 });
  });

  it("ends a visitor's day at their bytes and the device's at its own, until midnight", () => {
    const busy = meter({ visitorDayBytes: 1000, dayBytes: 5000 });
    busy.moved("a", 999);
    expect(busy.admit("a")).toBeNull();
    busy.moved("a", 1);
    expect(busy.admit("a")).toEqual({
      verdict: "too-fast",
      retryAfter: expect.closeTo(43_199, -1),
    });
    expect(busy.admit("b")).toBeNull();
    today = 5000;
    expect(busy.admit("b")?.verdict).toBe("spent");
    today = 0;
    now = NOON + DAY / 2;
    expect(busy.admit("a")).toBeNull();
  });

  it("leaves something to the others, however often one visitor comes and is forgotten", () => {
    [today, now] = [0, NOON];
    const budgets = { dayBytes: 1000, visitorDayBytes: 400 };
    const took: number[] = [];
    for (let sleep = 0; sleep < 6; sleep++) {
      const awake = meter(budgets);
      let bytes = 0;
      while (awake.over("greedy") === null) {
        awake.moved("greedy", 1);
        today++;
        bytes++;
      }
      expect(awake.over("greedy")?.verdict).toBe("too-fast");
      expect(awake.admit("somebody else")).toBeNull();
      took.push(bytes);
    }
    expect(took).toEqual([400, 400, 100, 50, 25, 13]);
    today = 0;
  });

  it("keeps room for who comes next: in a crowd nobody has more than an equal part", () => {
    const shared = meter({ streams: 40, visitorStreams: 30 });
    let greedy = 0;
    while (shared.admit("greedy") === null) {
      shared.begin("greedy");
      greedy++;
    }
    expect(greedy, "alone, half of all").toBe(20);
    for (const other of ["b", "c", "d"]) {
      for (let count = 0; count < 5; count++) {
        expect(shared.admit(other)).toBeNull();
        shared.begin(other);
      }
    }
    expect(shared.admit("greedy")?.verdict).toBe("busy");
    expect(shared.admit("newcomer")).toBeNull();
    for (let count = 0; count < greedy; count++) shared.end("greedy");
    expect(shared.admit("greedy")).toBeNull();
  });

  it("keeps so many visitors in memory and forgets none who is on the way", () => {
    const many = meter({ visitorRequests: 1 });
    many.begin("here");
    many.moved("here", 7);
    for (let count = 0; count < limits.linkVisitorsKept + 50; count++) many.moved(`v${count}`, 1);
    many.end("here"); // would be below none had it been forgotten
    expect(many.admit("here")).toBeNull();
  });
});

/** The method without its object. */
function bound(meter: Meter) {
  return { admit: (network: string) => meter.admit(network) };
}

describe("Link", () => {
  const script = (length: number) => ({
    status: 200,
    start: 0,
    length,
    announced: null,
    breakAfter: null,
    readsBody: true,
  });

  async function flow(world: World, chance: Chance): Promise<void> {
    for (let round = 0; round < 30; round++) {
      await world.settle();
      while (world.toAgent.length > 0) world.deliverToAgent();
      for (const call of world.calls) await call.step(chance);
      await world.settle();
      while (world.toEdge.length > 0) world.deliverToEdge();
    }
    await world.settle();
  }

  it("turns away who asks too often, with the time to wait, and notes that it did", async () => {
    const world = new World(new Chance(1), { visitorRequests: 1 });
    world.connect();
    world.scripts.set("/", script(3));
    const ask = () => world.link.relay(new Request("http://nas.link.test/"), null);
    const served = [ask(), ask()];
    const refused = await ask();
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
    await flow(world, new Chance(2));
    for (const response of served) expect((await response).status).toBe(200);
    expect([world.traffic.requests, world.traffic.turned]).toEqual([2, ["too-fast"]]);
  });

  it("cuts off what is on its way when the day's bytes are used up, and never as a clean end", async () => {
    const world = new World(new Chance(1), { dayBytes: 100_000 });
    world.connect();
    world.scripts.set("/", script(MAX_BODY));
    const visitor = new Visitor();
    void visitor.ask(world, "/", "GET", null);
    const chance = new Chance(2);
    await flow(world, chance); // as far as it goes while the visitor reads nothing
    expect(visitor.ending).toBe("reading");
    world.advance(limits.linkTickMs);
    for (let round = 0; round < 20; round++) {
      visitor.read();
      await world.settle();
    }
    expect([visitor.ending, world.link.load.exchanges]).toEqual(["error", 0]);
    const refused = await world.link.relay(new Request("http://nas.link.test/"), null);
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(world.traffic.turned).toEqual(["spent", "spent"]);
  });
});

describe("the record of traffic", () => {
  const clock = { time: NOON, now: () => clock.time };
  let on = true;

  function world() {
    clock.time = NOON;
    on = true;
    const [sql, keys] = [new MemorySql(), new HeldKeys()];
    migrate(sql);
    const random = { bytes: (count: number) => crypto.getRandomValues(new Uint8Array(count)) };
    const context = { deviceId: "dev", sql, clock } as unknown as DeviceContext;
    /** A fresh one over the same store, as after an eviction. */
    const wake = () => new Traffic(context, new Sealer(keys, clock, random), () => on);
    return { sql, keys, wake };
  }

  it("is of 24 hours, outlives a sleep, and adds up", async () => {
    const { wake } = world();
    const traffic = wake();
    traffic.count({ requests: 1, fromDevice: 100, toDevice: 10 });
    await traffic.write();
    clock.time += HOUR;
    const later = wake();
    later.count({ requests: 2, fromDevice: 5 });
    later.turnedAway("spent");
    later.turnedAway("busy");
    await later.write();
    const hours = (await wake().view()).hours;
    expect(hours).toEqual([
      { at: NOON, requests: 1, fromDevice: 100, toDevice: 10, busy: 0, overBudget: 0 },
      { at: NOON + HOUR, requests: 2, fromDevice: 5, toDevice: 0, busy: 1, overBudget: 1 },
    ]);
    clock.time = NOON + DAY;
    expect((await wake().view()).hours.map((hour) => hour.at)).toEqual([NOON + HOUR]);
  });

  it("is seen while it is being written", async () => {
    const { wake, keys } = world();
    const traffic = wake();
    traffic.count({ requests: 3 });
    keys.hold();
    const writing = traffic.write();
    await keys.asked();
    expect((await traffic.view()).hours).toMatchObject([{ requests: 3 }]);
    traffic.count({ requests: 1 });
    keys.release();
    await writing;
    expect((await traffic.view()).hours).toMatchObject([{ requests: 4 }]);
  });

  it("keeps the budget of a day through a sleep, and begins anew at midnight", async () => {
    const { wake } = world();
    const traffic = wake();
    traffic.count({ fromDevice: 100 });
    await traffic.write();
    const later = wake();
    later.count({ toDevice: 1 });
    await later.learn();
    expect(later.bytesToday).toBe(101);
    clock.time += DAY / 2;
    expect(later.bytesToday).toBe(0);
  });

  it("stands sealed, in one row, under a key that is another each day", async () => {
    const { wake, sql, keys } = world();
    const traffic = wake();
    const seen = new Set<string>();
    for (let day = 0; day < 3; day++) {
      traffic.count({ requests: 7_654_321 });
      await traffic.write();
      const rows = sql.all<{ record_sealed: string }>("SELECT record_sealed FROM traffic");
      expect(rows.length).toBe(1);
      expect(rows[0]?.record_sealed).not.toContain("7654321");
      seen.add(String([...keys.kept.values()]));
      expect(keys.kept.size).toBe(1);
      clock.time += DAY;
    }
    expect(seen.size).toBe(3);
  });

  it("waits in memory while the key store is away", async () => {
    const { wake, keys } = world();
    const traffic = wake();
    const { getOrCreate } = keys;
    keys.getOrCreate = async () => {
      throw new Error("away");
    };
    traffic.count({ requests: 1 });
    await traffic.write();
    traffic.count({ requests: 1 });
    keys.getOrCreate = getOrCreate;
    await traffic.write();
    expect((await wake().view()).hours).toMatchObject([{ requests: 2 }]);
  });

  it("[FEA-4] is neither written nor read once Link is off", async () => {
    const { wake, sql } = world();
    const traffic = wake();
    traffic.count({ requests: 1 });
    on = false;
    await traffic.write();
    expect(sql.all("SELECT * FROM traffic")).toEqual([]);
  });
});
