/** The signatures inside a device: made when something changes, kept sealed, made anew in time, gone with the name. */

import { beforeEach, describe, expect, it } from "vitest";
import type { KeyName } from "../../db/primitives.ts";
import type { ZoneKeys } from "../../db/zone-keys.ts";
import { readSignature } from "../../protocol/dns/dnssec.ts";
import { DAY, limits } from "../../protocol/limits.ts";
import { fromBase64url } from "../../protocol/tokens.ts";
import { type HeldDevice, heldDevice } from "../support/device.ts";
import { Shelf } from "../support/zone-shelf.ts";

const NAME_KEY: KeyName = "feature/dev_home_0000000000000000/name";
let shelf: Shelf;
let zoneKeys: ZoneKeys;
let held: HeldDevice;
/** The signature of the address in each publication for the fronts. */
let told: (string | null)[];
let tag: number;
beforeEach(async () => {
  shelf = new Shelf();
  tag = await shelf.add(0);
  zoneKeys = shelf.read();
  told = [];
  held = await heldDevice({
    signing: { apex: "ddns.test", keys: zoneKeys },
    zone: {
      publish: async ({ name }) => {
        told.push(name?.names[0]?.sets[0]?.signatures[0] ?? null);
      },
    },
  });
  await held.device.setFeature("name", true);
});

const advance = (ms: number) => {
  held.clock.time += ms;
  shelf.clock.time += ms;
};
const report = async (address: string, device = held.device) => {
  const done = await device.naming.updateAddresses({
    ...{ secret: null, ipv4: { set: address }, ipv6: "keep" },
  });
  await held.settled();
  return done;
};
/** The signature of the address, and who made it until when. */
async function signature(device = held.device) {
  const [wire] = (await device.records())?.[0]?.signatures ?? [];
  return wire === undefined
    ? null
    : { wire, ...readSignature(fromBase64url(wire) ?? new Uint8Array()) };
}
const rows = () => held.sql.all("SELECT * FROM name_signature");

describe("a signature", () => {
  it("stands before the change is acknowledged, and asking makes no other", async () => {
    expect((await report("203.0.113.4")).verdict).toBe("good");
    expect(rows()).toHaveLength(1);
    const first = await signature();
    expect(first?.tag).toBe(tag);
    expect(first?.expiration).toBe(Math.floor((held.clock.time + limits.zoneSignatureMs) / 1000));
    const devices = [held.device, held.wake()];
    const writes = held.sql.writes;
    // ECDSA is random, so that the same octets are the same signature.
    for (const device of devices) expect(await signature(device)).toEqual(first);
    expect(held.sql.writes).toBe(writes);
  });

  it("goes with what it covered", async () => {
    await report("203.0.113.4");
    const first = await signature();
    await report("203.0.113.5");
    const second = await signature();
    expect(second?.wire).not.toBe(first?.wire);
    expect(rows()).toHaveLength(1);
    await held.device.naming.updateAddresses({ secret: null, ipv4: "clear", ipv6: "keep" });
    expect(await held.device.records()).toEqual([]);
    expect(rows()).toEqual([]);
  });

  it("[CON-2] stands nowhere in clear, for it gives an address away", async () => {
    await report("203.0.113.4");
    const { wire } = (await signature()) ?? { wire: "?" };
    expect(JSON.stringify(rows())).not.toContain(wire);
    expect(JSON.stringify(rows())).not.toContain(wire.slice(60, 100));
  });

  it("is made anew by the object's own wake-up, days before it ends", async () => {
    await report("203.0.113.4");
    const first = await signature();
    expect(held.wakeAt()).toBe(held.clock.time + limits.zoneSignatureMs - limits.zoneRenewMs);
    advance(limits.zoneSignatureMs - limits.zoneRenewMs - 1);
    expect(await signature()).toEqual(first);
    advance(1);
    await held.wake().onAlarm();
    await held.settled();
    const second = await signature(held.wake());
    expect([...new Set(told)]).toEqual([null, first?.wire, second?.wire]);
    expect(second?.expiration).toBe(Math.floor((held.clock.time + limits.zoneSignatureMs) / 1000));
    expect(held.wakeAt()).toBe(held.clock.time + limits.zoneSignatureMs - limits.zoneRenewMs);
  });

  it("is given out while the zone's keys are away, and the wake-up tries again", async () => {
    await report("203.0.113.4");
    const first = await signature();
    advance(limits.zoneSignatureMs - limits.zoneRenewMs);
    const { signer } = zoneKeys;
    zoneKeys.signer = () => Promise.reject(new Error("away"));
    const device = held.wake();
    await device.onAlarm();
    await held.settled();
    expect(await signature(device)).toEqual(first);
    expect(held.wakeAt()).toBe(held.clock.time + limits.keyRetryMs);
    expect(rows()).toHaveLength(1);
    zoneKeys.signer = signer;
    advance(limits.keyRetryMs);
    await device.onAlarm();
    expect((await signature())?.expiration).toBeGreaterThan(first?.expiration ?? 0);
  });

  it("is by the new key once that is in use, at the next question", async () => {
    await report("203.0.113.4");
    const next = await shelf.add(shelf.clock.time + 2 * DAY);
    advance(DAY);
    expect((await signature())?.tag).toBe(tag);
    advance(DAY);
    expect((await signature())?.tag).toBe(next);
    expect((await signature(held.wake()))?.tag).toBe(next);
  });

  it("looks for no key where nobody wants signatures, and has none for them", async () => {
    let asked = 0;
    const keys = new Proxy(shelf.read(), {
      get: (of, name) => {
        if (name === "signer") asked++;
        const value = Reflect.get(of, name) as unknown;
        return typeof value === "function" ? value.bind(of) : value;
      },
    });
    const fresh = await heldDevice({ signing: { apex: "ddns.test", keys } });
    await fresh.device.setFeature("name", true);
    await report("203.0.113.7", fresh.device);
    await fresh.settled();
    asked = 0;
    const [plain] = (await fresh.device.records(undefined, false)) ?? [];
    expect([plain?.type, plain?.signatures, asked]).toEqual(["A", [], 0]);
    expect((await fresh.device.records())?.[0]?.signatures).toHaveLength(1);
    expect(asked).toBe(1);
  });

  it("waits for the zone's first key, without which names are answered as they are", async () => {
    shelf.rows.length = 0;
    const fresh = await heldDevice({ signing: { apex: "ddns.test", keys: shelf.read() } });
    await fresh.device.setFeature("name", true);
    await report("203.0.113.4", fresh.device);
    expect((await fresh.device.records())?.[0]).toMatchObject({ type: "A", signatures: [] });
    const first = await shelf.add(0);
    expect((await signature(fresh.device))?.tag).toBe(first);
  });
});

describe("switching the name off", () => {
  it("[FEA-4] deletes the signatures, and no late one brings the key back", async () => {
    await report("203.0.113.4");
    held.keys.hold();
    const asked = held.keys.asked();
    const device = held.wake();
    const slow = device.records();
    await asked;
    const off = device.setFeature("name", false);
    held.keys.release();
    expect(await slow).toBeNull();
    await off;
    expect(rows()).toEqual([]);
    expect(held.keys.kept.has(NAME_KEY)).toBe(false);
    expect(await device.records()).toBeNull();
    await device.setFeature("name", true);
    expect(await device.records()).toEqual([]);
  });

  it("[FEA-4] wins over a signature that is being kept", async () => {
    const change = report("203.0.113.4");
    const off = held.device.setFeature("name", false);
    await Promise.all([change, off]);
    expect(rows()).toEqual([]);
    expect(held.keys.kept.has(NAME_KEY)).toBe(false);
  });
});
