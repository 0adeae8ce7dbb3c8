/** Sign-up and verification on D1 and R2: one winner, nothing told to strangers, nothing left behind. */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { personKey } from "../../db/queries/accounts.ts";
import { R2KeyStore } from "../../durable-objects/platform.ts";
import { limits } from "../../protocol/limits.ts";
import { newToken } from "../../protocol/tokens.ts";
import { profile } from "../../workers/account/account.ts";
import { handle } from "../../workers/app.ts";
import { signUp } from "../../workers/sign-in/sign-up.ts";
import { verifySignUp } from "../support/person.ts";
import { countQueries, type TestPorts, testPorts } from "../support/ports.ts";
import { objectBytes, objects } from "./buckets.ts";

const bindings = env as unknown as {
  DIRECTORY: D1Database;
  DB_HOME: D1Database;
  KEYS_HOME: R2Bucket;
};
const client = { userAgent: "curl/8.5.0", peer: "198.51.100.7" };
const password = "an unlikely password";
let test: TestPorts;
let address: string;
let count = 0;

beforeEach(async () => {
  for (const table of ["challenge", "account", "identifier", "password", "session"]) {
    await bindings.DB_HOME.prepare(`DELETE FROM ${table}`).run();
  }
  await bindings.DIRECTORY.prepare("DELETE FROM contact").run();
  await bindings.KEYS_HOME.delete(await personKeys());
  test = testPorts({ env });
  address = `ada${count++}@example.org`;
});

/** The token in the last mail. */
function mailedToken(): string {
  const text = test.mail.sent.at(-1)?.text ?? "";
  const link = /http\S+/.exec(text)?.[0] ?? "";
  return new URL(link).searchParams.get("token") ?? "";
}

async function signedUp(): Promise<string> {
  await signUp(test.ports, { address, password }, client);
  return (await verifySignUp(test.ports, { token: mailedToken(), password }, client)).accountId;
}

const rows = async (table: string) =>
  (await bindings.DB_HOME.prepare(`SELECT * FROM ${table}`).all()).results;
const personKeys = async () => (await objects("person/")).map(({ name }) => name);

describe("sign-up", () => {
  it("[ACC-1] needs one verified contact and a credential, and no more", async () => {
    await signUp(test.ports, { address, password }, client);
    expect(await rows("account")).toEqual([]);
    const session = await verifySignUp(test.ports, { token: mailedToken(), password }, client);
    expect(await rows("account")).toHaveLength(1);
    expect(await profile(test.ports, session.accountId)).toEqual({
      accountId: session.accountId,
      region: "home",
      regionTitle: "At home",
      address,
      createdAt: test.clock.now(),
    });
  });

  it("sends one mail with one link, which is ours", async () => {
    await signUp(test.ports, { address, password }, client);
    expect(test.mail.sent).toHaveLength(1);
    const text = test.mail.sent[0]?.text ?? "";
    expect(test.mail.sent[0]?.to).toBe(address);
    expect(text.match(/https?:/g)).toHaveLength(1);
    expect(text).toContain(`${test.ports.config.origin}/verify?token=lk_chl_home_`);
  });

  it("answers the same for an address that has an account, and tells only its reader", async () => {
    const ask = async (to: string) => {
      const response = await handle(
        new Request("http://localhost:8787/api/sign-up", {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ address: to, password }),
        }),
        test.ports,
      );
      await test.settle();
      return [response.status, [...response.headers], await response.text()];
    };
    await signedUp();
    const [known, unknown] = [await ask(address), await ask(`new-${address}`)];
    expect(known).toEqual(unknown);
    expect(known[0]).toBe(202);
    const [, toKnown, toUnknown] = test.mail.sent;
    expect(toKnown?.text).toContain("already have");
    expect(toKnown?.text).not.toContain("token=");
    expect(toUnknown?.text).toContain("token=");
  });

  it("does the same work for an address that has an account", async () => {
    await signedUp();
    const work = async (to: string) => {
      const [reads, creates] = [
        vi.spyOn(R2KeyStore.prototype, "get"),
        vi.spyOn(R2KeyStore.prototype, "getOrCreate"),
      ];
      const queries = countQueries(bindings.DB_HOME);
      const send = vi.spyOn(test.ports.mail, "send");
      let done: unknown;
      send.mockImplementation(async () => {
        done = [reads, creates].map(({ mock }) => mock.calls.length).concat(queries());
      });
      await signUp(test.ports, { address: to, password }, client);
      await test.settle();
      vi.restoreAllMocks();
      return done;
    };
    const [known, unknown] = [await work(address), await work(`new-${address}`)];
    expect(known).toEqual(unknown);
    expect(known).toEqual([2, 1, 2]);
  });

  it("leaves nothing behind for an address that has an account", async () => {
    const accountId = await signedUp();
    const before = [await rows("challenge"), await personKeys()];
    await signUp(test.ports, { address: address.toUpperCase(), password }, client);
    await test.settle();
    expect([await rows("challenge"), await personKeys()]).toEqual(before);
    expect((await profile(test.ports, accountId)).address).toBe(address);
  });

  it("leaves nothing behind when the relay refuses", async () => {
    const before = [await rows("challenge"), await personKeys()];
    test.mail.failing = true;
    const failed = signUp(test.ports, { address, password }, client);
    await expect(failed).rejects.toMatchObject({ code: "mail-failed" });
    expect([await rows("challenge"), await personKeys()]).toEqual(before);
    expect(test.lines).toEqual([{ event: "mail-failed", code: "unknown" }]);
    test.mail.failing = false;
    await signUp(test.ports, { address, password }, client);
    expect(test.mail.sent).toHaveLength(1);
  });

  it.each([
    [{ address: "no address" }, "address-syntax", "address"],
    [{ password: "password123" }, "password-weak", "password"],
    [{ region: "moon" }, "region-unknown", "region"],
  ])("refuses %j", async (change, code, field) => {
    const asked = signUp(test.ports, { address, password, ...change }, client);
    await expect(asked).rejects.toMatchObject({ code, field });
    expect(test.mail.sent).toEqual([]);
  });

  it("sends an address a few mails an hour, whether it has an account or not", {
    timeout: 30_000,
  }, async () => {
    await signedUp();
    for (const to of [address, `new-${address}`]) {
      const left = limits.mailPerAddress - (to === address ? 1 : 0);
      for (let mail = 0; mail < left; mail++) {
        await signUp(test.ports, { address: to, password }, client);
      }
      const refused = signUp(test.ports, { address: to, password }, client);
      await expect(refused).rejects.toMatchObject({ code: "too-many-tries" });
    }
    test.clock.advance(limits.mailWindowMs);
    await signUp(test.ports, { address, password }, client);
    await test.settle();
  });

  it("sends a network a few mails an hour, and counts an IPv6 household as one", {
    timeout: 30_000,
  }, async () => {
    const ask = (index: number) => {
      const peer = `2001:db8:0:7::${(index + 1).toString(16)}`;
      return signUp(test.ports, { address: `${index}-${address}`, password }, { ...client, peer });
    };
    for (let mail = 0; mail < limits.mailPerNetwork; mail++) await ask(mail);
    await expect(ask(limits.mailPerNetwork)).rejects.toMatchObject({ code: "too-many-tries" });
    await signUp(test.ports, { address, password }, { ...client, peer: "2001:db8:0:8::1" });
  });
});

describe("verification", () => {
  it("works once", async () => {
    await signUp(test.ports, { address, password }, client);
    const token = mailedToken();
    await verifySignUp(test.ports, { token, password }, client);
    const again = verifySignUp(test.ports, { token, password }, client);
    await expect(again).rejects.toMatchObject({ code: "link-expired" });
  });

  it("has one winner when a link is opened many times at once", async () => {
    await signUp(test.ports, { address, password }, client);
    const token = mailedToken();
    const tries = await Promise.allSettled(
      Array.from({ length: limits.challengeAttempts }, () =>
        verifySignUp(test.ports, { token, password }, client),
      ),
    );
    expect(tries.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const refused of tries.filter((one) => one.status === "rejected")) {
      expect(refused.reason).toMatchObject({ code: "link-expired" });
    }
    const made = await Promise.all(["account", "identifier", "password", "session"].map(rows));
    expect(made.map(({ length }) => length)).toEqual([1, 1, 1, 1]);
  });

  it("has one winner when two sign-ups with one address are verified at once", async () => {
    const tokens: string[] = [];
    for (const to of [address, address.toUpperCase()]) {
      await signUp(test.ports, { address: to, password }, client);
      tokens.push(mailedToken());
    }
    const tries = await Promise.allSettled(
      tokens.map((token) => verifySignUp(test.ports, { token, password }, client)),
    );
    const [refused] = tries.filter((one) => one.status === "rejected");
    expect(tries.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(refused?.reason).toMatchObject({ code: "contact-taken" });
    expect(await rows("account")).toHaveLength(1);
    expect(await personKeys()).toHaveLength(1);
    expect(await rows("challenge")).toEqual([]);
  });

  it("opens nothing for the mailbox's owner who did not choose the password", async () => {
    await signUp(test.ports, { address, password: "a stranger's password" }, client);
    const token = mailedToken();
    const pressed = verifySignUp(test.ports, { token, password }, client);
    await expect(pressed).rejects.toMatchObject({ code: "password-differs", field: "password" });
    expect(await rows("account")).toEqual([]);
    const { directory } = test.ports;
    const contact = await directory.contactHash(address);
    expect(await directory.accountOfContact(contact)).toBeNull();
  });

  it("lets a wrong password be corrected, and forgets the sign-up after a few", async () => {
    await signUp(test.ports, { address, password }, client);
    const token = mailedToken();
    const wrong = { token, password: `${password}x` };
    for (let attempt = 1; attempt < limits.challengeAttempts; attempt++) {
      const tried = verifySignUp(test.ports, wrong, client);
      await expect(tried).rejects.toMatchObject({ code: "password-differs" });
    }
    expect((await verifySignUp(test.ports, { token, password }, client)).accountId).toBeDefined();

    await signUp(test.ports, { address: `second-${address}`, password }, client);
    const guessed = { token: mailedToken(), password: `${password}x` };
    for (let attempt = 1; attempt <= limits.challengeAttempts; attempt++) {
      const tried = verifySignUp(test.ports, guessed, client);
      await expect(tried).rejects.toMatchObject({ code: "password-differs" });
    }
    const late = verifySignUp(test.ports, { ...guessed, password }, client);
    await expect(late).rejects.toMatchObject({ code: "link-expired" });
    expect(await rows("challenge")).toEqual([]);
    expect(await personKeys()).toHaveLength(1);
  });

  it("can be done again when it was cut off after the address was claimed", async () => {
    await signUp(test.ports, { address, password }, client);
    const { directory } = test.ports;
    const contact = await directory.contactHash(address);
    const [challenge] = (await rows("challenge")) as { account_id: string }[];
    await directory.claimContact(contact, challenge?.account_id ?? "");
    const session = await verifySignUp(test.ports, { token: mailedToken(), password }, client);
    expect(session.accountId).toBe(challenge?.account_id);
  });

  it("is over after 15 minutes, with the row still there", async () => {
    await signUp(test.ports, { address, password }, client);
    const late = mailedToken();
    await signUp(test.ports, { address: `second-${address}`, password }, client);
    const inTime = mailedToken();
    test.clock.advance(limits.challengeMs - 1);
    await verifySignUp(test.ports, { token: inTime, password }, client);
    test.clock.advance(1);
    expect(await rows("challenge")).toHaveLength(1);
    const tried = verifySignUp(test.ports, { token: late, password }, client);
    await expect(tried).rejects.toMatchObject({ code: "link-expired" });
  });

  it("takes no other token", async () => {
    const random = test.ports.random.bytes;
    const session = await signedUp().then(() => newToken("ses", "home", random));
    const made = newToken("chl", "home", random);
    for (const token of ["", "nonsense", session, made, newToken("chl", "moon", random)]) {
      const tried = verifySignUp(test.ports, { token, password }, client);
      await expect(tried).rejects.toMatchObject({ code: "link-expired" });
    }
  });

  it("finds nothing when the key that sealed the address is gone", async () => {
    await signUp(test.ports, { address, password }, client);
    const [challenge] = (await rows("challenge")) as { account_id: string }[];
    await test.ports.sealer.destroy(personKey(challenge?.account_id ?? ""));
    const tried = verifySignUp(test.ports, { token: mailedToken(), password }, client);
    await expect(tried).rejects.toMatchObject({ code: "link-expired" });
  });
});

describe("what is stored", () => {
  /** Every row of every table and every object, as one text. */
  async function dump(): Promise<string> {
    const parts: unknown[] = [];
    for (const database of [bindings.DIRECTORY, bindings.DB_HOME]) {
      const tables = await database
        .prepare(
          "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'",
        )
        .all<{ name: string }>();
      for (const { name } of tables.results) {
        parts.push((await database.prepare(`SELECT * FROM "${name}"`).all()).results);
      }
    }
    for (const { name } of await objects()) {
      parts.push(name, [...((await objectBytes(name)) ?? [])]);
    }
    return JSON.stringify(parts);
  }

  it("[ACC-12] [NOT-9] is no password, no mailed code, no session secret and no address", async () => {
    const secrets = { address: `marker-${address}`, password: "marker unlikely password" };
    await bindings.KEYS_HOME.put("system/control", "x");
    await signUp(test.ports, secrets, client);
    const waiting = await dump();
    const token = mailedToken();
    const session = await verifySignUp(test.ports, { token, password: secrets.password }, client);
    const open = await dump();
    for (const text of [waiting, open]) {
      expect(text).toContain("system/control");
      expect(text).toContain(session.accountId);
      for (const secret of ["marker", token, token.slice(12, 40), session.token, "argon2id"]) {
        expect(text).not.toContain(secret);
      }
    }
  });

  it("[NOT-9] is in no log line either", async () => {
    await signedUp();
    expect(JSON.stringify(test.lines)).not.toMatch(/lk_|@|verify/);
  });
});
