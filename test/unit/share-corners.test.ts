/**
 * Shares in their corners: links beside each other, the moment of an end, what ends while something is made
 * for it, and the viewer's own files.
 */

import { describe, expect, it } from "vitest";
import type { Closure } from "../../durable-objects/device/rpc.ts";
import { limits } from "../../protocol/limits.ts";
import {
  ada,
  bob,
  codeFor,
  enter,
  enterWith,
  freshDoor,
  held,
  OWNER,
  open,
  rows,
  says,
  share,
} from "../support/door.ts";

const closed: Closure = { reason: "other", extent: "open", words: "Because.", at: 1 };
const viewer = "/.well-known/latchkey/view/frame.html";

freshDoor();

describe("a share", () => {
  it("covers its path and what is below it, and no neighbor", async () => {
    const visit = await open((await share({ path: "/photos" })).secret);
    for (const [path, said] of [
      ["/photos", "in"],
      ["/photos/", "in"],
      ["/photos/a/b.jpg?x", "in"],
      ["/photos2", "sign-in"],
      ["/photo", "sign-in"],
      ["/photos%2f..%2fmine", "sign-in"],
      ["/photos/..%2fmine", "sign-in"],
      ["/", "sign-in"],
    ] as const) {
      expect([path, await says(path, visit)]).toEqual([path, said]);
    }
  });

  it("does not open what another link opens", async () => {
    const [one] = [await share({ path: "/a" }), await share({ path: "/b" })];
    const visit = await open(one.secret);
    expect([await says("/a", visit), await says("/b", visit)]).toEqual(["in", "sign-in"]);
  });

  it("with people is for them, whoever else is signed in", async () => {
    await share({ path: "/a", audience: "people", people: [ada] });
    await share({ path: "/b", audience: "people", people: [bob] });
    const visit = await enter(ada);
    expect([await says("/a", visit), await says("/b", visit)]).toEqual(["in", "forbidden"]);
    await held.device.doorway.forgetPerson(ada);
    expect(await codeFor(ada)).toBe("forbidden");
    expect(JSON.stringify(rows("share_guest"))).not.toContain(ada);
  });

  it("is over at its end, swept or not, for links, for people and in the list", async () => {
    const expiresAt = held.clock.now() + 60_000;
    const [link] = [await share({ expiresAt })];
    await share({ path: "/a", audience: "people", people: [ada], expiresAt });
    const [opened, named] = [await open(link.secret), await enter(ada)];
    const all = async () => [
      await says("/photos", opened),
      await says("/a", named),
      (await held.device.doorway.shares())?.length,
      (await open(link.secret)) === "no",
      (await codeFor(ada)) === "forbidden",
    ];
    held.clock.time = expiresAt - 1;
    expect(await all()).toEqual(["in", "in", 2, false, false]);
    held.clock.time = expiresAt;
    expect(await all()).toEqual(["sign-in", "forbidden", 0, true, true]);
  });

  it("that was stopped leaves no row of it, and nobody in", async () => {
    const { id, secret } = await share();
    const visit = await open(secret);
    expect(await held.device.doorway.stopShare(id)).toEqual([]);
    expect(await held.device.doorway.stopShare(id)).toBeNull();
    for (const table of ["share", "share_guest", "door_opened", "door_session"]) {
      expect([table, rows(table)]).toEqual([table, []]);
    }
    expect([await says("/photos", visit), await open(secret)]).toEqual(["sign-in", "no"]);
    const named = await share({ audience: "people", people: [ada, bob] });
    expect(await held.device.doorway.stopShare(named.id)).toEqual([ada, bob]);
    expect(rows("share_guest")).toEqual([]);
  });

  it("that is stopped while its link is read opens nothing", async () => {
    const { id, secret } = await share();
    const woken = held.wake();
    held.keys.hold();
    const asked = held.keys.asked();
    const opening = woken.doorway.openShare({ secret, password: "", visit: null });
    await asked;
    await woken.doorway.stopShare(id);
    held.keys.release();
    expect(await opening).toEqual({ kind: "no" });
    expect([rows("door_opened"), rows("door_session")]).toEqual([[], []]);
  });

  it("with a password opens with it, for its own link alone", async () => {
    const [one, other] = [
      await share({ password: "open sesame" }),
      await share({ password: "another word" }),
    ];
    for (const [password, opens] of [
      ["", false],
      ["another word", false],
      ["open sesame ", false],
      ["open sesame", true],
    ] as const) {
      expect([password, (await open(one.secret, "", password)) !== "no"]).toEqual([
        password,
        opens,
      ]);
    }
    expect(await open(other.secret, "", "open sesame")).toBe("no");
  });

  it("is one of so many, and of no more", async () => {
    for (let at = 0; at < limits.sharesPerDevice; at++) await share({ path: `/${at}` });
    await expect(share()).rejects.toThrow("full");
  });

  it("does not come about at a door that is off", async () => {
    await held.device.setFeature("link", false);
    await expect(share()).rejects.toThrow("off");
    expect(rows("share")).toEqual([]);
  });
});

describe("what ends while something is made for it", () => {
  /** Does the one, and the other some turns later; in every order that they can come in. */
  async function crossed(one: () => Promise<unknown>, other: () => Promise<unknown>) {
    const begun = one();
    for (let turns = Math.floor(crossings++ / 2) % 8; turns > 0; turns--) {
      await new Promise(setImmediate);
    }
    await Promise.all([begun, other()]);
  }
  let crossings = 0;

  it("leaves no code for somebody who is on no list any more", async () => {
    await held.device.doorway.setAccess("listed");
    for (let time = 0; time < 40; time++) {
      await held.device.doorway.allow(ada);
      await crossed(
        () => codeFor(ada),
        () => held.device.doorway.disallow(ada),
      );
      expect(rows("door_code")).toEqual([]);
    }
  });

  it("leaves no visit of a share that was stopped", async () => {
    for (let time = 0; time < 40; time++) {
      const { id, secret } = await share();
      await crossed(
        () => open(secret),
        () => held.device.doorway.stopShare(id),
      );
      expect([rows("door_opened"), rows("door_session")]).toEqual([[], []]);
    }
  });

  it("lets nobody in by a code that was made for a share which is over", async () => {
    const expiresAt = held.clock.now() + 1000;
    await share({ audience: "people", people: [ada], expiresAt });
    const code = await codeFor(ada);
    held.clock.time = expiresAt;
    expect(await enterWith(code)).toBe("forbidden");
  });

  it("takes what a link opened along when its time comes", async () => {
    const [one, other] = [await share({ expiresAt: held.clock.now() + 1000 }), await share()];
    const visit = await open(one.secret);
    expect(await open(other.secret, visit)).toBe(visit);
    held.clock.time += 1000;
    await held.device.onAlarm();
    expect(rows("door_opened")).toEqual([expect.objectContaining({ share_id: other.id })]);
    expect(rows("share")).toHaveLength(1);
  });
});

describe("the viewer's own files", () => {
  it("are for whoever may open anything at the door, and for nobody else", async () => {
    const { secret } = await share({ path: "/a" });
    await share({ path: "/b", audience: "people", people: [ada] });
    const [link, named] = [await open(secret), await enter(ada)];
    expect([await says(viewer), await says(viewer, link), await says(viewer, named)]).toEqual([
      ...["sign-in", "view", "view"],
    ]);
    await held.device.doorway.close(closed);
    expect([await says(viewer, link), await says(viewer, named)]).toEqual(["sign-in", "view"]);
    await held.device.doorway.close({ ...closed, extent: "all" });
    expect([await says(viewer, link), await says(viewer, named)]).toEqual(["sign-in", "sign-in"]);
    expect(await says(viewer, await enter(OWNER))).toBe("view");
    await held.device.doorway.close(null);
    await held.device.doorway.setRule("web", "/open", "everyone");
    expect([await says(viewer), await says(viewer, "", {}, "POST")]).toEqual(["view", "unknown"]);
  });

  it("show nothing of what the door itself keeps", async () => {
    const visit = await enter(OWNER);
    const view = (path: string) => `/.well-known/latchkey/view?path=${encodeURIComponent(path)}`;
    expect(await says(view("/a.pdf"), visit)).toBe("view");
    for (const path of ["/.well-known/latchkey/leave", "//evil.example/a", "a", view("/a")]) {
      expect([path, await says(view(path), visit)]).toEqual([path, "unknown"]);
    }
    expect(await says(view("/a.pdf"))).toBe("sign-in");
  });
});
