/**
 * Second steps on the real rules and databases: what counts, what works once, who wins among many at
 * once, and what a stolen cookie is worth.
 */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { listActivity } from "../../workers/account/activity.ts";
import { handle } from "../../workers/app.ts";
import { eraseAccount } from "../../workers/privacy/erase.ts";
import type { SignInOutcome } from "../../workers/sign-in/complete.ts";
import { sendSignInCode, takeTypedStep } from "../../workers/sign-in/second-step.ts";
import { signIn } from "../../workers/sign-in/sign-in.ts";
import type { TypedCode } from "../../workers/sign-in/step-proofs.ts";
import {
  renewRecoveryCodes,
  setUpSms,
  setUpTotp,
  stepSettings,
  switchOff,
  switchOnSms,
  switchOnTotp,
} from "../../workers/sign-in/step-settings.ts";
import { totpCode } from "../../workers/sign-in/totp.ts";
import {
  endTrust,
  listTrusted,
  revokeAllTrusted,
  revokeTrusted,
} from "../../workers/sign-in/trust.ts";
import { CLIENT, type NewSession, newPerson, PASSWORD } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import {
  firstStep,
  PHONE,
  STEP_MS,
  smsCode,
  withApp,
  withPhone,
  withSms,
} from "./steps-support.ts";

const { DB_HOME } = env as unknown as { DB_HOME: D1Database };
const SMS = { SMS_URL: "https://a:b@sms.example/", SMS_FROM: "Latchkey" };
let test: TestPorts;
let person: NewSession;
let address: string;
let count = 0;

beforeEach(async () => {
  test = testPorts({ env, variables: SMS });
  address = `ada${count++}@example.org`;
  person = await newPerson(test, address);
});

const refusal = (work: Promise<unknown>) =>
  work.then(
    () => "accepted",
    (error: { code: string }) => error.code,
  );
const take = (token: string, typed: TypedCode, trust = false) =>
  takeTypedStep(test.ports, token, typed, CLIENT, { trust });
const app = (secret: string): TypedCode => ({
  kind: "totp",
  code: totpCode(secret, test.clock.now()),
});
const sms = (): TypedCode => ({ kind: "sms", code: smsCode(test) });
const paper = (code = ""): TypedCode => ({ kind: "recovery-code", code });
const won = (outcomes: readonly PromiseSettledResult<SignInOutcome>[]) =>
  outcomes.filter((one) => one.status === "fulfilled" && one.value.kind === "signed-in").length;
const eightAtOnce = (work: (index: number) => Promise<SignInOutcome>) =>
  Promise.allSettled(Array.from({ length: 8 }, (_, index) => work(index)));
const sessions = async () =>
  await DB_HOME.prepare("SELECT count(*) AS n FROM session WHERE account_id = ?")
    .bind(person.accountId)
    .first<number>("n");

/** Signs in with the app and trusts the browser. @returns the secret of its cookie */
async function trustedBrowser(secret: string): Promise<string> {
  const outcome = await take(await firstStep(test, address), app(secret), true);
  test.clock.advance(STEP_MS);
  if (outcome.kind !== "signed-in") throw new Error("not signed in");
  return outcome.trustToken ?? "";
}

const signInTrusting = (trustToken: string) =>
  signIn(test.ports, { address, password: PASSWORD, trustToken }, CLIENT);

describe("[ACC-12] codes from an app", () => {
  it("count once the first of them came back, and not before", async () => {
    const { secret, uri } = await setUpTotp(test.ports, person.accountId);
    expect(uri).toContain(`secret=${secret}`);
    expect((await setUpTotp(test.ports, person.accountId)).secret).toBe(secret);
    const wrong = switchOnTotp(test.ports, person.accountId, "000000", CLIENT);
    expect(await refusal(wrong)).toBe("second-step-wrong");
    expect((await signInTrusting("")).kind).toBe("signed-in");
    const code = totpCode(secret, test.clock.now());
    expect(await switchOnTotp(test.ports, person.accountId, code, CLIENT)).toHaveLength(10);
    const token = await firstStep(test, address);
    expect(await refusal(take(token, { kind: "totp", code }))).toBe("second-step-wrong");
    expect(await refusal(setUpTotp(test.ports, person.accountId))).toBe("second-step-on");
    const events = (await listActivity(test.ports, person.accountId)).map(({ event }) => event);
    expect(events).toEqual(expect.arrayContaining(["second-step-on", "recovery-codes-made"]));
    await test.settle();
    expect(test.mail.sent.at(-1)).toMatchObject({ to: address, subject: "A second step is on" });
  });

  it("cannot be confirmed any more after 15 minutes", async () => {
    const { secret } = await setUpTotp(test.ports, person.accountId);
    test.clock.advance(limits.challengeMs);
    const late = switchOnTotp(test.ports, person.accountId, app(secret).code, CLIENT);
    expect(await refusal(late)).toBe("set-up-expired");
    expect((await setUpTotp(test.ports, person.accountId)).secret).not.toBe(secret);
  });

  it("are right a time step early and late, and no further", async () => {
    const { secret } = await withApp(test, person.accountId);
    for (const [steps, right] of [
      [-2, false],
      [2, false],
      [-1, true],
      [1, true],
    ] as const) {
      test.clock.advance(4 * STEP_MS);
      const code = totpCode(secret, test.clock.now() + steps * STEP_MS);
      const taken = await refusal(take(await firstStep(test, address), { kind: "totp", code }));
      expect([steps, taken]).toEqual([steps, right ? "accepted" : "second-step-wrong"]);
    }
  });

  it("work once, also backwards in time and with another sign-in", async () => {
    const { secret } = await withApp(test, person.accountId);
    const [earlier, now] = [app(secret), () => app(secret)];
    test.clock.advance(STEP_MS);
    const used = now();
    expect((await take(await firstStep(test, address), used)).kind).toBe("signed-in");
    for (const replayed of [used, earlier]) {
      const token = await firstStep(test, address);
      expect(await refusal(take(token, replayed))).toBe("second-step-wrong");
    }
    test.clock.advance(STEP_MS);
    expect((await take(await firstStep(test, address), now())).kind).toBe("signed-in");
  });

  it("let one in of eight that bring the same code at once", async () => {
    const { secret } = await withApp(test, person.accountId);
    const tokens: string[] = [];
    for (let index = 0; index < 8; index++) tokens.push(await firstStep(test, address));
    const before = await sessions();
    expect(won(await eightAtOnce((index) => take(tokens[index] ?? "", app(secret))))).toBe(1);
    expect(await sessions()).toBe((before ?? 0) + 1);
  });
});

describe("[ACC-12] a sign-in under way", () => {
  it("lets one in of eight that bring the same token at once, each with a right code", async () => {
    const { recoveryCodes } = await withApp(test, person.accountId);
    const token = await firstStep(test, address);
    const before = await sessions();
    const outcomes = await eightAtOnce((index) => take(token, paper(recoveryCodes?.[index])));
    expect(won(outcomes)).toBe(1);
    expect(await sessions()).toBe((before ?? 0) + 1);
  });

  it("is gone after it was used, after its time, and with its account", async () => {
    const { secret } = await withApp(test, person.accountId);
    const used = await firstStep(test, address);
    await take(used, app(secret));
    test.clock.advance(STEP_MS);
    expect(await refusal(take(used, app(secret)))).toBe("sign-in-expired");
    const late = await firstStep(test, address);
    test.clock.advance(limits.signInStepMs);
    expect(await refusal(take(late, app(secret)))).toBe("sign-in-expired");
    const erased = await firstStep(test, address);
    await eraseAccount(test.ports, person.accountId);
    expect(await refusal(take(erased, app(secret)))).toBe("sign-in-expired");
    expect(await refusal(take("nonsense", app(secret)))).toBe("sign-in-expired");
  });

  it("ends with a change of what it was begun under", async () => {
    const { secret } = await withApp(test, person.accountId);
    const token = await firstStep(test, address);
    await endTrust(test.ports, person.accountId); // as a new password does
    expect(await refusal(take(token, app(secret)))).toBe("sign-in-expired");
  });

  it("asks again for what is missing when it was begun with less", async () => {
    expect((await signInTrusting("")).kind).toBe("signed-in");
    await withApp(test, person.accountId);
    const outcome = await signInTrusting("");
    expect(outcome).toMatchObject({
      kind: "second-step",
      pending: { offers: ["totp", "recovery-code"] },
    });
  });

  it("tires per network, whosever account it is", async () => {
    await withApp(test, person.accountId);
    const token = await firstStep(test, address);
    const other = await newPerson(test, `other-${address}`);
    const { secret: theirs } = await withApp(test, other.accountId);
    const client = { userAgent: null, peer: "203.0.113.9" };
    for (let attempt = 0; attempt < limits.secondStepPerNetwork; attempt++) {
      await refusal(takeTypedStep(test.ports, token, { kind: "totp", code: "000000" }, client));
    }
    const theirToken = await firstStep(test, `other-${address}`);
    const blocked = takeTypedStep(test.ports, theirToken, app(theirs), client);
    expect(await refusal(blocked)).toBe("too-many-tries");
    expect((await take(theirToken, app(theirs))).kind).toBe("signed-in");
  });
});

describe("[ACC-12] recovery codes", () => {
  it("let their account in once each, however they are typed, and the owner is told", async () => {
    const { recoveryCodes } = await withApp(test, person.accountId);
    const [first = "", second = ""] = recoveryCodes ?? [];
    const typed = ` ${first.toUpperCase().replaceAll("-", " ").replaceAll("0", "O")}`;
    expect((await take(await firstStep(test, address), paper(typed))).kind).toBe("signed-in");
    await test.settle();
    expect(test.mail.sent.at(-1)?.text).toContain("9 are left");
    const token = await firstStep(test, address);
    expect(await refusal(take(token, paper(first)))).toBe("second-step-wrong");
    const other = await newPerson(test, `other-${address}`);
    await withApp(test, other.accountId);
    const theirs = await firstStep(test, `other-${address}`);
    expect(await refusal(take(theirs, paper(second)))).toBe("second-step-wrong");
    expect((await stepSettings(test.ports, person.accountId)).recoveryCodesLeft).toBe(9);
  });

  it("have one winner of eight at once", async () => {
    const { recoveryCodes } = await withApp(test, person.accountId);
    const tokens: string[] = [];
    for (let index = 0; index < 8; index++) tokens.push(await firstStep(test, address));
    const outcomes = await eightAtOnce((index) =>
      take(tokens[index] ?? "", paper(recoveryCodes?.[0])),
    );
    expect(won(outcomes)).toBe(1);
  });

  it("are dead when new ones are made, and go with the last second step", async () => {
    const { recoveryCodes } = await withApp(test, person.accountId);
    const made = await renewRecoveryCodes(test.ports, person.accountId, CLIENT);
    expect(new Set([...made, ...(recoveryCodes ?? [])]).size).toBe(20);
    const token = await firstStep(test, address);
    expect(await refusal(take(token, paper(recoveryCodes?.[0])))).toBe("second-step-wrong");
    await withSms(test, person.accountId);
    await switchOff(test.ports, person.accountId, "totp", CLIENT);
    expect((await stepSettings(test.ports, person.accountId)).recoveryCodesLeft).toBe(10);
    await switchOff(test.ports, person.accountId, "sms", CLIENT);
    expect((await stepSettings(test.ports, person.accountId)).recoveryCodesLeft).toBe(0);
    const none = renewRecoveryCodes(test.ports, person.accountId, CLIENT);
    expect(await refusal(none)).toBe("second-step-off");
  });

  it("are in no store as they are printed", async () => {
    const { recoveryCodes } = await withApp(test, person.accountId);
    const rows = JSON.stringify(
      (await DB_HOME.prepare("SELECT * FROM recovery_code").all()).results,
    );
    for (const code of recoveryCodes ?? []) expect(rows).not.toContain(code);
    expect(rows).toContain(person.accountId);
  });
});

describe("[ACC-12] codes by text message", () => {
  it("go to a verified phone of the account only, and count when one came back", async () => {
    const foreign = await withPhone(test, (await newPerson(test, `other-${address}`)).accountId);
    const unknown = setUpSms(test.ports, person.accountId, foreign, CLIENT);
    expect(await refusal(unknown)).toBe("not-found");
    expect(test.sms.sent).toEqual([]);
    await withSms(test, person.accountId);
    expect(test.sms.sent.at(-1)?.to).toBe(PHONE);
    expect((await stepSettings(test.ports, person.accountId)).sms?.number).toBe(PHONE);
    const token = await firstStep(test, address);
    await sendSignInCode(test.ports, token, CLIENT);
    expect((await take(token, sms())).kind).toBe("signed-in");
  });

  it("are good for the sign-in they were asked for, once, and a newer one replaces them", async () => {
    await withSms(test, person.accountId);
    const [mine, other] = [await firstStep(test, address), await firstStep(test, address)];
    await sendSignInCode(test.ports, mine, CLIENT);
    const first = sms();
    expect(await refusal(take(other, first))).toBe("second-step-wrong");
    await sendSignInCode(test.ports, mine, CLIENT);
    const second = sms();
    if (first.code !== second.code) {
      expect(await refusal(take(mine, first))).toBe("second-step-wrong");
    }
    expect((await take(mine, second)).kind).toBe("signed-in");
    expect(await refusal(take(other, second))).toBe("second-step-wrong");
  });

  it("bear five tries and are sent a few times an hour", async () => {
    await withSms(test, person.accountId);
    const token = await firstStep(test, address);
    await sendSignInCode(test.ports, token, CLIENT);
    const wrong = { kind: "sms", code: sms().code === "000000" ? "000001" : "000000" } as const;
    for (let attempt = 0; attempt < limits.challengeAttempts; attempt++) {
      expect(await refusal(take(token, wrong))).toBe("second-step-wrong");
    }
    expect(await refusal(take(token, sms()))).toBe("too-many-tries");
    expect(await refusal(take(token, sms()))).toBe("second-step-wrong");
    const sent = [];
    for (let more = 0; more <= limits.smsPerAddress; more++) {
      sent.push(await refusal(sendSignInCode(test.ports, token, CLIENT)));
    }
    expect(sent.at(-1)).toBe("too-many-tries");
  });

  it("leave nothing behind when the provider refuses", async () => {
    await withSms(test, person.accountId);
    const token = await firstStep(test, address);
    test.sms.failing = true;
    expect(await refusal(sendSignInCode(test.ports, token, CLIENT))).toBe("sms-failed");
    const left = await DB_HOME.prepare("SELECT count(*) AS n FROM challenge WHERE account_id = ?")
      .bind(person.accountId)
      .first("n");
    expect(left).toBe(0);
  });

  it("are not offered where the provider is not configured", async () => {
    const bare = testPorts({ env });
    const phone = await withPhone(test, person.accountId);
    expect((await stepSettings(bare.ports, person.accountId)).phones).toEqual([]);
    const begun = setUpSms(bare.ports, person.accountId, phone, CLIENT);
    expect(await refusal(begun)).toBe("phone-unsupported");
    const none = switchOnSms(bare.ports, person.accountId, "123456", CLIENT);
    expect(await refusal(none)).toBe("set-up-expired");
  });
});

describe("[CKY-3] a trusted browser", () => {
  it("is spared the second step, for its own account, and the log says so", async () => {
    const { secret } = await withApp(test, person.accountId);
    const trust = await trustedBrowser(secret);
    expect((await signInTrusting(trust)).kind).toBe("signed-in");
    const [entry] = await listActivity(test.ports, person.accountId);
    expect(entry).toMatchObject({ event: "signed-in", about: "password trusted-browser" });
    const theirs = `other-${address}`;
    const other = await newPerson(test, theirs);
    await withApp(test, other.accountId);
    const stolen = signIn(
      test.ports,
      { address: theirs, password: PASSWORD, trustToken: trust },
      CLIENT,
    );
    expect((await stolen).kind).toBe("second-step");
  });

  it("opens nothing by itself", async () => {
    const { secret } = await withApp(test, person.accountId);
    const trustToken = await trustedBrowser(secret);
    const wrong = signIn(test.ports, { address, password: "wrong password", trustToken }, CLIENT);
    expect(await refusal(wrong)).toBe("bad-credentials");
  });

  it("is asked again after its trust was ended, one by one or all", async () => {
    const { secret } = await withApp(test, person.accountId);
    const [first, second, third] = [
      await trustedBrowser(secret),
      await trustedBrowser(secret),
      await trustedBrowser(secret),
    ];
    const list = await listTrusted(test.ports, person.accountId, first);
    expect(list).toHaveLength(3);
    const own = list.find(({ current }) => current)?.id ?? "";
    const stranger = await newPerson(test, `other-${address}`);
    expect(await revokeTrusted(test.ports, stranger.accountId, own, CLIENT)).toBe(false);
    expect(await revokeTrusted(test.ports, person.accountId, own, CLIENT)).toBe(true);
    expect((await signInTrusting(first)).kind).toBe("second-step");
    expect((await signInTrusting(second)).kind).toBe("signed-in");
    await revokeAllTrusted(test.ports, person.accountId, CLIENT);
    for (const stolen of [second, third]) {
      expect((await signInTrusting(stolen)).kind).toBe("second-step");
    }
    expect(await listTrusted(test.ports, person.accountId, null)).toEqual([]);
  });

  it("is forgotten with every change of a second step", async () => {
    const { secret } = await withApp(test, person.accountId);
    const first = await trustedBrowser(secret);
    await withSms(test, person.accountId);
    expect((await signInTrusting(first)).kind).toBe("second-step");
    const second = await trustedBrowser(secret);
    await switchOff(test.ports, person.accountId, "sms", CLIENT);
    expect((await signInTrusting(second)).kind).toBe("second-step");
  });

  it("ends after 90 days, and takes over what the browser had before", async () => {
    const { secret } = await withApp(test, person.accountId);
    const former = await trustedBrowser(secret);
    const token = await firstStep(test, address);
    const options = { trust: true, trustToken: former };
    const outcome = await takeTypedStep(test.ports, token, app(secret), CLIENT, options);
    expect(await listTrusted(test.ports, person.accountId, null)).toHaveLength(1);
    expect((await signInTrusting(former)).kind).toBe("second-step");
    const trust = outcome.kind === "signed-in" ? (outcome.trustToken ?? "") : "";
    test.clock.advance(limits.trustedBrowserMs - 1);
    expect((await signInTrusting(trust)).kind).toBe("signed-in");
    test.clock.advance(1);
    expect((await signInTrusting(trust)).kind).toBe("second-step");
  });

  it("is given a Strict cookie of 90 days, at the second step only", async () => {
    const { secret } = await withApp(test, person.accountId);
    const origin = test.ports.config.origin;
    const post = async (path: string, body: unknown, cookie = "") => {
      const headers = {
        "content-type": "application/json",
        "sec-fetch-site": "same-origin",
        cookie,
      };
      const init = { method: "POST", headers, body: JSON.stringify(body) };
      return await handle(new Request(origin + path, init), test.ports);
    };
    const first = await post("/api/sessions", { address, password: PASSWORD });
    expect(first.status).toBe(202);
    expect(first.headers.getSetCookie()).toHaveLength(1);
    const step = /__Host-step=([^;]+)/.exec(first.headers.get("set-cookie") ?? "")?.[0] ?? "";
    const second = await post("/api/sign-in/second-step", { ...app(secret), trust: true }, step);
    expect(second.status).toBe(201);
    const cookies = second.headers.getSetCookie();
    const trust = cookies.find((cookie) => cookie.startsWith("__Host-trust=")) ?? "";
    expect(trust).toMatch(/Max-Age=7776000/);
    expect(trust).toMatch(/HttpOnly; Secure; SameSite=Strict/);
    expect(cookies.some((cookie) => /^__Host-step=;.*Max-Age=0/.test(cookie))).toBe(true);
  });
});
