/** Sign-in and sessions on D1: equal answers and equal work for strangers, one query a check, ends. */

import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Db } from "../../db/db.ts";
import { personKey } from "../../db/queries/accounts.ts";
import { sessionOfToken } from "../../db/queries/sessions.ts";
import { Sealer } from "../../db/seal.ts";
import { type CheckedSession, sessionMemory } from "../../db/session-cache.ts";
import { R2KeyStore } from "../../durable-objects/platform.ts";
import { DAY, limits } from "../../protocol/limits.ts";
import { hashToken, newToken } from "../../protocol/tokens.ts";
import { checkPassword } from "../../workers/account/account.ts";
import { eraseAccount } from "../../workers/privacy/erase.ts";
import {
  checkSession,
  listSessions,
  revokeSession,
  signOut,
} from "../../workers/sign-in/sessions.ts";
import { signUp } from "../../workers/sign-in/sign-up.ts";
import { completeSignIn, type NewSession, signIn, verifySignUp } from "../support/person.ts";
import { countQueries, type TestPorts, testPorts } from "../support/ports.ts";

const { DB_HOME } = env as unknown as { DB_HOME: D1Database };
const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
const client = { userAgent: firefox, peer: "198.51.100.7" };
const password = "an unlikely password";
const WEEK_MS = 7 * DAY;
let test: TestPorts;
let address: string;
let first: NewSession;
let count = 0;

beforeEach(async () => {
  test = testPorts({ env });
  address = `grace${count++}@example.org`;
  await signUp(test.ports, { address, password }, client);
  const token = /token=(\S+)/.exec(test.mail.sent.at(-1)?.text ?? "")?.[1] ?? "";
  first = await verifySignUp(test.ports, { token, password }, client);
});

afterEach(() => vi.restoreAllMocks());

const refusal = (work: Promise<unknown>) =>
  work.then(
    () => "accepted",
    (error: { code: string; field?: string }) => [error.code, error.field],
  );
const signInWith = (change: { address?: string; password?: string } = {}) =>
  signIn(test.ports, { address, password, ...change }, client);

describe("sign-in", () => {
  it("[ACC-12] needs the address and the password", async () => {
    const session = await signInWith();
    expect(session.accountId).toBe(first.accountId);
    expect(await checkSession(test.ports, session.token)).toEqual({
      accountId: first.accountId,
      sessionId: session.sessionId,
      confirmedAt: test.clock.now(),
    });
  });

  it("takes the address in any case and the password in any keyboard's composition", async () => {
    await signInWith({ address: ` ${address.toUpperCase()} ` });
    const other = `u${address}`;
    await signUp(test.ports, { address: other, password: "gr\u00fcn gr\u00fcn wald" }, client);
    const token = /token=(\S+)/.exec(test.mail.sent.at(-1)?.text ?? "")?.[1] ?? "";
    await verifySignUp(test.ports, { token, password: "gru\u0308n gr\u00fcn wald" }, client);
    await signInWith({ address: other, password: "gru\u0308n gru\u0308n wald" });
  });

  it("answers a wrong password and an unknown address alike", async () => {
    const wrong = [
      { password: `${password} ` },
      { password: "" },
      { address: `nobody-${address}` },
      { address: "no address" },
      { address: "" },
    ];
    for (const change of wrong) {
      expect(await refusal(signInWith(change))).toEqual(["bad-credentials", undefined]);
    }
  });

  it("does the same work for a wrong password and an unknown address", async () => {
    const work = async (change: { address?: string; password?: string }) => {
      const keys = vi.spyOn(R2KeyStore.prototype, "get");
      const encoded = vi.spyOn(TextEncoder.prototype, "encode");
      const queries = countQueries(DB_HOME);
      await refusal(signInWith(change));
      await test.settle();
      const hashed = encoded.mock.calls.filter(([text]) => text === change.password).length;
      const done = { keys: keys.mock.calls.length, queries: queries(), hashed };
      vi.restoreAllMocks();
      return done;
    };
    await work({ password: "wrong once already" });
    const [known, unknown] = [
      await work({ password: "wrong password" }),
      await work({ address: `nobody-${address}`, password: "wrong password" }),
    ];
    expect(known).toEqual(unknown);
    expect(known).toEqual({ keys: 1, queries: 3, hashed: 1 });
  });

  it("is counted per address, known or not, and per network", { timeout: 30_000 }, async () => {
    for (const target of [address, `nobody-${address}`]) {
      for (let attempt = 0; attempt < limits.signInPerAccount; attempt++) {
        const wrong = { address: target, password: "wrong password" };
        await refusal(signIn(test.ports, wrong, { ...client, peer: `203.0.113.${attempt}` }));
      }
      const right = { address: target.toUpperCase(), password };
      expect(await refusal(signIn(test.ports, right, client))).toEqual([
        "too-many-tries",
        undefined,
      ]);
    }
    test.clock.advance(limits.signInWindowMs);
    await signInWith();
    const peer = "192.0.2.1";
    for (let attempt = 0; attempt < limits.signInPerNetwork; attempt++) {
      const wrong = { address: `${attempt}-${address}`, password: "wrong password" };
      await refusal(signIn(test.ports, wrong, { ...client, peer }));
    }
    const blocked = signIn(test.ports, { address, password }, { ...client, peer });
    expect(await refusal(blocked)).toEqual(["too-many-tries", undefined]);
    await signInWith();
  });

  it("ends at once, in every isolate, when the person's key is destroyed", async () => {
    await signInWith();
    const elsewhere = new Sealer(test.ports.keys, test.clock, test.ports.random);
    await elsewhere.destroy(personKey(first.accountId));
    expect(await refusal(signInWith())).toEqual(["bad-credentials", undefined]);
  });

  it("makes no session for an account that was erased meanwhile", async () => {
    await DB_HOME.prepare("DELETE FROM account WHERE id = ?").bind(first.accountId).run();
    expect(await refusal(signInWith())).toEqual(["bad-credentials", undefined]);
    const proof = { accountId: first.accountId, methods: ["password"] } as const;
    expect(await refusal(completeSignIn(test.ports, proof, client))).toEqual([
      "bad-credentials",
      undefined,
    ]);
    const { results } = await DB_HOME.prepare("SELECT id FROM session WHERE account_id = ?")
      .bind(first.accountId)
      .all();
    expect(results).toEqual([{ id: first.sessionId }]);
  });

  it("needs a method, and an account of a region that is here", async () => {
    for (const proof of [
      { accountId: first.accountId, methods: [] },
      { accountId: first.accountId.replace("home", "moon"), methods: ["mail"] as const },
      { accountId: "nonsense", methods: ["mail"] as const },
    ]) {
      expect(await refusal(completeSignIn(test.ports, proof, client))).toEqual([
        "bad-credentials",
        undefined,
      ]);
    }
  });
});

describe("asking for the password again", () => {
  it("says whether it is right, and tires", async () => {
    expect(await checkPassword(test.ports, first.accountId, password)).toBe(true);
    for (let attempt = 1; attempt < limits.passwordCheckPerAccount; attempt++) {
      expect(await checkPassword(test.ports, first.accountId, "wrong password")).toBe(false);
    }
    expect(await refusal(checkPassword(test.ports, first.accountId, password))).toEqual([
      "too-many-tries",
      undefined,
    ]);
  });
});

describe("a session", () => {
  const stored = async (token: string) =>
    await DB_HOME.prepare("SELECT seen_at, expires_at FROM session WHERE token_hash = ?")
      .bind(await hashToken(token))
      .first<{ seen_at: number; expires_at: number }>();

  it("is checked with one query, and with none for what else comes in the same second", async () => {
    const queries = countQueries(DB_HOME);
    for (let request = 0; request < 10; request++) {
      expect(await checkSession(test.ports, first.token)).not.toBeNull();
      test.clock.advance(99);
    }
    expect(queries()).toBe(1);
    test.clock.advance(limits.sessionCacheMs - 10 * 99);
    expect(await checkSession(test.ports, first.token)).not.toBeNull();
    expect(queries()).toBe(2);
  });

  it("that is none costs no query", async () => {
    const queries = countQueries(DB_HOME);
    expect(await checkSession(test.ports, `${first.token.slice(0, -1)}!`)).toBeNull();
    expect(queries()).toBe(0);
  });

  it("[RGT-14] that is ended elsewhere is dead here within a second, and here at once", async () => {
    const elsewhere = testPorts({ env, clock: test.clock }).ports;
    const second = await signInWith();
    for (const { token } of [first, second]) await checkSession(test.ports, token);
    await revokeSession(elsewhere, first.accountId, first.sessionId);
    test.clock.advance(limits.sessionCacheMs);
    expect(await checkSession(test.ports, first.token)).toBeNull();
    expect(await checkSession(test.ports, second.token)).not.toBeNull();
    await revokeSession(test.ports, second.accountId, second.sessionId);
    expect(await checkSession(test.ports, second.token)).toBeNull();
    expect(limits.sessionCacheMs).toBeLessThanOrEqual(1000);
  });

  it("[RGT-14] of an erased account is dead at once, though it was checked a moment ago", async () => {
    expect(await checkSession(test.ports, first.token)).not.toBeNull();
    await eraseAccount(test.ports, first.accountId);
    expect(await checkSession(test.ports, first.token)).toBeNull();
  });

  it("that ends while it is being checked is not remembered", async () => {
    const db = test.ports.regions.db("home") as Db;
    const memory = sessionMemory(db);
    const found = await sessionOfToken(db, await hashToken(first.token), test.clock.now());
    await revokeSession(test.ports, first.accountId, first.sessionId);
    memory.put(first.token, found as CheckedSession, test.clock.now());
    expect(await checkSession(test.ports, first.token)).toBeNull();
  });

  it("is nobody's when its token is unknown, of another kind or of another region", async () => {
    const random = test.ports.random.bytes;
    const tokens = [newToken("ses", "home", random), newToken("ses", "moon", random)];
    for (const token of [...tokens, newToken("chl", "home", random), "", "lk_ses_home_x"]) {
      expect(await checkSession(test.ports, token)).toBeNull();
    }
  });

  it("[CKY-2] ends 30 days after its last use, with the row still there", async () => {
    test.clock.advance(limits.sessionIdleMs - 1);
    const session = await checkSession(test.ports, first.token);
    expect(session?.sessionId).toBe(first.sessionId);
    await test.settle();
    test.clock.advance(limits.sessionIdleMs);
    expect(await checkSession(test.ports, first.token)).toBeNull();
    expect(await stored(first.token)).not.toBeNull();
    expect(await listSessions(test.ports, first.accountId)).toEqual([]);
  });

  it("[CKY-2] ends after 90 days however much it is used", async () => {
    const end = test.clock.now() + limits.sessionMaxMs;
    while (test.clock.now() + WEEK_MS < end) {
      test.clock.advance(WEEK_MS);
      expect(await checkSession(test.ports, first.token)).not.toBeNull();
      await test.settle();
    }
    test.clock.advance(end - test.clock.now() - 1);
    expect(await checkSession(test.ports, first.token)).not.toBeNull();
    await test.settle();
    test.clock.advance(1);
    expect(await checkSession(test.ports, first.token)).toBeNull();
  });

  it("notes its use at most once an hour, after the answer", async () => {
    const began = test.clock.now();
    test.clock.advance(limits.sessionSeenEveryMs - 1);
    await checkSession(test.ports, first.token);
    await test.settle();
    expect((await stored(first.token))?.seen_at).toBe(began);
    test.clock.advance(limits.sessionCacheMs);
    await checkSession(test.ports, first.token);
    await test.settle();
    expect(await stored(first.token)).toEqual({
      seen_at: test.clock.now(),
      expires_at: test.clock.now() + limits.sessionIdleMs,
    });
  });

  it("[ACC-4] shows a browser's name and a masked network, which lie sealed", async () => {
    test.clock.advance(1000);
    const peer = "2001:db8:ff12:3456::9";
    const second = await signIn(test.ports, { address, password }, { userAgent: "x", peer });
    expect(await listSessions(test.ports, first.accountId)).toEqual([
      {
        id: second.sessionId,
        client: "Unknown",
        network: "2001:db8:ff00::/40",
        methods: ["password"],
        createdAt: test.clock.now(),
        seenAt: test.clock.now(),
        expiresAt: test.clock.now() + limits.sessionIdleMs,
      },
      expect.objectContaining({ client: "Firefox on Linux", network: "198.51.100.0/24" }),
    ]);
    const rows = JSON.stringify((await DB_HOME.prepare("SELECT * FROM session").all()).results);
    expect(rows).toContain(second.sessionId);
    expect(rows).not.toMatch(/Firefox|198\.51|2001:db8/);
  });

  it("[ACC-12] is ended one by one by its owner, and by nobody else", async () => {
    const second = await signInWith();
    const stranger = await otherAccount();
    expect(await revokeSession(test.ports, stranger.accountId, second.sessionId)).toBe(false);
    expect(await revokeSession(test.ports, first.accountId, "ses_home_0000000000000000")).toBe(
      false,
    );
    expect(await revokeSession(test.ports, first.accountId, "nonsense")).toBe(false);
    expect(await checkSession(test.ports, second.token)).not.toBeNull();
    expect(await revokeSession(test.ports, first.accountId, second.sessionId)).toBe(true);
    expect(await checkSession(test.ports, second.token)).toBeNull();
    expect(await checkSession(test.ports, first.token)).not.toBeNull();
    expect(await revokeSession(test.ports, first.accountId, second.sessionId)).toBe(false);
  });

  it("[CKY-2] is dead after signing out, and signing out twice is no fault", async () => {
    await signOut(test.ports, first.token);
    expect(await checkSession(test.ports, first.token)).toBeNull();
    await signOut(test.ports, first.token);
    await signOut(test.ports, "nonsense");
  });

  async function otherAccount(): Promise<NewSession> {
    await signUp(test.ports, { address: `other-${address}`, password }, client);
    const token = /token=(\S+)/.exec(test.mail.sent.at(-1)?.text ?? "")?.[1] ?? "";
    return await verifySignUp(test.ports, { token, password }, client);
  }
});
