/** Changes of a device that meet while a key is slow: whatever order they end in, off wins. */

import { beforeEach, describe, expect, it } from "vitest";
import type { DeviceContext, Socket } from "../../durable-objects/device/context.ts";
import { Device } from "../../durable-objects/device/device.ts";
import { migrate, registeredId } from "../../durable-objects/device/migrations.ts";
import { peerHeader, wayHeader } from "../../durable-objects/device/rpc.ts";
import { signAssertion } from "../../protocol/assertion.ts";
import { limits } from "../../protocol/limits.ts";
import { base64url } from "../../protocol/tokens.ts";
import { HeldKeys, MemorySql } from "../support/device.ts";

const ORIGIN = "https://latchkey.test";
const deviceId = "dev_home_0000000000000000";

let keys: HeldKeys;
let sql: MemorySql;
let sockets: Map<string, Socket[]>;
let closed: number[];
let wake: number | null;
let now: number;
let device: Device;
let privateKey: CryptoKey;

function boot(): Device {
  const context: DeviceContext = {
    deviceId,
    sql,
    sockets: {
      accept(_request, [tag = ""], attachment) {
        const all = sockets.get(tag) ?? [];
        const socket: Socket = {
          send: () => undefined,
          close: (code) => {
            if (code !== null) closed.push(code);
            all.splice(all.indexOf(socket), 1);
          },
          attachment: () => attachment,
          attach: () => undefined,
          heardAt: () => null,
          bufferedBytes: () => null,
        };
        sockets.set(tag, [...all, socket]);
        return { status: 101, headers: new Headers() } as Response;
      },
      acceptSocket: () => {
        throw new Error("no visitor's WebSocket comes here");
      },
      tagged: (tag) => sockets.get(tag) ?? [],
    },
    clock: { now: () => now },
    random: { bytes: (count) => crypto.getRandomValues(new Uint8Array(count)) },
    keys,
    allowSpecialAddresses: true,
    zone: { publish: async () => undefined },
    background: () => undefined,
    wakeAt: (at) => {
      wake = at;
    },
    deleteAll: async () => sql.drop(),
  };
  return new Device(context);
}

async function connect(): Promise<number> {
  const assertion = await signAssertion(privateKey, deviceId, ORIGIN, now);
  const headers = {
    authorization: `Bearer ${assertion}`,
    [wayHeader]: "agent",
    [peerHeader]: "192.0.2.1",
  };
  return (await device.fetch(new Request(ORIGIN, { headers }))).status;
}

const rows = (table: string) => sql.all(`SELECT * FROM ${table}`).length;

beforeEach(async () => {
  keys = new HeldKeys();
  sql = new MemorySql();
  sockets = new Map();
  closed = [];
  wake = null;
  now = 1_800_000_000_000;
  const pair = (await crypto.subtle.generateKey("Ed25519", true, ["sign"])) as CryptoKeyPair;
  privateKey = pair.privateKey;
  const publicKey = base64url(new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)));
  device = boot();
  await device.register({ deviceId, accountId: "acc", publicKey, label: "nas" });
});

describe("[FEA-4] off wins over", () => {
  it("an on whose record is being sealed", async () => {
    expect(await connect()).toBe(101);
    keys.hold();
    const on = device.setFeature("link", true);
    await keys.asked();
    const off = device.setFeature("link", false);
    keys.release();
    expect((await on)?.features.link).toBe(true);
    expect((await off)?.features.link).toBe(false);
    expect([rows("connection"), rows("feature"), [...keys.kept.keys()]]).toEqual([0, 0, []]);
  });

  it("a device that is connecting", async () => {
    await device.setFeature("link", true);
    keys.hold();
    const connecting = connect();
    await keys.asked();
    const off = device.setFeature("link", false);
    keys.release();
    expect(await connecting).toBe(101);
    await off;
    expect([rows("connection"), [...keys.kept.keys()]]).toEqual([0, []]);
  });

  it("a device that is leaving", async () => {
    await device.setFeature("link", true);
    await connect();
    const [socket] = sockets.get("agent") ?? [];
    sockets.set("agent", []);
    now += limits.personKeyCacheMs;
    keys.hold();
    const leaving = device.onClose(socket as Socket, 1006, "");
    await keys.asked();
    const off = device.setFeature("link", false);
    keys.release();
    await Promise.all([leaving, off]);
    expect([rows("connection"), [...keys.kept.keys()]]).toEqual([0, []]);
  });
});

it("[CON-11] unregistering wins over an on whose record is being sealed", async () => {
  await connect();
  keys.hold();
  const on = device.setFeature("name", true);
  await keys.asked();
  const gone = device.unregister();
  expect(await device.describe()).toBeNull();
  keys.release();
  await Promise.all([on, gone]);
  expect([...keys.kept.keys()]).toEqual([]);
  expect(sql.all("SELECT name FROM sqlite_master")).toEqual([]);
  expect(await connect()).toBe(404);
});

it("a key that cannot be destroyed now is destroyed with a wake-up soon, and never used again", async () => {
  await device.setFeature("name", true);
  await connect();
  expect([...keys.kept.keys()]).toHaveLength(2);
  const { destroy } = keys;
  keys.destroy = () => Promise.reject(new Error("the key store is away"));
  expect((await device.setFeature("name", false))?.features.name).toBe(false);
  expect([rows("connection"), rows("name_record")]).toEqual([0, 0]);
  expect(wake).toBe(now + limits.keyRetryMs);
  await expect(device.setFeature("name", true)).rejects.toThrow("away");
  expect((await device.describe())?.features.name).toBe(false);
  keys.destroy = destroy;
  await boot().onAlarm();
  expect([...keys.kept.keys()]).toEqual([]);
  expect([rows("feature"), wake]).toEqual([0, null]);
});

it("an object knows whose it is from its own table", () => {
  const fresh = new MemorySql();
  expect(registeredId(fresh)).toBeNull();
  migrate(fresh);
  expect(registeredId(fresh)).toBeNull();
  expect(registeredId(sql)).toBe(deviceId);
});
