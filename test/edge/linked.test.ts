/**
 * Accounts elsewhere: signing in, signing up and linking with them, against a provider behind the
 * egress gate that tells the truth here and lies in linked-attacks.test.ts.
 */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { secondStep } from "../../db/schema/region/sign-in.ts";
import { limits } from "../../protocol/limits.ts";
import { listActivity } from "../../workers/account/activity.ts";
import { link, listLinked, unlink } from "../../workers/linked/linked.ts";
import { eraseAccount } from "../../workers/privacy/erase.ts";
import { checkSession, listSessions } from "../../workers/sign-in/sessions.ts";
import { CLIENT, newPerson, signIn } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { fakeProviders, ORIGIN, type Someone, Visitor, variables } from "./linked-support.ts";

let test: TestPorts;
let providers: ReturnType<typeof fakeProviders>;
let serial = 0;

beforeEach(() => {
  test = testPorts({ env, variables });
  providers = fakeProviders(test);
});

/** Somebody new at a provider, with an address that it has checked. */
function someone(claims: Record<string, unknown> = {}): Someone & { readonly email: string } {
  const n = `${Date.now()}-${serial++}`;
  const email = `ada${n}@example.org`;
  return {
    sub: `sub-${n}`,
    email,
    claims: { email, email_verified: true, name: "Ada L", ...claims },
  };
}

const visitor = () => new Visitor(test.ports);
const sessionIn = (browser: Visitor) => browser.cookies.get("__Host-sid") ?? "";
const whoIsIn = async (browser: Visitor) =>
  (await checkSession(test.ports, sessionIn(browser)))?.accountId ?? null;

/** Goes to `work` as `who` and comes back. */
async function round(browser: Visitor, who: Someone, query = "") {
  return await browser.comeBack(providers.work.authorize(await browser.setOut("work", query), who));
}

/** Opens an account with `who`, whose address its provider has checked. */
async function newLinked(who: Someone & { readonly email: string }): Promise<Visitor> {
  const browser = visitor();
  expect((await round(browser, who)).location).toBe("/sign-up/with/work");
  const opened = await browser.go("/sign-up/with/work", { address: who.email });
  expect([opened.status, opened.location]).toEqual([303, "/devices"]);
  return browser;
}

describe("signing up with an account elsewhere", () => {
  it("opens an account with an address that its provider has checked, and no mail", async () => {
    const who = someone();
    const browser = visitor();
    await round(browser, who);
    const asked = await browser.go("/sign-up/with/work");
    expect(asked.text).toContain("Open an account with The Works?");
    expect(asked.text).toContain(`value="${who.email}"`);
    expect(await whoIsIn(browser)).toBeNull();
    await browser.go("/sign-up/with/work", { address: who.email });
    const accountId = await whoIsIn(browser);
    expect(accountId).not.toBeNull();
    const [own] = await listLinked(test.ports, accountId ?? "");
    expect(own).toMatchObject({ provider: "work", title: "The Works", name: "Ada L" });
    const events = (await listActivity(test.ports, accountId ?? "")).map(({ event }) => event);
    expect(events).toEqual(expect.arrayContaining(["signed-up", "linked", "signed-in"]));
    expect(test.egress.filter(({ recipient }) => recipient === "mail")).toEqual([]);
  });

  it("asks by mail for an address that its provider has not checked, and for the provider again", async () => {
    const who = someone({ email_verified: false });
    const browser = visitor();
    await round(browser, who);
    const asked = await browser.go("/sign-up/with/work", { address: who.email });
    expect(asked.location).toBe("/sign-up/sent");
    expect(await whoIsIn(browser)).toBeNull();
    const link = /http\S+/.exec(test.mail.sent.at(-1)?.text ?? "")?.[0] ?? "";
    // In another browser, as on a phone.
    const other = visitor();
    const { pathname, search, searchParams } = new URL(link);
    expect((await other.go(pathname + search)).text).toContain("Continue with The Works");
    const token = searchParams.get("token") ?? "";
    const away = await other.go(pathname, { token });
    const entered = await other.comeBack(
      providers.work.authorize(new URL(away.refresh ?? ""), who),
    );
    expect(entered.location).toBe("/devices");
    expect(await whoIsIn(other)).not.toBeNull();
    expect((await other.go(pathname, { token })).status).toBe(410);
  });

  it("signs in the next time, also in another browser", async () => {
    const who = someone();
    const first = await newLinked(who);
    const second = visitor();
    const entered = await round(second, who, "?return=%2Faccount");
    expect(entered.location).toBe("/account");
    expect(await whoIsIn(second)).toBe(await whoIsIn(first));
  });

  it.each([
    ["google with its own mailbox", "google", "gmail.com", {}, true],
    ["google with a hosted domain", "google", "works.example", { hd: "works.example" }, true],
    ["google with somebody else's mailbox", "google", "elsewhere.example", {}, false],
    ["a provider that is doubted", "doubt", "example.org", {}, false],
  ] as const)("takes the word of %s: %s %s", async (_, id, domain, claims, believed) => {
    const email = `eve${serial++}.${Date.now()}@${domain}`;
    const browser = visitor();
    const who = someone({ email, ...claims });
    await browser.comeBack(providers[id].authorize(await browser.setOut(id), who));
    const { location } = await browser.go(`/sign-up/with/${id}`, { address: email });
    expect(location).toBe(believed ? "/devices" : "/sign-up/sent");
  });

  it("[KID-1] leaves nothing of whoever is too young", async () => {
    test = testPorts({ env, variables: { ...variables, MINIMUM_AGE: "16" } });
    providers = fakeProviders(test);
    const who = someone();
    const browser = visitor();
    await round(browser, who);
    const form = { address: who.email };
    expect((await browser.go("/sign-up/with/work", form)).status).toBe(422);
    expect((await browser.go("/sign-up/with/work", { ...form, age: "15" })).status).toBe(403);
    expect(await whoIsIn(browser)).toBeNull();
    expect((await browser.go("/sign-up/with/work", { ...form, age: "16" })).location).toBe(
      "/devices",
    );
  });

  it("is not offered, and its routes are not there, where nothing is configured", async () => {
    test = testPorts({ env, variables: { ORIGIN } });
    const browser = visitor();
    expect((await browser.go("/sign-in")).text).not.toContain("elsewhere");
    for (const path of [
      "/sign-in/with/work",
      "/sign-in/with/work/callback",
      "/sign-up/with/work",
    ]) {
      expect([path, (await browser.go(path)).status]).toEqual([path, 404]);
    }
  });

  it("stands on the sign-in and sign-up pages, with where to go on", async () => {
    const browser = visitor();
    expect((await browser.go("/sign-up")).text).toContain("Continue with Google");
    const page = (await browser.go("/sign-in?return=%2Faccount")).text;
    expect(page).toContain('href="/sign-in/with/google?return=%2Faccount"');
  });
});

describe("signing in with an account elsewhere", () => {
  it("[ACC-12] is one step: an account with a second one asks for it", async () => {
    const who = someone();
    const accountId = (await whoIsIn(await newLinked(who))) ?? "";
    await test.ports.regions
      .db(accountId)
      ?.insert(secondStep)
      .values({
        id: `${accountId}/totp`,
        accountId,
        kind: "totp",
        secretSealed: "s1.s",
        lastStep: 0,
        createdAt: 1,
        confirmedAt: 1,
      });
    const browser = visitor();
    const entered = await round(browser, who, "?return=%2Faccount");
    expect(entered.location).toBe("/sign-in/second-step?return=%2Faccount");
    expect([...browser.cookies.keys()]).toEqual(["__Host-step"]);
  });

  it("[FEA-8] revokes the provider's tokens at once, and keeps none", async () => {
    await newLinked(someone());
    await test.settle();
    const { issued, revoked } = providers.work;
    expect(revoked).toEqual(issued.filter((token) => /^[ar]t-/.test(token)).reverse());
    const steps = test.egress.map(({ fields }) => new URL(fields.url ?? ORIGIN).pathname);
    expect(steps).toEqual(expect.arrayContaining(["/token", "/jwks", "/revoke"]));
  });

  it("signs in though a token cannot be revoked, and says so in the log", async () => {
    providers.work.lie = {
      any: ({ url }) =>
        url?.endsWith("/revoke") ? { status: 503, contentType: "", body: "" } : null,
    };
    await newLinked(someone());
    await test.settle();
    expect(test.lines).toContainEqual({
      event: "identity-token-not-revoked",
      code: "server-error",
    });
  });

  it("leaves no trace where the provider is down, before and after", async () => {
    const browser = visitor();
    test.identity.answer = null;
    const away = await browser.go("/sign-in/with/work");
    expect([away.status, [...browser.cookies]]).toEqual([503, []]);
    expect(away.text).toContain("The other provider does not answer right now");
    providers = fakeProviders(test);
    const callback = providers.work.authorize(await browser.setOut("work"), someone());
    test.identity.answer = null;
    const back = await browser.go(callback);
    expect([back.status, [...browser.cookies]]).toEqual([503, []]);
  });

  it("says what happened when its owner says no there", async () => {
    const browser = visitor();
    const url = await browser.setOut("work");
    const denied = { code: undefined, error: "access_denied" };
    const back = await browser.go(providers.work.authorize(url, someone(), denied));
    expect([back.status, [...browser.cookies]]).toEqual([403, []]);
    expect(back.text).toContain("was not finished");
  });

  it("sends who is signed in on, and a strange page's visitor to the sign-in page", async () => {
    const strange = { "sec-fetch-site": "cross-site" };
    const path = "/sign-in/with/work?return=%2Faccount";
    const browser = visitor();
    expect((await browser.go(path, null, strange)).location).toBe("/sign-in?return=%2Faccount");
    expect((await (await newLinked(someone())).go(path)).location).toBe("/account");
    expect((await visitor().go("/sign-in/with/work?return=//evil.test")).status).toBe(200);
  });

  it("counts how often a network sets out", async () => {
    for (let time = 0; time < limits.elsewherePerNetwork; time++) await visitor().setOut("work");
    expect((await visitor().go("/sign-in/with/work")).status).toBe(429);
  });
});

describe("an account elsewhere in the account center", () => {
  it("is linked by who is signed in and has just shown it, and lets in from then on", async () => {
    const person = await newPerson(test, `grace${Date.now()}${serial++}@example.org`);
    const browser = visitor();
    browser.cookies.set("__Host-sid", person.token);
    const who = someone();
    const away = await browser.go("/account/linked/add", { provider: "work" });
    const back = await browser.comeBack(providers.work.authorize(new URL(away.refresh ?? ""), who));
    expect(back.location).toBe("/account/linked?done=linked");
    const page = (await browser.go("/account/linked?done=linked")).text;
    for (const text of ["The Works", "Ada L", who.email, "Unlink"]) expect(page).toContain(text);
    const other = visitor();
    await round(other, who);
    expect(await whoIsIn(other)).toBe(person.accountId);
    await test.settle();
    expect(test.mail.sent.at(-2)?.text).toContain("can sign in to it: The Works");
  });

  it("asks first who it is when that was a while ago", async () => {
    const person = await newPerson(test, `late${Date.now()}${serial++}@example.org`);
    test.clock.advance(limits.confirmedMs);
    const headers = { authorization: `Bearer ${person.token}` };
    const browser = visitor();
    for (const path of ["/account/linked/add", "/account/linked/remove"]) {
      const answer = await browser.go(path, { provider: "work", linked: "x" }, headers);
      expect([path, answer.refresh]).toEqual([path, null]);
      expect([303, 403]).toContain(answer.status);
    }
  });

  it("is taken for its owner's word, when shown afresh", async () => {
    const who = someone();
    const browser = await newLinked(who);
    test.clock.advance(limits.confirmedMs);
    const confirmedNow = async () => {
      const session = await checkSession(test.ports, sessionIn(browser));
      return test.clock.now() - (session?.confirmedAt ?? 0) < limits.confirmedMs;
    };
    expect(await confirmedNow()).toBe(false);
    expect((await browser.go("/account/linked/add", { provider: "other" })).location).toBe(
      "/confirm?return=%2Faccount%2Flinked%2Fadd",
    );
    const asked = (await browser.go("/confirm?return=%2Faccount%2Flinked")).text;
    expect(asked).toContain('action="/confirm/with/work"');
    expect(asked).not.toContain('action="/confirm/with/other"');
    const away = await browser.go("/confirm/with/work", { return: "/account/linked" });
    const url = new URL(away.refresh ?? "");
    expect([url.searchParams.get("prompt"), url.searchParams.get("max_age")]).toEqual([
      "login",
      "0",
    ]);
    // The provider's clock is the machine's; the test's is ahead of it.
    providers.work.lie = { claims: { auth_time: Math.floor(test.clock.now() / 1000) } };
    const strange = await visitorWith(browser).comeBack(providers.work.authorize(url, someone()));
    expect(strange.status).toBe(403);
    const again = await browser.go("/confirm/with/work", { return: "/account/linked" });
    const back = await browser.comeBack(
      providers.work.authorize(new URL(again.refresh ?? ""), who),
    );
    expect(back.location).toBe("/account/linked");
    expect(await confirmedNow()).toBe(true);
  });

  it.each([
    ["long ago", (now: number) => Math.floor(now / 1000) - 3600],
    ["nobody knows when", () => undefined],
  ])("is not taken for it when its owner signed in there %s", async (_, at) => {
    const who = someone();
    const browser = await newLinked(who);
    const away = await browser.go("/confirm/with/work", { return: "/account" });
    providers.work.lie = { claims: { auth_time: at(test.clock.now()) } };
    const back = await browser.go(providers.work.authorize(new URL(away.refresh ?? ""), who));
    expect(back.status).toBe(400);
  });

  it("is unlinked: it lets nobody in, and the sessions it opened elsewhere end", async () => {
    const who = someone();
    const person = await newPerson(test, `hopper${Date.now()}${serial++}@example.org`);
    const { provider, issuer } = { provider: "work", issuer: providers.work.issuer };
    const identity = { provider, issuer, subject: who.sub, name: null, email: null };
    await link(test.ports, person.accountId, { ...identity, emailChecked: false }, CLIENT);
    const elsewhere = visitor();
    await round(elsewhere, who);
    expect(await whoIsIn(elsewhere)).toBe(person.accountId);
    const browser = visitor();
    browser.cookies.set("__Host-sid", person.token);
    const [own] = await listLinked(test.ports, person.accountId);
    const gone = await browser.go("/account/linked/remove", { linked: own?.id ?? "" });
    expect(gone.location).toBe("/account/linked?done=unlinked");
    expect(await whoIsIn(elsewhere)).toBeNull();
    expect(await whoIsIn(browser)).toBe(person.accountId);
    const stranger = visitor();
    expect((await round(stranger, who)).location).toBe("/sign-up/with/work");
    expect((await browser.go("/account/linked/remove", { linked: own?.id ?? "" })).status).toBe(
      404,
    );
  });

  it("stays when it is the last way in, and goes when there is another", async () => {
    const who = someone();
    const browser = await newLinked(who);
    const accountId = (await whoIsIn(browser)) ?? "";
    const [own] = await listLinked(test.ports, accountId);
    const refused = await browser.go("/account/linked/remove", { linked: own?.id ?? "" });
    expect([refused.status, refused.text.includes("last way in")]).toEqual([409, true]);
    const second = await browser.go("/account/linked/add", { provider: "other" });
    await browser.comeBack(
      providers.other.authorize(new URL(second.refresh ?? ""), { sub: `other-${who.sub}` }),
    );
    expect(await listLinked(test.ports, accountId)).toHaveLength(2);
    const gone = await browser.go("/account/linked/remove", { linked: own?.id ?? "" });
    expect(gone.status).toBe(303);
  });

  it("of one account is never unlinked by another", async () => {
    const owner = await newLinked(someone());
    const [own] = await listLinked(test.ports, (await whoIsIn(owner)) ?? "");
    const other = await newLinked(someone());
    const session = await checkSession(test.ports, sessionIn(other));
    if (session === null) throw new Error("nobody is in");
    await expect(unlink(test.ports, session, own?.id ?? "", CLIENT)).rejects.toMatchObject({
      code: "not-found",
    });
  });

  it("belongs to one account: a second that wants it is refused, and nothing changes", async () => {
    const who = someone();
    const first = await newLinked(who);
    const person = await newPerson(test, `second${Date.now()}${serial++}@example.org`);
    const browser = visitor();
    browser.cookies.set("__Host-sid", person.token);
    const away = await browser.go("/account/linked/add", { provider: "work" });
    const back = await browser.comeBack(providers.work.authorize(new URL(away.refresh ?? ""), who));
    expect(back.status).toBe(409);
    expect(await listLinked(test.ports, person.accountId)).toEqual([]);
    expect(await listLinked(test.ports, (await whoIsIn(first)) ?? "")).toHaveLength(1);
  });

  it("is linked up to a number", async () => {
    const person = await newPerson(test, `many${Date.now()}${serial++}@example.org`);
    const identity = { provider: "work", issuer: "https://x.test", name: null, email: null };
    const add = (subject: string) =>
      link(test.ports, person.accountId, { ...identity, subject, emailChecked: false }, CLIENT);
    for (let n = 0; n < limits.linkedPerAccount; n++) await add(`${person.accountId}${n}`);
    await expect(add("one more")).rejects.toMatchObject({ code: "too-many" });
  });

  it("goes with the erased account, and can open a new one", async () => {
    const who = someone();
    const browser = await newLinked(who);
    const before = (await whoIsIn(browser)) ?? "";
    await eraseAccount(test.ports, before);
    expect(await whoIsIn(browser)).toBeNull();
    const again = await newLinked(who);
    expect(await whoIsIn(again)).not.toBe(before);
  });

  it("is answered by the API: list, set out, unlink", async () => {
    const person = await newPerson(test, `api${Date.now()}${serial++}@example.org`);
    const headers = {
      authorization: `Bearer ${person.token}`,
      "content-type": "application/json",
      accept: "application/json",
    };
    const browser = visitor();
    const offered = JSON.parse((await browser.go("/api/identity-providers")).text).providers;
    expect(offered[0]).toEqual({ id: "work", title: "The Works" });
    const out = await browser.go("/api/account/linked", {}, headers);
    expect(out.status).toBe(400);
    expect(JSON.parse((await browser.go("/api/account/linked", null, headers)).text)).toEqual({
      linked: [],
    });
  });
});

/** Another browser with the same cookies: what a test may spend without spending the first one's. */
function visitorWith(browser: Visitor): Visitor {
  const copy = visitor();
  for (const [name, value] of browser.cookies) copy.cookies.set(name, value);
  return copy;
}

it("a person with a password keeps it beside an account elsewhere", async () => {
  const address = `both${Date.now()}${serial++}@example.org`;
  const person = await newPerson(test, address);
  const entered = await signIn(test.ports, { address, password: "an unlikely password" }, CLIENT);
  expect(entered.accountId).toBe(person.accountId);
  expect((await listSessions(test.ports, person.accountId)).length).toBeGreaterThan(1);
});
