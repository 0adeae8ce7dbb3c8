/** Shares of one file or folder: by link, with people. */

import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { handle } from "../../workers/app.ts";
import { setAccess, unregisterDevice } from "../../workers/devices/devices.ts";
import { listShares, makeShare, type ShareWish, stopShare } from "../../workers/devices/shares.ts";
import { eraseAccount } from "../../workers/privacy/erase.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { bindings, newPerson, problemOf, rowsWith } from "./devices-support.ts";
import { type Box, client, enter, newBox, openLink, serve, visitIn } from "./door-support.ts";

const closure = { reason: "phishing", extent: "open", words: "A copy of a bank.", at: 7 } as const;

let test: TestPorts;
let box: Box;
beforeEach(async () => {
  test = testPorts({ env });
  box = await newBox(test.ports);
});

const objectOf = () => bindings.DEVICES.getByName(box.id);

function share(wish: Partial<ShareWish> = {}) {
  const whole: ShareWish = {
    path: "/photos/a.jpg",
    name: "A photo",
    audience: "link",
    people: [],
    password: null,
    expiresAt: test.clock.now() + limits.shareMs,
    ...wish,
  };
  return makeShare(test.ports, box.owner, box.id, whole, client);
}

const status = async (path: string, cookie: string) => {
  const response = await box.ask(path, { headers: { cookie } });
  await response.text();
  return response.status;
};

describe("[FEA-6] a share by link", () => {
  it("opens one file without an account, and nothing else", async () => {
    void serve(box.agent);
    const { address } = await share();
    const opened = await openLink(box, address);
    expect([opened.status, opened.headers.get("location")]).toEqual([303, "/photos/a.jpg"]);
    const cookie = visitIn(opened);
    expect(await status("/photos/a.jpg", cookie)).toBe(200);
    for (const path of ["/", "/photos", "/photos/b.jpg", "/photos/a.jpg/..%2fb.jpg"]) {
      expect([path, await status(path, cookie)]).toEqual([path, 401]);
    }
    expect(await status("/photos/a.jpg", "")).toBe(401);
  });

  it("is held as a hash, and what it is of is sealed", async () => {
    const { address } = await share({ password: "open sesame" });
    const secret = /share\/(\w+)/.exec(address)?.[1] ?? "";
    const rows = await runInDurableObject(objectOf(), (_object, state) =>
      JSON.stringify([...state.storage.sql.exec("SELECT * FROM share")]),
    );
    for (const hidden of [secret, "photos", "A photo", "sesame"])
      expect(rows).not.toContain(hidden);
    expect(await listShares(test.ports, box.owner, box.id)).toMatchObject([
      { path: "/photos/a.jpg", name: "A photo", audience: "link", hasPassword: true },
    ]);
  });

  const ends: [string, (id: string) => Promise<unknown>][] = [
    ["it is stopped", (id) => stopShare(test.ports, box.owner, box.id, id, client)],
    ["the door is closed by the operator", () => box.stub.close(closure)],
    ["Link is switched off", () => box.stub.setFeature("link", false)],
    ["the device is unregistered", () => unregisterDevice(test.ports, box.owner, box.id)],
    [
      "its time has come",
      async () => {
        await runInDurableObject(objectOf(), (_object, state) => {
          state.storage.sql.exec("UPDATE share SET expires_at = ?", Date.now());
        });
        await runDurableObjectAlarm(objectOf());
      },
    ],
  ];
  it.each(ends)(
    "[RGT-14] ends with what is on its way when %s, and opens no more",
    async (_name, end) => {
      const { address, share: made } = await share();
      const cookie = visitIn(await openLink(box, address));
      const asked = box.ask("/photos/a.jpg", { headers: { cookie } });
      const { stream } = await box.agent.request();
      box.agent.head(stream, 200);
      box.agent.data(stream, "x");
      const film = await asked;
      await end(made.id);
      await expect(film.text()).rejects.toThrow();
      expect([401, 403, 404]).toContain(await status("/photos/a.jpg", cookie));
      const again = await openLink(box, address);
      expect([again.status, again.headers.getSetCookie()]).toEqual([403, []]);
    },
  );

  it("is one answer for what is unknown, stopped or wrong, and for no device at all", async () => {
    const [locked, stopped] = [await share({ password: "open sesame" }), await share()];
    await stopShare(test.ports, box.owner, box.id, stopped.share.id, client);
    const elsewhere = await newBox(test.ports);
    const nowhere = {
      ask: (path: string, init?: RequestInit) =>
        handle(
          new Request(`http://not-there.link.localhost:8787${path}`, init),
          test.ports,
        ) as Promise<Response>,
    };
    const made = locked.address.replace(/lk_shr_\w+/, (secret) => `${secret.slice(0, -1)}x`);
    const say = async (device: Pick<Box, "ask">, address: string, password = "") => {
      const asked = { accept: "text/html" };
      const response = await openLink(device, address, password, asked);
      const text = (await response.text())
        .replaceAll(/nonce[-="]+[\w-]+/g, "")
        .replaceAll(/lk_shr_\w+/g, "")
        .replaceAll(new RegExp(`${box.label}|${elsewhere.label}|not-there`, "g"), "LABEL");
      return [response.status, response.headers.get("content-type"), text];
    };
    const wrong = await say(box, locked.address, "close sesame");
    expect(wrong[0]).toBe(403);
    for (const other of [
      await say(box, locked.address),
      await say(box, made, "open sesame"),
      await say(elsewhere, locked.address, "open sesame"),
      await say(nowhere, locked.address, "open sesame"),
      await say(box, `${stopped.address}/locked`, "open sesame"),
    ]) {
      expect(other).toEqual(wrong);
    }
    // Before anything was tried the page says as little.
    const page = async (device: Pick<Box, "ask">, address: string) =>
      (await device.ask(new URL(address).pathname, { headers: { accept: "text/html" } })).status;
    for (const [device, address] of [
      [box, made],
      [nowhere, stopped.address],
    ] as const) {
      expect(await page(device, address)).toBe(200);
    }
  });

  it("counts tries of its password, by network and all together", async () => {
    const { address } = await share({ password: "open sesame" });
    for (let tries = 0; tries < limits.shareTriesPerLinkNetwork; tries++) {
      expect((await openLink(box, address, "close sesame")).status).toBe(403);
    }
    expect((await openLink(box, address, "open sesame")).status).toBe(429);
    const other = testPorts({ env, peer: "203.0.113.9" });
    const asked = await handle(
      new Request(`http://${box.label}.link.localhost:8787${new URL(address).pathname}`, {
        method: "POST",
        headers: { "sec-fetch-site": "same-origin" },
        body: "password=open+sesame",
        redirect: "manual",
      }),
      other.ports,
    );
    expect(asked.status).toBe(303);
  });

  it("counts all tries of one link, and all links that one network tries", async () => {
    const { pathname } = new URL((await share({ password: "open sesame" })).address);
    const status = async (peer: string, path: string, password: string) => {
      const asked = new Request(`http://${box.label}.link.localhost:8787${path}`, {
        method: "POST",
        headers: { "sec-fetch-site": "same-origin" },
        body: new URLSearchParams({ password }).toString(),
        redirect: "manual",
      });
      return (await handle(asked, { ...test.ports, peer })).status;
    };
    for (let tries = 0; tries < limits.shareTriesPerLink; tries++) {
      const peer = `203.0.113.${Math.floor(tries / limits.shareTriesPerLinkNetwork)}`;
      expect(await status(peer, pathname, "close sesame")).toBe(403);
    }
    expect(await status("203.0.113.99", pathname, "open sesame")).toBe(429);
    test.clock.advance(limits.shareWindowMs);
    expect(await status("203.0.113.99", pathname, "open sesame")).toBe(303);
    for (let tries = 0; tries < limits.shareTriesPerNetwork; tries++) {
      const made = `/.well-known/latchkey/share/lk_shr_home_${tries}`;
      expect(await status("192.0.2.9", made, "")).toBe(403);
    }
    expect(await status("192.0.2.9", pathname, "open sesame")).toBe(429);
  });

  it("is opened by no page of another site, and by no mere look", async () => {
    const { address } = await share();
    expect((await openLink(box, address, "", { "sec-fetch-site": "cross-site" })).status).toBe(403);
    const looked = await box.ask(new URL(address).pathname);
    expect([looked.status, looked.headers.getSetCookie()]).toEqual([200, []]);
  });

  it("stays open beside a visit by name, and the other way round", async () => {
    void serve(box.agent);
    const person = await newPerson();
    await setAccess(test.ports, box.owner, box.id, "listed");
    await box.stub.setRule("web", "/more", "listed");
    const rule = (await box.stub.describe())?.access.rules[0]?.id ?? "";
    await box.stub.allow(person, rule);
    const { address } = await share();
    const before = visitIn(await openLink(box, address));
    const both = await enter(box, person, false, before);
    expect([await status("/photos/a.jpg", both), await status("/more", both)]).toEqual([200, 200]);
    expect(await status("/photos/a.jpg", before), "one cookie took the place of the other").toBe(
      401,
    );
    await box.stub.disallow(person, rule);
    expect([await status("/photos/a.jpg", both), await status("/more", both)]).toEqual([200, 401]);
  });
});

describe("a share with people", () => {
  it("opens for them alone, and they are forgotten with it and with their account", async () => {
    void serve(box.agent);
    const [one, other, stranger] = [await newPerson(), await newPerson(), await newPerson()];
    const { share: made, address } = await share({ audience: "people", people: [one, other] });
    expect(address).toMatch(/\/photos\/a\.jpg$/);
    const [cookie, others] = [await enter(box, one), await enter(box, other)];
    expect([await status("/photos/a.jpg", cookie), await status("/", cookie)]).toEqual([200, 403]);
    await expect(enter(box, stranger)).rejects.toThrow("forbidden");
    expect(await rowsWith(bindings.DB_HOME, "door_reach", one)).toHaveLength(1);
    await eraseAccount(test.ports, other);
    expect(await status("/photos/a.jpg", others)).toBe(401);
    expect((await listShares(test.ports, box.owner, box.id))[0]?.people).toEqual([one]);
    await stopShare(test.ports, box.owner, box.id, made.id, client);
    expect(await status("/photos/a.jpg", cookie)).toBe(401);
    const [row] = (await rowsWith(bindings.DB_HOME, "door_reach", one)) as { expires_at: number }[];
    expect(row?.expires_at).toBeLessThanOrEqual(test.clock.now() + limits.doorSessionMs);
  });

  it("is refused with the field that is wrong", async () => {
    const now = test.clock.now();
    const cases: [Partial<ShareWish>, string][] = [
      [{ path: "/files?path=/a" }, "path-unclear"],
      [{ path: "/a/..%2fb" }, "path-unclear"],
      [{ expiresAt: now }, "share-period"],
      [{ expiresAt: now + limits.shareMs + 1 }, "share-period"],
      [{ password: "abc" }, "share-password"],
      [{ audience: "people" }, "bad-request"],
      [{ audience: "people", people: ["ada"] }, "id-syntax"],
      [{ audience: "people", people: [box.owner] }, "bad-request"],
      [{ audience: "contacts", password: "open sesame" }, "bad-request"],
    ];
    for (const [wish, code] of cases)
      expect([wish, await problemOf(share(wish))]).toEqual([wish, code]);
    await box.stub.setFeature("link", false);
    expect(await problemOf(share())).toBe("feature-off");
    const other = await newPerson();
    expect(await problemOf(listShares(test.ports, other, box.id))).toBe("not-found");
    expect(await problemOf(stopShare(test.ports, other, box.id, "shr", client))).toBe("not-found");
  });
});
