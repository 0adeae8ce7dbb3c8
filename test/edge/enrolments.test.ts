/** Enrolment on D1 and real objects: who may, who wins, and what a failure midway leaves: nothing. */

import { listDurableObjectIds } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import type { DeviceStub } from "../../durable-objects/device/rpc.ts";
import { keyFingerprint } from "../../protocol/agent.ts";
import { signAssertion } from "../../protocol/assertion.ts";
import { DAY, limits } from "../../protocol/limits.ts";
import { hashToken, newToken } from "../../protocol/tokens.ts";
import {
  approveEnrolment,
  listDevices,
  lookupEnrolment,
  pollEnrolment,
  startEnrolment,
} from "../../workers/devices/devices.ts";
import { removeDevice } from "../../workers/devices/owning.ts";
import type { Ports } from "../../workers/ports.ts";
import { CLIENT } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import {
  bindings,
  enroll,
  newKey,
  newLabel,
  newPerson,
  poll,
  problemOf,
  rowsWith,
} from "./devices-support.ts";

let test: TestPorts;
let ports: Ports;
let owner: string;
beforeEach(async () => {
  test = testPorts({ env });
  ports = test.ports;
  owner = await newPerson();
});

const waiting = (error: string) => ({ kind: "error", error });

describe("a device that asks", () => {
  it("gets a code to show, a link, and RFC 8628's periods", async () => {
    const { publicKey } = await newKey();
    const started = await startEnrolment(ports, { publicKey });
    expect(started).toEqual({
      device_code: expect.stringMatching(/^lk_enr_home_/),
      user_code: expect.stringMatching(/^[B-Z]{4}-[B-Z]{4}$/),
      verification_uri: `${ports.config.origin}/devices/add`,
      verification_uri_complete: `${ports.config.origin}/devices/add?code=${started.user_code}`,
      expires_in: 600,
      interval: 5,
    });
  });

  it("[CON-1] is held as hashes and a public key, and names no person and no address", async () => {
    const { publicKey } = await newKey();
    const started = await startEnrolment(ports, { publicKey });
    const [row, ...more] = await rowsWith(bindings.DB_HOME, "enrolment", publicKey);
    expect(more).toEqual([]);
    expect(Object.keys(row as object).sort()).toEqual([
      "device_code_hash",
      "expires_at",
      "interval_ms",
      "polled_at",
      "public_key",
      "user_code_hash",
    ]);
    const text = JSON.stringify(row);
    for (const clear of [started.device_code, started.user_code, "198.51.100"]) {
      expect(text).not.toContain(clear);
    }
    // Of 34 bits a plain hash could be searched; this one is keyed.
    expect(text).not.toContain(await hashToken(started.user_code.replace("-", "")));
  });

  it("is refused with a bad key, and when its network asks too often", async () => {
    for (const publicKey of ["", "x", "A".repeat(44)]) {
      expect(await problemOf(startEnrolment(ports, { publicKey }))).toBe("bad-request");
    }
    const { publicKey } = await newKey();
    for (let asked = 0; asked < limits.enrolmentsPendingPerAddress; asked++) {
      await startEnrolment(ports, { publicKey });
    }
    expect(await problemOf(startEnrolment(ports, { publicKey }))).toBe("too-many-tries");
    const elsewhere = testPorts({ env, clock: test.clock, peer: "203.0.113.9" });
    await startEnrolment(elsewhere.ports, { publicKey });
    test.clock.advance(limits.enrolmentMs + 1);
    await startEnrolment(ports, { publicKey });
  });

  it("waits, is slowed down when it hurries, and is told when its code has run out", async () => {
    const key = await newKey();
    const { device_code: code } = await startEnrolment(ports, { publicKey: key.publicKey });
    expect(await poll(ports, key, code)).toEqual(waiting("authorization_pending"));
    test.clock.advance(limits.enrolmentIntervalMs);
    expect(await poll(ports, key, code)).toEqual(waiting("authorization_pending"));
    test.clock.advance(1000);
    expect(await poll(ports, key, code)).toEqual(waiting("slow_down"));
    test.clock.advance(limits.enrolmentIntervalMs);
    expect(await poll(ports, key, code)).toEqual(waiting("slow_down"));
    test.clock.advance(limits.enrolmentIntervalMs + 2 * limits.enrolmentSlowDownMs);
    expect(await poll(ports, key, code)).toEqual(waiting("authorization_pending"));
    test.clock.advance(limits.enrolmentMs);
    expect(await poll(ports, key, code)).toEqual(waiting("expired_token"));
  });

  it("proves that it holds the key, for this code and this cloud", async () => {
    const key = await newKey();
    const { device_code: deviceCode } = await startEnrolment(ports, { publicKey: key.publicKey });
    const now = test.clock.now();
    const subject = await hashToken(deviceCode);
    const { origin } = ports.config;
    const foreign = await newKey();
    for (const assertion of [
      "",
      "a.b.c",
      await signAssertion(foreign.privateKey, subject, origin, now),
      await signAssertion(key.privateKey, "another", origin, now),
      await signAssertion(key.privateKey, subject, "https://elsewhere.example", now),
      await signAssertion(key.privateKey, subject, origin, now - 10 * limits.agentAssertionMs),
    ]) {
      const answer = await pollEnrolment(ports, { deviceCode, assertion });
      expect(answer).toEqual(waiting("access_denied"));
    }
    for (const code of ["", "lk_enr_home_x", newToken("ses", "home", ports.random.bytes)]) {
      expect(await poll(ports, key, code)).toEqual(waiting("invalid_grant"));
    }
    const unknown = newToken("enr", "home", ports.random.bytes);
    expect(await poll(ports, key, unknown)).toEqual(waiting("expired_token"));
  });
});

describe("an owner who approves", () => {
  it("compares the fingerprint, and the device learns who it is, again after a lost answer", async () => {
    const key = await newKey();
    const started = await startEnrolment(ports, { publicKey: key.publicKey });
    const found = await lookupEnrolment(ports, owner, started.user_code.toLowerCase());
    expect(found?.fingerprint).toBe(await keyFingerprint(key.publicKey));
    const label = newLabel();
    const request = { userCode: started.user_code, label: ` ${label.toUpperCase()} ` };
    const device = await approveEnrolment(ports, owner, request);
    expect(device).toMatchObject({
      accountId: owner,
      label,
      publicKey: key.publicKey,
      features: { name: false, link: false, lan: false },
      access: { mode: "owner", people: [] },
    });
    const done = {
      kind: "done",
      enrolment: {
        device_id: device.id,
        label,
        link: `http://${label}.link.localhost:8787`,
        host: `${label}.ddns.test`,
      },
    };
    expect(await poll(ports, key, started.device_code)).toEqual(done);
    expect(await poll(ports, key, started.device_code)).toEqual(done);
    const thief = await newKey();
    expect(await poll(ports, thief, started.device_code)).toEqual(waiting("access_denied"));
    expect(await rowsWith(bindings.DB_HOME, "enrolment", key.publicKey)).toEqual([]);
    test.clock.advance(limits.enrolmentMs);
    expect(await poll(ports, key, started.device_code)).toEqual(waiting("expired_token"));
  });

  it("is one of many at once: one wins, the others leave nothing", async () => {
    const { publicKey } = await newKey();
    const { user_code: userCode } = await startEnrolment(ports, { publicKey });
    const people = await Promise.all(Array.from({ length: 6 }, () => newPerson()));
    const tries = people.map((person) => ({ person, label: newLabel() }));
    const outcomes = await Promise.allSettled(
      tries.map(({ person, label }) => approveEnrolment(ports, person, { userCode, label })),
    );
    const won = outcomes.flatMap((outcome) =>
      outcome.status === "fulfilled" ? [outcome.value] : [],
    );
    expect(won.length).toBe(1);
    for (const [index, outcome] of outcomes.entries()) {
      const { person, label } = tries[index] as (typeof tries)[number];
      const mine = outcome.status === "fulfilled" ? [won[0]] : [];
      expect(await listDevices(ports, person)).toEqual(mine);
      expect(await rowsWith(bindings.DB_HOME, "device", person)).toHaveLength(mine.length);
      expect(await ports.directory.isLabelFree(label)).toBe(mine.length === 0);
      if (outcome.status === "rejected") expect(outcome.reason.code).toBe("code-expired");
    }
  });

  it("gets a label that nobody has, and can take another for the same code", async () => {
    const label = newLabel();
    await enroll(ports, owner, label);
    const key = await newKey();
    const { user_code: userCode } = await startEnrolment(ports, { publicKey: key.publicKey });
    const other = await newPerson();
    const asked = (text: string) => approveEnrolment(ports, other, { userCode, label: text });
    expect(await problemOf(asked(label))).toBe("label-taken");
    expect(await problemOf(asked("-no-"))).toBe("label-syntax");
    expect(await problemOf(asked("admin"))).toBe("label-reserved");
    expect((await asked(newLabel())).accountId).toBe(other);
  });

  it("loses the race for a label without losing the code", async () => {
    const label = newLabel();
    const keys = await Promise.all([newKey(), newKey()]);
    const codes = await Promise.all(
      keys.map(({ publicKey }) => startEnrolment(ports, { publicKey })),
    );
    const outcomes = await Promise.allSettled(
      codes.map(({ user_code }) => approveEnrolment(ports, owner, { userCode: user_code, label })),
    );
    const lost = outcomes.findIndex((outcome) => outcome.status === "rejected");
    expect(outcomes.filter((outcome) => outcome.status === "rejected")).toHaveLength(1);
    expect(await listDevices(ports, owner)).toHaveLength(1);
    const again = { userCode: codes[lost]?.user_code ?? "", label: newLabel() };
    expect((await approveEnrolment(ports, owner, again)).publicKey).toBe(keys[lost]?.publicKey);
  });

  it("cannot search for codes", async () => {
    const { publicKey } = await newKey();
    const { user_code } = await startEnrolment(ports, { publicKey });
    for (let tried = 0; tried < limits.userCodePerAccount; tried++) {
      expect(await lookupEnrolment(ports, owner, "BBBB-BBBB")).toBeNull();
    }
    expect(await problemOf(lookupEnrolment(ports, owner, user_code))).toBe("too-many-tries");
    const approve = approveEnrolment(ports, owner, { userCode: user_code, label: newLabel() });
    expect(await problemOf(approve)).toBe("too-many-tries");
    expect(await lookupEnrolment(ports, await newPerson(), user_code)).not.toBeNull();
  });

  it("has no more devices than the limit", async () => {
    const insert = bindings.DB_HOME.prepare(
      "INSERT INTO device (id, account_id, created_at) VALUES (?, ?, 1)",
    );
    const rows = Array.from({ length: limits.devicesPerAccount }, (_, index) =>
      insert.bind(`dev_home_${String(index).padStart(16, "0")}`, owner),
    );
    await bindings.DB_HOME.batch(rows);
    const { publicKey } = await newKey();
    const { user_code: userCode } = await startEnrolment(ports, { publicKey });
    const label = newLabel();
    expect(await problemOf(approveEnrolment(ports, owner, { userCode, label }))).toBe("too-many");
    expect(await ports.directory.isLabelFree(label)).toBe(true);
    const other = await newPerson();
    expect((await approveEnrolment(ports, other, { userCode, label })).accountId).toBe(other);
  });
});

describe("an approval that breaks off", () => {
  /** Ports whose device objects are wrapped. */
  const withDevices = (wrap: (stub: DeviceStub) => Partial<DeviceStub>): Ports => ({
    ...ports,
    devices: {
      get: (id) => {
        const stub = ports.devices.get(id);
        const changed = wrap(stub);
        return new Proxy(stub, {
          get: (target, name) =>
            name in changed
              ? changed[name as keyof DeviceStub]
              : (...args: unknown[]) =>
                  (target as never as Record<string, (...a: unknown[]) => unknown>)[
                    name as string
                  ]?.(...args),
        });
      },
    },
  });

  it("at the object is undone, and the same code is good for another try", async () => {
    const key = await newKey();
    const started = await startEnrolment(ports, { publicKey: key.publicKey });
    const label = newLabel();
    const request = { userCode: started.user_code, label };
    const away = withDevices(() => ({
      register: () => Promise.reject(new Error("the object is away")),
    }));
    await expect(approveEnrolment(away, owner, request)).rejects.toThrow("the object is away");
    expect(await rowsWith(bindings.DB_HOME, "device", owner)).toEqual([]);
    expect(await rowsWith(bindings.DB_HOME, "enrolment_grant", owner)).toEqual([]);
    expect(await ports.directory.isLabelFree(label)).toBe(true);
    expect(await poll(ports, key, started.device_code)).toEqual(waiting("authorization_pending"));
    expect((await approveEnrolment(ports, owner, request)).label).toBe(label);
    expect((await poll(ports, key, started.device_code)).kind).toBe("done");
  });

  it("[CON-6] leaves a name that was held for its owner as it was: held, and no longer than before", async () => {
    const { label } = (await enroll(ports, owner)).device;
    const [mine] = await listDevices(ports, owner);
    await removeDevice(ports, owner, mine?.id ?? "", CLIENT);
    const until = await ports.directory.heldUntil(label, owner);
    test.clock.advance(DAY);
    const { publicKey } = await newKey();
    const { user_code: userCode } = await startEnrolment(ports, { publicKey });
    const away = withDevices(() => ({
      register: () => Promise.reject(new Error("the object is away")),
    }));
    await expect(approveEnrolment(away, owner, { userCode, label })).rejects.toThrow("away");
    expect(await ports.directory.heldUntil(label, owner)).toBe(until);
    expect(await ports.directory.isLabelFree(label)).toBe(false);
    expect((await approveEnrolment(ports, owner, { userCode, label })).label).toBe(label);
    // Whose account goes in the middle of it is remembered by nothing.
    const [again] = await listDevices(ports, owner);
    await removeDevice(ports, owner, again?.id ?? "", CLIENT);
    const next = await startEnrolment(ports, { publicKey });
    const erased = withDevices(() => ({
      register: async () => {
        await bindings.DB_HOME.prepare("DELETE FROM account WHERE id = ?").bind(owner).run();
        await ports.directory.forgetHolder(owner);
        throw new Error("the object is away");
      },
    }));
    const late = approveEnrolment(erased, owner, { userCode: next.user_code, label });
    await expect(late).rejects.toThrow("away");
    expect(await ports.directory.heldLabels(owner)).toBe(0);
    expect(await ports.directory.isLabelFree(label, owner)).toBe(false);
  });

  it("and cannot even be undone shows no device, and is cleared with a look at the list", async () => {
    const { publicKey } = await newKey();
    const { user_code: userCode } = await startEnrolment(ports, { publicKey });
    const label = newLabel();
    const gone = () => Promise.reject(new Error("the object is away"));
    const away = withDevices(() => ({ register: gone, unregister: gone }));
    await expect(approveEnrolment(away, owner, { userCode, label })).rejects.toThrow("away");
    expect(await rowsWith(bindings.DB_HOME, "device", owner)).toHaveLength(1);
    // As if the process had ended before it could note that the device is over.
    await bindings.DB_HOME.prepare("UPDATE device SET ends_at = NULL").run();
    expect(await listDevices(ports, owner)).toEqual([]);
    await test.settle();
    expect(await rowsWith(bindings.DB_HOME, "device", owner)).toHaveLength(1);
    test.clock.advance(limits.enrolmentMs + 1);
    expect(await listDevices(ports, owner)).toEqual([]);
    await test.settle();
    expect(await rowsWith(bindings.DB_HOME, "device", owner)).toEqual([]);
    // Nobody can tell any more whether somebody saw it.
    expect(await ports.directory.isLabelFree(label)).toBe(false);
  });

  it("because the account was erased meanwhile leaves no device behind", async () => {
    const { publicKey } = await newKey();
    const { user_code: userCode } = await startEnrolment(ports, { publicKey });
    const label = newLabel();
    let made = "";
    const racing = withDevices((stub) => ({
      register: async (registration) => {
        made = registration.deviceId;
        await stub.register(registration);
        await bindings.DB_HOME.prepare("DELETE FROM device WHERE account_id = ?").bind(owner).run();
      },
    }));
    expect(await problemOf(approveEnrolment(racing, owner, { userCode, label }))).toBe("not-found");
    expect(await ports.devices.get(made).describe()).toBeNull();
    expect(await ports.directory.isLabelFree(label)).toBe(true);
    const erased = approveEnrolment(ports, "acc_home_0000000000000000", { userCode, label });
    expect(await problemOf(erased)).toBe("not-found");
  });

  it("wakes no object for a code that is wrong", async () => {
    const before = (await listDurableObjectIds(bindings.DEVICES)).length;
    const request = { userCode: "BCDF-GHJK", label: newLabel() };
    expect(await problemOf(approveEnrolment(ports, owner, request))).toBe("code-expired");
    expect(await listDurableObjectIds(bindings.DEVICES)).toHaveLength(before);
  });
});
