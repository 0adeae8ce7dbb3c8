/** An account that is erased takes with it everything that was under way to get into it. */

import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { askAddress, verifyAddress } from "../../workers/account/addresses.ts";
import { eraseAccount } from "../../workers/privacy/erase.ts";
import { completeSignIn } from "../../workers/sign-in/complete.ts";
import { askReset, resetPassword } from "../../workers/sign-in/forgot.ts";
import { askWithoutStep, finishWithoutStep, stopByLink } from "../../workers/sign-in/lost-step.ts";
import { takeTypedStep } from "../../workers/sign-in/second-step.ts";
import { totpCode } from "../../workers/sign-in/totp.ts";
import { CLIENT, newPerson, PASSWORD } from "../support/person.ts";
import { testPorts } from "../support/ports.ts";
import { firstStep, withApp } from "./steps-support.ts";

it("ends every step, code, link and wait; each is answered as one that never was", async () => {
  const test = testPorts({ env });
  const { ports } = test;
  const address = "midway@erased.example";
  const { accountId } = await newPerson(test, address);
  const { secret, recoveryCodes } = await withApp(test, accountId);
  const mailed = (pattern: RegExp) =>
    test.mail.sent.map(({ text }) => pattern.exec(text)?.[1] ?? "").findLast((one) => one) ?? "";

  await askWithoutStep(ports, await firstStep(test, address), CLIENT);
  const stop = mailed(/\/recovery\/stop\?token=(\S+)/);
  test.clock.advance(limits.recoveryWaitMs);
  const step = await firstStep(test, address);
  await askWithoutStep(ports, step, CLIENT);
  const finish = mailed(/\/recovery\/finish\?token=(\S+)/);
  await askReset(ports, address, CLIENT);
  await test.settle();
  const reset = mailed(/\/forgot\/new\?token=(\S+)/);
  const adding = await askAddress(ports, accountId, `more-${address}`, CLIENT);
  const code = mailed(/^(\d{6}) is the code/m);
  expect([stop, finish, reset, code].map(Boolean)).toEqual([true, true, true, true]);

  await eraseAccount(ports, accountId);
  const totp = { kind: "totp", code: totpCode(secret, test.clock.now()) } as const;
  const recovery = { kind: "recovery-code", code: recoveryCodes?.[0] ?? "" } as const;
  const tries: [() => Promise<unknown>, string][] = [
    [() => takeTypedStep(ports, step, totp, CLIENT), "sign-in-expired"],
    [() => takeTypedStep(ports, step, recovery, CLIENT), "sign-in-expired"],
    [() => askWithoutStep(ports, step, CLIENT), "sign-in-expired"],
    [() => finishWithoutStep(ports, { stepToken: step, token: finish }, CLIENT), "sign-in-expired"],
    [() => stopByLink(ports, stop, CLIENT), "link-expired"],
    [
      () => resetPassword(ports, { token: reset, password: `${PASSWORD} 2` }, CLIENT),
      "link-expired",
    ],
    [() => verifyAddress(ports, accountId, { token: adding.token, code }, CLIENT), "code-expired"],
    [
      () => completeSignIn(ports, { accountId, methods: ["passkey-verified"] }, CLIENT),
      "bad-credentials",
    ],
  ];
  for (const [tried, says] of tries) await expect(tried()).rejects.toMatchObject({ code: says });
});
