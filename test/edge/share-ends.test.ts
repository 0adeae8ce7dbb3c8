/**
 * The end of a share, for what is on its way by it: a download and a WebSocket, of whoever has the link
 * and of a person it is for. And what is left of the share and of its people, in any store.
 */

import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import type { DeviceStub } from "../../durable-objects/device/rpc.ts";
import { limits } from "../../protocol/limits.ts";
import { listShares, makeShare, type ShareWish, stopShare } from "../../workers/devices/shares.ts";
import { eraseAccount } from "../../workers/privacy/erase.ts";
import { sweep } from "../../workers/privacy/sweep.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { bindings, newPerson, rowsWith } from "./devices-support.ts";
import { type Box, client, enter, newBox, openLink, visitIn } from "./door-support.ts";
import { VisitorSocket } from "./visitor-socket.ts";

const DAY = 24 * 60 * 60 * 1000;
let test: TestPorts;
let box: Box;
beforeEach(async () => {
  test = testPorts({ env });
  box = await newBox(test.ports);
});

const objectOf = () => bindings.DEVICES.getByName(box.id);

function share(wish: Partial<ShareWish> = {}) {
  const whole: ShareWish = {
    ...{ path: "/photos", name: "Photos", audience: "link", people: [], password: null },
    expiresAt: test.clock.now() + limits.shareMs,
    ...wish,
  };
  return makeShare(test.ports, box.owner, box.id, whole, client);
}

/** A download and a WebSocket that have begun; what becomes of each when both have ended. */
async function onTheirWay(cookie: string) {
  const headers = { cookie };
  const knocked = box.ask("/photos/live", { headers: { ...headers, upgrade: "websocket" } });
  await box.agent.hello();
  const live = await box.agent.request();
  box.agent.head(live.stream, 101);
  const { webSocket } = (await knocked) as unknown as { webSocket: WebSocket };
  const asked = box.ask("/photos/film", { headers });
  const film = await box.agent.request();
  box.agent.head(film.stream, 200);
  box.agent.data(film.stream, "x");
  const text = (await asked).text();
  text.catch(() => {});
  const socket = new VisitorSocket(webSocket);
  return async () => {
    const read = await text.then(
      () => "whole",
      () => "broken off",
    );
    return [read, (await socket.closed).code];
  };
}

async function byLink() {
  const { address, share: made } = await share();
  return { made, cookie: visitIn(await openLink(box, address)), address };
}

describe("[RGT-14] what is on its way by a share ends at once", () => {
  it.each([
    ["the owner's account is erased", () => eraseAccount(test.ports, box.owner), 1001],
    ["Link is switched off", () => box.stub.setFeature("link", false), 1001],
  ] as const)("for whoever has its link, when %s", async (_name, end, code) => {
    const { cookie } = await byLink();
    const ended = await onTheirWay(cookie);
    await end();
    expect(await ended()).toEqual(["broken off", code]);
  });

  it.each(["it is stopped", "its time has come"])(
    "for whoever has its link, when %s",
    async (how) => {
      const { cookie, made } = await byLink();
      const ended = await onTheirWay(cookie);
      if (how === "it is stopped") {
        await stopShare(test.ports, box.owner, box.id, made.id, client);
      } else {
        await runInDurableObject(objectOf(), (_object, state) => {
          state.storage.sql.exec("UPDATE share SET expires_at = ?", Date.now());
        });
        await runDurableObjectAlarm(objectOf());
      }
      expect(await ended()).toEqual(["broken off", 1008]);
    },
  );

  it.each(["their account is erased", "it is stopped"])(
    "for a person it is for, when %s, and for nobody else",
    async (how) => {
      const [one, other] = [await newPerson(), await newPerson()];
      const { share: made } = await share({ audience: "people", people: [one] });
      await share({ path: "/photos/theirs", audience: "people", people: [other] });
      const cookie = await enter(box, other);
      const ended = await onTheirWay(await enter(box, one));
      const asked = box.ask("/photos/theirs", { headers: { cookie } });
      const { stream } = await box.agent.request();
      box.agent.head(stream, 200);
      if (how === "it is stopped") {
        await stopShare(test.ports, box.owner, box.id, made.id, client);
      } else {
        await eraseAccount(test.ports, one);
      }
      expect(await ended()).toEqual(["broken off", 1008]);
      box.agent.data(stream, "whole", true);
      expect(await (await asked).text()).toBe("whole");
    },
  );
});

it("[RGT-14] a person who is erased while something is shared with them is in no share", async () => {
  const [leaver, stays] = [await newPerson(), await newPerson()];
  const { devices } = test.ports;
  /** The device's object, which hears of the share only after the erasure has passed it. */
  const late = (id: string): DeviceStub => {
    const stub = devices.get(id);
    const makeShare: DeviceStub["makeShare"] = async (wanted) => {
      await eraseAccount(test.ports, leaver);
      return await stub.makeShare(wanted);
    };
    return new Proxy(stub, {
      get: (target, name) => (name === "makeShare" ? makeShare : Reflect.get(target, name)),
    });
  };
  let calls = 0;
  const ports = {
    ...test.ports,
    // The first look is at the owner's device; what comes after the share asks the object itself.
    devices: { get: (id: string) => (calls++ === 0 ? late(id) : devices.get(id)) },
  };
  const wish = { path: "/photos", name: "", audience: "people", password: null } as const;
  const expiresAt = test.clock.now() + limits.shareMs;
  const people = [leaver, stays];
  await makeShare(ports, box.owner, box.id, { ...wish, people, expiresAt }, client);
  expect((await listShares(test.ports, box.owner, box.id))[0]?.people).toEqual([stays]);
});

describe("[FEA-6] a share that was stopped", () => {
  it("opens nothing from that moment, by its link or by name", async () => {
    const person = await newPerson();
    const { cookie, made, address } = await byLink();
    const { share: theirs } = await share({ audience: "people", people: [person] });
    const named = await enter(box, person);
    for (const { id } of [made, theirs]) {
      await stopShare(test.ports, box.owner, box.id, id, client);
    }
    for (const visit of [cookie, named]) {
      expect((await box.ask("/photos/a", { headers: { cookie: visit } })).status).toBe(401);
    }
    expect((await openLink(box, address)).status).toBe(403);
    await expect(enter(box, person)).rejects.toThrow("forbidden");
    expect(await listShares(test.ports, box.owner, box.id)).toEqual([]);
  });

  it("leaves nothing of itself at once, and of whom it was for nothing after 24 hours", async () => {
    const person = await newPerson();
    const { share: made } = await share({ audience: "people", people: [person] });
    const stays = await share({ path: "/other", audience: "people", people: [await newPerson()] });
    await enter(box, person);
    await stopShare(test.ports, box.owner, box.id, made.id, client);
    const held = await runInDurableObject(objectOf(), (_object, state) => {
      const names = [
        ...state.storage.sql.exec("SELECT name FROM sqlite_master WHERE type = 'table'"),
      ];
      return names
        .filter(({ name }) => !/^(_cf|sqlite)/.test(String(name)))
        .map(({ name }) => JSON.stringify([...state.storage.sql.exec(`SELECT * FROM "${name}"`)]))
        .join("\n");
    });
    expect(held).toContain(stays.share.id);
    for (const gone of [person, made.id]) expect(held).not.toContain(gone);
    test.clock.advance(DAY);
    await sweep(test.ports);
    expect(await rowsWith(bindings.DB_HOME, "door_reach", person)).toEqual([]);
    const [other = ""] = stays.share.people;
    expect(await rowsWith(bindings.DB_HOME, "door_reach", other)).toHaveLength(1);
  });
});
