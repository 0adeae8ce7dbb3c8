/** Devices as their owner changes them: whose they are, who may come in, and the device's socket. */

import { listDurableObjectIds } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { peerHeader, wayHeader } from "../../durable-objects/device/rpc.ts";
import { signAssertion } from "../../protocol/assertion.ts";
import { newId } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import {
  allow,
  disallow,
  getDevice,
  listDevices,
  ownDevice,
  setAccess,
  setFeature,
  unregisterDevice,
} from "../../workers/devices/devices.ts";
import { endNameToken, listNameTokens } from "../../workers/name/tokens.ts";
import type { Ports } from "../../workers/ports.ts";
import { nameSecret } from "../support/name.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import {
  askSocket,
  bindings,
  connect,
  type Enrolled,
  enroll,
  Heard,
  newKey,
  newPerson,
  poll,
  problemOf,
  rowsWith,
  twoRegions,
} from "./devices-support.ts";

let test: TestPorts;
const client = { userAgent: "curl/8.5.0", peer: "198.51.100.7" };
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
    makeNameToken: (account, device) => nameSecret(ports, account, device),
    listNameTokens: (account, device) => listNameTokens(ports, account, device),
    endNameToken: (account, device) =>
      endNameToken(ports, account, device, "ntk_home_0000000000000000", client),
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
    expect(access).toEqual({
      mode: "owner",
      people: [],
      rules: [],
      identity: "off",
      closed: null,
    });
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
              const answer = await ports.devices.get(deviceId).allow(accountId, null);
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

it("a token of the name exists only while the name is on, and until it is ended", async () => {
  const { device } = await enroll(ports, owner);
  expect(await problemOf(nameSecret(ports, owner, device.id))).toBe("feature-off");
  await setFeature(ports, owner, device.id, "name", true);
  const first = await nameSecret(ports, owner, device.id);
  const second = await nameSecret(ports, owner, device.id);
  expect([first, second]).toEqual([
    expect.stringMatching(/^lk_upd_home_/),
    expect.stringMatching(/^lk_upd_home_/),
  ]);
  const set = { ipv4: { set: "198.51.100.20" }, ipv6: "keep" } as const;
  const stub = ports.devices.get(device.id);
  const [{ id } = { id: "" }] = await listNameTokens(ports, owner, device.id);
  await endNameToken(ports, owner, device.id, id, client);
  expect(await problemOf(endNameToken(ports, owner, device.id, id, client))).toBe("not-found");
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
