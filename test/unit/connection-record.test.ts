/** The connection record goes in time, also when nobody told us that the device had gone. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { KeyName, KeyStore } from "../../db/primitives.ts";
import type { DeviceContext, Socket } from "../../durable-objects/device/context.ts";
import { Device } from "../../durable-objects/device/device.ts";
import { peerHeader, wayHeader } from "../../durable-objects/device/rpc.ts";
import { OpenStores, Store } from "../../durable-objects/host/store.ts";
import { systemRandom } from "../../durable-objects/system.ts";
import { signAssertion } from "../../protocol/assertion.ts";
import { newId } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { base64url } from "../../protocol/tokens.ts";

const ORIGIN = "https://latchkey.test";
const deviceId = newId("dev", "home", systemRandom.bytes);
let folder: string;
let stores: OpenStores;
let now: number;
let wake: number | null;
let sockets: Socket[];
let keys: Map<KeyName, Uint8Array<ArrayBuffer>>;

const keyStore: KeyStore = {
  get: async (name) => keys.get(name) ?? null,
  async getOrCreate(name) {
    const key = keys.get(name) ?? systemRandom.bytes(32);
    keys.set(name, key);
    return key;
  },
  destroy: async (name) => void keys.delete(name),
};

/** The device's logic as the next process would make it: the same store, the sockets there are. */
function boot(): Device {
  const context: DeviceContext = {
    deviceId,
    sql: new Store(join(folder, "device.db"), stores),
    sockets: {
      accept(_request, _tags, attachment) {
        sockets.push({
          send: () => undefined,
          close: () => undefined,
          attachment: () => attachment,
          attach: () => undefined,
          heardAt: () => now,
        });
        return { status: 101, headers: new Headers() } as Response;
      },
      tagged: (tag) => (tag === "agent" ? sockets : []),
    },
    clock: { now: () => now },
    random: systemRandom,
    keys: keyStore,
    allowSpecialAddresses: true,
    wakeAt: (at) => {
      wake = at;
    },
    deleteAll: async () => undefined,
  };
  return new Device(context);
}

/** Moves to the next wake-up and runs it. */
async function nextWake(device: Device): Promise<void> {
  if (wake === null) throw new Error("nothing will wake the device");
  now = wake;
  wake = null;
  await device.onAlarm();
}

/** A device with Link on and its socket connected. */
async function connected(): Promise<Device> {
  const pair = (await crypto.subtle.generateKey("Ed25519", true, ["sign"])) as CryptoKeyPair;
  const publicKey = base64url(new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)));
  const device = boot();
  await device.register({ deviceId, accountId: "acc", publicKey, label: "nas" });
  await device.setFeature("link", true);
  const assertion = await signAssertion(pair.privateKey, deviceId, ORIGIN, now);
  const headers = {
    authorization: `Bearer ${assertion}`,
    [wayHeader]: "agent",
    [peerHeader]: "192.0.2.1",
  };
  expect((await device.fetch(new Request(ORIGIN, { headers }))).status).toBe(101);
  return device;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "latchkey-connection-"));
  stores = new OpenStores(10);
  now = 1_800_000_000_000;
  wake = null;
  sockets = [];
  keys = new Map();
});

afterEach(() => {
  stores.closeAll();
  rmSync(folder, { recursive: true });
});

it("[CON-2] stays while the device is connected, however long", async () => {
  const device = await connected();
  for (let day = 0; day < 3; day++) await nextWake(device);
  expect((await device.describe())?.connection).toMatchObject({ online: true });
  sockets = [];
  expect((await device.describe())?.connection).toMatchObject({ online: false });
});

it("[CON-2] is gone with its key 24 hours after a crash that told nobody", async () => {
  await connected();
  const crashedAt = now;
  sockets = [];
  const device = boot();
  expect((await device.describe())?.connection).toMatchObject({ online: false });
  await nextWake(device);
  expect(now - crashedAt).toBeLessThanOrEqual(limits.connectionAfterOfflineMs);
  expect((await device.describe())?.connection).toBeNull();
  expect([...keys.keys()]).toEqual([]);
});
