/** Personal access tokens: what they open, what they never open, and when they end. */

import { env } from "cloudflare:workers";
import { Hono } from "hono";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DAY, limits } from "../../protocol/limits.ts";
import { hashToken, newToken } from "../../protocol/tokens.ts";
import {
  endPersonalToken,
  listPersonalTokens,
  makePersonalToken,
  type TokenScope,
  tokenScopes,
} from "../../workers/account/personal-tokens.ts";
import { routes as allRoutes, handle } from "../../workers/app.ts";
import { confirmed, scoped } from "../../workers/guard.ts";
import type { AppEnv } from "../../workers/http.ts";
import { eraseAccount } from "../../workers/privacy/erase.ts";
import { Problem } from "../../workers/problem.ts";
import { CLIENT, type NewSession, newPerson } from "../support/person.ts";
import { countQueries, type TestPorts, testPorts } from "../support/ports.ts";

const { DB_HOME } = env as unknown as { DB_HOME: D1Database };
const ORIGIN = "http://localhost:8787";

/** The routes that take a token, and the scope of each. */
const declared: Readonly<Record<string, TokenScope>> = {
  "GET /api/account": "account:read",
  "GET /api/account/holdings": "account:read",
  "GET /api/devices": "devices:read",
  "GET /api/devices/:id": "devices:read",
  "GET /api/devices/:id/live": "devices:read",
  "PUT /api/devices/:id/features/:feature": "devices:write",
  "PUT /api/devices/:id/access": "devices:write",
  "PUT /api/devices/:id/access/people/:account": "devices:write",
  "DELETE /api/devices/:id/access/people/:account": "devices:write",
  "PUT /api/devices/:id/access/rules": "devices:write",
  "DELETE /api/devices/:id/access/rules/:rule": "devices:write",
  "PUT /api/devices/:id/access/rules/:rule/people/:account": "devices:write",
  "DELETE /api/devices/:id/access/rules/:rule/people/:account": "devices:write",
  "PUT /api/devices/:id/access/identity": "devices:write",
  "GET /api/devices/:id/shares": "devices:read",
  "POST /api/devices/:id/shares": "devices:write",
  "DELETE /api/devices/:id/shares/:share": "devices:write",
  "GET /api/devices/:id/signing-key": "devices:read",
  "POST /api/devices/:id/signing-key": "devices:write",
  "DELETE /api/devices/:id/signing-key": "devices:write",
  "POST /api/devices/:id/reachability": "devices:write",
  "GET /api/devices/:id/certificate": "devices:read",
  "PUT /api/devices/:id/certificate/authorities": "devices:write",
  "GET /api/devices/:id/names": "devices:read",
  "POST /api/devices/:id/names": "devices:write",
  "PATCH /api/devices/:id/names/:label": "devices:write",
  "DELETE /api/devices/:id/names/:label": "devices:write",
  "GET /api/devices/:id/domains": "devices:read",
  "POST /api/devices/:id/domains": "devices:write",
  "POST /api/devices/:id/domains/:domain/check": "devices:write",
  "DELETE /api/devices/:id/domains/:domain": "devices:write",
  "GET /api/devices/:id/name/tokens": "devices:read",
  "GET /api/devices/:id/name/records": "devices:read",
  "PUT /api/devices/:id/name/records": "devices:write",
  "PUT /api/devices/:id/name/wildcard": "devices:write",
  "PUT /api/devices/:id/name/neighbors": "devices:write",
  "POST /api/devices/:id/name/tokens": "devices:write",
  "DELETE /api/devices/:id/name/tokens/:token": "devices:write",
  "DELETE /api/devices/:id/name/tokens/:token/flood": "devices:write",
  "GET /api/devices/:id/name/history": "devices:read",
  "GET /api/tunnels/:label": "devices:connect",
};

let test: TestPorts;
let person: NewSession;
let count = 0;

beforeEach(async () => {
  test = testPorts({ env, variables: { ORIGIN } });
  person = await newPerson(test, `token${count++}@example.org`);
});
afterEach(() => vi.restoreAllMocks());

const make = async (scopes: readonly TokenScope[] = tokenScopes, days = 30, name = "backup") =>
  await makePersonalToken(test.ports, person.accountId, { name, scopes, days }, CLIENT);

async function ask(route: string, token: string, headers: Record<string, string> = {}) {
  const [method = "", pattern = ""] = route.split(" ");
  const path = pattern
    .replace(":id", "dev_home_0000000000000000")
    .replace(":feature", "name")
    .replace(":account", "acc_home_0000000000000000")
    .replaceAll(/:\w+/g, "x");
  const writes = !["GET", "HEAD"].includes(method);
  const request = new Request(ORIGIN + path, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(writes ? { "content-type": "application/json" } : {}),
      ...headers,
    },
    body: writes ? "{}" : null,
  });
  const response = await handle(request, test.ports);
  const text = await response.text();
  const code = /"code":"([a-z-]+)"/.exec(text)?.[1] ?? null;
  return { status: response.status, code, location: response.headers.get("location"), text };
}

const refusal = (work: Promise<unknown>) =>
  work.then(
    () => "accepted",
    (error: { code: string; field?: string }) => [error.code, error.field],
  );

describe("a personal access token", () => {
  it("opens the routes of its scopes, and is told what it lacks on the others", async () => {
    for (const scope of tokenScopes) {
      const { token } = await make([scope]);
      for (const [route, needed] of Object.entries(declared)) {
        const { status, code } = await ask(route, token);
        const passed = status !== 401 && code !== "scope-missing";
        expect([route, scope, passed]).toEqual([route, scope, scope === needed]);
      }
    }
  });

  it("[SEC-5] opens nothing else, whatever its scopes", { timeout: 60_000 }, async () => {
    const { token } = await make();
    const routes = new Set((await allRoutes()).map(({ method, path }) => `${method} ${path}`));
    const closed = [...routes].filter(
      (route) => !route.startsWith("ALL ") && !Object.hasOwn(declared, route),
    );
    const strange = new Map<string, unknown>();
    for (const route of closed) {
      const [with_, without] = [await ask(route, token), await ask(route, "lk_pat_none")];
      // A token makes no difference: who holds one is a stranger here.
      if (with_.status !== without.status || with_.code !== without.code) {
        strange.set(route, [with_, without]);
      }
    }
    expect([...strange]).toEqual([]);
    expect(closed.length).toBeGreaterThan(80);
  });

  it("never counts as its owner showing who they are", async () => {
    // Where a route takes tokens and asks for a confirmation, a token passes the first and not the second.
    const gate = new Hono<AppEnv>();
    gate.onError((error, c) => c.text(error instanceof Problem ? error.code : String(error)));
    gate.get("/", scoped("account:read"), confirmed, (c) => c.text("let in"));
    const { token } = await make();
    const knock = async (bearer: string) => {
      const headers = { authorization: `Bearer ${bearer}` };
      return await (await gate.request("/", { headers }, test.ports)).text();
    };
    expect([await knock(person.token), await knock(token)]).toEqual(["let in", "confirm-first"]);
  });

  it("is no cookie, and a session beside it does not help", async () => {
    const { token } = await make(["devices:read"]);
    const headers = { cookie: `__Host-sid=${token}` };
    expect((await ask("GET /api/devices", "none", headers)).status).toBe(401);
    const both = { cookie: `__Host-sid=${person.token}` };
    expect((await ask("GET /api/account", token, both)).code).toBe("scope-missing");
  });

  it("[RGT-14] opens nothing once it is ended, its day has come, or its account is erased", async () => {
    const [ended, old, orphan] = [await make(), await make(tokenScopes, 7), await make()];
    const status = async ({ token }: { token: string }) =>
      (await ask("GET /api/account", token)).status;
    for (const made of [ended, old, orphan]) expect(await status(made)).toBe(200);
    await endPersonalToken(test.ports, person.accountId, ended.id, CLIENT);
    expect(await status(ended)).toBe(401);
    test.clock.advance(7 * DAY);
    expect([await status(old), await status(orphan)]).toEqual([401, 200]);
    await test.settle();
    await eraseAccount(test.ports, person.accountId);
    expect(await status(orphan)).toBe(401);
  });

  it("is nobody's when it is made up, of another kind or of another region", async () => {
    const { token } = await make();
    const random = test.ports.random.bytes;
    const wrong = [
      newToken("pat", "home", random),
      newToken("pat", "moon", random),
      `${token.slice(0, -1)}!`,
      token.toLowerCase(),
    ];
    for (const each of wrong) expect((await ask("GET /api/account", each)).status).toBe(401);
  });

  it("is checked with one query", async () => {
    const { token } = await make();
    await ask("GET /api/devices", token);
    await test.settle();
    const queries = countQueries(DB_HOME);
    await ask("PUT /api/devices/:id/access", newToken("pat", "home", test.ports.random.bytes));
    expect(queries()).toBe(1);
    await ask("PUT /api/devices/:id/access", token); // refused for its body, behind the check
    expect(queries()).toBe(2);
  });

  it("is kept as a hash, its name sealed, its last use by the day", async () => {
    const made = await make(["account:read"], 90, "  Grandmother's   backup ");
    expect(made).toMatchObject({ name: "Grandmother's backup", usedDay: null });
    const rows = JSON.stringify(
      (await DB_HOME.prepare("SELECT * FROM personal_token").all()).results,
    );
    expect(rows).toContain(await hashToken(made.token));
    expect(rows).not.toContain(made.token);
    expect(rows).not.toContain("Grandmother");
    test.clock.advance(3 * DAY + 12_345);
    await ask("GET /api/account", made.token);
    await test.settle();
    const usedDay = Math.floor(test.clock.now() / DAY) * DAY;
    const { token: _token, ...kept } = made;
    expect(await listPersonalTokens(test.ports, person.accountId)).toEqual([{ ...kept, usedDay }]);
  });

  it("needs a name, a scope and a day within its time, and is one of a number", async () => {
    const asked = { name: "x", scopes: tokenScopes, days: 30 };
    const wrong: [object, string][] = [
      [{ name: " " }, "name"],
      [{ name: "x".repeat(limits.personalTokenNameLength + 1) }, "name"],
      [{ scopes: [] }, "scopes"],
      [{ days: 0 }, "days"],
      [{ days: 1.5 }, "days"],
      [{ days: Number.NaN }, "days"],
      [{ days: limits.personalTokenMs / DAY + 1 }, "days"],
    ];
    for (const [change, field] of wrong) {
      const made = makePersonalToken(test.ports, person.accountId, { ...asked, ...change }, CLIENT);
      expect(await refusal(made)).toEqual(["bad-request", field]);
    }
    for (let at = 0; at < limits.personalTokensPerAccount; at++) await make();
    expect(await refusal(make())).toEqual(["too-many", undefined]);
  });

  it("is ended by its owner alone", async () => {
    const { id, token } = await make();
    const other = await newPerson(test, `token${count++}@example.org`);
    const end = (accountId: string, which = id) =>
      refusal(endPersonalToken(test.ports, accountId, which, CLIENT));
    expect(await end(other.accountId)).toEqual(["not-found", undefined]);
    expect(await end(person.accountId, "nonsense")).toEqual(["not-found", undefined]);
    expect((await ask("GET /api/account", token)).status).toBe(200);
    expect(await end(person.accountId)).toBe("accepted");
    expect(await end(person.accountId)).toEqual(["not-found", undefined]);
  });

  it("is made only by who showed a moment ago who they are", async () => {
    const body = { name: "x", scopes: ["account:read"], days: 7 };
    const post = async () => {
      const headers = {
        authorization: `Bearer ${person.token}`,
        "content-type": "application/json",
      };
      const init = { method: "POST", headers, body: JSON.stringify(body) };
      return await handle(new Request(`${ORIGIN}/api/tokens`, init), test.ports);
    };
    expect((await post()).status).toBe(201);
    test.clock.advance(limits.confirmedMs);
    expect(await (await post()).json()).toMatchObject({ code: "confirm-first" });
    await test.settle();
    const told = test.mail.sent.map(({ subject }) => subject);
    expect(told).toContain("A personal access token was made");
  });
});
