/** The door: who may come in, by which way, and how a visit ends. */

import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { insertGuest } from "../../db/queries/devices.ts";
import type { AccessMode } from "../../durable-objects/device/rpc.ts";
import { frameType } from "../../protocol/link/frames.ts";
import { hashToken } from "../../protocol/tokens.ts";
import { handle } from "../../workers/app.ts";
import type { Ports } from "../../workers/ports.ts";
import { checkSession, revokeSession, signOut } from "../../workers/sign-in/sessions.ts";
import { signUp } from "../../workers/sign-in/sign-up.ts";
import { completeSignIn, type NewSession, verifySignUp } from "../support/person.ts";
import { testPorts } from "../support/ports.ts";
import {
  guest,
  newDevice,
  owner,
  type ScriptedAgent,
  stranger,
  type TestDevice,
} from "./link-device.ts";

const { DEVICES } = env as unknown as { DEVICES: DurableObjectNamespace };
const ENTER = "/.well-known/latchkey/enter";
const NONCE = "n".repeat(43);
let ports: Ports;

beforeEach(() => {
  ({ ports } = testPorts({ env }));
});

/** Goes through the door as `accountId`; the cookie of the visit. */
async function enter(device: TestDevice, accountId: string): Promise<string> {
  const issued = await device.stub.issueDoorCode(accountId, await hashToken(NONCE), "ses");
  if (issued.kind !== "code") throw new Error(issued.kind);
  const response = await takeCode(device, issued.code);
  const cookie = /__Host-door=([^;]+)/.exec(response.headers.getSetCookie()[0] ?? "")?.[1];
  if (cookie === undefined) throw new Error(`no visit: ${response.status}`);
  return `__Host-door=${cookie}`;
}

function takeCode(device: TestDevice, code: string, nonce: string | null = NONCE, to = "/") {
  const headers: Record<string, string> =
    nonce === null ? {} : { cookie: `__Host-door-nonce=${nonce}` };
  return device.ask(`${ENTER}?code=${code}&to=${encodeURIComponent(to)}`, { headers });
}

/** Answers every request with 200 and what it asked. */
async function serve(agent: ScriptedAgent): Promise<void> {
  for (;;) {
    const { stream, head } = await agent.request();
    agent.answer(stream, 200, [], JSON.stringify(head));
  }
}

describe("who may come in", () => {
  const people = { anonymous: null, owner, listed: guest, stranger } as const;
  const table: [AccessMode, keyof typeof people, number, string][] = [
    ["owner", "anonymous", 401, "-"],
    ["owner", "owner", 200, "code"],
    ["owner", "listed", 401, "forbidden"],
    ["owner", "stranger", 401, "forbidden"],
    ["listed", "anonymous", 401, "-"],
    ["listed", "owner", 200, "code"],
    ["listed", "listed", 200, "code"],
    ["listed", "stranger", 401, "forbidden"],
    ["everyone", "anonymous", 200, "-"],
    ["everyone", "owner", 200, "code"],
    ["everyone", "listed", 200, "code"],
    ["everyone", "stranger", 200, "code"],
  ];

  it.each(table)("mode %s, %s: %i", async (mode, who, status, kind) => {
    const device = await newDevice(ports, mode);
    await device.stub.allow(guest);
    const agent = await device.connect();
    void serve(agent);
    const account = people[who];
    let cookie = "theme=dark";
    if (account !== null) {
      const issued = await device.stub.issueDoorCode(account, await hashToken(NONCE), "ses");
      expect(issued.kind).toBe(kind);
      if (issued.kind === "code") cookie += `; ${await enter(device, account)}`;
    }
    const response = await device.ask("/", { headers: { cookie } });
    expect(response.status).toBe(status);
    if (status !== 200) return;
    const head = (await response.json()) as { headers: [string, string][] };
    expect(Object.fromEntries(head.headers).cookie, "the device sees its own cookies only").toBe(
      "theme=dark",
    );
  });

  it("sends a browser to the console's host, with a way back and a nonce of its own", async () => {
    const device = await newDevice(ports, "owner");
    const response = await device.ask("/files?a=b", { headers: { accept: "text/html" } });
    expect(response.status).toBe(303);
    const [cookie = ""] = response.headers.getSetCookie();
    const nonce = /^__Host-door-nonce=([\w-]{43});/.exec(cookie)?.[1] ?? "";
    for (const part of ["HttpOnly", "Secure", "Path=/", "SameSite=Lax"]) {
      expect(cookie).toContain(part);
    }
    const target = new URL(response.headers.get("location") ?? "");
    expect(target.origin + target.pathname).toBe(`${ports.config.origin}/door`);
    expect(Object.fromEntries(target.searchParams)).toEqual({
      label: device.label,
      nonce: await hashToken(nonce),
      to: "/files?a=b",
    });
    const again = await device.ask("/", {
      headers: { accept: "text/html", cookie: `__Host-door-nonce=${nonce}` },
    });
    expect(again.headers.getSetCookie()[0], "one nonce for all tabs").toContain(nonce);
  });

  it("says to a program that it must sign in", async () => {
    const device = await newDevice(ports, "owner");
    const response = await device.ask("/api");
    expect([response.status, await response.json()]).toMatchObject([
      401,
      { code: "not-signed-in" },
    ]);
  });

  it.each(["lk_dor_home_x", "", "__Host-door=", `lk_ses_home_${"a".repeat(49)}`])(
    "takes no made-up visit: %j",
    async (token) => {
      const device = await newDevice(ports, "owner");
      const response = await device.ask("/", { headers: { cookie: `__Host-door=${token}` } });
      expect(response.status).toBe(401);
    },
  );

  it("does not take a visit to one door at another", async () => {
    const [one, two] = [await newDevice(ports, "owner"), await newDevice(ports, "owner")];
    const cookie = await enter(one, owner);
    expect((await two.ask("/", { headers: { cookie } })).status).toBe(401);
  });
});

describe("the one-time code", () => {
  it("lets in once, and only in the browser that asked", async () => {
    const device = await newDevice(ports, "owner");
    const issued = await device.stub.issueDoorCode(owner, await hashToken(NONCE), "ses");
    const code = issued.kind === "code" ? issued.code : "";
    const first = await takeCode(device, code, NONCE, "/files?a=b");
    expect([first.status, first.headers.get("location")]).toEqual([303, "/files?a=b"]);
    const [visit = "", nonce = ""] = first.headers.getSetCookie();
    expect(visit).toMatch(/^__Host-door=lk_dor_home_\w{49};/);
    for (const part of ["HttpOnly", "Secure", "Path=/", "SameSite=Lax"]) {
      expect(visit).toContain(part);
    }
    expect(visit).not.toMatch(/Max-Age|Expires|Domain/i);
    expect(nonce).toMatch(/^__Host-door-nonce=;.*Max-Age=0/);
    expect((await takeCode(device, code)).status).toBe(410);
  });

  it.each([null, "m".repeat(43), ""])(
    "is used up by a browser with the nonce %j",
    async (nonce) => {
      const device = await newDevice(ports, "owner");
      const issued = await device.stub.issueDoorCode(owner, await hashToken(NONCE), "ses");
      const code = issued.kind === "code" ? issued.code : "";
      const thief = await takeCode(device, code, nonce);
      expect([thief.status, thief.headers.getSetCookie()]).toEqual([410, []]);
      expect((await takeCode(device, code)).status).toBe(410);
    },
  );

  it("has one winner among many", async () => {
    const device = await newDevice(ports, "owner");
    const issued = await device.stub.issueDoorCode(owner, await hashToken(NONCE), "ses");
    const code = issued.kind === "code" ? issued.code : "";
    const all = await Promise.all(Array.from({ length: 8 }, () => takeCode(device, code)));
    expect(all.filter(({ status }) => status === 303).length).toBe(1);
    expect(all.filter(({ status }) => status === 410).length).toBe(7);
  });

  it("is worth nothing at another door, or after its minute", async () => {
    const [one, two] = [await newDevice(ports, "owner"), await newDevice(ports, "owner")];
    const issued = await one.stub.issueDoorCode(owner, await hashToken(NONCE), "ses");
    const code = issued.kind === "code" ? issued.code : "";
    expect((await takeCode(two, code)).status).toBe(410);
    await runInDurableObject(DEVICES.getByName(one.id), (_object, state) => {
      state.storage.sql.exec("UPDATE door_code SET expires_at = ?", Date.now());
    });
    expect((await takeCode(one, code)).status).toBe(410);
  });

  it("lets nobody in whose right went away in between", async () => {
    const device = await newDevice(ports, "listed");
    await device.stub.allow(guest);
    const issued = await device.stub.issueDoorCode(guest, await hashToken(NONCE), "ses");
    const code = issued.kind === "code" ? issued.code : "";
    await device.stub.disallow(guest);
    expect((await takeCode(device, code)).status).toBe(410);
  });

  it("is kept as a hash only", async () => {
    const device = await newDevice(ports, "owner");
    const issued = await device.stub.issueDoorCode(owner, await hashToken(NONCE), "ses");
    const code = issued.kind === "code" ? issued.code : "";
    const cookie = await enter(device, owner);
    const rows = await runInDurableObject(DEVICES.getByName(device.id), (_object, state) =>
      JSON.stringify([
        ...state.storage.sql.exec("SELECT * FROM door_code"),
        ...state.storage.sql.exec("SELECT * FROM door_session"),
      ]),
    );
    expect(rows).toContain(await hashToken(code));
    for (const secret of [code, NONCE, cookie.slice(12)]) expect(rows).not.toContain(secret);
  });

  it.each([
    "//evil.example/",
    "/\\evil.example/",
    "https://evil.example/",
    "\\\\evil.example",
    "/\t/evil.example",
    "javascript:alert(1)",
    "/.well-known/latchkey/leave",
    "",
  ])("leads nowhere but to the device: %j", async (to) => {
    const device = await newDevice(ports, "owner");
    const issued = await device.stub.issueDoorCode(owner, await hashToken(NONCE), "ses");
    const response = await takeCode(device, issued.kind === "code" ? issued.code : "", NONCE, to);
    const location = response.headers.get("location") ?? "";
    expect(new URL(location, "http://door.invalid").origin).toBe("http://door.invalid");
    expect(location).not.toContain("latchkey");
  });
});

describe("a page of another site", () => {
  const door = (device: TestDevice) => `http://${device.label}.link.localhost:8787`;
  const cases: [string, (own: string) => Record<string, string>, number][] = [
    ["the device's own page", (own) => ({ "sec-fetch-site": "same-origin", origin: own }), 200],
    ["an old browser on the device's own page", (own) => ({ origin: own }), 200],
    ["another device's page", () => ({ "sec-fetch-site": "same-site" }), 403],
    ["another site", () => ({ "sec-fetch-site": "cross-site" }), 403],
    ["an old browser on another door", () => ({ origin: "http://b.link.localhost:8787" }), 403],
    ["an old browser on a sandboxed page", () => ({ origin: "null" }), 403],
    ["a browser that says nothing", () => ({}), 403],
  ];

  it.each(cases)(
    "may not change anything with a visitor's cookie: %s",
    async (_name, from, status) => {
      const device = await newDevice(ports, "owner");
      const agent = await device.connect();
      void serve(agent);
      const cookie = await enter(device, owner);
      for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
        const headers = { cookie, ...from(door(device)) };
        const response = await device.ask("/", { method, headers });
        expect(response.status, method).toBe(status);
        await response.text();
      }
      const headers = { cookie, ...from(door(device)) };
      const read = await device.ask("/", { headers });
      expect(read.status, "a link may lead here").toBe(200);
      await read.text();
    },
  );
});

describe("the end of a visit", () => {
  it("comes with /leave, which also takes the cookie", async () => {
    const device = await newDevice(ports, "owner");
    const cookie = await enter(device, owner);
    const left = await device.ask("/.well-known/latchkey/leave", { headers: { cookie } });
    expect([left.status, left.headers.getSetCookie()[0]]).toMatchObject([
      200,
      expect.stringMatching(/^__Host-door=;.*Max-Age=0/),
    ]);
    expect((await device.ask("/", { headers: { cookie } })).status).toBe(401);
  });

  it.each<[string, (device: TestDevice) => Promise<unknown>]>([
    ["the list", (device) => device.stub.disallow(guest)],
    ["the mode", (device) => device.stub.setAccess("owner")],
    ["the person is erased", (device) => device.stub.forgetPerson(guest)],
    ["Link is switched off", (device) => device.stub.setFeature("link", false)],
    ["the device is unregistered", (device) => device.stub.unregister()],
  ])("cuts what is on its way: %s", async (_name, revoke) => {
    const device = await newDevice(ports, "listed");
    await device.stub.allow(guest);
    const agent = await device.connect();
    const cookie = await enter(device, guest);
    const asked = device.ask("/endless", { headers: { cookie } });
    const { stream } = await agent.request();
    agent.head(stream, 200);
    agent.data(stream, "x");
    const response = await asked;
    const waiting = device.ask("/slow", { headers: { cookie } });
    await agent.request();
    await revoke(device);
    await expect(response.text()).rejects.toThrow();
    expect((await waiting).status).toBeGreaterThanOrEqual(403);
    const after = await device.ask("/", { headers: { cookie } });
    expect([401, 404]).toContain(after.status);
  });

  it("leaves other visitors alone", async () => {
    const device = await newDevice(ports, "listed");
    await device.stub.allow(guest);
    const agent = await device.connect();
    const asked = device.ask("/", { headers: { cookie: await enter(device, owner) } });
    const { stream } = await agent.request();
    await device.stub.disallow(guest);
    agent.answer(stream, 200, [], "still here");
    expect(await (await asked).text()).toBe("still here");
    expect(agent.count(frameType.reset)).toBe(0);
  });

  it("comes by itself, and its row goes", async () => {
    const device = await newDevice(ports, "owner");
    const cookie = await enter(device, owner);
    const rows = await runInDurableObject(DEVICES.getByName(device.id), async (object, state) => {
      state.storage.sql.exec("UPDATE door_session SET expires_at = ?", Date.now());
      await (object as unknown as { alarm(): Promise<void> }).alarm();
      return state.storage.sql.exec("SELECT * FROM door_session").toArray();
    });
    expect(rows).toEqual([]);
    expect((await device.ask("/", { headers: { cookie } })).status).toBe(401);
  });
});

describe("the way from the console's host", () => {
  let session: { token: string; accountId: string };

  beforeAll(async () => {
    const test = testPorts({ env });
    const client = { userAgent: "test", peer: null };
    const who = { address: "door@example.org", password: "an unlikely password" };
    await signUp(test.ports, who, client);
    const token = /token=(\S+)/.exec(test.mail.sent.at(-1)?.text ?? "")?.[1] ?? "";
    session = await verifySignUp(test.ports, { token, password: who.password }, client);
  });

  async function door(query: Record<string, string>, signedIn = true): Promise<Response> {
    const url = `${ports.config.origin}/door?${new URLSearchParams(query)}`;
    const headers: Record<string, string> = signedIn
      ? { cookie: `__Host-sid=${session.token}` }
      : {};
    return await handle(new Request(url, { headers, redirect: "manual" }), ports);
  }

  it("asks a visitor who is not signed in to sign in and come back", async () => {
    const query = { label: "nas", nonce: await hashToken(NONCE), to: "/a?b" };
    const response = await door(query, false);
    const target = new URL(response.headers.get("location") ?? "", ports.config.origin);
    expect([response.status, target.pathname]).toEqual([303, "/sign-in"]);
    expect(target.searchParams.get("return")).toBe(`/door?${new URLSearchParams(query)}`);
  });

  it("hands a signed-in visitor over, all the way to the page", async () => {
    const device = await newDevice(ports, "listed");
    await device.stub.allow(session.accountId);
    const agent = await device.connect();
    const query = { label: device.label, nonce: await hashToken(NONCE), to: "/a?b" };
    const response = await door(query);
    const target = new URL(response.headers.get("location") ?? "");
    expect(target.origin).toBe(`http://${device.label}.link.localhost:8787`);
    expect(response.headers.get("cache-control")).toBe("no-store");
    const entered = await device.ask(target.pathname + target.search, {
      headers: { cookie: `__Host-door-nonce=${NONCE}` },
    });
    expect(entered.headers.get("location")).toBe("/a?b");
    const cookie = (entered.headers.getSetCookie()[0] ?? "").split(";")[0] ?? "";
    const asked = device.ask("/a?b", { headers: { cookie } });
    const { stream } = await agent.request();
    agent.answer(stream, 200, [], "welcome");
    expect(await (await asked).text()).toBe("welcome");
  });

  describe("when the session ends", () => {
    const ends: [string, (ports: Ports, one: NewSession) => Promise<unknown>][] = [
      ["revoked", (at, one) => revokeSession(at, one.accountId, one.sessionId)],
      ["signed out", (at, one) => signOut(at, one.token)],
    ];

    async function signedIn(): Promise<NewSession> {
      const proof = { accountId: session.accountId, methods: ["password"] as const };
      return await completeSignIn(ports, proof, { userAgent: null, peer: null });
    }

    async function guestDevice(): Promise<TestDevice> {
      const device = await newDevice(ports, "listed");
      await device.stub.allow(session.accountId);
      const db = ports.regions.db(session.accountId);
      if (db === null) throw new Error("no region");
      await insertGuest(db, device.id, session.accountId);
      return device;
    }

    /** The cookie of the visit that `one` opens, and a code that waits. */
    async function visit(device: TestDevice, one: NewSession) {
      const nonce = await hashToken(NONCE);
      const knock = async () => {
        const query = new URLSearchParams({ label: device.label, nonce, to: "/" });
        const headers = { cookie: `__Host-sid=${one.token}` };
        const url = `${ports.config.origin}/door?${query}`;
        const target = (await handle(new Request(url, { headers }), ports)).headers.get("location");
        return new URL(target ?? "").searchParams.get("code") ?? "";
      };
      const entered = await takeCode(device, await knock());
      const cookie = (entered.headers.getSetCookie()[0] ?? "").split(";")[0] ?? "";
      return { cookie, code: await knock() };
    }

    it.each(ends)(
      "(%s) its visit, its codes and its requests end, no other's",
      async (_how, end) => {
        const device = await guestDevice();
        const [one, other] = [await signedIn(), await signedIn()];
        const [ending, staying] = [await visit(device, one), await visit(device, other)];
        const agent = await device.connect();
        const asked = device.ask("/slow", { headers: { cookie: ending.cookie } });
        await agent.request();
        await end(ports, one);
        expect((await asked).status).toBe(403);
        expect((await device.ask("/", { headers: { cookie: ending.cookie } })).status).toBe(401);
        expect((await takeCode(device, ending.code)).status).toBe(410);
        void serve(agent);
        expect((await device.ask("/", { headers: { cookie: staying.cookie } })).status).toBe(200);
        expect((await takeCode(device, staying.code)).status).toBe(303);
      },
    );

    it.each(ends)(
      "(%s) while a device fails, it is dead and can be ended again",
      async (_how, end) => {
        const [gone, device] = [await guestDevice(), await guestDevice()];
        const one = await signedIn();
        const { cookie } = await visit(device, one);
        await gone.stub.unregister();
        const failing: Ports = {
          ...ports,
          devices: {
            get: (id) =>
              id === device.id
                ? { ...ports.devices.get(id), endVisits: () => Promise.reject(new Error("reset")) }
                : ports.devices.get(id),
          },
        };
        await expect(end(failing, one)).rejects.toMatchObject({ code: "unavailable" });
        expect(await checkSession(ports, one.token)).toBeNull();
        await end(ports, one);
        expect((await device.ask("/", { headers: { cookie } })).status).toBe(401);
      },
    );

    it("a code made a moment too late is handed to nobody", async () => {
      const device = await guestDevice();
      const one = await signedIn();
      const late: Ports = {
        ...ports,
        devices: {
          get: (id) => ({
            ...ports.devices.get(id),
            issueDoorCode: async (...asked) => {
              await signOut(ports, one.token);
              return await ports.devices.get(id).issueDoorCode(...asked);
            },
          }),
        },
      };
      const query = new URLSearchParams({
        label: device.label,
        nonce: await hashToken(NONCE),
        to: "/",
      });
      const request = new Request(`${ports.config.origin}/door?${query}`, {
        headers: { cookie: `__Host-sid=${one.token}` },
        redirect: "manual",
      });
      const response = await handle(request, late);
      expect(response.status).toBe(401);
      expect(response.headers.get("location")).toBeNull();
    });
  });

  it("refuses whoever may not enter, and says nothing of a device that is not there", async () => {
    const device = await newDevice(ports, "owner");
    const nonce = await hashToken(NONCE);
    expect((await door({ label: device.label, nonce, to: "/" })).status).toBe(403);
    expect((await door({ label: "not-there", nonce, to: "/" })).status).toBe(404);
    await device.stub.setFeature("link", false);
    expect((await door({ label: device.label, nonce, to: "/" })).status).toBe(404);
  });

  it.each<Record<string, string>>([
    {},
    { label: "nas" },
    { label: "nas", nonce: "short" },
    { label: "../x", nonce: "n".repeat(43) },
    { label: "nas.evil", nonce: "n".repeat(43) },
  ])("refuses a query no door would send: %j", async (query) => {
    expect((await door(query)).status).toBe(400);
  });
});
