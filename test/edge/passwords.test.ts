/** Changing, resetting and removing a password on D1: what ends with it, and nothing told to strangers. */

import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { R2KeyStore } from "../../durable-objects/platform.ts";
import { limits } from "../../protocol/limits.ts";
import { newToken } from "../../protocol/tokens.ts";
import { hasPassword } from "../../workers/account/account.ts";
import { listActivity } from "../../workers/account/activity.ts";
import { handle } from "../../workers/app.ts";
import { eraseAccount } from "../../workers/privacy/erase.ts";
import { changePassword, removePassword } from "../../workers/sign-in/change-password.ts";
import * as complete from "../../workers/sign-in/complete.ts";
import { askReset, resetPassword } from "../../workers/sign-in/forgot.ts";
import { checkSession, listSessions } from "../../workers/sign-in/sessions.ts";
import { signUp } from "../../workers/sign-in/sign-up.ts";
import { newTrust } from "../../workers/sign-in/trust.ts";
import {
  CLIENT,
  completeSignIn,
  type NewSession,
  newPerson,
  PASSWORD,
  sessionOf,
  signIn,
  verifySignUp,
} from "../support/person.ts";
import { countQueries, type TestPorts, testPorts } from "../support/ports.ts";
import { switchOn } from "../support/second-step.ts";

const { DB_HOME } = env as unknown as { DB_HOME: D1Database };
const NEXT = "another unlikely password";
const VARIABLES = {
  SMS_URL: "https://a:b@sms.example/",
  BREACH_URL: "https://breaches.example/range/",
};
let test: TestPorts;
let address: string;
let own: NewSession;
let count = 0;

beforeEach(async () => {
  test = testPorts({ env, variables: VARIABLES });
  address = `forgot${count++}@example.org`;
  own = await newPerson(test, address);
  await test.settle();
  test.mail.sent.length = 0;
});
afterEach(() => vi.restoreAllMocks());

const refusal = (work: Promise<unknown>) =>
  work.then(
    () => "accepted",
    (error: { code: string }) => error.code,
  );
const who = (confirmedAt = test.clock.now()) => ({ ...own, confirmedAt });
const change = (password: string, more = {}, confirmedAt = test.clock.now()) =>
  changePassword(test.ports, who(confirmedAt), { password, ...more }, CLIENT);
const signInWith = (password: string, more = {}) =>
  signIn(test.ports, { address, password, ...more }, CLIENT);
const long = () => test.clock.now() - limits.confirmedMs;

/** The secret in the last mail that has one. */
function mailedToken(): string {
  const texts = test.mail.sent.map(({ text }) => /forgot\/new\?token=(\S+)/.exec(text)?.[1]);
  return texts.findLast((token) => token !== undefined) ?? "";
}
async function forgot(to = address): Promise<string> {
  await askReset(test.ports, to, CLIENT);
  await test.settle();
  return mailedToken();
}
const reset = (token: string, password = NEXT, code?: string) =>
  resetPassword(test.ports, { token, password, code }, CLIENT);

/** A trusted browser of the account, by the secret in its cookie. */
async function trustedBrowser(): Promise<string> {
  const { token, row } = await newTrust(test.ports, own.accountId, CLIENT, null);
  const { id, tokenHash, clientSealed, expiresAt } = row;
  const now = test.clock.now();
  await DB_HOME.prepare("INSERT INTO trusted_browser VALUES (?, ?, ?, ?, ?, ?, ?)")
    .bind(tokenHash, id, own.accountId, clientSealed, now, now, expiresAt)
    .run();
  return token;
}

async function sha1(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text));
  const bytes = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0"));
  return bytes.join("").toUpperCase();
}

describe("changing a password", () => {
  it("takes the old one's place, and is noted and told", async () => {
    await change(NEXT);
    await test.settle();
    expect(await refusal(signInWith(PASSWORD))).toBe("bad-credentials");
    expect((await signInWith(NEXT)).accountId).toBe(own.accountId);
    const events = (await listActivity(test.ports, own.accountId)).map(({ event }) => event);
    expect(events).toContain("password-changed");
    expect(test.mail.sent.map(({ subject }) => subject)).toContain(
      "Your Latchkey password was changed",
    );
  });

  it("needs who was just here, or the old password", async () => {
    expect(await refusal(change(NEXT, {}, long()))).toBe("confirm-first");
    expect(await refusal(change(NEXT, { oldPassword: "" }, long()))).toBe("confirm-first");
    expect(await refusal(change(NEXT, { oldPassword: "wrong" }, long()))).toBe("bad-credentials");
    await signInWith(PASSWORD);
    await change(NEXT, { oldPassword: PASSWORD }, long());
    await signInWith(NEXT);
  });

  it("[CKY-3] ends every other session, every trust, and what was under way", async () => {
    const other = await signInWith(PASSWORD);
    const trust = await trustedBrowser();
    await switchOn(test.ports, own.accountId);
    expect((await signInWith(PASSWORD, { trustToken: trust })).accountId).toBe(own.accountId);
    const proof = { accountId: own.accountId, methods: ["password"] as const };
    const pending = await complete.completeSignIn(test.ports, proof, CLIENT);
    expect(pending.kind).toBe("second-step");
    const waiting = await forgot();
    await change(NEXT);
    await test.settle();
    expect(await checkSession(test.ports, own.token)).not.toBeNull();
    expect(await checkSession(test.ports, other.token)).toBeNull();
    expect((await listSessions(test.ports, own.accountId)).map(({ id }) => id)).toEqual([
      own.sessionId,
    ]);
    const again = complete.completeSignIn(test.ports, { ...proof, trustToken: trust }, CLIENT);
    expect((await again).kind).toBe("second-step");
    const rows = await DB_HOME.prepare("SELECT count(*) AS n FROM sign_in WHERE account_id = ?")
      .bind(own.accountId)
      .first<number>("n");
    expect(rows).toBe(1);
    expect(await refusal(reset(waiting, "a third unlikely password"))).toBe("link-expired");
  });

  it("[SEC-4] refuses a weak one, one of the own addresses, and a breached one", async () => {
    for (const weak of ["short", "password123", address, "a".repeat(300)]) {
      expect(await refusal(change(weak))).toBe("password-weak");
    }
    test.breaches.range = `${(await sha1(NEXT)).slice(5)}:1`;
    expect(await refusal(change(NEXT))).toBe("password-breached");
    expect((await signInWith(PASSWORD)).accountId).toBe(own.accountId);
  });

  it("changes nothing while a session's visits cannot be ended", async () => {
    await signInWith(PASSWORD);
    await DB_HOME.prepare(
      "INSERT INTO device (id, account_id, created_at) VALUES ('dev_home_0000000000000000', ?, 1)",
    )
      .bind(own.accountId)
      .run();
    const away = { get: () => ({ endVisits: () => Promise.reject(new Error("away")) }) };
    const ports = { ...test.ports, devices: away as never };
    const tried = changePassword(ports, who(), { password: NEXT }, CLIENT);
    expect(await refusal(tried)).toBe("unavailable");
    await DB_HOME.prepare("DELETE FROM device").run();
    await signInWith(PASSWORD);
  });
});

describe("removing a password", () => {
  it("is refused where nothing else opens the account", async () => {
    expect(await refusal(removePassword(test.ports, who(), CLIENT))).toBe("last-way-in");
    expect((await signInWith(PASSWORD)).accountId).toBe(own.accountId);
  });

  it("works where a passkey stays, and another can be set later", async () => {
    await DB_HOME.prepare("INSERT INTO passkey VALUES (?, ?, ?, 's1.c', 's1.n', 0, 0, 1, NULL)")
      .bind(`pk${count}`, own.accountId, `hash${count}`)
      .run();
    const other = await signInWith(PASSWORD);
    await removePassword(test.ports, who(), CLIENT);
    expect(await hasPassword(test.ports, own.accountId)).toBe(false);
    expect(await refusal(signInWith(PASSWORD))).toBe("bad-credentials");
    expect(await checkSession(test.ports, other.token)).toBeNull();
    expect(await refusal(removePassword(test.ports, who(), CLIENT))).toBe("not-found");
    await change(NEXT);
    await signInWith(NEXT);
  });
});

describe("[SEC-4] the service that knows breached passwords", () => {
  const asked = () => test.egress.filter(({ recipient }) => recipient === "breached passwords");
  const { breachPerNetwork, breachWindowMs } = limits;

  it.each([
    ["sign-up", () => signUp(test.ports, { address: `x${address}`, password: NEXT }, CLIENT)],
    ["change", () => change(NEXT)],
    ["reset", (token: string) => reset(token)],
  ] as const)("is asked for a network a few times only, counted before: %s", async (_, choose) => {
    test.clock.advance(breachWindowMs); // the person's own sign-up was asked about
    const token = await forgot();
    test.breaches.range = `${(await sha1(NEXT)).slice(5)}:1`;
    const before = asked().length;
    for (let at = 0; at < breachPerNetwork; at++) {
      expect(await refusal(choose(token))).toBe("password-breached");
    }
    for (const _ of [1, 2]) expect(await refusal(choose(token))).toBe("too-many-tries");
    expect(asked().length - before).toBe(breachPerNetwork);
    test.clock.advance(breachWindowMs);
    expect(await refusal(choose(await forgot()))).toBe("password-breached");
  });

  it("is not asked about a weak one, and once for a reset", async () => {
    const token = await forgot();
    const before = asked().length;
    expect(await refusal(reset(token, "short"))).toBe("password-weak");
    expect(await refusal(change("short"))).toBe("password-weak");
    expect(asked().length - before).toBe(0);
    await reset(token);
    expect(asked().length - before).toBe(1);
  });
});

describe("a forgotten password", () => {
  it("is chosen anew by the reader of the mail, who is signed in; every session ends", async () => {
    const token = await forgot(` ${address.toUpperCase()} `);
    expect(test.mail.sent.map(({ to }) => to)).toEqual([address]);
    expect(await checkSession(test.ports, own.token)).not.toBeNull();
    const session = sessionOf(await reset(token));
    expect(session.accountId).toBe(own.accountId);
    const [only, ...others] = await listSessions(test.ports, own.accountId);
    expect([only?.id, only?.methods, others]).toEqual([session.sessionId, ["mail"], []]);
    expect(await refusal(signInWith(PASSWORD))).toBe("bad-credentials");
    await signInWith(NEXT);
  });

  it("still asks for the second step, and trusts no browser any more", async () => {
    await switchOn(test.ports, own.accountId);
    const trust = await trustedBrowser();
    const outcome = await reset(await forgot());
    expect(outcome.kind).toBe("second-step");
    const proof = { accountId: own.accountId, methods: ["mail"] as const, trustToken: trust };
    expect((await complete.completeSignIn(test.ports, proof, CLIENT)).kind).toBe("second-step");
  });

  it("works once: replayed, at once and later, it has one winner", async () => {
    const token = await forgot();
    const tries = await Promise.all([1, 2, 3, 4].map(() => refusal(reset(token))));
    expect(tries.filter((result) => result === "accepted")).toHaveLength(1);
    expect(new Set(tries)).toEqual(new Set(["accepted", "link-expired"]));
    expect(await refusal(reset(token))).toBe("link-expired");
  });

  it("ends the other links that wait", async () => {
    const [first, second] = [await forgot(), await forgot()];
    expect(first).not.toBe(second);
    await reset(second);
    expect(await refusal(reset(first))).toBe("link-expired");
  });

  it("is over after 15 minutes, for another kind of token, and with the account", async () => {
    const token = await forgot();
    await signUp(test.ports, { address: `x${address}`, password: PASSWORD }, CLIENT);
    const other = /token=(\S+)/.exec(test.mail.sent.at(-1)?.text ?? "")?.[1] ?? "";
    const made = newToken("chl", "home", test.ports.random.bytes);
    for (const wrong of ["", "x", other, made, own.token]) {
      expect(await refusal(reset(wrong))).toBe("link-expired");
    }
    const erased = await forgot();
    await eraseAccount(test.ports, own.accountId);
    expect(await refusal(reset(erased))).toBe("link-expired");
    test.clock.advance(limits.challengeMs);
    expect(await refusal(reset(token))).toBe("link-expired");
  });

  it("[SEC-4] refuses a weak or breached password, and the link stays good", async () => {
    const token = await forgot();
    expect(await refusal(reset(token, "short"))).toBe("password-weak");
    expect(await refusal(reset(token, address))).toBe("password-weak");
    test.breaches.range = `${(await sha1(NEXT)).slice(5)}:1`;
    expect(await refusal(reset(token))).toBe("password-breached");
    test.breaches.range = "";
    await reset(token);
  });

  it("gives an account without a password one", async () => {
    await DB_HOME.prepare("DELETE FROM password WHERE account_id = ?").bind(own.accountId).run();
    await reset(await forgot());
    await signInWith(NEXT);
  });

  it("leaves no row and no key of the link behind", async () => {
    const destroyed = vi.spyOn(test.ports.keys, "destroy");
    await DB_HOME.prepare("DELETE FROM challenge").run();
    await reset(await forgot());
    const left = await DB_HOME.prepare("SELECT count(*) AS n FROM challenge").first<number>("n");
    expect([left, destroyed.mock.calls.length]).toEqual([0, 1]);
  });
});

describe("by phone", () => {
  const phoneOf = () => `+4915199990${String(count).padStart(3, "0")}`;
  const lastCode = () => /^\d{6}/.exec(test.sms.sent.at(-1)?.text ?? "")?.[0] ?? "";
  const asked = async (to: string) => {
    const sent = await askReset(test.ports, to, CLIENT);
    await test.settle();
    return sent.kind === "sms" ? sent.token : "";
  };

  async function phonePerson(): Promise<string> {
    const sent = await signUp(test.ports, { address: phoneOf(), password: PASSWORD }, CLIENT);
    const token = sent.kind === "sms" ? sent.token : "";
    await verifySignUp(test.ports, { token, code: lastCode() }, CLIENT);
    return phoneOf();
  }

  it("a code goes to the phone, its secret to the browser, and both are needed", async () => {
    const phone = await phonePerson();
    const token = await asked(phone);
    const code = lastCode();
    const wrong = String((Number(code) + 1) % 1_000_000).padStart(6, "0");
    expect(await refusal(reset(token, NEXT))).toBe("code-wrong");
    expect(await refusal(reset(token, NEXT, wrong))).toBe("code-wrong");
    const session = sessionOf(await reset(token, NEXT, code));
    const [only] = await listSessions(test.ports, session.accountId);
    expect(only?.methods).toEqual(["phone"]);
    expect(await refusal(reset(token, NEXT, code))).toBe("link-expired");
    await signIn(test.ports, { address: phone, password: NEXT }, CLIENT);
  });

  it("a few wrong codes end it, with and without an account alike", async () => {
    const phone = await phonePerson();
    const answers = [];
    for (const to of [phone, `${phone}1`]) {
      const before = test.sms.sent.length;
      const token = await asked(to);
      const results = [];
      for (let at = 0; at <= limits.challengeAttempts + 1; at++) {
        results.push(await refusal(reset(token, NEXT, at === 0 ? "" : "12345")));
      }
      answers.push(results);
      expect(test.sms.sent.length - before).toBe(to === phone ? 1 : 0);
    }
    expect(answers[0]).toEqual(answers[1]);
    expect(answers[0]?.at(-1)).toBe("link-expired");
    expect(answers[0]?.filter((one) => one === "code-wrong")).toHaveLength(
      limits.challengeAttempts,
    );
  });
});

describe("who has an account", () => {
  const ask = async (to: string) => {
    const response = await handle(
      new Request("http://localhost:8787/api/password/forgot", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ address: to }),
      }),
      test.ports,
    );
    const text = (await response.text()).replace(/lk_chl_home_\w+/, "TOKEN");
    await test.settle();
    return [response.status, [...response.headers], text];
  };

  it.each([
    ["mail", (known: string) => `nobody-${known}`],
    ["phone", () => "+491510000"],
  ])("is not told by the answer, and nothing is sent to strangers: %s", async (kind, other) => {
    let known = address;
    if (kind === "phone") {
      known = `+4915188880${String(count).padStart(3, "0")}`;
      const sent = await signUp(test.ports, { address: known, password: PASSWORD }, CLIENT);
      const code = /^\d{6}/.exec(test.sms.sent.at(-1)?.text ?? "")?.[0] ?? "";
      const token = sent.kind === "sms" ? sent.token : "";
      await verifySignUp(test.ports, { token, code }, CLIENT);
    }
    const stranger = other(known) + (kind === "phone" ? String(count).padStart(3, "0") : "");
    expect(await ask(known)).toEqual(await ask(stranger));
    const written = [...test.mail.sent, ...test.sms.sent].map(({ to }) => to);
    expect(written).toContain(known);
    expect(written).not.toContain(stranger);
  });

  it("is not told by the work either", async () => {
    const work = async (to: string) => {
      const creates = vi.spyOn(R2KeyStore.prototype, "getOrCreate");
      const queries = countQueries(DB_HOME);
      await askReset(test.ports, to, CLIENT);
      const answered = queries();
      await test.settle();
      const done = [answered, queries(), creates.mock.calls.length];
      vi.restoreAllMocks();
      return done;
    };
    await work(`warm-${address}`);
    expect(await work(address)).toEqual(await work(`nobody-${address}`));
  });

  it("is not told by a relay that fails", async () => {
    test.mail.failing = true;
    expect(await ask(address)).toEqual(await ask(`nobody-${address}`));
    expect(test.lines).toContainEqual({ event: "mail-failed", code: "unknown" });
  });

  it("is limited alike", async () => {
    for (const to of [address, `nobody-${address}`]) {
      const before = to === address ? 1 : 0;
      for (let at = before; at < limits.mailPerAddress; at++)
        await askReset(test.ports, to, CLIENT);
      expect(await refusal(askReset(test.ports, to, CLIENT))).toBe("too-many-tries");
    }
    await test.settle();
  });

  it("is not told by the region of what the browser gets", async () => {
    const { token } = await completeSignIn(
      test.ports,
      { accountId: own.accountId, methods: ["password"] },
      CLIENT,
    );
    expect(token).toContain("lk_ses_home_");
    for (const to of ["+491517777", "+491517778"]) {
      const sent = await askReset(test.ports, `${to}${count}`, CLIENT);
      expect(sent).toMatchObject({ kind: "sms", token: expect.stringMatching(/^lk_chl_home_/) });
    }
  });
});
