/** A passkey as the second step, and to show again who one is; over the API and over the pages. */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { DAY, limits } from "../../protocol/limits.ts";
import { handle } from "../../workers/app.ts";
import {
  confirmWithPasskey,
  passkeyConfirmOptions,
  passkeyStepOptions,
  takePasskeyStep,
} from "../../workers/sign-in/passkey-steps.ts";
import { addPasskey, creationOptions } from "../../workers/sign-in/passkeys.ts";
import { checkSession } from "../../workers/sign-in/sessions.ts";
import { signIn } from "../../workers/sign-in/sign-in.ts";
import { Authenticator, type Bend, UP } from "../support/authenticator.ts";
import { CLIENT, type NewSession, newPerson, PASSWORD } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { firstStep, withApp } from "./steps-support.ts";

const ORIGIN = "http://localhost:8787";
let test: TestPorts;
let person: NewSession;
let address: string;
let key: Authenticator;
let count = 0;

beforeEach(async () => {
  test = testPorts({ env, variables: { ORIGIN } });
  address = `step-key${count++}@example.org`;
  person = await newPerson(test, address);
  key = await keyOf(person.accountId);
  await withApp(test, person.accountId);
});

async function keyOf(accountId: string): Promise<Authenticator> {
  const made = new Authenticator(ORIGIN);
  const response = await made.create(await creationOptions(test.ports, accountId));
  await addPasskey(test.ports, accountId, { response }, CLIENT);
  return made;
}

const refusal = (work: Promise<unknown>) =>
  work.then(
    () => "accepted",
    (error: { code: string }) => error.code,
  );

async function take(token: string, bend: Bend = {}, by = key) {
  const response = await by.get(await passkeyStepOptions(test.ports, token, CLIENT), bend);
  return await takePasskeyStep(test.ports, token, response, CLIENT);
}

async function post(path: string, cookie: string, body: object | URLSearchParams | null) {
  const form = body instanceof URLSearchParams;
  const headers = new Headers({ cookie, "sec-fetch-site": "same-origin", accept: "text/html" });
  if (form) headers.set("content-type", "application/x-www-form-urlencoded");
  else if (body !== null) headers.set("content-type", "application/json");
  const text = form ? body.toString() : body === null ? null : JSON.stringify(body);
  return await handle(
    new Request(ORIGIN + path, { method: "POST", headers, body: text }),
    test.ports,
  );
}

describe("a passkey as the second step", () => {
  it.each([
    ["verified", {}],
    ["touched", { flags: UP }],
  ])("is offered after the password, and enough when %s", async (_case, bend) => {
    const begun = await signIn(test.ports, { address, password: PASSWORD }, CLIENT);
    if (begun.kind !== "second-step") throw new Error("one step was enough");
    expect(begun.pending.offers).toEqual(["totp", "passkey", "recovery-code"]);
    const options = await passkeyStepOptions(test.ports, begun.pending.token, CLIENT);
    expect(options.allowCredentials).toHaveLength(1);
    expect((await take(begun.pending.token, bend)).kind).toBe("signed-in");
    expect(await refusal(take(begun.pending.token))).toBe("sign-in-expired");
  });

  it("is refused when it is another's, of another site, or the sign-in is over", async () => {
    const token = await firstStep(test, address);
    const stranger = await newPerson(test, `stranger-${address}`);
    const other = await keyOf(stranger.accountId);
    expect(await refusal(take(token, {}, other))).toBe("passkey-refused");
    expect(await refusal(take(token, { userHandle: null }, other))).toBe("passkey-refused");
    expect(await refusal(take(token, { origin: "https://evil.test" }))).toBe("passkey-refused");
    const options = await passkeyStepOptions(test.ports, token, CLIENT);
    const two = [await key.get(options), await key.get(options)];
    const taken = two.map((response) =>
      refusal(takePasskeyStep(test.ports, token, response, CLIENT)),
    );
    expect((await Promise.all(taken)).filter((word) => word === "accepted")).toHaveLength(1);
    const late = await firstStep(test, address);
    test.clock.advance(limits.signInStepMs);
    expect(await refusal(take(late))).toBe("sign-in-expired");
    expect(await refusal(passkeyStepOptions(test.ports, null, CLIENT))).toBe("sign-in-expired");
  });

  it("is taken over the API and over the page alike", async () => {
    for (const way of ["api", "page"] as const) {
      const cookie = `__Host-step=${await firstStep(test, address)}`;
      const asked = await post("/api/sign-in/second-step/passkey/options", cookie, null);
      expect(asked.status).toBe(200);
      const response = await key.get(await asked.json());
      const fields = { way: "passkey", response: JSON.stringify(response), return: "/sessions" };
      const answer =
        way === "api"
          ? await post("/api/sign-in/second-step/passkey", cookie, { response })
          : await post("/sign-in/second-step", cookie, new URLSearchParams(fields));
      expect(answer.status).toBe(way === "api" ? 201 : 303);
      expect(answer.headers.get("set-cookie")).toContain("__Host-sid=lk_ses_");
    }
  });
});

describe("showing again with a passkey who one is", () => {
  const confirmedAt = async () =>
    (await checkSession(test.ports, person.token))?.confirmedAt ?? Number.NaN;

  it("confirms this session, once for each answer", async () => {
    test.clock.advance(DAY);
    const cookie = `__Host-sid=${person.token}`;
    expect((await post("/api/passkeys/options", cookie, null)).status).toBe(403);
    const response = await key.get(await passkeyConfirmOptions(test.ports, person, CLIENT));
    await confirmWithPasskey(test.ports, person, response, CLIENT);
    expect(await confirmedAt()).toBe(test.clock.now());
    expect((await post("/api/passkeys/options", cookie, null)).status).toBe(200);
    const again = confirmWithPasskey(test.ports, person, response, CLIENT);
    expect(await refusal(again)).toBe("passkey-refused");
  });

  it("is refused for another's passkey, and for the answer to another question", async () => {
    test.clock.advance(DAY);
    const stranger = await newPerson(test, `stranger-${address}`);
    const other = await keyOf(stranger.accountId);
    const confirm = async (by: Authenticator, bend: Bend = {}) =>
      confirmWithPasskey(
        test.ports,
        person,
        await by.get(await passkeyConfirmOptions(test.ports, person, CLIENT), bend),
        CLIENT,
      );
    expect(await refusal(confirm(other))).toBe("passkey-refused");
    expect(await refusal(confirm(key, { challenge: "AAAA" }))).toBe("passkey-refused");
    const token = await firstStep(test, address);
    const step = await key.get(await passkeyStepOptions(test.ports, token, CLIENT));
    const crossed = confirmWithPasskey(test.ports, person, step, CLIENT);
    expect(await refusal(crossed)).toBe("passkey-refused");
    expect(await confirmedAt()).toBeLessThan(test.clock.now());
  });

  it("goes over the page, and leads on to where it was asked", async () => {
    test.clock.advance(DAY);
    const cookie = `__Host-sid=${person.token}`;
    const shown = async (bend: Bend) => {
      const asked = await post("/api/sessions/current/confirm/passkey/options", cookie, null);
      const response = JSON.stringify(await key.get(await asked.json(), bend));
      const fields = { way: "passkey", response, return: "/account/passkeys" };
      return await post("/confirm", cookie, new URLSearchParams(fields));
    };
    const wrong = await shown({ flags: 0 });
    expect([wrong.status, await wrong.text()]).toEqual([
      401,
      expect.stringContaining("This passkey did not work here"),
    ]);
    const right = await shown({});
    expect([right.status, right.headers.get("location")]).toEqual([303, "/account/passkeys"]);
    for (const response of ["", "{", "[]", "null"]) {
      const fields = { way: "passkey", response };
      expect((await post("/confirm", cookie, new URLSearchParams(fields))).status).toBe(400);
    }
  });
});
