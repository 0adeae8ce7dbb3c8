/**
 * Who passes a door, in its corners: lists that outlive a rule, codes and visits at the moment of their end,
 * what a browser is asked first, pages of other sites.
 */

import { beforeEach, describe, expect, it } from "vitest";
import { doorHeader } from "../../durable-objects/device/door.ts";
import { identityHeader } from "../../durable-objects/device/rpc.ts";
import { limits } from "../../protocol/limits.ts";
import {
  ada,
  ask,
  bob,
  codeFor,
  enter,
  enterWith,
  freshDoor,
  held,
  OWNER,
  open,
  rows,
  ruleAt,
  says,
  share,
} from "../support/door.ts";

freshDoor();

describe("a rule", () => {
  it("takes its list along when it goes: a new one for the path begins with nobody", async () => {
    await held.device.doorway.setRule("web", "/a", "listed");
    await held.device.doorway.allow(ada, await ruleAt("/a"));
    await held.device.doorway.removeRule(await ruleAt("/a"));
    expect(rows("guest")).toEqual([]);
    await held.device.doorway.setRule("web", "/a", "listed");
    expect(await codeFor(ada)).toBe("forbidden");
  });

  it("is not gone around by its removal: that of / stays", async () => {
    const [root] = held.sql.all<{ id: string }>("SELECT id FROM door_rule");
    await held.device.doorway.removeRule(root?.id ?? "");
    expect((await held.device.describe())?.access.mode).toBe("owner");
    expect(await says("/")).toBe("sign-in");
  });

  it("asks for its own list, not for any", async () => {
    await held.device.doorway.setRule("web", "/a", "listed");
    await held.device.doorway.setRule("web", "/b", "listed");
    await held.device.doorway.allow(ada, await ruleAt("/a"));
    await held.device.doorway.allow(bob, await ruleAt("/b"));
    const visit = await enter(ada);
    expect([await says("/a", visit), await says("/b", visit)]).toEqual(["in", "forbidden"]);
  });

  it("holds at once after a change, in an object that has read it before", async () => {
    expect(await says("/")).toBe("sign-in");
    await held.device.doorway.setAccess("everyone");
    expect(await says("/")).toBe("in");
    await held.device.doorway.setRule("web", "/a", "owner");
    expect(await says("/a/b")).toBe("sign-in");
    await held.device.doorway.setRule("web", "/a", "everyone");
    expect(await says("/a/b")).toBe("in");
    await held.device.doorway.setAccess("owner");
    expect(await says("/c")).toBe("sign-in");
  });

  it("has a list of so many people, and of no more", async () => {
    const person = (at: number) => `acc_home_${String(at).padStart(16, "0")}`;
    for (let at = 0; at < limits.peoplePerDevice; at++) {
      expect(typeof (await held.device.doorway.allow(person(at)))).toBe("object");
    }
    expect(await held.device.doorway.allow(person(limits.peoplePerDevice))).toBe("full");
    expect(typeof (await held.device.doorway.allow(person(0))), "listed already").toBe("object");
  });

  it("of a service lets in nobody whom only a path lets in, and never everyone", async () => {
    await held.device.doorway.setAccess("everyone");
    await held.device.doorway.setRule("ssh", "/", "everyone");
    expect(await held.device.doorway.mayUse("ssh", ada, true)).toBe(false);
    expect(await held.device.doorway.mayUse("web", ada, true)).toBe(false);
    await held.device.doorway.setRule("ssh", "/", "contacts");
    expect([
      await held.device.doorway.mayUse("ssh", ada, true),
      await held.device.doorway.mayUse("ssh", ada, false),
    ]).toEqual([true, false]);
  });
});

describe("a code of the door", () => {
  beforeEach(async () => {
    await held.device.doorway.setAccess("listed");
    await held.device.doorway.allow(ada);
  });

  it("is over at its minute", async () => {
    for (const [later, then] of [
      [limits.doorCodeMs - 1, "__Host-door="],
      [limits.doorCodeMs, "bad-code"],
    ] as const) {
      const code = await codeFor(ada);
      held.clock.time += later;
      expect(await enterWith(code)).toContain(then);
    }
  });

  it("is used up by the wrong browser", async () => {
    const code = await codeFor(ada);
    const wrong = await ask(
      `/.well-known/latchkey/enter?code=${code}&to=/`,
      `__Host-door-nonce=${"m".repeat(43)}`,
    );
    expect(wrong.headers.get(doorHeader)).toBe("bad-code");
    expect(await enterWith(code)).toBe("bad-code");
  });

  it("lets nobody in whose right went meanwhile, also if it comes back", async () => {
    const code = await codeFor(ada);
    await held.device.doorway.disallow(ada);
    expect(rows("door_code")).toEqual([]);
    await held.device.doorway.allow(ada);
    expect(await enterWith(code)).toBe("bad-code");
  });

  it("makes no contact of somebody who was one when they asked", async () => {
    await held.device.doorway.setAccess("contacts");
    const code = await codeFor(bob, true);
    await held.device.doorway.endContact(bob);
    expect(await enterWith(code)).toBe("bad-code");
    await held.device.doorway.setRule("web", "/friends", "listed");
    await held.device.doorway.allow(bob, await ruleAt("/friends"));
    const other = await codeFor(bob, true);
    await held.device.doorway.endContact(bob);
    const visit = await enterWith(other);
    expect([await says("/", visit), await says("/friends", visit)]).toEqual(["forbidden", "in"]);
  });

  it("goes with the session that asked for it", async () => {
    const code = await codeFor(ada);
    await held.device.doorway.endVisits(`ses_${ada}`);
    expect(await enterWith(code)).toBe("bad-code");
  });
});

describe("a visit", () => {
  it("is over at its end, swept or not", async () => {
    const visit = await enter(OWNER);
    held.clock.time += limits.doorSessionMs - 1;
    expect(await says("/", visit)).toBe("in");
    held.clock.time += 1;
    expect(await says("/", visit)).toBe("sign-in");
  });

  it("that a link began lasts no longer for another link", async () => {
    const [one, other] = [await share(), await share({ path: "/films" })];
    const visit = await open(one.secret);
    held.clock.time += limits.doorSessionMs / 2;
    expect(await open(other.secret, visit)).toBe(visit);
    held.clock.time += limits.doorSessionMs / 2;
    expect([await says("/photos", visit), await says("/films", visit)]).toEqual([
      "sign-in",
      "sign-in",
    ]);
  });

  it("takes what the browser had opened along, and its own cookie out of use", async () => {
    const { secret } = await share();
    const before = await open(secret);
    await held.device.doorway.setRule("web", "/a", "listed");
    await held.device.doorway.allow(ada, await ruleAt("/a"));
    const visit = await enter(ada, false, before);
    expect([await says("/photos/1", visit), await says("/a", visit)]).toEqual(["in", "in"]);
    expect(await says("/photos/1", before)).toBe("sign-in");
    expect(rows("door_session")).toHaveLength(1);
  });

  it("leaves nothing behind when it ends", async () => {
    const { secret } = await share();
    const visit = await open(secret);
    expect(await says("/.well-known/latchkey/leave", visit)).toBe("left");
    expect([rows("door_session"), rows("door_opened")]).toEqual([[], []]);
  });

  it("of no known kind is nobody's", async () => {
    await held.device.doorway.setAccess("everyone");
    await held.device.doorway.setRule("web", "/a", "listed");
    for (const cookie of [
      "__Host-door=",
      "__Host-door=x",
      `__Host-door=lk_dor_home_${"a".repeat(49)}`,
    ]) {
      expect(await says("/a", cookie)).toBe("sign-in");
    }
  });
});

describe("what a browser is asked at an open door", () => {
  const html = { accept: "text/html,*/*" };
  beforeEach(async () => void (await held.device.doorway.setAccess("everyone")));

  it("comes before a page, once, and before nothing else", async () => {
    expect(await says("/", "", html)).toBe("first");
    expect(await says("/", "__Host-door-seen=yes", html)).toBe("in");
    expect(await says("/", "", html, "POST")).toBe("in");
    expect(await says("/", "", html, "HEAD")).toBe("in");
    expect(await says("/", "", { accept: "image/*" })).toBe("in");
  });

  it("comes at a part that is open, and not at one by name", async () => {
    await held.device.doorway.setAccess("owner");
    await held.device.doorway.setRule("web", "/open", "everyone");
    expect(await says("/open", "", html)).toBe("first");
    expect(await says("/", await enter(OWNER), html)).toBe("in");
  });

  it("lets no page of a sibling change anything", async () => {
    const sibling = { "sec-fetch-site": "same-site" };
    const origin = { origin: "http://other.link.test" };
    expect(await says("/", "", sibling, "POST")).toBe("cross-site");
    expect(await says("/", "", origin, "POST")).toBe("cross-site");
    expect(await says("/", "", { origin: "https://elsewhere.example" }, "POST")).toBe("in");
    expect(await says("/", "", sibling)).toBe("in");
  });
});

describe("a visitor by name", () => {
  it("is not used by a page of another site", async () => {
    const visit = await enter(OWNER);
    for (const [headers, said] of [
      [{ "sec-fetch-site": "cross-site" }, "cross-site"],
      [{ "sec-fetch-site": "same-site" }, "cross-site"],
      [{ origin: "http://other.link.test" }, "cross-site"],
      [{}, "cross-site"],
      [{ "sec-fetch-site": "same-origin" }, "in"],
      [{ origin: "http://nas.link.test" }, "in"],
    ] as const) {
      expect([headers, await says("/", visit, headers, "POST")]).toEqual([headers, said]);
    }
  });

  it("is told to the device only when its owner wants it", async () => {
    const visit = await enter(OWNER);
    const token = visit.replace("__Host-door=", "");
    expect(await held.device.doorway.identityOf(token)).toBeNull();
    await held.device.doorway.setIdentity("id");
    expect(await held.device.doorway.identityOf(token)).toEqual({
      account: OWNER,
      owner: OWNER,
      name: false,
    });
    await held.device.doorway.setIdentity("name");
    expect((await held.device.doorway.identityOf(token))?.name).toBe(true);
    const link = (await open((await share()).secret)).replace("__Host-door=", "");
    expect(await held.device.doorway.identityOf(link)).toBeNull();
    await held.device.setFeature("link", false);
    expect(await held.device.doorway.identityOf(token)).toBeNull();
    expect(await says("/", "", { [identityHeader]: "x" })).toBe("unknown");
  });
});
