/** Every cookie that any route sets is in the registry, with the attributes that it declares. */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { type CookieName, cookieMap } from "../../db/data-map/outside.ts";
import { routes as allRoutes, handle } from "../../workers/app.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";

const ORIGIN = "http://localhost:8787";
const password = "an unlikely password";
let test: TestPorts;
let count = 0;

interface Answer {
  readonly status: number;
  readonly cookies: readonly string[];
  readonly body: string;
}

async function ask(
  method: string,
  path: string,
  { body, cookie }: { body?: unknown; cookie?: string } = {},
): Promise<Answer> {
  const headers = new Headers({ "sec-fetch-site": "same-origin", accept: "*/*" });
  if (cookie !== undefined) headers.set("cookie", cookie);
  if (body !== undefined) headers.set("content-type", "application/json");
  const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  const response = await handle(new Request(ORIGIN + path, init), test.ports);
  const answer = {
    status: response.status,
    cookies: response.headers.getSetCookie(),
    body: await response.text(),
  };
  await test.settle();
  return answer;
}

/** Signs up and verifies; the answer to the verification. */
async function signUp(): Promise<Answer> {
  const address = `cookie${count++}@example.org`;
  await ask("POST", "/api/sign-up", { body: { address, password } });
  const token = /token=(\S+)/.exec(test.mail.sent.at(-1)?.text ?? "")?.[1];
  return await ask("POST", "/api/sign-up/verify", { body: { token, password } });
}

/** `name=value` of a Set-Cookie. */
const pair = (setCookie: string | undefined) => setCookie?.split(";")[0] ?? "";

/** What the registry says a Set-Cookie of `name` must say; clearing one adds Max-Age=0. */
function attributesOf(name: CookieName): string[] {
  const { httpOnly, sameSite } = cookieMap[name];
  return ["Path=/", "Secure", ...(httpOnly ? ["HttpOnly"] : []), `SameSite=${sameSite}`].sort();
}

function check(setCookie: string): string {
  const [given = "", ...attributes] = setCookie.split("; ");
  const name = given.slice(0, given.indexOf("="));
  const value = given.slice(given.indexOf("=") + 1);
  expect(Object.keys(cookieMap)).toContain(name);
  const lasting = attributes.filter((attribute) => !/^Max-Age=0$/.test(attribute));
  expect(lasting.length < attributes.length).toBe(value === "");
  expect([...lasting].sort()).toEqual(attributesOf(name as CookieName));
  return name;
}

beforeEach(() => {
  test = testPorts({ env, variables: { ORIGIN } });
});

describe("[CKY-1] cookies", () => {
  it("of the whole life of a session are declared, and end with the browser [CKY-7]", async () => {
    const verified = await signUp();
    expect(verified.status).toBe(201);
    expect(verified.cookies).toEqual([
      expect.stringMatching(
        /^__Host-sid=lk_ses_home_[0-9A-Za-z]{49}; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
      ),
    ]);
    const cookie = pair(verified.cookies[0]);
    const wrong = { body: { password: "wrong password" }, cookie };
    const refused = await ask("DELETE", "/api/account", wrong);
    expect([refused.status, refused.cookies]).toEqual([401, []]);
    const erased = await ask("DELETE", "/api/account", { body: { password }, cookie });
    expect(erased.status).toBe(204);
    const second = await signUp();
    const left = await ask("DELETE", "/api/sessions/current", { cookie: pair(second.cookies[0]) });
    expect(left.status).toBe(204);
    const seen = [verified, erased, second, left].flatMap(({ cookies }) => cookies);
    expect(seen).toHaveLength(4);
    for (const setCookie of seen) expect(check(setCookie)).toBe("__Host-sid");
    expect(left.cookies).toEqual([
      "__Host-sid=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax",
    ]);
  });

  it("[CKY-2] of a browser that signs in again stand for one session, not two", async () => {
    const cookie = pair((await signUp()).cookies[0]);
    const address = test.mail.sent.at(-1)?.to;
    const again = await ask("POST", "/api/sessions", { body: { address, password }, cookie });
    expect(again.status).toBe(201);
    expect((await ask("GET", "/api/account", { cookie })).status).toBe(401);
    const next = pair(again.cookies[0]);
    const list = JSON.parse((await ask("GET", "/api/sessions", { cookie: next })).body);
    expect(list.sessions).toEqual([expect.objectContaining({ current: true })]);
    const wrong = { body: { address, password: "wrong password" }, cookie: next };
    expect((await ask("POST", "/api/sessions", wrong)).status).toBe(401);
    expect((await ask("GET", "/api/account", { cookie: next })).status).toBe(200);
  });

  it("of every route, for strangers and for people who are signed in, are declared", async () => {
    const cookie = pair((await signUp()).cookies[0]);
    const routes = (await allRoutes()).filter(({ path }) => !path.includes("*"));
    expect(routes.length).toBeGreaterThan(15);
    const seen = new Set<string>();
    for (const { method, path } of routes) {
      const verb = method === "ALL" ? "GET" : method;
      // Signing out is proved above; here it would end what the other routes need.
      if (/sign-out|\/sessions\/current/.test(path)) continue;
      const filled = path.replace(/:\w+(\{[^}]*\})?/g, "nothing");
      for (const who of [{}, { cookie }]) {
        const sent = verb === "GET" || verb === "HEAD" ? who : { ...who, body: { unknown: 1 } };
        const { status, cookies } = await ask(verb, filled, sent);
        expect([path, status < 500 || status === 503]).toEqual([path, true]);
        for (const setCookie of cookies) seen.add(check(setCookie));
      }
    }
    for (const name of seen) expect(Object.keys(cookieMap)).toContain(name);
  });

  it("are checked by a test that refuses what is not declared", () => {
    expect(() => check("tracker=1; Path=/; Secure; HttpOnly; SameSite=Lax")).toThrow();
    expect(() => check("__Host-sid=1; Path=/; Secure; SameSite=Lax")).toThrow();
    expect(() => check("__Host-sid=1; Path=/; HttpOnly; Secure; SameSite=None")).toThrow();
    expect(() =>
      check("__Host-sid=1; Max-Age=60; Path=/; HttpOnly; Secure; SameSite=Lax"),
    ).toThrow();
    expect(check("__Host-sid=1; Path=/; HttpOnly; Secure; SameSite=Lax")).toBe("__Host-sid");
  });
});
