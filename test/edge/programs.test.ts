/** Who gets back into an account is shown what still gets in without the password, and can end it all. */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { listActivity } from "../../workers/account/activity.ts";
import { checkPersonalToken, makePersonalToken } from "../../workers/account/personal-tokens.ts";
import { endPrograms, programsOf } from "../../workers/account/programs.ts";
import { handle } from "../../workers/app.ts";
import type { Client as App } from "../../workers/openid/clients.ts";
import { allow } from "../../workers/openid/grants.ts";
import { askReset } from "../../workers/sign-in/forgot.ts";
import { askWithoutStep } from "../../workers/sign-in/lost-step.ts";
import { CLIENT, type NewSession, newPerson, PASSWORD } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { firstStep, withApp } from "./steps-support.ts";

const ORIGIN = "http://localhost:8787";
const NEXT = "another unlikely password";
const nas: App = {
  id: "nas",
  name: "Living-room NAS",
  kind: "operator",
  redirectUris: [],
  postLogoutRedirectUris: [],
  auth: { method: "none" },
  scopes: ["openid"],
  idTokenAlg: "RS256",
  deviceGrant: false,
};
let test: TestPorts;
let address: string;
let person: NewSession;
let token: string;
let count = 0;

beforeEach(async () => {
  test = testPorts({ env, variables: { ORIGIN } });
  address = `back-in${count++}@example.org`;
  person = await newPerson(test, address);
  token = await letIn(person.accountId);
  await test.settle();
  test.mail.sent.length = 0;
});

/** Gives an account an access token and an app. @returns the token */
async function letIn(accountId: string): Promise<string> {
  const asked = { name: "Backup\nscript", scopes: ["account:read"], days: 30 } as const;
  const made = await makePersonalToken(test.ports, accountId, asked, CLIENT);
  const allowing = {
    accountId,
    client: nas,
    scope: ["openid"],
    on: "Chrome on Mac",
    slot: "",
  } as const;
  await allow(test.ports, allowing, CLIENT);
  return made.token;
}

/** Sends a form, or fetches a page. */
async function send(path: string, cookie: string, form?: Record<string, string>) {
  const headers = new Headers({ cookie, "sec-fetch-site": "same-origin", accept: "text/html" });
  const body = form === undefined ? null : new URLSearchParams(form).toString();
  if (body !== null) headers.set("content-type", "application/x-www-form-urlencoded");
  const method = body === null ? "GET" : "POST";
  const answer = await handle(new Request(ORIGIN + path, { method, headers, body }), test.ports);
  const set = answer.headers.get("set-cookie") ?? "";
  const session = /__Host-sid=lk_ses_\w+/.exec(set)?.[0] ?? cookie;
  const { status } = answer;
  return { status, to: answer.headers.get("location"), session, text: await answer.text() };
}

const mailed = (pattern: RegExp) =>
  test.mail.sent.map(({ text }) => pattern.exec(text)?.[1]).findLast((one) => one) ?? "";
const mailOf = (subject: string) =>
  test.mail.sent.find((mail) => mail.subject === subject)?.text ?? "";

async function resetByMail() {
  await askReset(test.ports, address, CLIENT);
  await test.settle();
  const link = mailed(/forgot\/new\?token=(\S+)/);
  const answer = await send("/forgot/new", "", { token: link, password: NEXT });
  await test.settle();
  return answer;
}

const alive = async () => [
  (await checkPersonalToken(test.ports, token)) !== null,
  (await programsOf(test.ports, person.accountId)).length,
];

describe("after a forgotten password", () => {
  it("leads to what still gets in, names it in the notice, and one button ends it all", async () => {
    const other = await newPerson(test, `other-${address}`);
    await letIn(other.accountId);
    const back = await resetByMail();
    expect([back.status, back.to]).toEqual([303, "/account/programs?after=reset"]);
    const page = await send("/account/programs?after=reset", back.session);
    for (const words of ["Your password is new", "Backup script", nas.name, "Chrome on Mac"]) {
      expect(page.text).toContain(words);
    }
    const text = mailOf("Your Latchkey password was changed");
    expect(text).toContain("- Backup script (access token)\n- Living-room NAS on Chrome on Mac\n");
    expect(text).toContain(`${ORIGIN}/account/programs`);
    expect(await alive()).toEqual([true, 2]);

    const ended = await send("/account/programs/end", back.session, {});
    expect([ended.status, ended.to]).toEqual([303, "/account/programs?done=ended"]);
    expect(await alive()).toEqual([false, 0]);
    expect((await send(ended.to ?? "", back.session)).text).toContain("All of them are ended.");
    const events = (await listActivity(test.ports, person.accountId)).map(({ event }) => event);
    expect(events).toEqual(expect.arrayContaining(["token-ended", "app-ended"]));
    expect(await programsOf(test.ports, other.accountId)).toHaveLength(2);
  });

  it("leads on where nothing gets in, and the notice says nothing of it", async () => {
    await endPrograms(test.ports, person.accountId, CLIENT);
    const back = await resetByMail();
    const led = await send(back.to ?? "", back.session);
    expect([led.status, led.to]).toEqual([303, "/devices"]);
    expect(mailOf("Your Latchkey password was changed")).not.toContain("still get in");
    const page = await send("/account/programs?after=__proto__", back.session);
    expect([page.status, page.text.includes("Nothing.")]).toEqual([200, true]);
  });
});

it("after a lost second step it is the same", async () => {
  await withApp(test, person.accountId);
  await askWithoutStep(test.ports, await firstStep(test, address), CLIENT);
  test.clock.advance(limits.recoveryWaitMs);
  const step = await firstStep(test, address, PASSWORD);
  await askWithoutStep(test.ports, step, CLIENT);
  const link = mailed(/\/recovery\/finish\?token=(\S+)/);
  const back = await send("/recovery/finish", `__Host-step=${step}`, { token: link });
  expect([back.status, back.to]).toEqual([303, "/account/programs?after=recovered"]);
  await test.settle();
  expect(mailOf("Your Latchkey account was recovered")).toContain("- Living-room NAS on Chrome");
  const page = await send(back.to ?? "", back.session);
  expect(page.text).toContain("Your second step is off");
  await endPrograms(test.ports, person.accountId, CLIENT);
  expect((await send(back.to ?? "", back.session)).to).toBe("/account/second-step");
});

it("ends over the API, twice at once as well, and not by a token itself", async () => {
  const ask = async (bearer: string) => {
    const headers = { authorization: `Bearer ${bearer}` };
    const request = new Request(`${ORIGIN}/api/account/programs`, { method: "DELETE", headers });
    return (await handle(request, test.ports)).status;
  };
  expect(await ask(token)).toBe(401);
  expect(await alive()).toEqual([true, 2]);
  expect(await Promise.all([ask(person.token), ask(person.token)])).toEqual([204, 204]);
  expect(await alive()).toEqual([false, 0]);
});
