/** The zone's object and what tells it: positions, names that went, and changes that must not get lost. */

import { beforeEach, describe, expect, it } from "vitest";
import { Sealer } from "../../db/seal.ts";
import type { Socket } from "../../durable-objects/device/context.ts";
import {
  lastVersion,
  publishedAt,
  type Publication as Said,
} from "../../durable-objects/zone/rpc.ts";
import { Zone } from "../../durable-objects/zone/zone.ts";
import type { FeedAnswer, FeedAsk, Position } from "../../protocol/feed.ts";
import { limits } from "../../protocol/limits.ts";
import { HeldKeys, heldDevice, MemorySql } from "../support/device.ts";

const random = { bytes: (count: number) => crypto.getRandomValues(new Uint8Array(count)) };

class FakeSocket implements Socket {
  readonly heard: FeedAnswer[] = [];
  closed: number | null = null;
  #attachment: unknown = { kind: "front", live: false };
  send(data: string | Uint8Array): void {
    this.heard.push(JSON.parse(String(data)) as FeedAnswer);
  }
  close(code: number | null): void {
    this.closed = code;
  }
  bufferedBytes = () => null;
  attachment = () => this.#attachment;
  attach(value: unknown): void {
    this.#attachment = value;
  }
  heardAt = () => null;
}

let now: number;
let keys: HeldKeys;
let sql: MemorySql;
let sockets: FakeSocket[];
let wakeAt: number | null;
let zone: Zone;

const start = () =>
  new Zone({
    ...{ sql, keys, random, clock: { now: () => now } },
    sockets: {
      accept: () => new Response(null),
      acceptSocket: () => {
        throw new Error("not used");
      },
      tagged: () => sockets.filter(({ closed }) => closed === null),
    },
    wakeAt: (at) => {
      wakeAt = at;
    },
  });

beforeEach(() => {
  now = 1_800_000_000_000;
  keys = new HeldKeys();
  sql = new MemorySql();
  sockets = [];
  wakeAt = null;
  zone = start();
});

async function publish(deviceId: string, version: number, address: string | null): Promise<void> {
  if (address === null) return await zone.publish({ deviceId, version, name: null });
  const name = {
    names: [
      {
        label: deviceId,
        sets: [
          {
            ...{ owner: "", type: "A" as const, ttl: 60, signatures: [] },
            data: [{ type: "A" as const, address }],
          },
        ],
      },
    ],
  };
  const sealer = new Sealer(keys, { now: () => now }, random);
  const text = JSON.stringify(name);
  const sealed = await sealer.seal(`feature/${deviceId}/name`, publishedAt(deviceId), text);
  await zone.publish({ deviceId, version, name: { ...name, sealed } });
}

async function ask(
  socket: FakeSocket,
  from: Position | null,
  reading = false,
): Promise<FeedAnswer> {
  const words: FeedAsk = { from, reading };
  await zone.onMessage(socket, JSON.stringify(words));
  return socket.heard.at(-1) as FeedAnswer;
}

function front(): FakeSocket {
  const socket = new FakeSocket();
  sockets.push(socket);
  return socket;
}

/** Labels and addresses of a page or a change; `-` for what went. */
function told(answer: FeedAnswer | undefined): string[] {
  const names = answer?.kind === "page" ? answer.names : answer === undefined ? [] : [answer.name];
  return names.map(({ names: [name] }) => {
    const data = name?.sets[0]?.data[0];
    return name === undefined ? "-" : `${name.label} ${data?.type === "A" ? data.address : ""}`;
  });
}

describe("the zone's object", () => {
  it("tells everything first, and then each change from where the front stands", async () => {
    await publish("a", 1, "192.0.2.1");
    await publish("b", 1, "192.0.2.2");
    const one = front();
    const all = await ask(one, null);
    expect(all).toMatchObject({ kind: "page", whole: true, end: true });
    expect(told(all)).toEqual(["a 192.0.2.1", "b 192.0.2.2"]);
    await publish("a", 2, "192.0.2.3");
    const change = one.heard.at(-1);
    expect(change).toMatchObject({ kind: "change", before: all.to });
    expect(told(change)).toEqual(["a 192.0.2.3"]);
    const again = await ask(front(), all.to);
    expect(again).toMatchObject({ whole: false, end: true });
    expect(told(again)).toEqual(["a 192.0.2.3"]);
  });

  it("says nothing of changes to who has not read to the end", async () => {
    const crowd = limits.feedPageNames + 2;
    for (let at = 0; at < crowd; at++) await publish(`d${at}`, 1, "192.0.2.1");
    const slow = front();
    const first = await ask(slow, null);
    expect([told(first).length, first.kind === "page" && first.end]).toEqual([
      limits.feedPageNames,
      false,
    ]);
    await publish("d0", 2, "192.0.2.2");
    expect(slow.heard).toHaveLength(1);
    const rest = await ask(slow, first.to, true);
    expect(rest).toMatchObject({ whole: false, end: true });
    expect(told(rest).sort()).toEqual([
      "d0 192.0.2.2",
      `d${crowd - 2} 192.0.2.1`,
      `d${crowd - 1} 192.0.2.1`,
    ]);
  });

  it("tells much in pages that a front can take, each name once", async () => {
    const deviceId = "large";
    // Sealed, as it lies in the row; what stands in it is of no matter here.
    const sealed = "x".repeat(limits.zoneRowBytes);
    for (const at of [1, 2, 3, 4, 5]) {
      const name = { names: [], sealed };
      await zone.publish({ deviceId: `${deviceId}${at}`, version: 1, name });
    }
    const socket = front();
    const sizes: number[] = [];
    let page = await ask(socket, null);
    for (; page.kind === "page"; page = await ask(socket, page.to, true)) {
      sizes.push(page.names.length);
      if (page.end) break;
    }
    expect(sizes).toEqual([2, 2, 1]);
  });

  it("keeps nothing that fits into no row, and tells nobody of it", async () => {
    const socket = front();
    await publish("large", 1, "192.0.2.1");
    await ask(socket, null);
    const name = { names: [], sealed: "x".repeat(limits.zoneRowBytes + 1) };
    await zone.publish({ deviceId: "large", version: 2, name });
    expect(sql.all("SELECT version, name_sealed FROM zone_name")).toEqual([
      { version: 2, name_sealed: null },
    ]);
    expect(told(socket.heard.at(-1))).toEqual(["-"]);
  });

  it("takes no older word for a newer one, and the same one once", async () => {
    await publish("a", 3, "192.0.2.3");
    const one = front();
    await ask(one, null);
    await publish("a", 2, "192.0.2.2");
    await publish("a", 3, "192.0.2.3");
    expect(one.heard).toHaveLength(1);
    await publish("a", lastVersion, null);
    await publish("a", 4, "192.0.2.4");
    expect(one.heard.slice(1).map(told)).toEqual([["-"]]);
  });

  it("[CON-5] keeps nothing of a name that went but a hash, and that for a while", async () => {
    await publish("gone", 1, "192.0.2.1");
    const before = (await ask(front(), null)).to;
    await publish("gone", 2, null);
    const rows = () => sql.all("SELECT id, device_id, name_sealed FROM zone_name");
    expect(rows()).toMatchObject([{ device_id: null, name_sealed: null }]);
    expect(JSON.stringify(rows())).not.toContain("gone");
    expect(told(await ask(front(), before))).toEqual(["-"]);
    expect(wakeAt).toBe(now + limits.zoneGoneMs);
    now += limits.zoneGoneMs;
    expect(told(await ask(front(), null))).toEqual([]);
    await zone.onAlarm();
    expect([rows(), wakeAt]).toEqual([[], null]);
    // Who was away for longer reads everything anew.
    expect(await ask(front(), before)).toMatchObject({ whole: true, end: true });
  });

  it("[FEA-4] tells nothing of a name whose key is destroyed", async () => {
    await publish("a", 1, "192.0.2.1");
    await publish("b", 1, "192.0.2.2");
    await keys.destroy("feature/a/name");
    expect(told(await ask(front(), null))).toEqual(["-", "b 192.0.2.2"]);
  });

  it("knows by its epoch a position that is another store's", async () => {
    await publish("a", 1, "192.0.2.1");
    const { to } = await ask(front(), null);
    sql = new MemorySql();
    zone = start();
    expect(await ask(front(), to)).toMatchObject({ whole: true, names: [] });
  });

  it("tells the publisher what it has not pushed, and everything when that is not known", async () => {
    await publish("a", 1, "192.0.2.1");
    const first = await zone.unpublished();
    expect(first).toMatchObject({ whole: true, end: true, names: [{ names: [{ label: "a" }] }] });
    await zone.published(first.to, false);
    expect(await start().unpublished()).toMatchObject({ whole: false, end: true, names: [] });
    await publish("a", 2, null);
    expect(await zone.unpublished()).toMatchObject({ whole: false, names: [{ names: [] }] });
    now += limits.zoneGoneMs;
    await zone.onAlarm();
    expect(await zone.unpublished()).toMatchObject({ whole: true, names: [] });
  });

  it("closes on what it does not understand, and when the key store is away", async () => {
    const [rude, unlucky] = [front(), front()];
    await zone.onMessage(rude, "hello");
    expect(rude.closed).toBe(1007);
    await publish("a", 1, "192.0.2.1");
    keys.get = () => Promise.reject(new Error("away"));
    await zone.onMessage(unlucky, JSON.stringify({ from: null, reading: false }));
    expect([unlucky.closed, unlucky.heard]).toEqual([1013, []]);
  });
});

describe("a device that publishes", () => {
  const update = (address: string) =>
    ({ secret: null, ipv4: { set: address }, ipv6: "keep" }) as const;
  const addresses = (said: readonly Said[]) =>
    said.map(({ name }) => {
      const data = name?.names[0]?.sets[0]?.data[0];
      return name === null ? null : data?.type === "A" ? data.address : "none";
    });

  it("tells the fronts of an update in the same turn: no clock moves on, and nothing wakes it", async () => {
    const socket = front();
    await ask(socket, null);
    const held = await heldDevice({ zone });
    await held.device.setFeature("name", true);
    await held.device.naming.updateAddresses({
      ...{ secret: null, ipv4: { set: "203.0.113.4" }, ipv6: "keep" },
    });
    await held.settled();
    expect(told(socket.heard.at(-1)).join()).toContain("203.0.113.4");
  });

  it("tells what was acknowledged until the zone confirms it, and then no more", async () => {
    const said: Said[] = [];
    let there = false;
    const zone = {
      publish: async (publication: Said) => {
        if (!there) throw new Error("away");
        said.push(publication);
      },
    };
    const held = await heldDevice({ zone });
    await held.device.setFeature("name", true);
    expect((await held.device.naming.updateAddresses(update("192.0.2.1"))).verdict).toBe("good");
    await held.settled();
    expect([said, held.wakeAt()]).toEqual([[], held.clock.now() + limits.publishRetryMs]);
    there = true;
    held.clock.advance(limits.publishRetryMs);
    await held.device.onAlarm();
    await held.settled();
    expect(addresses(said)).toEqual(["192.0.2.1"]);
    // The next wake-up is for what happened to be forgotten.
    expect(held.wakeAt()).toBe(held.clock.now() - limits.publishRetryMs + limits.nameHistoryMs);
  });

  it("marks each kind of change: an address, a door that is closed as a whole, on and off", async () => {
    const said: Said[] = [];
    const zone = { publish: async (publication: Said) => void said.push(publication) };
    const held = await heldDevice({ zone });
    const closure = { reason: "malware", extent: "all", words: "", at: held.clock.now() } as const;
    const steps: [() => Promise<unknown>, string | null][] = [
      [() => held.device.setFeature("name", true), "none"],
      [() => held.device.naming.updateAddresses(update("192.0.2.1")), "192.0.2.1"],
      [() => held.device.naming.updateAddresses(update("192.0.2.2")), "192.0.2.2"],
      [() => held.device.doorway.close(closure), null],
      [() => held.device.doorway.close(null), "192.0.2.2"],
      [() => held.device.setFeature("name", false), null],
    ];
    for (const [step, told] of steps) {
      await step();
      await held.settled();
      expect(addresses(said).at(-1)).toBe(told);
    }
    expect(said).toHaveLength(steps.length);
  });

  it("is told of by an object that was thrown out before the zone heard", async () => {
    const said: Said[] = [];
    let there = false;
    const zone = {
      publish: async (publication: Said) => {
        if (!there) throw new Error("away");
        said.push(publication);
      },
    };
    const held = await heldDevice({ zone });
    await held.device.setFeature("name", true);
    await held.device.naming.updateAddresses(update("192.0.2.3"));
    await held.settled();
    there = true;
    held.wake();
    await held.settled();
    expect(addresses(said)).toEqual(["192.0.2.3"]);
  });

  it("[CON-5] tells that its name went, and never of an address after that", async () => {
    const said: Said[] = [];
    const zone = { publish: async (publication: Said) => void said.push(publication) };
    const held = await heldDevice({ zone });
    await held.device.setFeature("name", true);
    const updated = held.device.naming.updateAddresses(update("192.0.2.1"));
    const off = held.device.setFeature("name", false);
    await Promise.all([updated, off]);
    await held.settled();
    expect(addresses(said).at(-1)).toBeNull();
    await held.device.unregister();
    expect(said.at(-1)).toMatchObject({ version: lastVersion, name: null });
    const versions = said.map(({ version }) => version);
    expect(versions).toEqual([...versions].sort((a, b) => a - b));
  });

  it("cannot be unregistered while the zone cannot be told: who ends it comes again", async () => {
    let there = false;
    const zone = {
      publish: async () => {
        if (!there) throw new Error("away");
      },
    };
    const held = await heldDevice({ zone });
    await expect(held.device.unregister()).rejects.toThrow("away");
    expect(await held.device.describe()).toBeNull();
    there = true;
    await held.device.unregister();
  });
});
