/** Devices as their owner changes them: whose they are, who may come in, and what unregistering leaves. */

import { listDurableObjectIds } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { peerHeader, wayHeader } from "../../durable-objects/device/rpc.ts";
import { closeCodes } from "../../protocol/agent.ts";
import { signAssertion } from "../../protocol/assertion.ts";
import { newId } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { handle } from "../../workers/app.ts";
import {
  allow,
  disallow,
  getDevice,
  listDevices,
  ownDevice,
  rotateUpdateSecret,
  setAccess,
  setFeature,
  unregisterDevice,
} from "../../workers/devices/devices.ts";
import type { Ports } from "../../workers/ports.ts";
import { oldestOverdue, sweep } from "../../workers/privacy/sweep.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import {
  askSocket,
  bindings,
  connect,
  type Enrolled,
  enroll,
  Heard,
  keysOf,
  newKey,
  newLabel,
  newPerson,
  poll,
  problemOf,
  rowsWith,
  twoRegions,
} from "./devices-support.ts";

let test: TestPorts;
let ports: Ports;
let owner: string;
beforeEach(async () => {
  test = testPorts({ env });
  ports = test.ports;
  owner = await newPerson();
});

const objects = async () => (await listDurableObjectIds(bindings.DEVICES)).length;

describe("whose device it is", () => {
  const calls: Record<string, (account: string, device: string) => Promise<unknown>> = {
    getDevice: (account, device) => getDevice(ports, account, device),
    setFeature: (account, device) => setFeature(ports, account, device, "link", true),
    setAccess: (account, device) => setAccess(ports, account, device, "everyone"),
    allow: (account, device) => allow(ports, account, device, account),
    disallow: (account, device) => disallow(ports, account, device, account),
    rotateUpdateSecret: (account, device) => rotateUpdateSecret(ports, account, device),
    unregisterDevice: (account, device) => unregisterDevice(ports, account, device),
    live: (account, device) => ownDevice(ports, account, device),
  };

  it.each(Object.keys(calls))(
    "%s is its owner's alone, and wakes no object for another",
    async (name) => {
      const call = calls[name] as (typeof calls)[string];
      const { device } = await enroll(ports, owner);
      const stranger = await newPerson();
      const before = await getDevice(ports, owner, device.id);
      const woken = await objects();
      const unknown = newId("dev", "home", ports.random.bytes);
      const elsewhere = newId("dev", "mars", ports.random.bytes);
      for (const id of [unknown, elsewhere, owner, "", "../x", `${device.id}x`]) {
        expect(await problemOf(call(owner, id))).toBe("not-found");
      }
      expect(await problemOf(call(stranger, device.id))).toBe("not-found");
      expect(await objects()).toBe(woken);
      expect(await getDevice(ports, owner, device.id)).toEqual(before);
      expect(await listDevices(ports, stranger)).toEqual([]);
    },
  );
});

describe("the list of people", () => {
  let enrolled: Enrolled;
  beforeEach(async () => {
    enrolled = await enroll(ports, owner);
  });

  it("[CON-3] begins with nobody, and answers the same for people who are not there", async () => {
    const { id, access } = enrolled.device;
    expect(access).toEqual({ mode: "owner", people: [] });
    const there = await newPerson();
    const nowhere = newId("acc", "home", ports.random.bytes);
    const [one, other] = [
      await allow(ports, owner, id, there),
      await allow(ports, owner, id, nowhere),
    ];
    expect(one.access.people).toEqual([there]);
    expect(other.access.people).toEqual([there, nowhere].sort());
    expect(await rowsWith(bindings.DB_HOME, "device_guest", there)).toEqual([
      { id: `${id}/${there}`, account_id: there, device_id: id },
    ]);
    expect(await rowsWith(bindings.DB_HOME, "device_guest", nowhere)).toEqual([]);
    await disallow(ports, owner, id, there);
    expect((await disallow(ports, owner, id, nowhere)).access.people).toEqual([]);
    expect(await rowsWith(bindings.DB_HOME, "device_guest", there)).toEqual([]);
  });

  it("takes an account once, never the owner, and nothing that is no account", async () => {
    const { id } = enrolled.device;
    const person = await newPerson();
    await allow(ports, owner, id, person);
    expect((await allow(ports, owner, id, person)).access.people).toEqual([person]);
    expect((await allow(ports, owner, id, owner)).access.people).toEqual([person]);
    for (const text of ["", "ada@example.org", id, "acc_home_short"]) {
      expect(await problemOf(allow(ports, owner, id, text))).toBe("bad-request");
      expect(await problemOf(disallow(ports, owner, id, text))).toBe("bad-request");
    }
  });

  it("ends at its limit, and notes nothing about whom it did not take", async () => {
    const { id } = enrolled.device;
    const { stub } = enrolled;
    for (let place = 0; place < limits.peoplePerDevice; place++) {
      await stub.allow(newId("acc", "home", ports.random.bytes));
    }
    const late = await newPerson();
    expect(await problemOf(allow(ports, owner, id, late))).toBe("too-many");
    expect(await rowsWith(bindings.DB_HOME, "device_guest", late)).toEqual([]);
    expect((await getDevice(ports, owner, id)).access.people).toHaveLength(limits.peoplePerDevice);
  });

  it("forgets a person who was erased while being let in", async () => {
    const { id } = enrolled.device;
    const person = await newPerson();
    const racing: Ports = {
      ...ports,
      devices: {
        get: (deviceId) =>
          ({
            allow: async (accountId: string) => {
              const answer = await ports.devices.get(deviceId).allow(accountId);
              const gone = bindings.DB_HOME.prepare(
                "DELETE FROM device_guest WHERE account_id = ?",
              );
              await gone.bind(accountId).run();
              return answer;
            },
            disallow: (accountId: string) => ports.devices.get(deviceId).disallow(accountId),
          }) as ReturnType<Ports["devices"]["get"]>,
      },
    };
    expect((await allow(racing, owner, id, person)).access.people).toEqual([]);
    expect((await getDevice(ports, owner, id)).access.people).toEqual([]);
  });
});

it("an update secret exists only while the name is on, and the newest alone is good", async () => {
  const { device } = await enroll(ports, owner);
  expect(await problemOf(rotateUpdateSecret(ports, owner, device.id))).toBe("feature-off");
  await setFeature(ports, owner, device.id, "name", true);
  const first = await rotateUpdateSecret(ports, owner, device.id);
  const second = await rotateUpdateSecret(ports, owner, device.id);
  expect([first, second]).toEqual([
    expect.stringMatching(/^lk_upd_home_/),
    expect.stringMatching(/^lk_upd_home_/),
  ]);
  const set = { ipv4: { set: "198.51.100.20" }, ipv6: "keep" } as const;
  const stub = ports.devices.get(device.id);
  expect((await stub.updateAddresses({ secret: first, ...set })).verdict).toBe("badauth");
  expect((await stub.updateAddresses({ secret: second, ...set })).verdict).toBe("good");
});

it("a device of one region and a guest of another each have their rows at home", async () => {
  const both = await twoRegions();
  const [european, guest] = [await newPerson("eu", bindings.DIRECTORY), await newPerson()];
  const { device, key, started } = await enroll(both, european);
  expect(device.id).toMatch(/^dev_eu_/);
  expect(await poll(both, key, started.device_code)).toMatchObject({ kind: "done" });
  await allow(both, european, device.id, guest);
  const rows = async (table: string) => [
    (await rowsWith(bindings.DB_HOME, table, device.id)).length,
    (await rowsWith(bindings.DIRECTORY, table, device.id)).length,
  ];
  expect(await rows("device")).toEqual([0, 1]);
  expect(await rows("enrolment_grant")).toEqual([0, 1]);
  expect(await rows("device_guest")).toEqual([1, 0]);
  await unregisterDevice(both, european, device.id);
  for (const table of ["device", "enrolment_grant", "device_guest"]) {
    expect(await rows(table)).toEqual([0, 0]);
  }
});

/** Ports with one step of unregistering away: the steps before it are done. */
function cutAt(broken: "object" | "label" | "guests"): Ports {
  const fails = () => Promise.reject(new Error(`${broken} is away`));
  switch (broken) {
    case "object": {
      const gone = { unregister: fails } as unknown as Enrolled["stub"];
      return { ...ports, devices: { get: () => gone } };
    }
    case "label":
      return { ...ports, directory: { holdLabelsOf: fails } as unknown as Ports["directory"] };
    case "guests":
      return { ...ports, regions: { ...ports.regions, ids: ["mars", "home"] } };
  }
}

describe("unregistering", () => {
  it("[CON-11] removes record, name, tokens, sockets and rows; what it used to know is refused", async () => {
    const label = newLabel();
    const enrolled = await enroll(ports, owner, label);
    const { device, key, started, stub } = enrolled;
    const person = await newPerson();
    await setFeature(ports, owner, device.id, "name", true);
    await setFeature(ports, owner, device.id, "link", true);
    await allow(ports, owner, device.id, person);
    const secret = await rotateUpdateSecret(ports, owner, device.id);
    const door = await stub.issueDoorCode(owner, "nonce");
    expect(door.kind).toBe("code");
    const agent = await connect(ports, enrolled);
    expect(await keysOf(`feature/${device.id}/`)).toHaveLength(2);
    expect(await ports.directory.deviceOfLabel(label)).toBe(device.id);

    await unregisterDevice(ports, owner, device.id);
    expect(await agent.closed).toBe(closeCodes.unregistered);
    expect(agent.all).toContainEqual({ type: "unregistered" });
    expect(await keysOf(`feature/${device.id}/`)).toEqual([]);
    for (const table of ["device", "device_guest", "enrolment", "enrolment_grant"]) {
      expect([table, await rowsWith(bindings.DB_HOME, table, device.id)]).toEqual([table, []]);
    }
    expect(await rowsWith(bindings.DIRECTORY, "label", device.id)).toEqual([]);
    expect(await ports.directory.deviceOfLabel(label)).toBeNull();
    expect(await ports.directory.isLabelFree(label)).toBe(false);

    const again = await askSocket(ports, enrolled);
    expect(again.status).toBe(410);
    const update = { secret, ipv4: "keep", ipv6: "keep" } as const;
    expect((await stub.updateAddresses(update)).verdict).toBe("nohost");
    expect(await stub.records()).toBeNull();
    expect((await stub.issueDoorCode(owner, "nonce")).kind).toBe("off");
    expect((await poll(ports, key, started.device_code)).kind).toBe("error");
    expect(await problemOf(getDevice(ports, owner, device.id))).toBe("not-found");
    const visit = new Request(`http://${label}.link.localhost:8787/`);
    expect((await handle(visit, ports)).status).toBe(404);
  });

  it("[CON-6] keeps the label from everybody, its last owner too, for 180 days", async () => {
    const label = newLabel();
    const { device } = await enroll(ports, owner, label);
    await unregisterDevice(ports, owner, device.id);
    expect(await problemOf(enroll(ports, owner, label))).toBe("label-taken");
    test.clock.advance(limits.heldLabelMs - 1);
    expect(await problemOf(enroll(ports, owner, label))).toBe("label-taken");
    test.clock.advance(2);
    expect((await enroll(ports, await newPerson(), label)).device.label).toBe(label);
  });

  it("is finished by asking again, wherever it broke off", async () => {
    for (const broken of ["object", "label", "guests"] as const) {
      const label = newLabel();
      const { device, stub } = await enroll(ports, owner, label);
      await allow(ports, owner, device.id, await newPerson());
      await expect(unregisterDevice(cutAt(broken), owner, device.id)).rejects.toThrow();
      expect(await rowsWith(bindings.DB_HOME, "device", device.id)).toHaveLength(1);
      await unregisterDevice(ports, owner, device.id);
      expect(await rowsWith(bindings.DB_HOME, "device", device.id)).toEqual([]);
      expect(await rowsWith(bindings.DB_HOME, "device_guest", device.id)).toEqual([]);
      expect(await ports.directory.isLabelFree(label)).toBe(false);
      expect(await stub.describe()).toBeNull();
    }
  });

  describe("that broke off", () => {
    type Step = Parameters<typeof cutAt>[0];

    /** A device with a guest, whose unregistering broke off so long ago that it could be anything. */
    async function brokenOff(broken: Step): Promise<Enrolled> {
      const enrolled = await enroll(ports, owner);
      await allow(ports, owner, enrolled.device.id, await newPerson());
      await expect(unregisterDevice(cutAt(broken), owner, enrolled.device.id)).rejects.toThrow();
      test.clock.advance(limits.enrolmentMs + 1);
      return enrolled;
    }

    /** Everything is gone, and the label is nobody's for as long as after any unregistering. */
    async function expectEnded({ device, stub }: Enrolled): Promise<void> {
      for (const table of ["device", "device_guest", "enrolment_grant"]) {
        expect([table, await rowsWith(bindings.DB_HOME, table, device.id)]).toEqual([table, []]);
      }
      expect(await stub.describe()).toBeNull();
      expect(await ports.directory.isLabelFree(device.label)).toBe(false);
      expect(await rowsWith(bindings.DIRECTORY, "label", device.id)).toEqual([]);
    }

    it.each(["object", "label", "guests"] as const)(
      "[CON-6] [CON-11] at its %s is finished by the next sweep, though nobody looks",
      async (broken) => {
        const enrolled = await brokenOff(broken);
        const late = async () =>
          (await oldestOverdue(ports)).find(({ lane }) => lane === "unregistering")?.overdueMs;
        expect(await late()).toBe(limits.enrolmentMs + 1);
        await sweep(ports);
        await expectEnded(enrolled);
        expect(await late()).toBe(0);
      },
    );

    it.each(["label", "guests"] as const)(
      "[CON-6] [CON-11] at its %s is finished by a look at the list, and frees no label",
      async (broken) => {
        const enrolled = await brokenOff(broken);
        expect(await listDevices(ports, owner)).toEqual([]);
        await test.settle();
        await expectEnded(enrolled);
      },
    );
  });

  it("that fails for one device holds up no other", async () => {
    const [one, other] = [await enroll(ports, owner), await enroll(ports, owner)];
    for (const { device } of [one, other]) {
      await expect(unregisterDevice(cutAt("object"), owner, device.id)).rejects.toThrow();
    }
    const stuck: Ports = {
      ...ports,
      devices: {
        get: (id) => (id === one.device.id ? cutAt("object").devices : ports.devices).get(id),
      },
    };
    await sweep(stuck);
    expect(test.lines).toContainEqual(
      expect.objectContaining({ event: "sweep-failed", lane: "unregistering" }),
    );
    expect(await rowsWith(bindings.DB_HOME, "device", other.device.id)).toEqual([]);
    expect(await rowsWith(bindings.DB_HOME, "device", one.device.id)).toHaveLength(1);
    await sweep(ports);
    expect(await rowsWith(bindings.DB_HOME, "device", one.device.id)).toEqual([]);
  });

  it("leaves no word of a person who was being let in", async () => {
    const { device } = await enroll(ports, owner);
    const person = await newPerson();
    await ports.devices.get(device.id).unregister();
    expect(await problemOf(allow(ports, owner, device.id, person))).toBe("not-found");
    expect(await rowsWith(bindings.DB_HOME, "device_guest", person)).toEqual([]);
  });

  it("while a switch is under way leaves no key and no record", async () => {
    const enrolled = await enroll(ports, owner);
    const { device, stub } = enrolled;
    await connect(ports, enrolled);
    const switched = [stub.setFeature("name", true), stub.setFeature("link", true)];
    const done = unregisterDevice(ports, owner, device.id);
    await Promise.allSettled([...switched, stub.setFeature("name", true), done]);
    await done;
    expect(await keysOf(`feature/${device.id}/`)).toEqual([]);
    expect(await stub.describe()).toBeNull();
  });
});

describe("the device's socket at the edge", () => {
  it("wakes no object for an id without a row, and says that it is gone", async () => {
    const enrolled = await enroll(ports, owner);
    const before = await objects();
    const ghost = newId("dev", "home", ports.random.bytes);
    const key = await newKey();
    const { origin } = ports.config;
    const assertion = await signAssertion(key.privateKey, ghost, origin, Date.now());
    expect((await askSocket(ports, enrolled, { assertion })).status).toBe(410);
    for (const token of ["x", "a.b.c", `a.${btoa('{"sub":"acc_home_0000000000000000"}')}.c`]) {
      expect((await askSocket(ports, enrolled, { assertion: token })).status).toBe(401);
    }
    expect(await objects()).toBe(before);
  });

  it("takes the peer from the edge and from no header of the device", async () => {
    const enrolled = await enroll(ports, owner);
    await setFeature(ports, owner, enrolled.device.id, "link", true);
    await connect(ports, enrolled, {
      headers: {
        [peerHeader]: "203.0.113.66",
        [wayHeader]: "door",
        "x-forwarded-for": "203.0.113.67",
      },
    });
    const { connection } = await getDevice(ports, owner, enrolled.device.id);
    expect(connection).toMatchObject({ online: true, address: "198.51.100.7" });
  });

  it("is an upgrade and offers our protocol", async () => {
    const enrolled = await enroll(ports, owner);
    const plain = { upgrade: "" };
    expect((await askSocket(ports, enrolled, { headers: plain })).status).toBe(426);
    const chat = { "sec-websocket-protocol": "chat, superchat" };
    expect((await askSocket(ports, enrolled, { headers: chat })).status).toBe(400);
    const both = { "sec-websocket-protocol": "chat, latchkey.link.v1" };
    const response = await askSocket(ports, enrolled, { headers: both });
    expect(response.headers.get("sec-websocket-protocol")).toBe("latchkey.link.v1");
    new Heard(response).socket.close();
  });
});
