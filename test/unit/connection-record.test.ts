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
let storeIsAway: boolean;
let privateKey: CryptoKey;
let keys: Map<KeyName, Uint8Array<ArrayBuffer>>;

const keyStore: KeyStore = {
  get: async (name) => keys.get(name) ?? null,
  async getOrCreate(name) {
    const key = keys.get(name) ?? systemRandom.bytes(32);
    keys.set(name, key);
    return key;
  },
  async destroy(name) {
    if (storeIsAway) throw new Error("the key store is away");
    keys.delete(name);
  },
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
          bufferedBytes: () => null,
          attachment: () => attachment,
          attach: () => undefined,
          heardAt: () => now,
        });
        return { status: 101, headers: new Headers() } as Response;
      },
      acceptSocket: () => {
        throw new Error("no visitor's WebSocket comes here");
      },
      tagged: (tag) => (tag === "agent" ? sockets : []),
    },
    clock: { now: () => now },
    random: systemRandom,
    keys: keyStore,
    allowSpecialAddresses: true,
    zone: { publish: async () => undefined },
    background: () => undefined,
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
  ({ privateKey } = pair);
  const publicKey = base64url(new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)));
  const device = boot();
  await device.register({ deviceId, accountId: "acc", publicKey, label: "nas" });
  await device.setFeature("link", true);
  await connect(device);
  return device;
}

/** Opens the device's socket, as it does after every silence. */
async function connect(device: Device): Promise<void> {
  const assertion = await signAssertion(privateKey, deviceId, ORIGIN, now);
  const headers = {
    authorization: `Bearer ${assertion}`,
    [wayHeader]: "agent",
    [peerHeader]: "192.0.2.1",
  };
  expect((await device.fetch(new Request(ORIGIN, { headers }))).status).toBe(101);
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "latchkey-connection-"));
  stores = new OpenStores(10);
  now = 1_800_000_000_000;
  wake = null;
  sockets = [];
  storeIsAway = false;
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

const rows = () => new Store(join(folder, "device.db"), stores).all("SELECT * FROM connection");

it("[CON-2] whose key cannot be destroyed is hidden, and tried again until key and row are gone", async () => {
  await connected();
  sockets = [];
  const device = boot();
  storeIsAway = true;
  for (let time = 0; time < 10; time++) {
    await nextWake(device);
    expect((await device.describe())?.connection).toBeNull();
    expect([rows().length, keys.size]).toEqual([1, 1]);
    expect(wake).toBe(now + limits.keyRetryMs);
    // What changes meanwhile puts it off no further.
    now += 1000;
    await device.doorway.setAccess("owner");
    expect(wake).toBe(now - 1000 + limits.keyRetryMs);
  }
  storeIsAway = false;
  await nextWake(device);
  expect([rows(), [...keys.keys()], wake]).toEqual([[], [], null]);
});

it("[CON-2] is tried again as soon as the object wakes, whatever its memory held", async () => {
  await connected();
  sockets = [];
  storeIsAway = true;
  await nextWake(boot());
  storeIsAway = false;
  const device = boot();
  await device.doorway.setAccess("owner");
  expect(wake).toBeLessThanOrEqual(now);
  await device.onAlarm();
  expect([rows(), [...keys.keys()]]).toEqual([[], []]);
});

it("a key store that is away holds up nothing else that expires", async () => {
  const device = await connected();
  sockets = [];
  storeIsAway = true;
  now += limits.connectionAfterOfflineMs - 1;
  expect((await device.doorway.issueDoorCode("acc", "nonce", "ses")).kind).toBe("code");
  now += limits.doorCodeMs;
  await device.onAlarm();
  expect(new Store(join(folder, "device.db"), stores).all("SELECT * FROM door_code")).toEqual([]);
  expect(wake).toBe(now + limits.keyRetryMs);
});

it("[CON-2] a new one is sealed under a new key when the wake-up for the old one is late", async () => {
  await connected();
  const [old] = [...keys.values()];
  sockets = [];
  now += limits.connectionAfterOfflineMs;
  await connect(boot());
  expect([...keys.values()]).toEqual([expect.anything()]);
  expect([...keys.values()]).not.toEqual([old]);
});
