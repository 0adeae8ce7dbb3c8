/** Showing again who one is: the guard in front, the ways, and the page a browser is led to. */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { pageOnError } from "../../console/page.ts";
import { limits } from "../../protocol/limits.ts";
import { handle } from "../../workers/app.ts";
import { confirmed, signedIn } from "../../workers/guard.ts";
import { service } from "../../workers/http.ts";
import { checkSession } from "../../workers/sign-in/sessions.ts";
import { type NewSession, newPerson, PASSWORD } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { enroll } from "./devices-support.ts";

const ORIGIN = "http://localhost:8787";
let test: TestPorts;
let session: NewSession;
let count = 0;

beforeEach(async () => {
  test = testPorts({ env, variables: { ORIGIN } });
  session = await newPerson(test, `hedy${count++}@example.org`);
});

async function ask(path: string, init: { form?: Record<string, string>; json?: unknown } = {}) {
  const headers = new Headers({ "sec-fetch-site": "same-origin", accept: "text/html" });
  headers.set("cookie", `__Host-sid=${session.token}`);
  let body: string | null = null;
  if (init.form !== undefined) {
    headers.set("content-type", "application/x-www-form-urlencoded");
    body = new URLSearchParams(init.form).toString();
  }
  if (init.json !== undefined) {
    headers.set("content-type", "application/json");
    body = JSON.stringify(init.json);
  }
  const method = body === null ? "GET" : "POST";
  return await handle(new Request(ORIGIN + path, { method, headers, body }), test.ports);
}

const confirmedAt = async () => (await checkSession(test.ports, session.token))?.confirmedAt;

describe("showing again who one is", () => {
  it("holds for 15 minutes, from the sign-in on", async () => {
    const guarded = service();
    guarded.onError((error, c) => pageOnError(error, c));
    guarded.use("/x", signedIn, confirmed).get("/x", (c) => c.text("passed"));
    const look = async () => {
      const headers = { cookie: `__Host-sid=${session.token}` };
      return await guarded.fetch(new Request(`${ORIGIN}/x?y=1`, { headers }), test.ports);
    };
    test.clock.advance(limits.confirmedMs - 1);
    expect((await look()).status).toBe(200);
    test.clock.advance(1);
    const led = await look();
    expect([led.status, led.headers.get("location")]).toEqual([
      303,
      "/confirm?return=%2Fx%3Fy%3D1",
    ]);
    const page = await (await ask("/confirm?return=%2Fx%3Fy%3D1")).text();
    expect(page).toContain('name="return" value="/x?y=1"');
    const form = { way: "password", password: PASSWORD, return: "/x?y=1" };
    const back = await ask("/confirm", { form });
    expect([back.status, back.headers.get("location")]).toEqual([303, "/x?y=1"]);
    expect((await look()).status).toBe(200);
  });

  it("leads nowhere else, and says beside the field what was wrong", async () => {
    const wrong = await ask("/confirm", {
      form: { way: "password", password: "no", return: "/x" },
    });
    expect(wrong.status).toBe(401);
    expect(await wrong.text()).toContain("This is not your password.");
    const form = { way: "password", password: PASSWORD, return: "//evil.example" };
    expect((await ask("/confirm", { form })).headers.get("location")).toBe("/account");
    expect((await ask("/confirm", { form: { way: "magic" } })).status).toBe(400);
  });

  it("stands before a device is unregistered, over the API and on the page", async () => {
    const { id } = (await enroll(test.ports, session.accountId)).device;
    const [path, api] = [`/devices/${id}/unregister`, `/api/devices/${id}`];
    const unregister = async () => {
      const headers = { cookie: `__Host-sid=${session.token}`, "sec-fetch-site": "same-origin" };
      const request = new Request(ORIGIN + api, { method: "DELETE", headers });
      return (await handle(request, test.ports)).status;
    };
    test.clock.advance(limits.confirmedMs);
    expect(await unregister()).toBe(403);
    for (const form of [undefined, {}]) {
      const led = await ask(path, form === undefined ? {} : { form });
      const to = `/confirm?return=${encodeURIComponent(path)}`;
      expect([led.status, led.headers.get("location")]).toEqual([303, to]);
    }
    expect((await ask(api)).status).toBe(200);
    await ask("/confirm", { form: { way: "password", password: PASSWORD, return: path } });
    expect((await ask(path)).status).toBe(200);
    expect(await unregister()).toBe(204);
    expect((await ask(api)).status).toBe(404);
  });

  it("is the same over the API, and tires", async () => {
    const path = "/api/sessions/current/confirm";
    expect(await (await ask(path)).json()).toEqual({ ways: ["password"] });
    test.clock.advance(limits.confirmedMs);
    expect((await ask(path, { json: { way: "password", secret: PASSWORD } })).status).toBe(204);
    expect(await confirmedAt()).toBe(test.clock.now());
    for (const way of ["totp", "sms", "recovery-code", "contact"]) {
      expect((await ask(path, { json: { way, secret: "123456" } })).status).toBe(403);
    }
    expect((await ask(path, { json: { way: "passkey", secret: "" } })).status).toBe(400);
    expect((await ask(`${path}/code`, { json: { way: "sms" } })).status).toBe(403);
    const statuses = new Set<number>();
    for (let attempt = 1; attempt < limits.secondStepPerAccountNetwork; attempt++) {
      statuses.add((await ask(path, { json: { way: "password", secret: "wrong" } })).status);
    }
    expect([...statuses]).toEqual([401]);
    expect((await ask(path, { json: { way: "password", secret: PASSWORD } })).status).toBe(429);
  });

  it("sends a code to an account that has nothing else to show", async () => {
    const { DB_HOME } = env as unknown as { DB_HOME: D1Database };
    await DB_HOME.prepare("DELETE FROM password WHERE account_id = ?")
      .bind(session.accountId)
      .run();
    const path = "/api/sessions/current/confirm";
    expect(await (await ask(path)).json()).toEqual({ ways: ["contact"] });
    test.clock.advance(limits.confirmedMs);
    expect((await ask(`${path}/code`, { json: { way: "contact" } })).status).toBe(204);
    const code = /^\d{6}/m.exec(test.mail.sent.at(-1)?.text ?? "")?.[0] ?? "";
    const wrong = code === "000000" ? "000001" : "000000";
    expect((await ask(path, { json: { way: "contact", secret: wrong } })).status).toBe(401);
    expect(await confirmedAt()).not.toBe(test.clock.now());
    expect((await ask(path, { json: { way: "contact", secret: code } })).status).toBe(204);
    expect(await confirmedAt()).toBe(test.clock.now());
    expect((await ask(path, { json: { way: "contact", secret: code } })).status).toBe(401);
  });
});
