/** The page of one's data, taking it along, and leaving: what each asks for first. */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { handle } from "../../workers/app.ts";
import { type NewSession, newPerson, PASSWORD } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";

const bindings = env as unknown as { DB_HOME: D1Database };
const ORIGIN = "http://localhost:8787";
let test: TestPorts;
let owner: NewSession;
let serial = 0;

beforeEach(async () => {
  test = testPorts({ env, variables: { ORIGIN } });
  owner = await newPerson(test, `leaving${serial++}@example.org`);
});

interface Asked {
  readonly form?: Record<string, string>;
  readonly json?: object;
  readonly method?: string;
}

async function ask(path: string, { form, json, method }: Asked = {}): Promise<Response> {
  const headers = new Headers({
    cookie: `__Host-sid=${owner.token}`,
    "sec-fetch-site": "same-origin",
  });
  if (json !== undefined) headers.set("content-type", "application/json");
  else headers.set("accept", "text/html");
  const body =
    json === undefined
      ? form === undefined
        ? null
        : new URLSearchParams(form)
      : JSON.stringify(json);
  const init = { method: method ?? (body === null ? "GET" : "POST"), headers, body };
  return await handle(new Request(ORIGIN + path, { ...init, redirect: "manual" }), test.ports);
}

const isThere = async () =>
  (await bindings.DB_HOME.prepare("SELECT id FROM account WHERE id = ?")
    .bind(owner.accountId)
    .first()) !== null;
const withoutPassword = () =>
  bindings.DB_HOME.prepare("DELETE FROM password WHERE account_id = ?").bind(owner.accountId).run();
const codeOf = async (response: Response) => ((await response.json()) as { code: string }).code;

describe("taking it along from the page", () => {
  it("downloads the archive, and asks first who it is where that is long ago", async () => {
    const page = await (await ask("/account/data")).text();
    expect(page).toContain('action="/account/data/export"');
    const got = await ask("/account/data/export", { form: {} });
    expect([got.status, got.headers.get("content-type")]).toEqual([200, "application/zip"]);
    test.clock.advance(limits.confirmedMs);
    const late = await ask("/account/data/export", { form: {} });
    const way = "/confirm?return=%2Faccount%2Fdata%2Fexport";
    expect([late.status, late.headers.get("location")]).toEqual([303, way]);
    // Where the way back leads: a download cannot be the answer to it.
    const back = await ask("/account/data/export");
    expect(back.headers.get("location")).toBe("/account/data");
  });

  it("says on the page when it was asked for too often", async () => {
    for (let turn = 0; turn < limits.exportsPerAccount; turn++) {
      await ask("/account/data/export", { form: {} });
    }
    const refused = await ask("/account/data/export", { form: {} });
    expect([refused.status, refused.headers.get("content-type")]).toEqual([
      429,
      "text/html; charset=utf-8",
    ]);
    expect(await refused.text()).toContain("Too many tries");
  });
});

describe("leaving", () => {
  it("takes the password of an account that has one, over the API and on the page", async () => {
    for (const json of [{}, { password: "" }, { password: "wrong password" }]) {
      const refused = await ask("/api/account", { method: "DELETE", json });
      expect([refused.status, await codeOf(refused)]).toEqual([401, "bad-credentials"]);
    }
    const page = await ask("/account/erase", { form: { password: "" } });
    expect(page.status).toBe(401);
    expect(await isThere()).toBe(true);
    const done = await ask("/api/account", { method: "DELETE", json: { password: PASSWORD } });
    expect([done.status, await isThere()]).toEqual([204, false]);
  });

  it("takes a session confirmed a moment ago where there is no password", async () => {
    await withoutPassword();
    expect(await (await ask("/account/erase")).text()).not.toContain('name="password"');
    test.clock.advance(limits.confirmedMs);
    const api = await ask("/api/account", { method: "DELETE", json: {} });
    expect([api.status, await codeOf(api)]).toEqual([403, "confirm-first"]);
    const page = await ask("/account/erase", { form: {} });
    expect(page.headers.get("location")).toBe("/confirm?return=%2Faccount%2Ferase");
    expect(await isThere()).toBe(true);
    await bindings.DB_HOME.prepare("UPDATE session SET confirmed_at = ? WHERE account_id = ?")
      .bind(test.clock.now(), owner.accountId)
      .run();
    test.clock.advance(limits.sessionCacheMs);
    const done = await ask("/account/erase", { form: {} });
    expect(done.headers.get("location")).toBe("/sign-in?erased");
    expect(await isThere()).toBe(false);
  });
});
