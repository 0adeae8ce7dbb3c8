/** Where a device is at home: held sealed while its owner wants it, one word only, told to whom it may. */

import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { DeviceStub } from "../../durable-objects/device/rpc.ts";
import { limits } from "../../protocol/limits.ts";
import type { Reach } from "../../protocol/reach.ts";
import { allow, setAccess, setFeature } from "../../workers/devices/devices.ts";
import type { Ports } from "../../workers/ports.ts";
import { testPorts } from "../support/ports.ts";
import {
  connect,
  type Enrolled,
  enroll,
  type Heard,
  keysOf,
  newPerson,
} from "./devices-support.ts";

let ports: Ports;
let owner: string;
let enrolled: Enrolled;
let id: string;
beforeEach(async () => {
  ports = testPorts({ env }).ports;
  owner = await newPerson();
  enrolled = await enroll(ports, owner);
  id = enrolled.device.id;
});
afterEach(() => vi.useRealTimers());

const reachAt = (last: number): Reach => ({
  home: [{ probe: `http://192.168.77.${last}:4780`, page: `http://192.168.77.${last}:5000` }],
  direct: { scheme: "https", probe: 4780, page: 443 },
});
const CANARY = "192.168.77.";
const objectOf = (stub: DeviceStub) => stub as unknown as DurableObjectStub;

function sql(query: string): Promise<Record<string, unknown>[]> {
  return runInDurableObject(objectOf(enrolled.stub), (_object, state) =>
    state.storage.sql.exec(query).toArray(),
  );
}
const rows = () => sql("SELECT * FROM shortcut");
const say = (agent: Heard, reach: unknown) =>
  agent.socket.send(JSON.stringify({ type: "reach", reach }));
const waysOf = (person: string) => enrolled.stub.ways(person);
/** Until the object has taken what was said: one socket is read in order, and its calls take turns. */
async function taken(of: (reach: Reach | null) => boolean): Promise<void> {
  await vi.waitFor(async () => expect(of((await waysOf(owner))?.reach ?? null)).toBe(true));
}
const isAt = (last: number) => (reach: Reach | null) =>
  JSON.stringify(reach) === JSON.stringify(reachAt(last));

async function switchedOn(): Promise<Heard> {
  await setFeature(ports, owner, id, "link", true);
  await setFeature(ports, owner, id, "lan", true);
  const agent = await connect(ports, enrolled);
  expect(await agent.until((notice) => notice.type === "features")).toMatchObject({ lan: true });
  return agent;
}

describe("what is held", () => {
  it("[FEA-1] nothing while the shortcut is off, whatever the device says", async () => {
    await setFeature(ports, owner, id, "link", true);
    const agent = await connect(ports, enrolled);
    say(agent, reachAt(1));
    say(agent, reachAt(2));
    await setFeature(ports, owner, id, "name", true);
    expect(await rows()).toEqual([]);
    expect(await keysOf(`feature/${id}/lan`)).toEqual([]);
    expect((await waysOf(owner))?.reach).toBeNull();
  });

  it("[CON-2] one row, sealed, the latest word only", async () => {
    const agent = await switchedOn();
    for (let last = 1; last <= limits.reachChanges; last++) say(agent, reachAt(last));
    await taken(isAt(limits.reachChanges));
    const held = await rows();
    expect(held).toHaveLength(1);
    expect(JSON.stringify(held)).not.toContain(CANARY);
    for (const table of await sql("SELECT name FROM sqlite_master WHERE type = 'table'")) {
      if (/^_cf|^sqlite/.test(String(table.name))) continue;
      expect(JSON.stringify(await sql(`SELECT * FROM "${table.name}"`))).not.toContain(CANARY);
    }
  });

  it("what is malformed changes nothing, and the connection goes on", async () => {
    const agent = await switchedOn();
    say(agent, reachAt(1));
    await taken(isAt(1));
    for (const bad of [null, {}, { home: [], direct: null, x: 1 }, { home: "x", direct: null }]) {
      say(agent, bad);
    }
    say(agent, {
      home: [{ probe: "http://203.0.114.1", page: "http://203.0.114.1" }],
      direct: null,
    });
    say(agent, reachAt(2));
    await taken(isAt(2));
    expect(agent.socket.readyState).toBe(WebSocket.OPEN);
  });

  it("a device that never stops talking is not written down any more", async () => {
    const agent = await switchedOn();
    for (let last = 1; last <= limits.reachChanges + 5; last++) say(agent, reachAt(last));
    await taken(isAt(limits.reachChanges));
    await setFeature(ports, owner, id, "name", true); // takes its turn after them
    expect((await waysOf(owner))?.reach).toEqual(reachAt(limits.reachChanges));
  });

  it("survives sleep, and is in the owner's export, opened", async () => {
    const agent = await switchedOn();
    say(agent, reachAt(7));
    await taken(isAt(7));
    await evictDurableObject(objectOf(enrolled.stub));
    expect((await waysOf(owner))?.reach).toEqual(reachAt(7));
    expect(JSON.stringify(await enrolled.stub.exportFor(owner))).toContain(`${CANARY}7`);
    const held = await enrolled.stub.holdings();
    expect(held).toContainEqual(expect.objectContaining({ class: "ways at home", count: 1 }));
  });
});

describe("its end", () => {
  it("[FEA-4] switching the shortcut off deletes the row and destroys its key", async () => {
    const agent = await switchedOn();
    say(agent, reachAt(1));
    await taken(isAt(1));
    expect(await keysOf(`feature/${id}/lan`)).toHaveLength(1);
    await setFeature(ports, owner, id, "lan", false);
    expect(await rows()).toEqual([]);
    expect(await keysOf(`feature/${id}/lan`)).toEqual([]);
    expect((await waysOf(owner))?.reach).toBeNull();
    say(agent, reachAt(2));
    await setFeature(ports, owner, id, "lan", true);
    expect(await rows()).toEqual([]);
  });

  it("[CON-2] it is gone, row and key, when the device has been offline for 24 hours", async () => {
    const agent = await switchedOn();
    say(agent, reachAt(1));
    await taken(isAt(1));
    agent.socket.close(1000, "gone");
    await agent.closed;
    await vi.waitFor(async () => expect((await waysOf(owner))?.online).toBe(false));
    expect((await waysOf(owner))?.reach).toEqual(reachAt(1));
    await sql(`UPDATE shortcut SET expires_at = ${Date.now()}`);
    // A read says so before anything is swept.
    expect((await waysOf(owner))?.reach).toBeNull();
    await runDurableObjectAlarm(objectOf(enrolled.stub));
    expect(await rows()).toEqual([]);
    expect(await keysOf(`feature/${id}/lan`)).toEqual([]);
  });

  it("its time begins when the device goes, and not before", async () => {
    const agent = await switchedOn();
    say(agent, reachAt(1));
    await taken(isAt(1));
    await sql("UPDATE shortcut SET expires_at = 1");
    await runDurableObjectAlarm(objectOf(enrolled.stub));
    expect((await waysOf(owner))?.reach).toEqual(reachAt(1));
    await sql(`UPDATE shortcut SET expires_at = ${Date.now() + 1000}`);
    agent.socket.close(1000, "gone");
    await agent.closed;
    await vi.waitFor(async () => {
      const [row] = await rows();
      const left = Number(row?.expires_at) - Date.now();
      expect(left).toBeGreaterThan(limits.connectionAfterOfflineMs / 2);
    });
  });

  it("[CON-11] unregistering leaves nothing of it", async () => {
    const agent = await switchedOn();
    say(agent, reachAt(1));
    await taken(isAt(1));
    await enrolled.stub.unregister();
    expect(await waysOf(owner)).toBeNull();
    expect(await keysOf(`feature/${id}/`)).toEqual([]);
  });
});

describe("[CON-3] who is told", () => {
  it("its owner, and people let in by name while the door is for them: nobody else, in any mode", async () => {
    const agent = await switchedOn();
    say(agent, reachAt(1));
    await taken(isAt(1));
    const [listed, stranger] = [await newPerson(), await newPerson()];
    await allow(ports, owner, id, listed);
    for (const mode of ["owner", "listed", "everyone"] as const) {
      await setAccess(ports, owner, id, mode);
      expect((await waysOf(owner))?.isOwner, mode).toBe(true);
      expect(await waysOf(stranger), mode).toBeNull();
      const told = await waysOf(listed);
      if (mode === "owner") expect(told).toBeNull();
      else expect(told).toMatchObject({ isOwner: false, reach: reachAt(1) });
    }
    await setFeature(ports, owner, id, "link", false);
    expect(await waysOf(owner)).toBeNull();
    expect(await waysOf(listed)).toBeNull();
  });
});
