/** Who is told of a sign-in: its owner, when the browser or the network is new to the account. */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { notice } from "../../workers/account/notices.ts";
import { revokeSession } from "../../workers/sign-in/sessions.ts";
import { signUp } from "../../workers/sign-in/sign-up.ts";
import { type NewSession, PASSWORD, signIn, verifySignUp } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { PHONE, withPhone } from "./steps-support.ts";

const { DB_HOME } = env as unknown as { DB_HOME: D1Database };
const home = { userAgent: "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0", peer: "198.51.100.7" };
let test: TestPorts;
let address: string;
let first: NewSession;
let count = 0;

beforeEach(async () => {
  test = testPorts({ env, variables: { SMS_URL: "https://a:b@sms.example/", SMS_FROM: "x" } });
  address = `edith${count++}@example.org`;
  await signUp(test.ports, { address, password: PASSWORD }, home);
  const token = /token=(\S+)/.exec(test.mail.sent.at(-1)?.text ?? "")?.[1] ?? "";
  first = await verifySignUp(test.ports, { token, password: PASSWORD }, home);
  await test.settle();
  test.mail.sent.length = 0;
});

/** Signs in from `client`. @returns the subjects of the mails that followed */
async function told(client: typeof home): Promise<string[]> {
  test.clock.advance(limits.signInWindowMs);
  await signIn(test.ports, { address, password: PASSWORD }, client);
  await test.settle();
  return test.mail.sent.splice(0).map(({ subject }) => subject);
}

const NEW = "A new sign-in to your Latchkey account";

describe("a sign-in", () => {
  it("is told of when its browser or its network is new, and not again", async () => {
    expect(await told(home)).toEqual([]);
    expect(await told({ ...home, peer: "198.51.100.200" })).toEqual([]);
    expect(await told({ ...home, peer: "203.0.113.1" })).toEqual([NEW]);
    expect(await told({ ...home, peer: "203.0.113.1" })).toEqual([]);
    expect(await told({ ...home, userAgent: "curl/8.5.0" })).toEqual([NEW]);
  });

  it("is known from the log when its session has ended, until the log forgets it", async () => {
    await revokeSession(test.ports, first.accountId, first.sessionId);
    expect(await told(home)).toEqual([]);
    test.clock.advance(limits.activityMs);
    expect(await told(home)).toEqual([NEW]);
  });

  it("succeeds when the notice cannot be sent, and the log names nobody", async () => {
    test.mail.failing = true;
    expect(await told({ ...home, peer: "203.0.113.1" })).toEqual([]);
    expect(test.lines).toContainEqual({ event: "notice-failed", code: "email" });
  });
});

describe("[NOT-4] a notice", () => {
  const send = async (everywhere = false) => {
    test.mail.sent.length = 0;
    test.sms.sent.length = 0;
    notice(test.ports, first.accountId, "password-changed", { client: home, everywhere });
    await test.settle();
    return [test.mail.sent.map(({ to }) => to), test.sms.sent.map(({ to }) => to)];
  };

  it("goes by mail, by text message only where there is no mail, and everywhere if need be", async () => {
    await withPhone(test, first.accountId);
    expect(await send()).toEqual([[address], []]);
    expect(await send(true)).toEqual([[address], [PHONE]]);
    await DB_HOME.prepare("DELETE FROM identifier WHERE account_id = ? AND kind = 'email'")
      .bind(first.accountId)
      .run();
    expect(await send()).toEqual([[], [PHONE]]);
    await DB_HOME.prepare("DELETE FROM identifier WHERE account_id = ?")
      .bind(first.accountId)
      .run();
    expect(await send()).toEqual([[], []]);
  });
});
