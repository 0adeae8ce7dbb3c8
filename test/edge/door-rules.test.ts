/** Who may come in, by rules of paths: every mode for every visitor, and what ends when one changes. */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { type AccessMode, accessModes } from "../../durable-objects/device/rpc.ts";
import { limits } from "../../protocol/limits.ts";
import { frameType } from "../../protocol/link/frames.ts";
import { hashToken } from "../../protocol/tokens.ts";
import { handle } from "../../workers/app.ts";
import { allow, disallow, removeRule, setAccess, setRule } from "../../workers/devices/devices.ts";
import { blockPerson, removeContact } from "../../workers/people/contacts.ts";
import type { Ports } from "../../workers/ports.ts";
import { eraseAccount } from "../../workers/privacy/erase.ts";
import { revokeSession } from "../../workers/sign-in/sessions.ts";
import { completeSignIn } from "../support/person.ts";
import { testPorts } from "../support/ports.ts";
import { newPerson, problemOf } from "./devices-support.ts";
import { type Box, befriend, client, enter, NONCE, newBox, serve } from "./door-support.ts";

let ports: Ports;
let box: Box;
beforeEach(async () => {
  ({ ports } = testPorts({ env }));
  box = await newBox(ports);
});

const rule = (path: string, mode: AccessMode, service = "web") =>
  setRule(ports, box.owner, box.id, { service, path, mode });
const ruleAt = async (path: string) =>
  (await box.stub.describe())?.access.rules.find((one) => one.path === path)?.id ?? "";

const visitors = ["nobody", "owner", "listed", "contact", "stranger"] as const;
type Who = (typeof visitors)[number];

/** Whom each mode lets in. */
const lets: Record<AccessMode, readonly Who[]> = {
  owner: ["owner"],
  listed: ["owner", "listed"],
  contacts: ["owner", "contact"],
  everyone: visitors,
};

describe("[CON-3] the matrix", () => {
  const matrix = accessModes.flatMap((root) => accessModes.map((deep) => [root, deep] as const));

  it.each(matrix)("%s at /, %s at /deep, for each visitor and method", async (root, deep) => {
    const [listed, contact, stranger] = [await newPerson(), await newPerson(), await newPerson()];
    await befriend(ports, box.owner, contact);
    await setAccess(ports, box.owner, box.id, root);
    await rule("/deep", deep);
    await allow(ports, box.owner, box.id, listed);
    await allow(ports, box.owner, box.id, listed, await ruleAt("/deep"));
    void serve(box.agent);
    const accounts = { nobody: null, owner: box.owner, listed, contact, stranger };
    for (const who of visitors) {
      const account = accounts[who];
      const may = lets[root].includes(who) || lets[deep].includes(who);
      let cookie = "a=b";
      if (account !== null && may) cookie = await enter(box, account, who === "contact");
      else if (account !== null) {
        await expect(enter(box, account, who === "contact")).rejects.toThrow("forbidden");
      }
      for (const [path, mode] of [
        ["/", root],
        ["/x", root],
        ["/deep", deep],
        ["/deep/x?a=b", deep],
        ["/x/..%2fdeep", null],
      ] as const) {
        const modes = mode === null ? [root, deep] : [mode];
        for (const method of ["GET", "HEAD", "POST", "DELETE"]) {
          const headers = { cookie, "sec-fetch-site": "same-origin" };
          const response = await box.ask(path, { method, headers });
          await response.text();
          const passes = modes.every((one) => lets[one].includes(who));
          const refused = account === null || !may ? 401 : 403;
          expect([who, path, method, response.status]).toEqual([
            who,
            path,
            method,
            passes ? 200 : refused,
          ]);
        }
      }
    }
  });
});

describe("a rule", () => {
  it("is refused for a path that a device may read as another", async () => {
    for (const path of ["/a;b", "/a%2fb", "/a//b", "a", "/x?y", "https://other.example/"]) {
      expect(await problemOf(rule(path, "owner"))).toBe("path-unclear");
    }
    expect(await problemOf(rule("/ssh", "owner", "ssh"))).toBe("bad-request");
    expect(await problemOf(rule("/", "everyone", "ssh"))).toBe("bad-request");
  });

  it("changes the one of its path, and has an end in number", async () => {
    await rule("/a", "owner");
    expect((await rule("/a/", "everyone")).access.rules).toMatchObject([
      { path: "/a", mode: "everyone" },
    ]);
    for (let count = 1; count < limits.rulesPerDevice; count++) await rule(`/a/${count}`, "owner");
    expect(await problemOf(rule("/more", "owner"))).toBe("too-many");
    expect((await rule("/a/1", "everyone")).access.rules).toHaveLength(limits.rulesPerDevice);
  });

  it("of a service says who may use it; without one its owner alone", async () => {
    const [listed, contact] = [await newPerson(), await newPerson()];
    const may = (who: string, isContact = false) => box.stub.mayUse("ssh", who, isContact);
    const all = async () => [await may(box.owner), await may(listed), await may(contact, true)];
    await setAccess(ports, box.owner, box.id, "everyone");
    expect(await all()).toEqual([true, false, false]);
    await rule("/", "listed", "ssh");
    const id = (await box.stub.describe())?.access.rules[0]?.id ?? "";
    await allow(ports, box.owner, box.id, listed, id);
    expect(await all()).toEqual([true, true, false]);
    await rule("/", "contacts", "ssh");
    expect(await all()).toEqual([true, false, true]);
    await removeRule(ports, box.owner, box.id, id);
    expect(await all()).toEqual([true, false, false]);
    await box.stub.setFeature("link", false);
    expect(await all()).toEqual([false, false, false]);
  });

  it("is nobody's but the owner's", async () => {
    const other = await newPerson();
    const wish = { service: "web", path: "/a", mode: "everyone" } as const;
    expect(await problemOf(setRule(ports, other, box.id, wish))).toBe("not-found");
    expect(await problemOf(removeRule(ports, other, box.id, "rul"))).toBe("not-found");
    expect((await box.stub.describe())?.access.rules).toEqual([]);
  });

  it("notes a listed person in their region while any list has them", async () => {
    const person = await newPerson();
    const noted = async () =>
      (await (env as unknown as { DB_HOME: D1Database }).DB_HOME.prepare(
        "SELECT count(*) AS count FROM device_guest WHERE account_id = ?",
      )
        .bind(person)
        .first("count")) as number;
    await rule("/a", "listed");
    const id = await ruleAt("/a");
    await allow(ports, box.owner, box.id, person);
    await allow(ports, box.owner, box.id, person, id);
    await disallow(ports, box.owner, box.id, person);
    expect(await noted()).toBe(1);
    await removeRule(ports, box.owner, box.id, id);
    expect(await noted()).toBe(0);
  });
});

describe("a right that goes", () => {
  /** A download and a request without an answer, both on their way as `account`. */
  async function underWay(cookie: string, path = "/deep/film") {
    const asked = box.ask(path, { headers: { cookie } });
    const { stream } = await box.agent.request();
    box.agent.head(stream, 200);
    box.agent.data(stream, "x");
    const film = await asked;
    const waiting = box.ask(path, { headers: { cookie } });
    await box.agent.request();
    return { film, waiting };
  }

  const ways: [string, (person: string) => Promise<unknown>][] = [
    [
      "the list of its rule",
      async (p) => disallow(ports, box.owner, box.id, p, await ruleAt("/deep")),
    ],
    ["the mode of its rule", () => rule("/deep", "owner")],
    ["its rule", async () => removeRule(ports, box.owner, box.id, await ruleAt("/deep"))],
    ["a new rule below it", () => rule("/deep/film", "owner")],
    ["the person", (person) => eraseAccount(ports, person)],
  ];
  it.each(ways)(
    "[RGT-14] ends what is on its way, both ends told before the change is answered: %s",
    async (_name, end) => {
      const person = await newPerson();
      await rule("/deep", "listed");
      await allow(ports, box.owner, box.id, person, await ruleAt("/deep"));
      const cookie = await enter(box, person);
      const { film, waiting } = await underWay(cookie);
      await end(person);
      await expect(film.text()).rejects.toThrow();
      expect((await waiting).status).toBe(403);
      // The device hears of both, not only of what comes next.
      for (let told = 0; told < 2; told++) await box.agent.next(frameType.reset);
      expect([401, 403]).toContain((await box.ask("/deep/film", { headers: { cookie } })).status);
    },
  );

  const unfriend: [string, (me: string, other: string) => Promise<unknown>][] = [
    ["the owner ends it", (owner, contact) => removeContact(ports, owner, contact, client)],
    ["the contact ends it", (owner, contact) => removeContact(ports, contact, owner, client)],
    ["the owner blocks", (owner, contact) => blockPerson(ports, owner, contact, client)],
    ["the contact blocks", (owner, contact) => blockPerson(ports, contact, owner, client)],
    ["the contact is erased", (_owner, contact) => eraseAccount(ports, contact)],
  ];
  it.each(unfriend)(
    "[CON-3] goes with the contact, and what is on its way: %s",
    async (_name, end) => {
      const { cookie, contact } = await contactAtDoor();
      const { film, waiting } = await underWay(cookie, "/");
      await end(box.owner, contact);
      await expect(film.text()).rejects.toThrow();
      expect((await waiting).status).toBe(403);
      expect([401, 403]).toContain((await box.ask("/", { headers: { cookie } })).status);
    },
  );

  /** Comes in over the console's host, which looks whether they are contacts. */
  async function handOver(session: { token: string }) {
    const query = new URLSearchParams({ label: box.label, nonce: await hashToken(NONCE), to: "/" });
    const headers = { cookie: `__Host-sid=${session.token}` };
    return await handle(
      new Request(`${ports.config.origin}/door?${query}`, { headers, redirect: "manual" }),
      ports,
    );
  }

  async function contactAtDoor() {
    const contact = await newPerson();
    await befriend(ports, box.owner, contact);
    await setAccess(ports, box.owner, box.id, "contacts");
    const session = await completeSignIn(
      ports,
      { accountId: contact, methods: ["password"] },
      client,
    );
    const handed = await handOver(session);
    const target = new URL(handed.headers.get("location") ?? "");
    const entered = await box.ask(target.pathname + target.search, {
      headers: { cookie: `__Host-door-nonce=${NONCE}` },
    });
    const token = /__Host-door=(lk_dor_\w+)/.exec(entered.headers.getSetCookie().join())?.[1];
    return { contact, session, cookie: `__Host-door=${token}` };
  }

  it("goes for a contact with the session it began in, though no list has them", async () => {
    const { contact, session, cookie } = await contactAtDoor();
    const { film } = await underWay(cookie, "/");
    await revokeSession(ports, contact, session.sessionId);
    await expect(film.text()).rejects.toThrow();
    expect((await box.ask("/", { headers: { cookie } })).status).toBe(401);
  });

  it("does not come back to somebody who is no contact any more", async () => {
    const { contact, session } = await contactAtDoor();
    await removeContact(ports, contact, box.owner, client);
    expect((await handOver(session)).status).toBe(403);
    const stranger = await newPerson();
    const other = await completeSignIn(
      ports,
      { accountId: stranger, methods: ["password"] },
      client,
    );
    expect((await handOver(other)).status).toBe(403);
  });

  it("is every one of those by which an odd path was let in", async () => {
    const person = await newPerson();
    await setAccess(ports, box.owner, box.id, "listed");
    await allow(ports, box.owner, box.id, person);
    await rule("/deep", "listed");
    await allow(ports, box.owner, box.id, person, await ruleAt("/deep"));
    const { film } = await underWay(await enter(box, person), "/x%2f..%2fdeep");
    const owners = await enter(box, box.owner);
    await disallow(ports, box.owner, box.id, person, await ruleAt("/deep"));
    // What the device is told of the end stands before what it is asked next.
    void box.ask("/", { headers: { cookie: owners } });
    await box.agent.request();
    expect(box.agent.count(frameType.reset)).toBe(2);
    await expect(film.text()).rejects.toThrow();
  });

  it("leaves alone whoever has it still", async () => {
    const [person, other] = [await newPerson(), await newPerson()];
    await rule("/deep", "listed");
    for (const one of [person, other]) {
      await allow(ports, box.owner, box.id, one, await ruleAt("/deep"));
    }
    const cookie = await enter(box, other);
    const asked = box.ask("/deep", { headers: { cookie } });
    const { stream } = await box.agent.request();
    await disallow(ports, box.owner, box.id, person, await ruleAt("/deep"));
    await rule("/elsewhere", "owner");
    await setAccess(ports, box.owner, box.id, "everyone");
    box.agent.answer(stream, 200, [], "still here");
    expect(await (await asked).text()).toBe("still here");
    expect(box.agent.count(frameType.reset)).toBe(0);
  });
});
