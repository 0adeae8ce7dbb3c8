/** What proves a device's name, in its object: told to the fronts, over in time, and gone with the name. */

import { beforeEach, describe, expect, it } from "vitest";
import type { CertificateState } from "../../durable-objects/device/certificate-rpc.ts";
import type { Publication } from "../../durable-objects/zone/rpc.ts";
import { limits } from "../../protocol/limits.ts";
import { type HeldDevice, heldDevice } from "../support/device.ts";

let told: Publication[];
let held: HeldDevice;

beforeEach(async () => {
  told = [];
  held = await heldDevice({ zone: { publish: async (said) => void told.push(said) } });
  await held.device.setFeature("name", true);
  await held.settled();
});

/** The values that the fronts were told last. */
async function atFronts(): Promise<string[]> {
  await held.settled();
  const sets = told.at(-1)?.name?.names[0]?.sets ?? [];
  return sets.flatMap(({ owner, data }) =>
    owner === "_acme-challenge" ? data.flatMap((one) => (one.type === "TXT" ? one.texts : [])) : [],
  );
}

async function write(part: Partial<CertificateState>): Promise<boolean> {
  const state = await held.device.certifying.certificate();
  return state !== null && (await held.device.certifying.setCertificate({ ...state, ...part }));
}

describe("a value", () => {
  it("is told to the fronts when it is put, taken away, and over", async () => {
    await held.device.certifying.prove({ put: "one" });
    await held.device.certifying.prove({ put: "two" });
    expect(await atFronts()).toEqual(["one", "two"]);
    await held.device.certifying.prove({ remove: "one" });
    expect(await atFronts()).toEqual(["two"]);
    expect(held.wakeAt()).toBe(held.clock.now() + limits.proofMs);
    held.clock.advance(limits.proofMs);
    // Overdue, it is as good as gone, and the next wake-up tells the fronts.
    expect(await held.device.records()).toEqual([]);
    await held.device.onAlarm();
    expect(await atFronts()).toEqual([]);
  });

  it("is there after the object slept, also when it was told to nobody", async () => {
    await held.device.certifying.prove({ put: "one", rolling: true });
    await held.device.certifying.prove({ put: "two", rolling: true });
    const woken = held.wake();
    await woken.certifying.prove({ put: "three", rolling: true });
    const [set] = (await woken.records()) ?? [];
    expect(set?.data.map((one) => (one.type === "TXT" ? one.texts[0] : null))).toEqual([
      "two",
      "three",
    ]);
  });

  it("put again begins its hour anew, and stands once", async () => {
    await held.device.certifying.prove({ put: "one" });
    held.clock.advance(limits.proofMs - 1);
    await held.device.certifying.prove({ put: "one" });
    held.clock.advance(limits.proofMs - 1);
    expect(await held.device.records()).toMatchObject([{ data: [{ texts: ["one"] }] }]);
  });

  it("[FEA-4] under way while the name is switched off writes nothing and makes no key again", async () => {
    await held.device.certifying.prove({ put: "one" });
    const fresh = await heldDevice();
    await fresh.device.setFeature("name", true);
    fresh.keys.hold();
    const [asked, proving] = [fresh.keys.asked(), fresh.device.certifying.prove({ put: "late" })];
    await asked;
    const off = fresh.device.setFeature("name", false);
    fresh.keys.release();
    await Promise.all([proving, off]);
    expect(fresh.sql.all("SELECT * FROM acme_proof")).toEqual([]);
    expect([...fresh.keys.kept.keys()]).toEqual([]);
    expect(await fresh.device.certifying.prove({ put: "off" })).toBe(false);
    expect(fresh.sql.all("SELECT * FROM acme_proof")).toEqual([]);
  });

  it("stands in clear on no disk", async () => {
    await held.device.certifying.prove({ put: "a-value-of-a-proof" });
    await write({ caa: "ca.example; accounturi=https://ca.example/1" });
    const rows = JSON.stringify([
      held.sql.all("SELECT * FROM acme_proof"),
      held.sql.all("SELECT * FROM certificate"),
    ]);
    expect(rows).not.toMatch(/a-value|ca\.example/);
  });
});

describe("the state of an order", () => {
  it("is kept by one of two who changed the same", async () => {
    const state = await held.device.certifying.certificate();
    if (state === null) throw new Error("the name is off");
    const results = await Promise.all([
      held.device.certifying.setCertificate({ ...state, caa: "one" }),
      held.device.certifying.setCertificate({ ...state, caa: "two" }),
    ]);
    expect(results).toEqual([true, false]);
    expect(await held.wake().certifying.certificate()).toMatchObject({ caa: "one", revision: 1 });
  });

  it("tells the fronts who may certify the name, and only when that changed", async () => {
    await write({ caa: "ca.example" });
    await held.settled();
    const sets = told.at(-1)?.name?.names[0]?.sets;
    expect(sets).toMatchObject([{ owner: "", type: "CAA", data: [{ value: "ca.example" }] }]);
    const before = told.length;
    await write({ current: null });
    await held.settled();
    expect(told).toHaveLength(before);
  });

  it("[CON-5] has no certificate before the last one that is over, on the disk neither", async () => {
    const { clock, sql } = held;
    const at = (notAfter: number) => ({ leaf: "AA", names: ["nas.name.example"], notAfter });
    const [soon, later] = [clock.now() + 1000, clock.now() + 5000];
    await write({ earlier: [at(later), at(soon)] });
    expect(held.wakeAt()).toBe(soon);
    clock.advance(1000);
    expect((await held.device.certifying.certificate())?.earlier).toEqual([at(later)]);
    await held.device.onAlarm();
    expect(sql.all("SELECT earlier_until FROM certificate")).toEqual([{ earlier_until: later }]);
    clock.advance(4000);
    await held.wake().onAlarm();
    expect(sql.all("SELECT earlier_until FROM certificate")).toEqual([{ earlier_until: null }]);
    expect(held.wakeAt()).toBeNull();
  });

  it("[CON-5] whose end cannot be written is tried again in a minute, and not without a pause", async () => {
    const { clock, sql, keys } = held;
    const over = clock.now() + 1000;
    await write({ earlier: [{ leaf: "AA", names: ["nas.name.example"], notAfter: over }] });
    clock.advance(1000);
    const woken = held.wake();
    const get = keys.get.bind(keys);
    keys.get = () => Promise.reject(new Error("the store is away"));
    await woken.onAlarm();
    expect(held.wakeAt()).toBe(clock.now() + limits.keyRetryMs);
    keys.get = get;
    clock.advance(limits.keyRetryMs);
    await woken.onAlarm();
    expect(sql.all("SELECT earlier_until FROM certificate")).toEqual([{ earlier_until: null }]);
    expect(held.wakeAt()).toBeNull();
  });

  it("is nobody's while the name is off", async () => {
    const state = await held.device.certifying.certificate();
    await held.device.setFeature("name", false);
    expect(await held.device.certifying.certificate()).toBeNull();
    expect(await held.device.certifying.setCertificate(state as CertificateState)).toBe(false);
  });
});
