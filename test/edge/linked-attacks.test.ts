/**
 * What strangers try with accounts elsewhere: answers that are forged, replayed or meant for another,
 * and the five ways to hijack an account before its owner opens it (Sudhodanan and Paverd,
 * "Pre-hijacked accounts", USENIX Security 2022).
 */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { link, listLinked } from "../../workers/linked/linked.ts";
import { checkSession } from "../../workers/sign-in/sessions.ts";
import { signUp } from "../../workers/sign-in/sign-up.ts";
import { CLIENT, newPerson, signIn, verifySignUp } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import {
  fakeProviders,
  type Lie,
  type Someone,
  type Visited,
  Visitor,
  variables,
} from "./linked-support.ts";

const PASSWORD = "an unlikely password";
let test: TestPorts;
let providers: ReturnType<typeof fakeProviders>;
let serial = 0;

beforeEach(() => {
  test = testPorts({ env, variables });
  providers = fakeProviders(test);
});

const visitor = () => new Visitor(test.ports);
const newAddress = () => `victim${Date.now()}-${serial++}@example.org`;
const someone = (email: string | null = null, verified = true): Someone => ({
  sub: `sub-${Date.now()}-${serial++}`,
  claims: email === null ? {} : { email, email_verified: verified, name: "Vic" },
});

async function whoIsIn(browser: Visitor): Promise<string | null> {
  const token = browser.cookies.get("__Host-sid");
  if (token === undefined) return null;
  return (await checkSession(test.ports, token))?.accountId ?? null;
}

const round = async (browser: Visitor, who: Someone) =>
  await browser.comeBack(providers.work.authorize(await browser.setOut("work"), who));

/** Somebody whose account elsewhere opened an account here. */
async function newOwner(): Promise<{ who: Someone; accountId: string }> {
  const email = newAddress();
  const [who, browser] = [someone(email), visitor()];
  await round(browser, who);
  await browser.go("/sign-up/with/work", { address: email });
  return { who, accountId: (await whoIsIn(browser)) ?? "" };
}

/** Nobody was let in, nothing is left in the browser, and nothing of it is in the log. */
async function expectNothing(browser: Visitor, answer: Visited, status: number): Promise<void> {
  expect([answer.status, answer.refresh]).toEqual([status, null]);
  expect(await whoIsIn(browser)).toBeNull();
  expect(browser.cookies.has("__Host-sid")).toBe(false);
  expect(answer.text).not.toMatch(/OAUTH_|Error:|at \w+ \(/);
}

describe("an answer of the provider that is not right", () => {
  const hour = 3600;
  const now = () => Math.floor(Date.now() / 1000);
  const lies: Record<string, () => Lie> = {
    "another nonce": () => ({ claims: { nonce: "another" } }),
    "no nonce": () => ({ claims: { nonce: undefined } }),
    "another issuer": () => ({ claims: { iss: "https://other.test/op" } }),
    "another audience": () => ({ claims: { aud: "somebody-else" } }),
    "two audiences, authorized for another": () => ({
      claims: { aud: ["latchkey", "somebody-else"], azp: "somebody-else" },
    }),
    "a token of an hour ago": () => ({
      claims: { iat: now() - 2 * hour, exp: now() - hour },
    }),
    "a token that is not valid yet": () => ({ claims: { nbf: now() + hour } }),
    "no expiry": () => ({ claims: { exp: undefined } }),
    "no subject": () => ({ claims: { sub: undefined } }),
    "an empty subject": () => ({ claims: { sub: "" } }),
    "a subject without end": () => ({ claims: { sub: "x".repeat(256) } }),
    "the algorithm none": () => ({ alg: "none" }),
    "the algorithm none, announced": () => ({
      alg: "none",
      metadata: { id_token_signing_alg_values_supported: ["none", "RS256"] },
    }),
    "its own secret for a key": () => ({
      alg: "HS256",
      metadata: { id_token_signing_alg_values_supported: ["HS256", "RS256"] },
    }),
    "another key": () => ({ key: "another" }),
    "a key that nobody published": () => ({ key: "another", header: { kid: "k2" } }),
    "a key it brings along": () => ({
      key: "another",
      header: { kid: "k2", jku: "https://evil.test/jwks" },
    }),
    "another's address for its token": () => ({
      claims: { email: undefined },
      userinfo: { sub: "somebody-else", email: "victim@example.org", email_verified: true },
    }),
  };

  it.each(Object.entries(lies))("lets nobody in: %s", async (_, lie) => {
    const { who } = await newOwner();
    test = testPorts({ env, variables }); // A fresh isolate, which knows no metadata.
    providers = fakeProviders(test);
    providers.work.lie = lie();
    const browser = visitor();
    const url = await browser.setOut("work");
    await expectNothing(browser, await browser.go(providers.work.authorize(url, who)), 400);
    expect(test.lines.map(({ event }) => event)).toContain("identity-invalid");
  });

  it.each([
    ["an issuer that is not the one asked", { issuer: "https://evil.test" }],
    ["no token endpoint at home", { token_endpoint: "https://evil.test/token" }],
    ["keys elsewhere", { jwks_uri: "https://evil.test/jwks" }],
    ["a way there that is a script", { authorization_endpoint: "javascript:alert(1)" }],
  ])("asks no host but those configured: metadata with %s", async (_, metadata) => {
    providers.work.lie = { metadata };
    test.identity.answer = async (fields) => {
      // What the real transport refuses (unit/identity-egress.test.ts).
      if (new URL(fields.url ?? "").hostname !== "login.works.test") throw new Error("refused");
      return await providers.work.answer(fields);
    };
    const browser = visitor();
    const away = await browser.go("/sign-in/with/work");
    if (away.refresh === null) return await expectNothing(browser, away, 503);
    expect(new URL(away.refresh).origin).toBe("https://login.works.test");
    const back = await browser.go(providers.work.authorize(new URL(away.refresh), someone()));
    await expectNothing(browser, back, 503);
  });

  it.each([
    ["no JSON", { status: 200, contentType: "text/html", body: "<h1>Hi</h1>" }, 503],
    ["a server error", { status: 500, contentType: "", body: "" }, 503],
    ["a redirect", { status: 302, contentType: "", body: "" }, 503],
  ])("is told from one that is down: discovery answers with %s", async (_, answer, status) => {
    providers.work.lie = { any: () => answer };
    const browser = visitor();
    await expectNothing(browser, await browser.go("/sign-in/with/work"), status);
  });
});

describe("a callback that is not this browser's", () => {
  it("leads nowhere in a browser that did not set out (login CSRF)", async () => {
    const { who } = await newOwner();
    const url = await visitor().setOut("work");
    const victim = visitor();
    await expectNothing(victim, await victim.go(providers.work.authorize(url, who)), 410);
  });

  it("leads nowhere in a browser that set out itself: the state is another", async () => {
    const { who } = await newOwner();
    const url = await visitor().setOut("work");
    const victim = visitor();
    await victim.setOut("work");
    await expectNothing(victim, await victim.go(providers.work.authorize(url, who)), 400);
  });

  it("leads nowhere with somebody else's code in it (code injection)", async () => {
    const { who } = await newOwner();
    const owner = visitor();
    const stolen = providers.work.authorize(await owner.setOut("work"), who);
    const code = new URL(stolen, "http://x").searchParams.get("code") ?? "";
    const thief = visitor();
    const mine = providers.work.authorize(await thief.setOut("work"), someone());
    const injected = new URL(mine, "http://x");
    injected.searchParams.set("code", code);
    const answer = await thief.go(injected.pathname + injected.search);
    await expectNothing(thief, answer, 400);
  });

  it("leads nowhere a second time, also with a copy of the cookie (replay)", async () => {
    const { who } = await newOwner();
    const browser = visitor();
    const callback = providers.work.authorize(await browser.setOut("work"), who);
    const copy = visitor();
    copy.cookies.set("__Host-fed", browser.cookies.get("__Host-fed") ?? "");
    const back = await browser.go(callback);
    expect(back.refresh).toBe("/sign-in/with/work/done");
    await expectNothing(copy, await copy.go(callback), 410);
    // What came back is used up too.
    copy.cookies.set("__Host-fed", browser.cookies.get("__Host-fed") ?? "");
    expect((await browser.go("/sign-in/with/work/done")).location).toBe("/devices");
    await expectNothing(copy, await copy.go("/sign-in/with/work/done"), 410);
  });

  it("has one winner of many at once", async () => {
    const { who } = await newOwner();
    const browser = visitor();
    const callback = providers.work.authorize(await browser.setOut("work"), who);
    const sealed = browser.cookies.get("__Host-fed") ?? "";
    const answers = await Promise.all(
      [1, 2, 3].map(async () => {
        const copy = visitor();
        copy.cookies.set("__Host-fed", sealed);
        return (await copy.go(callback)).status;
      }),
    );
    expect(answers.sort()).toEqual([200, 410, 410]);
  });

  it("is too late after ten minutes", async () => {
    const { who } = await newOwner();
    const browser = visitor();
    const callback = providers.work.authorize(await browser.setOut("work"), who);
    test.clock.advance(limits.elsewhereMs);
    await expectNothing(browser, await browser.go(callback), 410);
  });

  it("of one provider is not taken for another's (mix-up)", async () => {
    const { who } = await newOwner();
    const browser = visitor();
    // It set out for the other one, whose operator sends the browser on to this one.
    const url = await browser.setOut("other");
    const mixed = providers.work.authorize(url, who);
    await expectNothing(browser, await browser.go(mixed), 400);
    expect(providers.other.asked.some(({ url }) => url?.endsWith("/token"))).toBe(false);
    const again = visitor();
    const callback = providers.other.authorize(await again.setOut("other"), who);
    const moved = callback.replace("/with/other/", "/with/work/");
    await expectNothing(again, await again.go(moved), 410);
  });

  it("without the issuer's name is refused where the provider says that it sends it (RFC 9207)", async () => {
    const browser = visitor();
    const url = await browser.setOut("work");
    const unnamed = providers.work.authorize(url, someone(), { iss: undefined });
    await expectNothing(browser, await browser.go(unnamed), 400);
  });

  it("cannot be made of a changed cookie", async () => {
    const browser = visitor();
    await browser.setOut("work");
    const sealed = browser.cookies.get("__Host-fed") ?? "";
    for (const changed of [`${sealed.slice(0, -4)}AAAA`, "s1.AAAA", "", "x"]) {
      browser.cookies.set("__Host-fed", changed);
      const answer = await browser.go("/sign-in/with/work/callback?code=c&state=s");
      await expectNothing(browser, answer, 410);
    }
  });
});

describe("linking", () => {
  it("is never begun by a page that is not ours, nor by a GET", async () => {
    const person = await newPerson(test, newAddress());
    const browser = visitor();
    browser.cookies.set("__Host-sid", person.token);
    const strange = { "sec-fetch-site": "cross-site", origin: "https://evil.test" };
    const form = { provider: "work" };
    expect((await browser.go("/account/linked/add", form, strange)).status).toBe(403);
    expect((await browser.go("/account/linked/add?provider=work")).refresh).toBeNull();
    expect(browser.cookies.has("__Host-fed")).toBe(false);
  });

  it("is not finished for whoever sits there by then", async () => {
    const [first, second] = [
      await newPerson(test, newAddress()),
      await newPerson(test, newAddress()),
    ];
    const browser = visitor();
    browser.cookies.set("__Host-sid", first.token);
    const away = await browser.go("/account/linked/add", { provider: "work" });
    browser.cookies.set("__Host-sid", second.token);
    const callback = providers.work.authorize(new URL(away.refresh ?? ""), someone());
    const back = await browser.comeBack(callback);
    expect(back.location).toMatch(/^\/sign-in/);
    for (const { accountId } of [first, second]) {
      expect(await listLinked(test.ports, accountId)).toEqual([]);
    }
  });

  it("is never done by an address: an account with it stays as it is", async () => {
    const email = newAddress();
    const person = await newPerson(test, email);
    const browser = visitor();
    expect((await round(browser, someone(email))).location).toBe("/sign-up/with/work");
    const asked = await browser.go("/sign-up/with/work", { address: email });
    expect(asked.location).toBe("/sign-up/sent");
    expect(test.mail.sent.at(-1)?.subject).toBe("You already have a Latchkey account");
    expect(test.mail.sent.at(-1)?.text).not.toContain("token=");
    expect(await whoIsIn(browser)).toBeNull();
    expect(await listLinked(test.ports, person.accountId)).toEqual([]);
  });

  it("tells a stranger nothing of an address that the provider has not checked", async () => {
    const [known, unknown] = [newAddress(), newAddress()];
    await newPerson(test, known);
    const answers = [];
    for (const address of [known, unknown]) {
      const browser = visitor();
      await round(browser, someone(address, false));
      const { status, location, text } = await browser.go("/sign-up/with/work", { address });
      answers.push({ status, location, text });
    }
    expect(answers[0]).toEqual(answers[1]);
  });
});

describe("an account that is hijacked before its owner opens it", () => {
  /** What a victim does: signs up with their own account elsewhere, which has checked the address. */
  async function victimSignsUp(email: string) {
    const [who, browser] = [someone(email), visitor()];
    await round(browser, who);
    const answer = await browser.go("/sign-up/with/work", { address: email });
    return { who, answer, accountId: await whoIsIn(browser) };
  }

  const linkIn = () => /http\S+/.exec(test.mail.sent.at(-1)?.text ?? "")?.[0] ?? "";

  it("classic-federated merge: a stranger's password never opens what the owner opens later", async () => {
    const email = newAddress();
    await signUp(test.ports, { address: email, password: PASSWORD }, CLIENT);
    const strangers = new URL(linkIn()).searchParams.get("token") ?? "";
    const { accountId } = await victimSignsUp(email);
    expect(accountId).not.toBeNull();
    await expect(
      signIn(test.ports, { address: email, password: PASSWORD }, CLIENT),
    ).rejects.toMatchObject({ code: "bad-credentials" });
    // Even the mail that the stranger had sent leads nowhere.
    await expect(
      verifySignUp(test.ports, { token: strangers, password: PASSWORD }, CLIENT),
    ).rejects.toMatchObject({ code: "contact-taken" });
  });

  it("unexpired session: no session was there before the owner's", async () => {
    const email = newAddress();
    const strangers = visitor();
    await round(strangers, someone(email, false));
    await strangers.go("/sign-up/with/work", { address: email });
    expect(strangers.cookies.has("__Host-sid")).toBe(false);
    const { accountId } = await victimSignsUp(email);
    expect(accountId).not.toBeNull();
    expect(await whoIsIn(strangers)).toBeNull();
  });

  it("trojan identifier: the owner's click does not let a stranger's account elsewhere in", async () => {
    const email = newAddress();
    const stranger = someone(email, false);
    const strangers = visitor();
    await round(strangers, stranger);
    await strangers.go("/sign-up/with/work", { address: email });
    const link = new URL(linkIn());
    const token = link.searchParams.get("token") ?? "";
    // The owner opens the mail and, being asked, shows their own account elsewhere.
    const owners = visitor();
    const away = await owners.go(link.pathname, { token });
    const back = await owners.comeBack(
      providers.work.authorize(new URL(away.refresh ?? ""), someone(email)),
    );
    expect(back.status).toBe(403);
    expect(await whoIsIn(owners)).toBeNull();
    const again = visitor();
    expect((await round(again, stranger)).location).toBe("/sign-up/with/work");
    // The link does not lead in through the password page either.
    await expect(
      verifySignUp(test.ports, { token, password: PASSWORD }, CLIENT),
    ).rejects.toMatchObject({ code: "link-expired" });
  });

  it("trojan identifier: a few wrong ones, and the stranger's sign-up is forgotten", async () => {
    const email = newAddress();
    const [stranger, strangers] = [someone(email, false), visitor()];
    await round(strangers, stranger);
    await strangers.go("/sign-up/with/work", { address: email });
    const link = new URL(linkIn());
    const token = link.searchParams.get("token") ?? "";
    for (let time = 0; time < limits.challengeAttempts; time++) {
      const away = await strangers.go(link.pathname, { token });
      const callback = providers.work.authorize(new URL(away.refresh ?? ""), someone());
      expect((await strangers.comeBack(callback)).status).toBe(403);
    }
    const away = await strangers.go(link.pathname, { token });
    const callback = providers.work.authorize(new URL(away.refresh ?? ""), stranger);
    expect((await strangers.comeBack(callback)).status).toBe(410);
    expect((await strangers.go(link.pathname, { token })).status).toBe(410);
  });

  it("unexpired change: what a stranger has waiting for the address does not win it later", async () => {
    const email = newAddress();
    const [stranger, strangers] = [someone(email, false), visitor()];
    await round(strangers, stranger);
    await strangers.go("/sign-up/with/work", { address: email });
    const link = new URL(linkIn());
    const { accountId } = await victimSignsUp(email);
    const token = link.searchParams.get("token") ?? "";
    const away = await strangers.go(link.pathname, { token });
    const back = await strangers.comeBack(
      providers.work.authorize(new URL(away.refresh ?? ""), stranger),
    );
    expect(back.status).toBe(409);
    const contact = await test.ports.directory.contactHash(email);
    expect(await test.ports.directory.accountOfContact(contact)).toBe(accountId);
  });

  it("non-verifying provider: an address that it only says opens nothing", async () => {
    const email = newAddress();
    const browser = visitor();
    await round(browser, someone(email, false));
    const asked = await browser.go("/sign-up/with/work", { address: email });
    expect([asked.location, await whoIsIn(browser)]).toEqual(["/sign-up/sent", null]);
    const { accountId } = await victimSignsUp(email);
    expect(accountId).not.toBeNull();
  });

  it("an address that a provider has checked is worth nothing for another address", async () => {
    const browser = visitor();
    await round(browser, someone(newAddress()));
    const asked = await browser.go("/sign-up/with/work", { address: newAddress() });
    expect([asked.location, await whoIsIn(browser)]).toEqual(["/sign-up/sent", null]);
  });

  it("an account elsewhere in the hands of one account is never claimed by a sign-up", async () => {
    const person = await newPerson(test, newAddress());
    const who = someone(newAddress());
    const browser = visitor();
    await round(browser, who);
    const { issuer } = providers.work;
    const identity = { provider: "work", issuer, subject: who.sub, name: null, email: null };
    await link(test.ports, person.accountId, { ...identity, emailChecked: false }, CLIENT);
    const email = String(who.claims?.email);
    expect((await browser.go("/sign-up/with/work", { address: email })).status).toBe(409);
    const other = visitor();
    await round(other, who);
    expect(await whoIsIn(other)).toBe(person.accountId);
  });
});
