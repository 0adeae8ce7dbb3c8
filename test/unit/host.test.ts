/** Devices hosted in one process: what stands on disk, what stays in memory, what survives the process. */

import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { deviceMap, hostMap } from "../../db/data-map/device.ts";
import { introspect } from "../../db/data-map/gate.ts";
import type { KeyName, KeyStore } from "../../db/primitives.ts";
import { DeviceHost, type HostOptions } from "../../durable-objects/host/host.ts";
import { OpenStores, Store } from "../../durable-objects/host/store.ts";
import { systemRandom } from "../../durable-objects/system.ts";
import { newId } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { FolderKeyStore } from "../../workers/deno/keys.ts";
import { newMarker, search } from "../support/canary.ts";
import { secretFrom } from "../support/name.ts";
import { published } from "../support/records.ts";

/** Keys that come when the test says so. */
class SlowKeys implements KeyStore {
  readonly #keys: KeyStore;
  #gate: Promise<void> = Promise.resolve();
  #ask: () => void = () => undefined;
  /** Resolves when someone waits for a key. */
  asked: Promise<void> = Promise.resolve();

  constructor(keys: KeyStore) {
    this.#keys = keys;
  }

  /** Holds every key back until the returned function is called. */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gate = promise;
    this.asked = new Promise((ask) => {
      this.#ask = ask;
    });
    return resolve;
  }

  get(name: KeyName) {
    return this.#keys.get(name);
  }

  async getOrCreate(name: KeyName) {
    this.#ask();
    await this.#gate;
    return await this.#keys.getOrCreate(name);
  }

  destroy(name: KeyName) {
    return this.#keys.destroy(name);
  }
}

let folder: string;
let now = 1_800_000_000_000;
const open: DeviceHost[] = [];
const errors: unknown[] = [];

function start(options: Partial<HostOptions> = {}): DeviceHost {
  const host = new DeviceHost({
    folder: join(folder, "devices"),
    clock: { now: () => now },
    random: systemRandom,
    keys: new FolderKeyStore(join(folder, "keys"), systemRandom),
    allowSpecialAddresses: true,
    onError: (error) => errors.push(error),
    ...options,
  });
  open.push(host);
  return host;
}

async function register(host: DeviceHost, label = "nas"): Promise<string> {
  const deviceId = newId("dev", "home", systemRandom.bytes);
  const accountId = newId("acc", "home", systemRandom.bytes);
  await host.get(deviceId).register({ deviceId, accountId, publicKey: "key", label });
  return deviceId;
}

const fileOf = (deviceId: string) => join(folder, "devices/home", `${deviceId}.db`);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "latchkey-host-"));
  errors.length = 0;
});

afterEach(async () => {
  for (const host of open.splice(0)) await host.close();
  rmSync(folder, { recursive: true });
});

describe("the host of devices", () => {
  it("registers a device and finds it again after a restart", async () => {
    const first = start();
    const deviceId = await register(first);
    await first.get(deviceId).setFeature("name", true);
    await first.close();
    const description = await start().get(deviceId).describe();
    expect(description).toMatchObject({ id: deviceId, label: "nas", features: { name: true } });
  });

  it("makes no file and keeps no memory for a device that was never registered", async () => {
    const host = start();
    for (const id of [newId("dev", "home", systemRandom.bytes), "../../escape", "", "nas"]) {
      const stub = host.get(id);
      expect(await stub.describe()).toBeNull();
      expect(await published(stub)).toBeNull();
      expect(await stub.setFeature("link", true)).toBeNull();
      expect((await stub.fetch(new Request("http://nas.link.test/"))).status).toBe(404);
      await stub.forgetPerson("acc_home_0000000000000000");
    }
    expect(readdirSync(join(folder, "devices"))).toEqual(["alarms.db"]);
    expect(host.residents).toBe(0);
  });

  it("refuses to register under an id that is not one, and writes nothing", async () => {
    const host = start();
    const registration = { deviceId: "../x", accountId: "acc", publicKey: "key", label: "nas" };
    await expect(host.get("../x").register(registration)).rejects.toThrow("cannot come into being");
    expect(readdirSync(join(folder, "devices"))).toEqual(["alarms.db"]);
  });

  it("[CON-11] leaves no byte of an unregistered device", async () => {
    const host = start();
    const [gone, kept] = [newMarker(), newMarker()];
    const deviceId = await register(host, gone);
    await register(host, kept);
    await host.get(deviceId).setFeature("name", true);
    await host.get(deviceId).setFeature("link", true);
    await host.get(deviceId).issueDoorCode(deviceId, "nonce", "ses");
    await host.get(deviceId).updateAddresses({
      secret: await secretFrom(host.get(deviceId)),
      ipv4: { set: "192.0.2.77" },
      ipv6: "keep",
    });
    const before = { folder, markers: { gone }, controls: { kept } };
    expect(await search(before)).not.toEqual([]);
    await host.get(deviceId).unregister();
    const markers = { gone, id: deviceId };
    expect(await search({ folder, markers, controls: { kept } })).toEqual([]);
    expect(existsSync(fileOf(deviceId))).toBe(false);
    expect(await host.get(deviceId).describe()).toBeNull();
    expect(existsSync(fileOf(deviceId))).toBe(false);
  });

  it("[CON-3] leaves no byte of a person taken off the list, without waiting for anything", async () => {
    const host = start();
    const deviceId = await register(host);
    const [gone, kept] = [`acc_home_${newMarker()}`, `acc_home_${newMarker()}`];
    for (const person of [gone, kept]) await host.get(deviceId).allow(person);
    await host.get(deviceId).disallow(gone);
    expect(await search({ folder, markers: { gone }, controls: { kept } })).toEqual([]);
  });

  it("drops idle devices from memory, oldest first, and finds their data again", async () => {
    const host = start({ maxResidents: 2, maxOpenStores: 1 });
    const ids = [];
    for (const label of ["one", "two", "three"]) ids.push(await register(host, label));
    expect(host.residents).toBe(2);
    const labels = [];
    for (const id of ids) labels.push((await host.get(id).describe())?.label);
    expect(labels).toEqual(["one", "two", "three"]);
    expect(host.residents).toBe(2);
  });

  it("keeps one device object for all who call, however long one of them takes", async () => {
    const slow = new SlowKeys(new FolderKeyStore(join(folder, "keys"), systemRandom));
    const host = start({ maxResidents: 1, keys: slow });
    const [a, b] = [await register(host, "aaa"), await register(host, "bbb")];
    await host.get(a).setFeature("name", true);
    const update = () =>
      host.get(a).updateAddresses({ secret: null, ipv4: { set: "192.0.2.1" }, ipv6: "keep" });
    now += limits.personKeyCacheMs;
    const go = slow.hold();
    const first = update();
    await slow.asked;
    await host.get(b).describe();
    const second = update();
    go();
    expect([(await first).verdict, (await second).verdict]).toEqual(["good", "nochg"]);
  });
});

describe("what the host keeps", () => {
  /** The columns of each table, as they are and as they are declared. */
  async function tablesOf(path: string): Promise<Record<string, string[]>> {
    const stores = new OpenStores(1);
    const store = new Store(path, stores);
    const live = await introspect((query) => store.all(query));
    stores.closeAll();
    return Object.fromEntries(
      Object.entries(live).map(([table, { columns }]) => [table, [...columns].sort()]),
    );
  }
  const declared = (map: typeof hostMap | typeof deviceMap) =>
    Object.fromEntries(
      Object.entries(map).map(([table, { columns }]) => [table, Object.keys(columns).sort()]),
    );

  it("[PRI-5] is declared in the data map, table by table and column by column", async () => {
    const host = start();
    const deviceId = await register(host);
    await host.close();
    expect(await tablesOf(join(folder, "devices/alarms.db"))).toEqual(declared(hostMap));
    expect(await tablesOf(fileOf(deviceId))).toEqual(declared(deviceMap));
  });
});

describe("alarms", () => {
  /** A device whose only wake-up is a door code that expires. */
  async function withAlarm(host: DeviceHost): Promise<string> {
    const deviceId = await register(host);
    await host.get(deviceId).setFeature("link", true);
    await host.get(deviceId).issueDoorCode("nobody", "nonce", "ses");
    await host.get(deviceId).setAccess("everyone");
    expect(await host.get(deviceId).issueDoorCode("someone", "nonce", "ses")).toMatchObject({
      kind: "code",
    });
    await host.get(deviceId).setAccess("everyone");
    return deviceId;
  }

  it("delete what expired, once the time has come and not before", async () => {
    const host = start();
    const deviceId = await withAlarm(host);
    const markers = { person: "someone" };
    const controls = { deviceId };
    now += limits.doorCodeMs - 1;
    await host.fireAlarms();
    expect(await search({ folder, markers, controls })).not.toEqual([]);
    now += 1;
    await host.fireAlarms();
    expect(await search({ folder, markers, controls })).toEqual([]);
  });

  it("survive the process, and fire at the next start when they came due meanwhile", async () => {
    const first = start();
    const deviceId = await withAlarm(first);
    await first.close();
    now += limits.doorCodeMs;
    const second = start();
    second.start();
    await second.fireAlarms();
    const controls = { deviceId };
    expect(await search({ folder, markers: { person: "someone" }, controls })).toEqual([]);
  });

  it("are forgotten with the device", async () => {
    const host = start();
    const deviceId = await withAlarm(host);
    const kept = await withAlarm(host);
    await host.get(deviceId).unregister();
    const controls = { kept };
    expect(await search({ folder, markers: { deviceId }, controls })).toEqual([]);
    now += limits.doorCodeMs;
    await host.fireAlarms();
    expect(errors).toEqual([]);
  });
});
