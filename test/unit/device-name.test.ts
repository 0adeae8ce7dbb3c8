/** The name inside a device: periods, costs, and every way in which two things happen at once. */

import { beforeEach, describe, expect, it } from "vitest";
import { Sealer } from "../../db/seal.ts";
import type { AddressUpdate, NewNameToken } from "../../durable-objects/device/rpc.ts";
import { DAY, HOUR, limits } from "../../protocol/limits.ts";
import { type HeldDevice, heldDevice } from "../support/device.ts";
import { secretFrom } from "../support/name.ts";
import { published } from "../support/records.ts";

const KEY = "feature/dev_home_0000000000000000/name";

let held: HeldDevice;
let secret: string;

beforeEach(async () => {
  held = await heldDevice();
  await held.device.setFeature("name", true);
  secret = (await secretFrom(held.device.naming)) ?? "";
  held.clock.time += limits.personKeyCacheMs; // the key is out of the device's memory again
});

const to = (ipv4: string, by: string | null = secret): AddressUpdate => ({
  secret: by,
  ipv4: { set: ipv4 },
  ipv6: "keep",
});
const rows = () => held.sql.all("SELECT * FROM name_record");

describe("the record", () => {
  it("[CON-2] is one row after a thousand updates, and shows no address", async () => {
    for (let change = 0; change < 1000; change++) {
      held.clock.time += limits.updateWindowMs / limits.updateChangesPerFamily;
      const address = `203.0.113.${change % 250}`;
      expect((await held.device.naming.updateAddresses(to(address))).verdict).toBe("good");
    }
    expect(rows()).toHaveLength(1);
    expect(JSON.stringify(rows())).not.toContain("203.0.113");
    expect(await published(held.wake())).toEqual({ ipv4: "203.0.113.249", ipv6: null });
  });

  it("is unsealed once a wake; nochg writes nothing and reads no key", async () => {
    await held.device.naming.updateAddresses(to("203.0.113.4"));
    await held.settled();
    const device = held.wake();
    await published(device);
    const [reads, writes] = [held.keys.reads, held.sql.writes];
    for (let again = 0; again < 50; again++) {
      expect((await device.naming.updateAddresses(to("203.0.113.4"))).verdict).toBe("nochg");
      expect((await published(device))?.ipv4).toBe("203.0.113.4");
    }
    expect([held.keys.reads, held.sql.writes]).toEqual([reads, writes]);
  });

  it("takes what the device's own socket shows without a secret and without a limit", async () => {
    for (let change = 0; change < 30; change++) {
      const done = await held.device.naming.updateAddresses(to(`203.0.113.${change}`, null));
      expect(done.verdict).toBe("good");
    }
  });

  it("takes no address that a public name may not show, whoever says it", async () => {
    for (const address of ["192.168.1.1", "010.1.2.3", "2001:db8::1", "", "::ffff:203.0.113.4"]) {
      expect((await held.device.naming.updateAddresses(to(address, null))).verdict).toBe("dnserr");
    }
    expect(await published(held.device)).toEqual({ ipv4: null, ipv6: null });
  });
});

describe("a prefix", () => {
  const six = (change: AddressUpdate["ipv6"]) =>
    held.device.naming.updateAddresses({ secret, ipv4: "keep", ipv6: change });

  it("moves the interface that is known, subnet and all, and then changes nothing", async () => {
    await six({ set: "2001:db8:9:2207:a:b:c:d" });
    expect(await six({ prefix: "2001:db8:1:100::/56" })).toMatchObject({
      verdict: "good",
      ipv6: "2001:db8:1:107:a:b:c:d",
    });
    expect(await six({ prefix: "2001:db8:1:100::/56" })).toMatchObject({ verdict: "nochg" });
  });

  it("is refused where no interface is known, where none is left of it, and at odd lengths", async () => {
    expect(await six({ prefix: "2001:db8:1::/56" })).toMatchObject({
      verdict: "dnserr",
      ipv6: null,
    });
    await six({ set: "2001:db8:9:2207:a:b:c:d" });
    for (const prefix of [
      "2001:db8:1::/15",
      "2001:db8:1::/65",
      "2001:db8::1/128",
      "fd00::/56",
      "x",
    ]) {
      expect([prefix, (await six({ prefix })).verdict]).toEqual([prefix, "dnserr"]);
    }
    expect(await published(held.device)).toMatchObject({ ipv6: "2001:db8:9:2207:a:b:c:d" });
  });

  it("changes both families or none", async () => {
    const both = {
      secret,
      ipv4: { set: "203.0.113.4" },
      ipv6: { prefix: "2001:db8:1::/56" },
    } as const;
    expect((await held.device.naming.updateAddresses(both)).verdict).toBe("dnserr");
    expect(await published(held.device)).toEqual({ ipv4: null, ipv6: null });
  });
});

describe("the history", () => {
  const history = async () => (await held.device.naming.nameHistory()) ?? [];
  const update = (part: Partial<AddressUpdate>) =>
    held.device.naming.updateAddresses({
      secret,
      ipv4: "keep",
      ipv6: "keep",
      client: "ddclient",
      ...part,
    });

  it("[CON-2] says when, which family, which client and which verdict, and never an address", async () => {
    await update({ ipv4: { set: "203.0.113.4" } });
    held.clock.time += 1000;
    await update({ ipv4: { set: "203.0.113.4" } });
    await update({ ipv4: { set: "10.0.0.1" }, ipv6: { set: "fe80::1" } });
    held.clock.time += 1000;
    await update({ secret: null, client: "device", ipv6: { set: "2001:db8::4" } });
    const at = held.clock.time;
    expect(await history()).toEqual([
      { at, verdict: "good", families: ["ipv6"], client: "device", token: "" },
      {
        at: at - 1000,
        verdict: "dnserr",
        families: ["ipv4", "ipv6"],
        client: "ddclient",
        token: "",
      },
      { at: at - 2000, verdict: "good", families: ["ipv4"], client: "ddclient", token: "" },
    ]);
    const key = held.keys.kept.get(KEY);
    const opened = await Promise.all(
      held.sql
        .all<{ id: string; what_sealed: string }>("SELECT * FROM name_event")
        .map((row) =>
          new Sealer(held.keys, held.clock, { bytes: () => new Uint8Array() }).open(
            KEY,
            `name_event.what:${row.id}`,
            row.what_sealed,
          ),
        ),
    );
    expect(key).toBeDefined();
    expect(JSON.stringify(opened)).toContain("ddclient");
    for (const address of ["203.0.113", "10.0.0", "fe80", "2001"]) {
      expect(JSON.stringify(opened)).not.toContain(address);
    }
  });

  it("writes the same refusal once an hour, and a change each time", async () => {
    const refused = () => update({ ipv4: { set: "10.0.0.1" } });
    await refused();
    const writes = held.sql.writes;
    for (let again = 0; again < 20; again++) await refused();
    expect(held.sql.writes).toBe(writes);
    held.clock.time += limits.nameHistoryAgainMs;
    await refused();
    expect(await history()).toHaveLength(2);
  });

  it("holds the newest hundred, for thirty days", async () => {
    for (let change = 0; change < limits.nameHistoryEntries + 20; change++) {
      held.clock.time += 60_000;
      await update({ secret: null, ipv4: { set: `203.0.113.${change}` } });
    }
    expect(await history()).toHaveLength(limits.nameHistoryEntries);
    expect((await history())[0]?.at).toBe(held.clock.time);
    held.clock.time += limits.nameHistoryMs - 1;
    expect(await history()).toHaveLength(1);
    held.clock.time += 1;
    expect(await history()).toEqual([]);
    await held.device.onAlarm();
    expect(held.sql.all("SELECT * FROM name_event")).toEqual([]);
  });
});

describe("a client that asks far too often", () => {
  const ask = () => held.device.naming.updateAddresses(to("203.0.113.4"));
  const flood = async () => {
    for (let call = 0; call <= limits.updateCallsPerHour; call++) await ask();
    return (await ask()).verdict;
  };
  const token = async () => (await held.device.naming.nameTokens())?.[0];

  it("is told to its owner, then refused, until the owner lets it go on", async () => {
    for (let call = 0; call < limits.updateCallsPerHour; call++) await ask();
    expect((await token())?.floodedAt).toBeNull();
    for (let hour = 1; hour < limits.updateFloodHours; hour++) {
      expect([hour, await flood()]).toEqual([hour, "nochg"]);
      expect(await token()).toMatchObject({ floodedAt: held.clock.time, isBlocked: false });
      held.clock.time += HOUR;
    }
    expect(await flood()).toBe("abuse");
    held.clock.time += DAY;
    expect((await held.wake().naming.updateAddresses(to("203.0.113.9"))).verdict).toBe("abuse");
    expect((await held.device.naming.nameHistory())?.[0]).toMatchObject({ verdict: "abuse" });
    const id = (await token())?.id ?? "";
    expect(await token()).toMatchObject({ isBlocked: true });
    expect((await held.device.describe())?.name).toMatchObject({ tokens: 1, flooding: 1 });
    await held.device.naming.excuseNameToken(id);
    expect((await ask()).verdict).toBe("nochg");
    expect(await token()).toMatchObject({ floodedAt: null, isBlocked: false });
  });

  it("blocks no other client, and not the device itself", async () => {
    const other = (await secretFrom(held.device.naming)) ?? "";
    for (let hour = 0; hour < limits.updateFloodHours; hour++) {
      await flood();
      held.clock.time += HOUR;
    }
    expect((await ask()).verdict).toBe("abuse");
    expect((await held.device.naming.updateAddresses(to("203.0.113.4", other))).verdict).toBe(
      "nochg",
    );
    expect((await held.device.naming.updateAddresses(to("203.0.113.5", null))).verdict).toBe(
      "good",
    );
  });
});

describe("the limit", () => {
  it("is ten changes in ten minutes for each family, sliding", async () => {
    const { device, clock } = held;
    for (let change = 0; change < limits.updateChangesPerFamily; change++) {
      await device.naming.updateAddresses(to(`203.0.113.${change}`));
      clock.time += 1000;
    }
    const wait = limits.updateWindowMs / 1000 - limits.updateChangesPerFamily;
    expect(await device.naming.updateAddresses(to("203.0.113.99"))).toEqual({
      verdict: "911",
      ipv4: "203.0.113.9",
      ipv6: null,
      retryAfter: wait,
    });
    const six = { secret, ipv4: "keep", ipv6: { set: "2001:db8::1" } } as const;
    expect((await device.naming.updateAddresses(six)).verdict).toBe("good");
    clock.time += wait * 1000 - 1;
    expect((await device.naming.updateAddresses(to("203.0.113.99"))).verdict).toBe("911");
    clock.time += 1;
    expect((await device.naming.updateAddresses(to("203.0.113.99"))).verdict).toBe("good");
    expect((await device.naming.updateAddresses(to("203.0.113.98"))).retryAfter).toBe(1);
  });

  it("counts no refused try", async () => {
    const { device } = held;
    for (let guess = 0; guess < 50; guess++) {
      const refused = await device.naming.updateAddresses(to("203.0.113.7", "wrong"));
      expect(refused).toEqual({ verdict: "badauth", ipv4: null, ipv6: null });
    }
    expect((await device.naming.updateAddresses(to("203.0.113.4"))).verdict).toBe("good");
  });
});

describe("at once", () => {
  it("updates are applied in the order they came", async () => {
    held.clock.advance(limits.personKeyCacheMs); // the key is asked for again
    held.keys.hold();
    const all = ["203.0.113.1", "203.0.113.2", "203.0.113.3"].map((address) =>
      held.device.naming.updateAddresses(to(address)),
    );
    held.keys.release();
    expect((await Promise.all(all)).map((done) => done.verdict)).toEqual(["good", "good", "good"]);
    expect(await published(held.wake())).toEqual({ ipv4: "203.0.113.3", ipv6: null });
  });

  it("a burst counts as if it came one after another", async () => {
    const burst = Array.from({ length: 30 }, (_, at) =>
      held.device.naming.updateAddresses(to(`203.0.113.${at}`)),
    );
    const good = (await Promise.all(burst)).filter((done) => done.verdict === "good");
    expect(good).toHaveLength(limits.updateChangesPerFamily);
    expect((await published(held.wake()))?.ipv4).toBe("203.0.113.9");
  });

  it("[FEA-4] off wins over an update that is being sealed, and leaves neither row nor key", async () => {
    held.clock.advance(limits.personKeyCacheMs); // the key is asked for again
    held.keys.hold();
    const asked = held.keys.asked();
    const update = held.device.naming.updateAddresses(to("203.0.113.4"));
    await asked;
    const off = held.device.setFeature("name", false);
    const late = held.device.naming.updateAddresses(to("203.0.113.5"));
    held.keys.release();
    expect((await update).verdict).toBe("nohost");
    expect((await late).verdict).toBe("nohost");
    expect((await off)?.name).toBeNull();
    expect(rows()).toEqual([]);
    expect(held.keys.kept.has(KEY)).toBe(false);
  });

  it("[CON-11] unregistering wins over an update that is being sealed", async () => {
    held.clock.advance(limits.personKeyCacheMs); // the key is asked for again
    held.keys.hold();
    const asked = held.keys.asked();
    const update = held.device.naming.updateAddresses(to("203.0.113.4"));
    await asked;
    const gone = held.device.unregister();
    held.keys.release();
    await gone;
    expect((await update).verdict).toBe("nohost");
    expect(held.sql.all("SELECT name FROM sqlite_master")).toEqual([]);
    expect(held.keys.kept.size).toBe(0);
  });

  it("off wins over a new token", async () => {
    const rotated = secretFrom(held.device.naming);
    const off = held.device.setFeature("name", false);
    expect(await rotated).toBeNull();
    await off;
    expect(held.sql.all("SELECT * FROM name_token")).toEqual([]);
  });

  it("[FEA-7] a reader that was slow brings nothing back after off and on", async () => {
    await held.device.naming.updateAddresses(to("203.0.113.4"));
    const device = held.wake();
    held.clock.advance(limits.personKeyCacheMs); // the key is asked for again
    held.keys.hold();
    const asked = held.keys.asked();
    const slow = published(device);
    await asked;
    const off = device.setFeature("name", false);
    held.keys.release();
    await Promise.all([slow, off]);
    await device.setFeature("name", true);
    expect(await published(device)).toEqual({ ipv4: null, ipv6: null });
    expect(await device.naming.updateAddresses(to("203.0.113.4"))).toMatchObject({
      verdict: "badauth",
    });
  });

  it("off and on again ends on, with a key that opens what was written after", async () => {
    await held.device.naming.updateAddresses(to("203.0.113.4"));
    const before = held.keys.kept.get(KEY);
    const off = held.device.setFeature("name", false);
    const on = held.device.setFeature("name", true);
    await on;
    await held.device.naming.updateAddresses(to("203.0.113.5", null));
    await off;
    expect((await held.wake().describe())?.name?.ipv4).toBe("203.0.113.5");
    expect(held.keys.kept.get(KEY)).not.toEqual(before);
  });

  it("off holds when the key store is away, and the key goes with the next wake-up", async () => {
    await held.device.naming.updateAddresses(to("203.0.113.4"));
    const { destroy } = held.keys;
    held.keys.destroy = () => Promise.reject(new Error("away"));
    expect((await held.device.setFeature("name", false))?.features.name).toBe(false);
    expect((await held.device.naming.updateAddresses(to("203.0.113.5"))).verdict).toBe("nohost");
    expect(await published(held.device)).toBeNull();
    expect([rows(), held.keys.kept.has(KEY)]).toEqual([[], true]);
    held.keys.destroy = destroy;
    await held.wake().onAlarm();
    expect(held.keys.kept.has(KEY)).toBe(false);
  });
});

describe("tokens", () => {
  const prove = (shown: string, scope: "address" | "acme" = "address", from = "192.0.2.7") =>
    held.device.naming.nameRight(shown, scope, from).then((right) => right !== null);
  const make = async (part: Partial<NewNameToken>) =>
    (await secretFrom(held.device.naming, part)) ?? "";

  it("work for their scopes alone", async () => {
    const acme = await make({ scopes: ["acme"] });
    const both = await make({ scopes: ["acme", "address"] });
    expect([await prove(secret), await prove(acme), await prove(both)]).toEqual([
      true,
      false,
      true,
    ]);
    expect([await prove(secret, "acme"), await prove(acme, "acme")]).toEqual([false, true]);
    expect(await prove(both, "acme")).toBe(true);
  });

  it("work from their networks alone, and from nowhere once their key is gone", async () => {
    const near = await make({ networks: ["192.0.2.0/24", "2001:db8::/32"] });
    for (const from of ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8:9::1"]) {
      expect([from, await prove(near, "address", from)]).toEqual([from, true]);
    }
    for (const from of ["192.0.3.7", "2001:db9::1", "", "unknown"]) {
      expect([from, await prove(near, "address", from)]).toEqual([from, false]);
    }
    held.keys.kept.clear();
    held.clock.time += 2 * limits.personKeyCacheMs;
    expect(await held.wake().naming.nameRight(near, "address", "192.0.2.7")).toBeNull();
  });

  it("end at their moment, are seen no more, and are swept by the alarm", async () => {
    const ending = await make({ name: "For a day", endsAt: held.clock.time + 1000 });
    held.clock.time += 999;
    expect(await prove(ending)).toBe(true);
    held.clock.time += 1;
    expect(await prove(ending)).toBe(false);
    expect((await held.device.naming.nameTokens())?.length).toBe(1);
    expect(held.sql.all("SELECT * FROM name_token")).toHaveLength(2);
    await held.device.onAlarm();
    expect(held.sql.all("SELECT * FROM name_token")).toHaveLength(1);
  });

  it("end when nobody has used them for half a year, which their owner is told before and after", async () => {
    const made = held.clock.time;
    const idle = await make({ name: "Old router" });
    const counted = async () => (await held.device.describe())?.name?.idle;
    const end = made + limits.nameTokenIdleMs;
    held.clock.time = end - limits.nameTokenIdleToldMs - 1;
    expect(await prove(secret)).toBe(true); // the other one is in use
    expect(await counted()).toBe(0);
    held.clock.time += 1;
    expect(await counted()).toBe(1);
    const shown = (await held.device.naming.nameTokens())?.find(({ name }) => name !== "");
    expect(shown).toMatchObject({ name: "Old router", usedDay: null, idleEndsAt: end });
    held.clock.time = end - 1;
    await held.device.onAlarm();
    expect(held.wakeAt()).toBeLessThanOrEqual(end);
    expect(held.sql.all("SELECT * FROM name_token")).toHaveLength(2);
    held.clock.time = end;
    expect(await prove(idle)).toBe(false);
    expect((await held.device.naming.nameTokens())?.length).toBe(1);
    await held.device.onAlarm();
    expect(held.sql.all("SELECT * FROM name_token")).toHaveLength(1);
    expect(await prove(secret)).toBe(true);
    const [event] = (await held.device.naming.nameHistory()) ?? [];
    expect(event).toMatchObject({ verdict: "ended", token: "Old router", at: end, families: [] });
  });

  it("are told of once before they end unused, and again when that comes anew", async () => {
    const { nameTokenIdleMs: idleMs, nameTokenIdleToldMs: toldMs } = limits;
    const made = held.clock.time;
    const idle = await make({ name: "Old router" });
    await make({ name: "For a while", endsAt: made + idleMs - 1 });
    const take = async () => await held.device.naming.takeIdleNameTokens();
    const first = await take();
    expect(first?.ending).toEqual([]);
    expect(first?.lookAt).toBeLessThanOrEqual(made + idleMs - toldMs);
    held.clock.time = made + idleMs - toldMs;
    expect(await prove(secret)).toBe(true);
    const endsAt = made + idleMs;
    const told = [take(), take()];
    expect((await Promise.all(told)).map((news) => news?.ending)).toEqual([
      [{ name: "Old router", endsAt }],
      [],
    ]);
    expect(await held.wake().naming.takeIdleNameTokens()).toEqual({ ending: [], lookAt: endsAt });
    // Used just in time, it is told of again half a year after that.
    held.clock.time = endsAt - 1;
    expect(await prove(idle)).toBe(true);
    expect((await take())?.ending).toEqual([]);
    held.clock.time += idleMs - toldMs;
    expect((await take())?.ending.map(({ name }) => name)).toContain("Old router");
    await held.device.setFeature("name", false);
    expect(await take()).toBeNull();
  });

  it("do not end while somebody uses them, however seldom", async () => {
    for (let half = 0; half < 5; half++) {
      held.clock.time += limits.nameTokenIdleMs - 2 * DAY;
      await held.device.onAlarm();
      expect([half, await prove(secret)]).toEqual([half, true]);
    }
  });

  it("speak for the names they are for, and for no other", async () => {
    const own = "nas";
    const [mine, other] = [await make({ labels: [own] }), await make({ labels: ["elsewhere"] })];
    const by = (shown: string, label: string) =>
      held.device.naming.updateAddresses({ ...to("203.0.113.4", shown), labels: [label] });
    const right = (shown: string) => held.device.naming.nameRight(shown, "address", null);
    expect((await by(mine, own)).verdict).toBe("good");
    expect((await by(other, own)).verdict).toBe("badauth");
    expect((await by(secret, "elsewhere")).verdict).toBe("nohost");
    expect((await right(secret))?.labels).toEqual([own]);
    expect((await right(mine))?.labels).toEqual([own]);
    expect((await right(other))?.labels).toEqual([]);
  });

  it("speak for their owner's other devices where they may, and for nobody else's", async () => {
    const everywhere = await make({ allDevices: true });
    const account = async (shown: string) =>
      (await held.device.naming.nameRight(shown, "address", null))?.account;
    const owner = (await held.device.describe())?.accountId ?? "";
    expect([await account(secret), await account(everywhere)]).toEqual([null, owner]);
    const by = (account: string) =>
      held.device.naming.updateAddresses({ ...to("203.0.113.9", null), isCounted: true, account });
    expect((await by("somebody else")).verdict).toBe("nohost");
    expect((await by(owner)).verdict).toBe("good");
  });

  it("note the day of their last use, and no more than one write for it", async () => {
    const used = async () => (await held.device.naming.nameTokens())?.[0]?.usedDay;
    expect(await used()).toBeNull();
    await prove(secret);
    const day = Math.floor(held.clock.time / DAY) * DAY;
    expect(await used()).toBe(day);
    const woken = held.wake();
    const writes = held.sql.writes;
    for (let again = 0; again < 20; again++) await prove(secret);
    await woken.naming.nameRight(secret, "address", null);
    expect(held.sql.writes).toBe(writes);
    held.clock.time += DAY;
    await prove(secret);
    expect(await used()).toBe(day + DAY);
  });

  it("hold no word of their owner in clear, and no secret", async () => {
    const shown = await make({ name: "Grandma’s router", networks: ["192.0.2.0/24"] });
    const stored = JSON.stringify(held.sql.all("SELECT * FROM name_token"));
    for (const clear of ["Grandma", "192.0.2", shown]) expect(stored).not.toContain(clear);
  });

  it("are twenty at most, however many are asked for at once", async () => {
    const asked = Array.from({ length: 30 }, () => make({}));
    const made = (await Promise.all(asked)).filter((one) => one !== "");
    expect(made).toHaveLength(limits.nameTokensPerDevice - 1);
  });

  it("[CON-11] are gone with the device, while one is being read", async () => {
    const near = await make({ networks: ["192.0.2.0/24"] });
    const device = held.wake();
    held.keys.hold();
    const proved = device.naming.nameRight(near, "address", "192.0.2.7");
    const gone = device.unregister();
    held.keys.release();
    expect(await proved).toBeNull();
    await gone;
  });
});
