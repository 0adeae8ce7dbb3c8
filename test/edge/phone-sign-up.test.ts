/** Sign-up by phone on D1: a code to the phone, its secret in the browser, nothing told to strangers. */

import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { personKey } from "../../db/queries/accounts.ts";
import { R2KeyStore } from "../../durable-objects/platform.ts";
import { limits } from "../../protocol/limits.ts";
import { profile } from "../../workers/account/account.ts";
import { handle } from "../../workers/app.ts";
import { signUp } from "../../workers/sign-in/sign-up.ts";
import { signIn, verifySignUp } from "../support/person.ts";
import { countQueries, type TestPorts, testPorts } from "../support/ports.ts";

const { DB_HOME } = env as unknown as { DB_HOME: D1Database };
const client = { userAgent: null, peer: "198.51.100.7" };
const password = "an unlikely password";
const SMS = { SMS_URL: "https://a:b@sms.example/", SMS_FROM: "Latchkey" };
let test: TestPorts;
let phone: string;
let count = 0;

beforeEach(async () => {
  await DB_HOME.prepare("DELETE FROM challenge").run();
  test = testPorts({ env, variables: SMS });
  phone = `+4915112340${String(count++).padStart(3, "0")}`;
});
afterEach(() => vi.restoreAllMocks());

const lastCode = () => /^\d{6}/.exec(test.sms.sent.at(-1)?.text ?? "")?.[0] ?? "";

async function begin(address = phone): Promise<string> {
  const sent = await signUp(test.ports, { address, password }, client);
  if (sent.kind !== "sms") throw new Error("no text message was sent");
  return sent.token;
}
const verify = (token: string, code: string) => verifySignUp(test.ports, { token, code }, client);
const refusal = (work: Promise<unknown>) =>
  work.then(
    () => "accepted",
    (error: { code: string; field?: string }) => error.code,
  );
const other = (code: string) => String((Number(code) + 1) % 1_000_000).padStart(6, "0");

describe("sign-up by phone", () => {
  it("[ACC-1] [NOT-4] opens an account with a code, and signs in with the number", async () => {
    const token = await begin(` ${phone.slice(0, 6)} ${phone.slice(6)} `);
    expect(test.sms.sent).toHaveLength(1);
    expect(test.mail.sent).toEqual([]);
    expect(test.sms.sent[0]?.to).toBe(phone);
    const session = await verify(token, ` ${lastCode().slice(0, 3)} ${lastCode().slice(3)}`);
    expect(await profile(test.ports, session.accountId)).toMatchObject({ address: phone });
    const again = await signIn(test.ports, { address: phone.replace("+", "00"), password }, client);
    expect(again.accountId).toBe(session.accountId);
  });

  it("[NOT-5] sends pure text without a link", async () => {
    const token = await begin();
    await verify(token, lastCode());
    await begin();
    expect(test.sms.sent).toHaveLength(2);
    for (const { text } of test.sms.sent) expect(text).not.toMatch(/https?:|www\.|localhost|\//);
  });

  it("works once, and has one winner when it is tried many times at once", async () => {
    const [token, code] = [await begin(), lastCode()];
    const tries = await Promise.all(
      Array.from({ length: limits.challengeAttempts }, () => refusal(verify(token, code))),
    );
    expect(tries.filter((result) => result === "accepted")).toHaveLength(1);
    expect(await refusal(verify(token, code))).toBe("link-expired");
  });

  it("lets a code be corrected, and forgets the sign-up after a few wrong ones", async () => {
    const [token, code] = [await begin(), lastCode()];
    for (let wrong = 1; wrong < limits.challengeAttempts; wrong++) {
      expect(await refusal(verify(token, other(code)))).toBe("code-wrong");
    }
    await verify(token, code);

    phone = `${phone}9`;
    const [second, right] = [await begin(), lastCode()];
    for (let wrong = 1; wrong <= limits.challengeAttempts; wrong++) {
      expect(await refusal(verify(second, other(right)))).toBe("code-wrong");
    }
    expect(await refusal(verify(second, right))).toBe("link-expired");
    const left = await DB_HOME.prepare("SELECT count(*) AS n FROM challenge").first<number>("n");
    expect(left).toBe(0);
  });

  it("takes the code of another sign-up for none, and a password for no code", async () => {
    const [first, code] = [await begin(), lastCode()];
    phone = `${phone}8`;
    await begin();
    if (lastCode() !== code) expect(await refusal(verify(first, lastCode()))).toBe("code-wrong");
    const byPassword = verifySignUp(test.ports, { token: first, password }, client);
    expect(await refusal(byPassword)).toBe("code-wrong");
    expect(await refusal(verify(first, ""))).toBe("code-wrong");
  });

  it("is over after 15 minutes", async () => {
    const [token, code] = [await begin(), lastCode()];
    test.clock.advance(limits.challengeMs);
    expect(await refusal(verify(token, code))).toBe("link-expired");
  });

  it("leaves nothing behind when the provider refuses", async () => {
    const destroyed = vi.spyOn(test.ports.keys, "destroy");
    const before = await DB_HOME.prepare("SELECT count(*) AS n FROM challenge").first<number>("n");
    test.sms.failing = true;
    expect(await refusal(begin())).toBe("sms-failed");
    const after = await DB_HOME.prepare("SELECT count(*) AS n FROM challenge").first<number>("n");
    expect([after, destroyed.mock.calls.length]).toEqual([before, 1]);
    expect(test.lines).toEqual([{ event: "sms-failed" }]);
  });

  it("sends a number a few messages an hour, whether it has an account or not", async () => {
    for (let sent = 0; sent < limits.smsPerAddress; sent++) await begin();
    expect(await refusal(begin())).toBe("too-many-tries");
    test.clock.advance(limits.mailWindowMs);
    await begin();
  });

  it("is refused clearly where no text messages can be sent, and not offered", async () => {
    const bare = testPorts({ env, variables: { SMS_URL: "" } });
    expect(await refusal(signUp(bare.ports, { address: phone, password }, client))).toBe(
      "phone-unsupported",
    );
    const page = async ({ ports }: TestPorts) =>
      await (await handle(new Request("http://localhost:8787/sign-up"), ports)).text();
    expect(await page(bare)).not.toContain("phone number");
    expect(await page(test)).toContain("phone number");
  });
});

describe("a number that has an account", () => {
  const ask = async (path: string, body: unknown) => {
    const response = await handle(
      new Request(`http://localhost:8787${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      }),
      test.ports,
    );
    await test.settle();
    const text = (await response.text()).replace(/lk_chl_home_\w+/g, "TOKEN");
    return [response.status, [...response.headers], text];
  };

  it("gets the answers of one that has none, and only its reader is told", async () => {
    const known = phone;
    await verify(await begin(), lastCode());
    const unknown = `${phone}7`;
    const [toKnown, toUnknown] = [
      await ask("/api/sign-up", { address: known, password }),
      await ask("/api/sign-up", { address: unknown, password }),
    ];
    expect(toKnown).toEqual(toUnknown);
    expect(toKnown.at(-1)).toBe('{"sms":"sent","token":"TOKEN"}');
    const [text, code] = test.sms.sent.slice(-2).map((sent) => sent.text);
    expect(text).toContain("already have one");
    expect(text).not.toMatch(/\d{6}/);
    expect(code).toMatch(/^\d{6}/);
  });

  it("is not told apart by its codes: every one is wrong, then it is over", async () => {
    await verify(await begin(), lastCode());
    const known = await begin();
    phone = `${phone}7`;
    const unknown = await begin();
    const wrong = other(lastCode());
    for (let at = 0; at <= limits.challengeAttempts; at++) {
      const bodies = [known, unknown].map((token) => ({ token, code: wrong }));
      const [toKnown, toUnknown] = [
        await ask("/api/sign-up/verify", bodies[0]),
        await ask("/api/sign-up/verify", bodies[1]),
      ];
      expect(toKnown).toEqual(toUnknown);
      expect(toKnown[0]).toBe(at < limits.challengeAttempts ? 422 : 410);
    }
    for (const token of [known, unknown]) {
      expect(await refusal(verify(token, ""))).toBe("link-expired");
    }
  });

  it("costs the work of one that has none", async () => {
    await verify(await begin(), lastCode());
    const known = phone;
    const work = async (address: string) => {
      const [reads, creates] = [
        vi.spyOn(R2KeyStore.prototype, "get"),
        vi.spyOn(R2KeyStore.prototype, "getOrCreate"),
      ];
      const queries = countQueries(DB_HOME);
      await signUp(test.ports, { address, password }, client);
      await test.settle();
      const done = [reads, creates].map(({ mock }) => mock.calls.length).concat(queries());
      vi.restoreAllMocks();
      return done;
    };
    expect(await work(known)).toEqual(await work(`${known}6`));
  });
});

describe("[SEC-4] a password known from a breach", () => {
  const breached = { BREACH_URL: "https://breaches.example/range/", ...SMS };

  beforeEach(() => {
    test = testPorts({ env, variables: breached });
  });

  async function hashOf(text: string): Promise<string> {
    const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text));
    return [...new Uint8Array(digest)]
      .map((b) => b.toString(16).padStart(2, "0"))
      .join("")
      .toUpperCase();
  }

  it("is refused, and five hex digits are all that left", async () => {
    const hash = await hashOf(password);
    test.breaches.range = `${hash.slice(5)}:3\r\n${"A".repeat(35)}:0`;
    const known = `breach${count}@example.org`;
    for (const address of [known, phone]) {
      const tried = signUp(test.ports, { address, password }, client);
      await expect(tried).rejects.toMatchObject({ code: "password-breached", field: "password" });
    }
    expect(test.egress).toEqual([
      { recipient: "breached passwords", fields: { prefix: hash.slice(0, 5) } },
      { recipient: "breached passwords", fields: { prefix: hash.slice(0, 5) } },
    ]);
  });

  it("is refused alike for known and unknown addresses, before anything is looked up", async () => {
    await verify(await begin(), lastCode());
    test.breaches.range = `${(await hashOf(password)).slice(5)}:1`;
    const queries = countQueries(DB_HOME);
    for (const address of [phone, `${phone}5`]) {
      expect(await refusal(signUp(test.ports, { address, password }, client))).toBe(
        "password-breached",
      );
    }
    expect(queries()).toBe(0);
  });

  it("is not one when only the padding has it, or the service is away, or none is asked", async () => {
    test.breaches.range = `${(await hashOf(password)).slice(5)}:0`;
    await begin();
    test.breaches.failing = true;
    await begin();
    expect(test.lines).toEqual([{ event: "breach-check-failed" }]);
    const before = test.egress.length;
    test = testPorts({ env, variables: SMS });
    await begin();
    expect(before).toBeGreaterThan(0);
    expect(test.egress.map(({ recipient }) => recipient)).toEqual(["sms"]);
  });

  it("is looked for in its normal form, as it is hashed", async () => {
    test.breaches.range = `${(await hashOf("gr\u00fcn gr\u00fcn wald")).slice(5)}:9`;
    const composed = { address: phone, password: "gru\u0308n gr\u00fcn wald" };
    expect(await refusal(signUp(test.ports, composed, client))).toBe("password-breached");
  });
});

describe("keys of sign-ups by phone", () => {
  it("go with the sign-up when it is forgotten", async () => {
    const [token, code] = [await begin(), lastCode()];
    const row = await DB_HOME.prepare(
      "SELECT account_id AS id FROM challenge ORDER BY rowid DESC",
    ).first<{ id: string }>();
    for (let at = 0; at <= limits.challengeAttempts; at++)
      await refusal(verify(token, other(code)));
    expect(await test.ports.keys.get(personKey(row?.id ?? ""))).toBeNull();
  });
});
