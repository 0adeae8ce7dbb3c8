/**
 * What ends when an operator closes a door, and for whom: open doors and links, or everything but the
 * owner's own way. What is on its way ends at once, and all comes back as its owner set it.
 */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import type { Closure } from "../../durable-objects/device/rpc.ts";
import { limits } from "../../protocol/limits.ts";
import { frameType } from "../../protocol/link/frames.ts";
import { allow, setAccess, setFeature } from "../../workers/devices/devices.ts";
import { makeShare, type ShareWish } from "../../workers/devices/shares.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { published } from "../support/records.ts";
import { newPerson } from "./devices-support.ts";
import { type Box, client, enter, newBox, openLink, serve, visitIn } from "./door-support.ts";

const words = "It copies the page of a bank.";
const open: Closure = { reason: "phishing", extent: "open", words, at: 7 };
const all: Closure = { ...open, extent: "all" };

let test: TestPorts;
let box: Box;
let listed: string;
let contact: string;

beforeEach(async () => {
  test = testPorts({ env });
  box = await newBox(test.ports);
  [listed, contact] = [await newPerson(), await newPerson()];
  await setAccess(test.ports, box.owner, box.id, "listed");
  await allow(test.ports, box.owner, box.id, listed);
  await box.stub.setRule("web", "/open", "everyone");
  await box.stub.setRule("web", "/friends", "contacts");
  await box.stub.setRule("web", "/mine", "owner");
});

function share(wish: Partial<ShareWish>) {
  const whole = { name: "", people: [], password: null, audience: "link", ...wish } as const;
  const path = wish.path ?? "/mine/shared";
  const expiresAt = test.clock.now() + limits.shareMs;
  return makeShare(test.ports, box.owner, box.id, { ...whole, path, expiresAt }, client);
}

const status = async (path: string, cookie: string) => {
  const response = await box.ask(path, { headers: { cookie } });
  await response.text();
  return response.status;
};

/** Everybody at the door, by the cookie of their visit. */
async function everybody() {
  const { address } = await share({});
  await share({ path: "/mine/theirs", audience: "people", people: [listed] });
  await share({ path: "/mine/friends", audience: "contacts" });
  return {
    stranger: "",
    link: visitIn(await openLink(box, address)),
    listed: await enter(box, listed),
    contact: await enter(box, contact, true),
    owner: await enter(box, box.owner),
    address,
  };
}

it("says closed to whom only the operator keeps out, and to nobody else", async () => {
  void serve(box.agent);
  const { stranger, link, listed: named, contact: friend, owner, address } = await everybody();
  /** Who, where, and the answer: before, while what is open is closed, while everything is. */
  const table: [string, string, string, number, number, number][] = [
    ["a stranger", stranger, "/open", 200, 403, 403],
    ["a stranger", stranger, "/", 401, 401, 401],
    ["a link", link, "/mine/shared", 200, 403, 403],
    ["somebody listed", named, "/", 200, 200, 401],
    ["somebody listed", named, "/mine/theirs", 200, 200, 401],
    ["a contact", friend, "/friends", 200, 200, 401],
    ["a contact", friend, "/mine/friends", 200, 200, 401],
    ["the owner", owner, "/", 200, 200, 200],
    ["the owner", owner, "/open", 200, 200, 200],
  ];
  const said = async (at: 3 | 4 | 5) => {
    for (const row of table) {
      const [who, cookie, path] = row;
      expect([who, path, await status(path, cookie)]).toEqual([who, path, row[at]]);
    }
  };
  await said(3);
  expect((await box.stub.close(open))?.changed).toBe(true);
  expect((await box.stub.close({ ...open, at: 8 }))?.changed, "said before").toBe(false);
  await said(4);
  expect((await openLink(box, address)).status).toBe(403);
  await box.stub.close(all);
  await said(5);
  expect((await openLink(box, address)).status).toBe(403);
  for (const person of [listed, contact]) {
    await expect(enter(box, person, person === contact)).rejects.toThrow("forbidden");
  }
  await box.stub.close(null);
  for (const [cookie, path] of [
    ["", "/open"],
    [await enter(box, listed), "/"],
    [await enter(box, contact, true), "/friends"],
    [visitIn(await openLink(box, address)), "/mine/shared"],
  ] as const) {
    expect([path, await status(path, cookie)]).toEqual([path, 200]);
  }
});

it("lets in by name, at a door for everyone that is closed, who stands on its list", async () => {
  void serve(box.agent);
  await setAccess(test.ports, box.owner, box.id, "everyone");
  await box.stub.close(open);
  const stranger = await newPerson();
  await expect(enter(box, stranger)).rejects.toThrow("forbidden");
  expect(await status("/", await enter(box, listed))).toBe(200);
  expect(await status("/", "")).toBe(403);
});

it("leads whoever has a name here to sign in, from the page that says closed", async () => {
  await box.stub.close(open);
  const closed = await box.ask("/open/x?secret=1", {
    headers: { accept: "text/html", cookie: "__Host-door-seen=yes" },
  });
  const text = await closed.text();
  expect([closed.status, closed.headers.get("cache-control")]).toEqual([403, "no-store"]);
  expect(text).toContain(`${test.ports.config.origin}/report?door=${box.label}"`);
  expect(text).not.toContain("secret");
  const way = /href="(\/\.well-known\/latchkey\/sign-in)"/.exec(text)?.[1] ?? "";
  const led = await box.ask(way);
  const target = new URL(led.headers.get("location") ?? "");
  expect([led.status, target.pathname, target.searchParams.get("to")]).toEqual([303, "/door", "/"]);
  expect(led.headers.getSetCookie().join()).toContain("__Host-door-nonce=");
});

describe.each([
  ["what is open", open],
  ["everything", all],
] as const)("closing %s", (_name, closure) => {
  it("ends a download that a stranger began", async () => {
    const asked = box.ask("/open/film");
    const { stream } = await box.agent.request();
    box.agent.head(stream, 200);
    box.agent.data(stream, "x");
    const film = await asked;
    const cookie = await enter(box, box.owner);
    await box.stub.close(closure);
    // What the device is told of the end stands before what it is asked next.
    void box.ask("/", { headers: { cookie } });
    await box.agent.request();
    expect(box.agent.count(frameType.reset)).toBe(1);
    await expect(film.text()).rejects.toThrow();
  });
});

it("ends what somebody listed has on its way only when everything is closed", async () => {
  const cookie = await enter(box, listed);
  const asked = box.ask("/film", { headers: { cookie } });
  const { stream } = await box.agent.request();
  box.agent.head(stream, 200);
  box.agent.data(stream, "x");
  const film = await asked;
  const reader = film.body?.getReader();
  await reader?.read();
  await box.stub.close(open);
  box.agent.data(stream, "y");
  expect(new TextDecoder().decode((await reader?.read())?.value)).toBe("y");
  await box.stub.close(all);
  await expect(reader?.read()).rejects.toThrow();
});

it("leaves nobody but the owner a way to the device: tunnels, the smart link, the name", async () => {
  await setFeature(test.ports, box.owner, box.id, "name", true);
  const update = { secret: null, ipv4: { set: "192.0.2.7" }, ipv6: "keep" } as const;
  await box.stub.updateAddresses(update);
  await box.stub.setRule("ssh", "/", "listed");
  const rule = (await box.stub.describe())?.access.rules.find(({ service }) => service === "ssh");
  await box.stub.allow(listed, rule?.id ?? "");
  const ways = async (person: string) => [
    (await box.stub.ways(person)) !== null,
    await box.stub.mayUse("ssh", person, false),
    (await box.stub.tunnelOffer(person)) !== null,
  ];
  const everything = async () => ({
    listed: await ways(listed),
    owner: await ways(box.owner),
    name: (await published(box.stub))?.ipv4 ?? null,
  });
  const yes = [true, true, true];
  const before = { listed: yes, owner: yes, name: "192.0.2.7" };
  expect(await everything()).toEqual(before);
  await box.stub.close(open);
  expect(await everything()).toEqual(before);
  await box.stub.close(all);
  expect(await everything()).toEqual({ listed: [false, false, false], owner: yes, name: null });
  await box.stub.close(null);
  expect(await everything()).toEqual(before);
});

it("says so to strangers, keeps its words, and opens again as it was", async () => {
  await setAccess(test.ports, box.owner, box.id, "everyone");
  await box.stub.setRule("web", "/mine", "owner");
  void serve(box.agent);
  expect(await status("/", "")).toBe(200);
  await box.stub.close(open);
  expect(await status("/", "")).toBe(403);
  expect(await status("/mine", "")).toBe(401);
  expect(await status("/", await enter(box, box.owner))).toBe(200);
  expect((await box.stub.describe())?.access.closed).toEqual(open);
  await box.stub.close(null);
  expect(await status("/", "")).toBe(200);
});
