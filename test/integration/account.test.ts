/** Accounts on a whole running edge: real SMTP, real cookies, and what browsers say of themselves. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { type Edge, startEdge } from "../../scripts/local/edge.ts";
import { linkIn, type Mailbox, startMailbox } from "../../scripts/local/mailbox.ts";
import { freePort } from "../contract/runtime.ts";
import { type Relay, startRelay } from "../support/relay.ts";

const password = "an unlikely password";
let edge: Edge;
let mailbox: Mailbox;
let folder: string;
let count = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "latchkey-account-"));
  mailbox = await startMailbox();
  edge = await edgeWith("main", mailbox.smtpUrl);
});

afterAll(async () => {
  await edge?.close();
  await mailbox?.close();
  await rm(folder, { recursive: true, force: true });
});

async function edgeWith(name: string, smtpUrl: string): Promise<Edge> {
  const port = await freePort();
  return await startEdge({ data: join(folder, name), port, variables: { SMTP_URL: smtpUrl } });
}

type Ask = { method?: string; body?: unknown; headers?: Record<string, string> };

/** Sends a request; an object goes as JSON. The content type is taken from `headers` when given. */
function ask(path: string, { method = "POST", body, headers = {} }: Ask = {}, at = edge) {
  const text = typeof body === "string" || body === undefined ? body : JSON.stringify(body);
  const type = { "content-type": "application/json" };
  return fetch(at.origin + path, {
    method,
    headers: { ...(text === undefined ? {} : type), ...headers },
    redirect: "manual",
    ...(text === undefined ? {} : { body: text }),
  });
}

const newAddress = () => `ada${count++}@example.org`;

/** Signs up with a real mail; answers the session's cookie. */
async function newPerson(address = newAddress()): Promise<{ address: string; cookie: string }> {
  expect((await ask("/api/sign-up", { body: { address, password } })).status).toBe(202);
  const token = new URL(linkIn(await mailbox.next(address))).searchParams.get("token");
  const verified = await ask("/api/sign-up/verify", { body: { token, password } });
  expect(verified.status).toBe(201);
  return { address, cookie: verified.headers.getSetCookie()[0]?.split(";")[0] ?? "" };
}

const own = (cookie: string) => ask("/api/account", { method: "GET", headers: { cookie } });
const sameOrigin = { "sec-fetch-site": "same-origin" };

describe("an account", () => {
  it("is opened by mail, used with a cookie, and erased with the password", async () => {
    const { address, cookie } = await newPerson();
    const mine = await own(cookie);
    expect(mine.headers.get("cache-control")).toBe("no-store");
    expect(await mine.json()).toMatchObject({ address, region: "home" });
    const headers = { cookie, ...sameOrigin };
    const wrong = { method: "DELETE", headers, body: { password: "wrong password" } };
    expect((await ask("/api/account", wrong)).status).toBe(401);
    expect((await own(cookie)).status).toBe(200);
    const right = { method: "DELETE", headers, body: { password } };
    const erased = await ask("/api/account", right);
    expect(erased.status).toBe(204);
    expect(erased.headers.getSetCookie()).toEqual([
      expect.stringMatching(/^__Host-sid=; Max-Age=0;/),
    ]);
    expect((await own(cookie)).status).toBe(401);
    expect((await ask("/api/sessions", { body: { address, password } })).status).toBe(401);
    const again = await newPerson(address);
    const sessions = await ask("/api/sessions", {
      method: "GET",
      headers: { cookie: again.cookie },
    });
    expect((await sessions.json()) as object).toMatchObject({ sessions: [{ current: true }] });
    expect((await own(cookie)).status).toBe(401);
  });

  it("says what is wrong with a request, and keeps running", async () => {
    const body = { address: newAddress(), password };
    const rows: [string, Ask, number, string][] = [
      ["/api/sign-up", { body: "{" }, 400, "bad-request"],
      ["/api/sign-up", { body: "null" }, 400, "bad-request"],
      ["/api/sign-up", { body: "" }, 400, "bad-request"],
      ["/api/sign-up", { body: { ...body, gender: "x" } }, 400, "unknown-field"],
      ["/api/sign-up", { body: { address: body.address } }, 400, "bad-request"],
      ["/api/sign-up", { body: { ...body, address: ["a", "b"] } }, 400, "bad-request"],
      ["/api/sign-up", { body, headers: { "content-type": "text/plain" } }, 400, "bad-request"],
      ["/api/sign-up", { body: { ...body, region: "moon" } }, 422, "region-unknown"],
      ["/api/sign-up", { body: " ".repeat(limits.requestBodyBytes + 1) }, 413, "body-too-large"],
      ["/api/sign-up/verify", { body: { token: "\u0000", password } }, 410, "link-expired"],
      ["/api/sessions", { body: { address: "a".repeat(10_000), password } }, 400, "bad-request"],
      [
        "/api/sessions",
        { body: { address: "\ud800", password: "\ud800" } },
        401,
        "bad-credentials",
      ],
      ["/api/account", { method: "GET" }, 401, "not-signed-in"],
      [
        "/api/account",
        { method: "GET", headers: { cookie: "__Host-sid=%E0%A4" } },
        401,
        "not-signed-in",
      ],
      [
        "/api/account",
        { method: "GET", headers: { authorization: "Bearer lk_ses_x" } },
        401,
        "not-signed-in",
      ],
    ];
    for (const [path, request, status, code] of rows) {
      const answer = await ask(path, request);
      expect([path, answer.status, ((await answer.json()) as { code: string }).code]).toEqual([
        path,
        status,
        code,
      ]);
      expect(answer.headers.get("content-type")).toBe("application/problem+json");
    }
    expect((await ask("/healthz", { method: "GET" })).status).toBe(200);
  });
});

describe("a page that is not ours", () => {
  const door = (origin: string) => origin.replace("localhost", "nas.link.localhost");
  const form = { "content-type": "application/x-www-form-urlencoded" };

  it.each([
    [
      "a strange site",
      () => ({ "sec-fetch-site": "cross-site", origin: "https://evil.example" }),
      403,
    ],
    ["a device's door", () => ({ "sec-fetch-site": "same-site", origin: door(edge.origin) }), 403],
    ["an old browser on a door", () => ({ origin: door(edge.origin) }), 403],
    ["a sandboxed frame", () => ({ origin: "null" }), 403],
    ["nobody knows where", () => ({}), 403],
    ["our own page", () => sameOrigin, 204],
    ["our own page in an old browser", () => ({ origin: edge.origin }), 204],
  ])("cannot sign its visitor out: %s", async (_where, headers, status) => {
    const { cookie } = await newPerson();
    const request = { method: "DELETE", headers: { cookie, ...headers() } };
    expect((await ask("/api/sessions/current", request)).status).toBe(status);
    expect((await own(cookie)).status).toBe(status === 204 ? 401 : 200);
  });

  it.each([
    ["a form", "/sign-in", form],
    ["JSON", "/api/sessions", { "content-type": "application/json" }],
    ["a form that looks like JSON", "/api/sessions", { "content-type": "text/plain" }],
  ])("cannot sign its visitor in to another account with %s", async (_how, path, type) => {
    const { address } = await newPerson();
    const fields = { address, password };
    const json = !("content-type" in type && type["content-type"].includes("urlencoded"));
    const body = json ? JSON.stringify(fields) : new URLSearchParams(fields).toString();
    for (const where of [
      { "sec-fetch-site": "cross-site", origin: "https://evil.example" },
      { "sec-fetch-site": "same-site", origin: door(edge.origin) },
      { origin: "https://evil.example" },
    ]) {
      const answer = await ask(path, { body, headers: { ...type, ...where } });
      expect([answer.status, answer.headers.getSetCookie()]).toEqual([403, []]);
    }
  });

  it("does not stop a program, which sends a bearer secret and no cookie", async () => {
    const { cookie } = await newPerson();
    const authorization = `Bearer ${cookie.split("=")[1]}`;
    const out = { method: "DELETE", headers: { authorization } };
    expect((await ask("/api/sessions/current", out)).status).toBe(204);
  });
});

describe("a mail relay", () => {
  let relay: Relay;
  beforeAll(async () => {
    relay = await startRelay();
  });
  afterAll(() => relay.close());

  it("that wants a password gets it, and one message for one address", async () => {
    const guarded = await edgeWith("guarded", relay.smtpUrl);
    try {
      const body = { address: "Ada@Example.org", password };
      expect((await ask("/api/sign-up", { body }, guarded)).status).toBe(202);
      expect(relay.taken).toHaveLength(1);
      expect(relay.taken[0]).toMatchObject({ to: "Ada@example.org", from: "keys@latchkey.test" });
      relay.refusing = true;
      const refused = await ask(
        "/api/sign-up",
        { body: { ...body, address: newAddress() } },
        guarded,
      );
      expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([
        503,
        "mail-failed",
      ]);
      relay.refusing = false;
      expect((await ask("/api/sign-up", { body }, guarded)).status).toBe(202);
      expect(relay.taken).toHaveLength(2);
    } finally {
      await guarded.close();
    }
  });

  it.each([
    ["that refuses the password", () => relay.wrongUrl],
    ["that is not there", () => "smtp://127.0.0.1:1"],
    ["that nobody configured", () => ""],
  ])("%s makes the sign-up fail clearly", async (name, smtpUrl) => {
    const alone = await edgeWith(name, smtpUrl());
    try {
      const answer = await ask(
        "/api/sign-up",
        { body: { address: newAddress(), password } },
        alone,
      );
      expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([
        503,
        "mail-failed",
      ]);
    } finally {
      await alone.close();
    }
  });
});
