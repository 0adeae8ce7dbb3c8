/** A lost second step on D1: a wait that every channel can stop, and what it takes to finish it. */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { secondStepsOf } from "../../db/queries/sign-ins.ts";
import { limits } from "../../protocol/limits.ts";
import { newToken } from "../../protocol/tokens.ts";
import { listActivity } from "../../workers/account/activity.ts";
import { askAddress, verifyAddress } from "../../workers/account/addresses.ts";
import type { Db } from "../../workers/ports.ts";
import { eraseAccount } from "../../workers/privacy/erase.ts";
import { changePassword } from "../../workers/sign-in/change-password.ts";
import { completeSignIn } from "../../workers/sign-in/complete.ts";
import {
  askWithoutStep,
  finishWithoutStep,
  lostStepOf,
  ownRecovery,
  stopByLink,
  stopOwn,
} from "../../workers/sign-in/lost-step.ts";
import { checkSession } from "../../workers/sign-in/sessions.ts";
import { signIn } from "../../workers/sign-in/sign-in.ts";
import { signUp } from "../../workers/sign-in/sign-up.ts";
import {
  CLIENT,
  type NewSession,
  newPerson,
  PASSWORD,
  sessionOf,
  verifySignUp,
} from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { switchOn } from "../support/second-step.ts";

const { DB_HOME } = env as unknown as { DB_HOME: D1Database };
let test: TestPorts;
let address: string;
let own: NewSession;
let count = 0;

beforeEach(async () => {
  test = testPorts({ env, variables: { SMS_URL: "https://a:b@sms.example/" } });
  address = `lost${count++}@example.org`;
  own = await newPerson(test, address);
  await switchOn(test.ports, own.accountId);
  await test.settle();
  test.mail.sent.length = 0;
});

const refusal = (work: Promise<unknown>) =>
  work.then(
    () => "accepted",
    (error: { code: string }) => error.code,
  );

/** Takes the first step; the secret of the sign-in under way. */
async function firstStep(at = address): Promise<string> {
  const outcome = await signIn(test.ports, { address: at, password: PASSWORD }, CLIENT);
  if (outcome.kind !== "second-step") throw new Error("no second step was asked for");
  return outcome.pending.token;
}
const ask = async (step: string) => {
  const lost = await askWithoutStep(test.ports, step, CLIENT);
  await test.settle();
  return lost;
};
const finish = (stepToken: string, token: string, code?: string) =>
  finishWithoutStep(test.ports, { stepToken, token, code }, CLIENT);
const mailed = (path: string) =>
  test.mail.sent
    .map(({ text }) => new RegExp(`/recovery/${path}\\?token=(\\S+)`).exec(text)?.[1])
    .findLast((token) => token !== undefined) ?? "";
const steps = () => secondStepsOf(test.ports.regions.db("home") as Db, own.accountId);
const wait = () => test.clock.advance(limits.recoveryWaitMs);

/** Waits all the time, asks for the link, and answers it with a first step that was just taken. */
async function waited(): Promise<{ step: string; link: string }> {
  await ask(await firstStep());
  wait();
  const step = await firstStep();
  expect(await ask(step)).toMatchObject({ kind: "sent", token: null });
  return { step, link: mailed("finish") };
}

describe("a lost second step", () => {
  it("is switched off after the wait, by the link and the first step again", async () => {
    const trusted = await firstStep();
    const { opensAt } = await ask(trusted);
    expect(opensAt).toBe(test.clock.now() + limits.recoveryWaitMs);
    test.clock.advance(limits.recoveryWaitMs - 1);
    const early = await firstStep();
    expect(await ask(early)).toMatchObject({ kind: "waiting", opensAt });
    expect(mailed("finish")).toBe("");
    test.clock.advance(1);
    const late = await firstStep();
    expect((await ask(late)).kind).toBe("sent");
    const session = sessionOf(await finish(late, mailed("finish")));
    await test.settle();
    expect(session.accountId).toBe(own.accountId);
    expect(await steps()).toEqual([]);
    expect(await checkSession(test.ports, own.token)).toBeNull();
    expect(await checkSession(test.ports, session.token)).not.toBeNull();
    const events = (await listActivity(test.ports, own.accountId)).map(({ event }) => event);
    expect(events).toEqual(expect.arrayContaining(["recovery-asked", "recovered"]));
    expect((await signIn(test.ports, { address, password: PASSWORD }, CLIENT)).kind).toBe(
      "signed-in",
    );
  });

  it("needs a first step that lives", async () => {
    const made = newToken("stp", "home", test.ports.random.bytes);
    for (const step of ["", "x", made, own.token]) {
      expect(await refusal(ask(step))).toBe("sign-in-expired");
      expect(await refusal(finish(step, "x"))).toBe("sign-in-expired");
    }
    expect(await refusal(askWithoutStep(test.ports, null, CLIENT))).toBe("sign-in-expired");
    const step = await firstStep();
    test.clock.advance(limits.signInStepMs);
    expect(await refusal(ask(step))).toBe("sign-in-expired");
    expect(test.mail.sent).toEqual([]);
  });

  it("is told to every channel, with a link that stops it; text messages have none", async () => {
    const phone = `+4915144440${String(count).padStart(3, "0")}`;
    const second = `second-${address}`;
    for (const more of [phone, second]) {
      const { token } = await askAddress(test.ports, own.accountId, more, CLIENT);
      const text = more === phone ? test.sms.sent.at(-1)?.text : test.mail.sent.at(-1)?.text;
      const code = /^\d{6}/m.exec(text ?? "")?.[0] ?? "";
      await verifyAddress(test.ports, own.accountId, { token, code }, CLIENT);
    }
    await test.settle();
    test.mail.sent.length = 0;
    test.sms.sent.length = 0;
    await ask(await firstStep());
    const written = [...test.mail.sent, ...test.sms.sent].map(({ to }) => to).sort();
    expect(written).toEqual([phone, address, second].sort());
    expect(test.sms.sent[0]?.text).not.toMatch(/https?:|localhost|\//);
    await stopByLink(test.ports, mailed("stop"), CLIENT);
    expect(await refusal(stopByLink(test.ports, mailed("stop"), CLIENT))).toBe("link-expired");
  });

  it("begins once, however often it is asked, and tells once", async () => {
    const asked = await Promise.all([1, 2, 3].map(async () => ask(await firstStep())));
    expect(new Set(asked.map(({ opensAt }) => opensAt)).size).toBe(1);
    test.clock.advance(60_000);
    expect((await ask(await firstStep())).opensAt).toBe(asked[0]?.opensAt);
    expect(test.mail.sent.filter(({ text }) => text.includes("/recovery/stop"))).toHaveLength(1);
  });

  it("begins a few times a week only", async () => {
    for (let at = 0; at < limits.recoveriesPerAccount; at++) {
      await ask(await firstStep());
      await stopByLink(test.ports, mailed("stop"), CLIENT);
    }
    expect(await refusal(ask(await firstStep()))).toBe("too-many-tries");
  });

  it("begins nothing when nobody can be told", async () => {
    test.mail.failing = true;
    expect(await refusal(ask(await firstStep()))).toBe("mail-failed");
    expect(await ownRecovery(test.ports, own.accountId)).toBeNull();
  });

  it("is forgotten a week after it opened, and with the account", async () => {
    await ask(await firstStep());
    wait();
    test.clock.advance(limits.recoveryOpenMs - 1);
    const step = await firstStep();
    expect(await lostStepOf(test.ports, step)).not.toBeNull();
    test.clock.advance(1);
    expect(await lostStepOf(test.ports, step)).toBeNull();
    await ask(await firstStep());
    await eraseAccount(test.ports, own.accountId);
    const rows = await DB_HOME.prepare("SELECT count(*) AS n FROM recovery WHERE account_id = ?")
      .bind(own.accountId)
      .first<number>("n");
    expect(rows).toBe(0);
  });
});

describe("a wait", () => {
  it.each([
    ["a sign-in with the second step", () => passed(["password", "totp"])],
    ["a passkey that checked its user", () => passed(["passkey-verified"])],
    ["its owner, signed in", () => stopOwn(test.ports, own.accountId, CLIENT)],
    ["the link in the notice", () => stopByLink(test.ports, mailed("stop"), CLIENT)],
    [
      "a new password, by who is signed in",
      () =>
        changePassword(
          test.ports,
          { ...own, confirmedAt: test.clock.now() },
          { password: "another unlikely password" },
          CLIENT,
        ),
    ],
  ])("is stopped by %s, also after it is over", async (_, stop) => {
    const { step, link } = await waited();
    await stop();
    await test.settle();
    expect(await ownRecovery(test.ports, own.accountId)).toBeNull();
    const tried = await refusal(finish(step, link));
    expect(["link-expired", "sign-in-expired"]).toContain(tried);
    expect(await steps()).toHaveLength(1);
    expect(await stopOwn(test.ports, own.accountId, CLIENT)).toBe(false);
  });

  const passed = async (methods: ("password" | "totp" | "passkey-verified")[]) =>
    sessionOf(await completeSignIn(test.ports, { accountId: own.accountId, methods }, CLIENT));

  it("is not stopped by a sign-in that stays at its first step", async () => {
    await ask(await firstStep());
    await firstStep();
    expect(await ownRecovery(test.ports, own.accountId)).not.toBeNull();
  });
});

describe("the link that finishes it", () => {
  it("works once, with one winner", async () => {
    const { step, link } = await waited();
    const tries = await Promise.all([1, 2, 3].map(() => refusal(finish(step, link))));
    expect(tries.filter((result) => result === "accepted")).toHaveLength(1);
    expect(["link-expired", "sign-in-expired"]).toContain(await refusal(finish(step, link)));
    await switchOn(test.ports, own.accountId);
    expect(await refusal(finish(await firstStep(), link))).toBe("link-expired");
  });

  it("is good for its account and its wait only, and for 15 minutes", async () => {
    const { link } = await waited();
    const stranger = await newPerson(test, `stranger-${address}`);
    await switchOn(test.ports, stranger.accountId);
    const strange = await firstStep(`stranger-${address}`);
    expect(await refusal(finish(strange, link))).toBe("link-expired");
    await stopOwn(test.ports, own.accountId, CLIENT);
    await ask(await firstStep());
    expect(await refusal(finish(await firstStep(), link))).toBe("link-expired");
    wait();
    const step = await firstStep();
    expect(await refusal(finish(step, link))).toBe("link-expired");
    await ask(step);
    const fresh = mailed("finish");
    test.clock.advance(limits.challengeMs);
    expect(await refusal(finish(await firstStep(), fresh))).toBe("link-expired");
    expect(await steps()).toHaveLength(1);
  });

  it("is a code where there is only a phone: the browser holds its secret", async () => {
    const phone = `+4915133330${String(count).padStart(3, "0")}`;
    const lastCode = () => /^\d{6}/.exec(test.sms.sent.at(-1)?.text ?? "")?.[0] ?? "";
    const sent = await signUp(test.ports, { address: phone, password: PASSWORD }, CLIENT);
    const began = sent.kind === "sms" ? sent.token : "";
    const person = await verifySignUp(test.ports, { token: began, code: lastCode() }, CLIENT);
    await switchOn(test.ports, person.accountId);
    await ask(await firstStep(phone));
    wait();
    const step = await firstStep(phone);
    const lost = await ask(step);
    const token = lost.kind === "sent" ? (lost.token ?? "") : "";
    const code = lastCode();
    const wrong = String((Number(code) + 1) % 1_000_000).padStart(6, "0");
    expect(await refusal(finish(step, token, wrong))).toBe("code-wrong");
    expect(await refusal(finish(step, token))).toBe("code-wrong");
    expect(sessionOf(await finish(step, token, code)).accountId).toBe(person.accountId);
  });
});
