/**
 * A device's object on the real platform: it sleeps and wakes, its alarms ring, and what was switched
 * off is nowhere.
 */

import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { DeviceStub, FeatureName } from "../../durable-objects/device/rpc.ts";
import { wayHeader } from "../../durable-objects/device/rpc.ts";
import { agentAddressHeader, closeCodes, pingText, pongText } from "../../protocol/agent.ts";
import { signAssertion } from "../../protocol/assertion.ts";
import { limits } from "../../protocol/limits.ts";
import { handle } from "../../workers/app.ts";
import { getDevice, setFeature, unregisterDevice } from "../../workers/devices/devices.ts";
import type { Ports } from "../../workers/ports.ts";
import { secretFrom } from "../support/name.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { published } from "../support/records.ts";
import {
  askSocket,
  connect,
  type Enrolled,
  enroll,
  Heard,
  keysOf,
  newPerson,
} from "./devices-support.ts";

let test: TestPorts;
let ports: Ports;
let owner: string;
let enrolled: Enrolled;
let id: string;
beforeEach(async () => {
  test = testPorts({ env });
  ports = test.ports;
  owner = await newPerson();
  enrolled = await enroll(ports, owner);
  id = enrolled.device.id;
});

const objectOf = (stub: DeviceStub) => stub as unknown as DurableObjectStub;
const evict = () => evictDurableObject(objectOf(enrolled.stub));
const ring = () => runDurableObjectAlarm(objectOf(enrolled.stub));
const on = (feature: FeatureName) => setFeature(ports, owner, id, feature, true);
const off = (feature: FeatureName) => setFeature(ports, owner, id, feature, false);

/** Runs SQL inside the object. */
function sql(query: string, ...values: (string | number)[]): Promise<Record<string, unknown>[]> {
  return runInDurableObject(objectOf(enrolled.stub), (_object, state) =>
    state.storage.sql.exec(query, ...values).toArray(),
  );
}

/** Rows of every table that a feature may fill. */
async function heldRows(): Promise<Record<string, number>> {
  const held: Record<string, number> = {};
  for (const table of Object.keys(nothing)) {
    held[table] = (await sql(`SELECT * FROM ${table}`)).length;
  }
  return held;
}
const nothing = {
  feature: 0,
  connection: 0,
  name_record: 0,
  name_token: 0,
  name_event: 0,
  door_code: 0,
  door_session: 0,
};

/** The owner's console follows the device, past the sign-in that routes.ts checks. */
async function watch(): Promise<Heard> {
  const headers = { upgrade: "websocket", [wayHeader]: "watch" };
  const request = new Request(`${ports.config.origin}/api/devices/${id}/live`, { headers });
  return new Heard(await enrolled.stub.fetch(request));
}

describe("a device with every feature off", () => {
  it("[FEA-1] connects, and neither a row nor a key nor a log line is written", async () => {
    const agent = await connect(ports, enrolled, { headers: { "user-agent": "marker-agent" } });
    expect(await agent.until((notice) => notice.type === "features")).toEqual({
      type: "features",
      name: false,
      link: false,
      lan: false,
    });
    expect(await heldRows()).toEqual(nothing);
    expect(await keysOf(`feature/${id}/`)).toEqual([]);
    expect((await getDevice(ports, owner, id)).connection).toBeNull();
    agent.socket.close(1000, "gone");
    await agent.closed;
    expect(await heldRows()).toEqual(nothing);
    expect(await ring()).toBe(false);
    expect(test.lines).toEqual([]);
    expect(test.egress).toEqual([]);
  });

  it("[FEA-1] offers no door, no name and no secret", async () => {
    expect((await enrolled.stub.issueDoorCode(owner, "nonce", "ses")).kind).toBe("off");
    expect(await published(enrolled.stub)).toBeNull();
    expect(await secretFrom(enrolled.stub)).toBeNull();
    const visit = new Request(`http://${enrolled.device.label}.link.localhost:8787/`);
    expect((await handle(visit, ports)).status).toBe(404);
    expect(await heldRows()).toEqual(nothing);
  });
});

describe("the IPv6 address that the box keeps", () => {
  it("is where the name leads, as the upgrade or a notice says it, and only while the name is on", async () => {
    const [first, next] = ["2001:db8::1", "2001:db8::2"];
    const agent = await connect(ports, enrolled, { headers: { [agentAddressHeader]: first } });
    expect(await published(enrolled.stub)).toBeNull();
    await on("name");
    expect(await published(enrolled.stub)).toEqual({ ipv4: "198.51.100.7", ipv6: first });
    agent.socket.send(JSON.stringify({ type: "address", ipv6: next }));
    await vi.waitFor(async () =>
      expect(await published(enrolled.stub)).toEqual({ ipv4: "198.51.100.7", ipv6: next }),
    );
    agent.socket.send(JSON.stringify({ type: "address", ipv6: "fd00::1" }));
    agent.socket.close();
    expect((await published(enrolled.stub))?.ipv6).toBe(next);
  });
});

describe("switching off", () => {
  /** Leaves data behind with each feature on. */
  async function use(): Promise<Heard> {
    await on("name");
    await on("link");
    await secretFrom(enrolled.stub);
    const door = await enrolled.stub.issueDoorCode(owner, "nonce", "ses");
    expect(door.kind).toBe("code");
    const agent = await connect(ports, enrolled);
    expect(await heldRows()).toEqual({
      ...nothing,
      feature: 2,
      connection: 1,
      name_record: 1,
      name_token: 1,
      name_event: 1,
      door_code: 1,
    });
    expect((await published(enrolled.stub))?.ipv4).toBe("198.51.100.7");
    return agent;
  }

  it("[FEA-4] the name deletes its record, secret and key, and nothing else", async () => {
    const agent = await use();
    await off("name");
    expect(await heldRows()).toEqual({ ...nothing, feature: 1, connection: 1, door_code: 1 });
    expect(await keysOf(`feature/${id}/`)).toEqual([`feature/${id}/connection`]);
    expect(await published(enrolled.stub)).toBeNull();
    await agent.until((notice) => notice.type === "features" && notice.link && !notice.name);
    expect((await getDevice(ports, owner, id)).connection).toMatchObject({ online: true });
  });

  it("[FEA-4] Link deletes codes and visits, and nothing else", async () => {
    await use();
    await off("link");
    expect(await heldRows()).toEqual({
      ...nothing,
      feature: 1,
      connection: 1,
      name_record: 1,
      name_token: 1,
      name_event: 1,
    });
    expect((await keysOf(`feature/${id}/`)).sort()).toEqual([
      `feature/${id}/connection`,
      `feature/${id}/name`,
    ]);
    expect((await published(enrolled.stub))?.ipv4).toBe("198.51.100.7");
  });

  it("[FEA-4] the last feature deletes the connection record and every key", async () => {
    const agent = await use();
    await off("name");
    await off("link");
    expect(await heldRows()).toEqual(nothing);
    expect(await keysOf(`feature/${id}/`)).toEqual([]);
    const told = await agent.until(
      (notice) => notice.type === "features" && !notice.link && !notice.name,
    );
    expect(told).toBeDefined();
    agent.socket.close(1000, "gone");
    await agent.closed;
    expect(await heldRows()).toEqual(nothing);
  });

  it("[FEA-7] and on again starts from empty", async () => {
    const agent = await use();
    agent.socket.close(1000, "gone");
    await agent.closed;
    await off("name");
    await off("link");
    await on("name");
    const { name, connection } = await getDevice(ports, owner, id);
    expect(name).toEqual({
      ipv4: null,
      ipv6: null,
      changedAt: null,
      tokens: 0,
      flooding: 0,
      idle: 0,
    });
    expect(connection).toBeNull();
  });

  it("wins over whatever runs beside it, in any order", async () => {
    await connect(ports, enrolled);
    for (let round = 0; round < 5; round++) {
      await on("name");
      const set = { ipv4: { set: `198.51.100.${10 + round}` }, ipv6: "keep" } as const;
      await Promise.all([
        enrolled.stub.updateAddresses({ secret: null, ...set }),
        enrolled.stub.setFeature("link", true),
        secretFrom(enrolled.stub),
        enrolled.stub.setFeature("name", false),
        enrolled.stub.updateAddresses({ secret: null, ...set }),
        enrolled.stub.setFeature("link", false),
        secretFrom(enrolled.stub),
      ]);
      expect(await heldRows()).toEqual(nothing);
      expect(await keysOf(`feature/${id}/`)).toEqual([]);
    }
  });

  it("twice, or on twice, is the same as once", async () => {
    const states = await Promise.all([on("link"), on("link"), on("link")]);
    expect(states.every((device) => device.features.link)).toBe(true);
    expect(await heldRows()).toEqual({ ...nothing, feature: 1 });
    await Promise.all([off("link"), off("link")]);
    expect(await heldRows()).toEqual(nothing);
  });

  it("finishes destroying a key with the next wake-up when the first try broke off", async () => {
    await use();
    await off("link");
    // As if the object had been thrown out between the switch and the key.
    await sql("UPDATE feature SET since = 0 WHERE name = 'name'");
    await sql("DELETE FROM name_record");
    await evict();
    expect(await published(enrolled.stub)).toBeNull();
    expect(await keysOf(`feature/${id}/name`)).toHaveLength(1);
    // Whatever wakes it makes it ring at once; what takes its turn after that finds the key gone.
    await enrolled.stub.setAccess("owner");
    await ring();
    await off("link");
    expect(await keysOf(`feature/${id}/`)).toEqual([]);
    expect(await heldRows()).toMatchObject({ feature: 0 });
  });
});

describe("an object that sleeps", () => {
  it("still knows its device's socket, and which one is the newest", async () => {
    await on("link");
    const agent = await connect(ports, enrolled);
    await evict();
    expect((await getDevice(ports, owner, id)).connection).toMatchObject({
      online: true,
      address: "198.51.100.7",
    });
    const newer = await connect(ports, enrolled);
    expect(await agent.closed).toBe(closeCodes.replaced);
    await evict();
    await on("name");
    await newer.until((notice) => notice.type === "features" && notice.name);
    expect((await published(enrolled.stub))?.ipv4).toBe("198.51.100.7");
  });

  it("answers a ping without waking, and notes that it heard one", async () => {
    const agent = await connect(ports, enrolled);
    await evict();
    agent.socket.send(pingText);
    await agent.until((text) => text === pongText);
    const heard = await runInDurableObject(objectOf(enrolled.stub), (_object, state) =>
      state
        .getWebSockets("agent")
        .map((ws) => state.getWebSocketAutoResponseTimestamp(ws)?.getTime()),
    );
    expect(heard).toEqual([expect.closeTo(Date.now(), -5)]);
  });

  it("takes an assertion once, also after it slept", async () => {
    const { origin } = ports.config;
    const assertion = await signAssertion(enrolled.key.privateKey, id, origin, Date.now());
    const agent = await connect(ports, enrolled, { assertion });
    expect((await askSocket(ports, enrolled, { assertion })).status).toBe(401);
    await evict();
    expect((await askSocket(ports, enrolled, { assertion })).status).toBe(401);
    agent.socket.close(1000, "gone");
  });

  it("counts a socket as gone that has been silent too long, until it speaks again", async () => {
    await on("link");
    const agent = await connect(ports, enrolled);
    await runInDurableObject(objectOf(enrolled.stub), (_object, state) => {
      for (const socket of state.getWebSockets("agent")) {
        const attachment = socket.deserializeAttachment();
        socket.serializeAttachment({ ...attachment, since: Date.now() - limits.agentStaleMs - 1 });
      }
    });
    await evict();
    expect((await getDevice(ports, owner, id)).connection).toMatchObject({ online: false });
    agent.socket.send(pingText);
    await agent.until((text) => text === pongText);
    expect((await getDevice(ports, owner, id)).connection).toMatchObject({ online: true });
  });

  it("closes the socket of a device that is unregistered in its sleep", async () => {
    await on("link");
    const agent = await connect(ports, enrolled);
    const view = await watch();
    await evict();
    await unregisterDevice(ports, owner, id);
    expect(await agent.closed).toBe(closeCodes.unregistered);
    expect(await view.closed).toBe(1000);
    expect(await keysOf(`feature/${id}/`)).toEqual([]);
  });

  it("[CON-2] is woken to delete a record whose time has come, with its key", async () => {
    await on("link");
    const agent = await connect(ports, enrolled);
    agent.socket.close(1000, "gone");
    await agent.closed;
    expect((await getDevice(ports, owner, id)).connection).toMatchObject({ online: false });
    const [record] = await sql("SELECT expires_at FROM connection");
    expect(record?.expires_at).toBeLessThanOrEqual(Date.now() + limits.connectionAfterOfflineMs);
    await sql("UPDATE connection SET expires_at = ?", Date.now() - 1);
    expect((await getDevice(ports, owner, id)).connection).toBeNull();
    await evict();
    expect(await ring()).toBe(true);
    expect(await heldRows()).toMatchObject({ connection: 0 });
    expect(await keysOf(`feature/${id}/`)).toEqual([]);
    expect(await ring()).toBe(false);
  });

  it("is woken to delete a door's code that nobody used", async () => {
    await on("link");
    await enrolled.stub.issueDoorCode(owner, "nonce", "ses");
    await sql("UPDATE door_code SET expires_at = ?", Date.now() - 1);
    await evict();
    expect(await ring()).toBe(true);
    expect(await heldRows()).toMatchObject({ door_code: 0 });
    expect(await ring()).toBe(false);
  });
});

describe("the owner's view", () => {
  it("shows the state at once and every change after it, also after a sleep", async () => {
    const view = await watch();
    await view.until((device) => device.id === id && !device.features.link);
    await on("link");
    await view.until((device) => device.features?.link);
    await evict();
    const agent = await connect(ports, enrolled);
    await view.until((device) => device.connection?.online === true);
    await enrolled.stub.setAccess("everyone");
    await view.until((device) => device.access?.mode === "everyone");
    await enrolled.stub.allow("acc_home_0000000000000001");
    await view.until((device) => device.access?.people.length === 1);
    agent.socket.close(1000, "gone");
    await view.until((device) => device.connection?.online === false);
    await off("link");
    await view.until(
      (device) => device.features?.link === false && device.access.mode === "everyone",
    );
  });

  it("is shown nothing more after its time, and asks again", async () => {
    const view = await watch();
    await view.until((device) => device.id === id);
    await runInDurableObject(objectOf(enrolled.stub), (_object, state) => {
      for (const socket of state.getWebSockets("watch")) {
        expect(socket.deserializeAttachment().until - Date.now()).toBeLessThanOrEqual(
          limits.watchMs,
        );
        socket.serializeAttachment({ kind: "watch", until: Date.now() - 1 });
      }
    });
    await evict();
    const seen = view.all.length;
    await on("link");
    expect(await view.closed).toBe(1000);
    expect(view.all).toHaveLength(seen);
  });

  it("gives way to newer views beyond the limit", async () => {
    const views: Heard[] = [];
    for (let opened = 0; opened <= limits.watchersPerDevice; opened++) views.push(await watch());
    expect(await views[0]?.closed).toBe(1000);
    await on("link");
    await views.at(-1)?.until((device) => device.features?.link);
    await views[1]?.until((device) => device.features?.link);
  });
});
