/**
 * Somebody has the password and spends the tries of the second step on purpose: the owner still gets in,
 * and the guesses stay bounded whatever is done.
 */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import type { Client } from "../../workers/sign-in/client.ts";
import { type ConfirmWay, confirm } from "../../workers/sign-in/confirm.ts";
import {
  confirmWithPasskey,
  passkeyConfirmOptions,
  passkeyStepOptions,
  takePasskeyStep,
} from "../../workers/sign-in/passkey-steps.ts";
import { addPasskey, creationOptions } from "../../workers/sign-in/passkeys.ts";
import { takeTypedStep } from "../../workers/sign-in/second-step.ts";
import { switchOnTotp } from "../../workers/sign-in/step-settings.ts";
import { totpCode } from "../../workers/sign-in/totp.ts";
import { Authenticator } from "../support/authenticator.ts";
import { CLIENT, type NewSession, newPerson, PASSWORD } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { type App, firstStep, withApp } from "./steps-support.ts";

const ORIGIN = "http://localhost:8787";
const { secondStepPerAccount, secondStepPerAccountNetwork, secondStepPerNetwork } = limits;
let test: TestPorts;
let person: NewSession;
let address: string;
let app: App;
let count = 0;

beforeEach(async () => {
  test = testPorts({ env, variables: { ORIGIN } });
  address = `spent${count++}@example.org`;
  person = await newPerson(test, address);
  app = await withApp(test, person.accountId);
  await test.settle();
  test.mail.sent.length = 0;
});

const from = (at: number): Client => ({ userAgent: null, peer: `203.0.113.${at}` });
const refusal = (work: Promise<unknown>) =>
  work.then(
    () => "accepted",
    (error: { code: string }) => error.code,
  );
const rightCode = () => totpCode(app.secret, test.clock.now());
const wrongCode = () => (rightCode() === "000000" ? "000001" : "000000");
const type = (
  token: string,
  code: string,
  client: Client,
  kind: "totp" | "recovery-code" = "totp",
) => refusal(takeTypedStep(test.ports, token, { kind, code }, client));
const confirmAs = (way: Exclude<ConfirmWay, "passkey">, secret: string, client = CLIENT) =>
  refusal(confirm(test.ports, person, { way, secret }, client));

/** Types wrong codes from so many networks, each until it is refused; how many were looked at. */
async function spend(networks: number): Promise<number> {
  const token = await firstStep(test, address);
  let looked = 0;
  for (let at = 1; at <= networks; at++) {
    for (let tries = 0; tries <= secondStepPerAccountNetwork; tries++) {
      if ((await type(token, wrongCode(), from(at))) === "second-step-wrong") looked++;
    }
  }
  return looked;
}

describe("tries of the second step that a stranger with the password spends", () => {
  it("from one network leave the owner's network its own", async () => {
    expect(await spend(1)).toBe(secondStepPerAccountNetwork);
    const token = await firstStep(test, address);
    expect(await type(token, rightCode(), from(1))).toBe("too-many-tries");
    expect(await type(token, rightCode(), CLIENT)).toBe("accepted");
  });

  it("from everywhere are bounded for the hour, and the owner is told once", async () => {
    expect(await spend(6)).toBe(secondStepPerAccount);
    const token = await firstStep(test, address);
    expect(await type(token, rightCode(), CLIENT)).toBe("too-many-tries");
    await test.settle();
    expect(test.mail.sent.map(({ subject }) => subject)).toEqual([
      "Somebody tries codes for your Latchkey account",
    ]);
    test.clock.advance(limits.secondStepWindowMs);
    expect(await type(await firstStep(test, address), rightCode(), CLIENT)).toBe("accepted");
  });

  it("never block a recovery code or a passkey", async () => {
    const key = new Authenticator(ORIGIN);
    const made = await key.create(await creationOptions(test.ports, person.accountId));
    await addPasskey(test.ports, person.accountId, { response: made }, CLIENT);
    await spend(6);
    const token = await firstStep(test, address);
    expect(await type(token, rightCode(), CLIENT)).toBe("too-many-tries");
    const response = await key.get(await passkeyStepOptions(test.ports, token, CLIENT));
    expect(await refusal(takePasskeyStep(test.ports, token, response, CLIENT))).toBe("accepted");
    const code = app.recoveryCodes?.[0] ?? "";
    const other = await firstStep(test, address);
    expect(await type(other, code, CLIENT, "recovery-code")).toBe("accepted");
  });

  it("are not those of who is signed in and shows again who it is", async () => {
    await spend(6);
    expect(await confirmAs("totp", rightCode())).toBe("accepted");
    expect(await confirmAs("password", PASSWORD)).toBe("accepted");
  });
});

describe("tries of who is signed in", () => {
  it("are bounded as well, from one network and from everywhere", async () => {
    let looked = 0;
    for (let at = 1; at <= 4; at++) {
      for (let tries = 0; tries <= secondStepPerAccountNetwork; tries++) {
        const answer = await confirmAs(at % 2 === 0 ? "totp" : "password", wrongCode(), from(at));
        if (answer !== "too-many-tries") looked++;
      }
    }
    // Switching the app on was one of them, in the same hour.
    expect(looked).toBe(secondStepPerAccount - 1);
    expect(await confirmAs("password", PASSWORD)).toBe("too-many-tries");
    const switching = switchOnTotp(test.ports, person.accountId, rightCode(), CLIENT);
    expect(await refusal(switching)).toBe("too-many-tries");
    expect(await confirmAs("recovery-code", app.recoveryCodes?.[0] ?? "")).toBe("accepted");
    const key = new Authenticator(ORIGIN);
    const made = await key.create(await creationOptions(test.ports, person.accountId));
    await addPasskey(test.ports, person.accountId, { response: made }, CLIENT);
    const response = await key.get(await passkeyConfirmOptions(test.ports, person, CLIENT));
    const confirming = confirmWithPasskey(test.ports, person, response, CLIENT);
    expect(await refusal(confirming)).toBe("accepted");
    // And they are not the tries of a sign-in.
    expect(await type(await firstStep(test, address), rightCode(), from(9))).toBe("accepted");
  });
});

it("what cannot be guessed is bounded by the network that tries it", async () => {
  const token = await firstStep(test, address);
  const wrong = "0000-0000-0000";
  for (let tries = 0; tries < secondStepPerNetwork; tries++) {
    expect(await type(token, wrong, from(1), "recovery-code")).toBe("second-step-wrong");
  }
  const code = app.recoveryCodes?.[0] ?? "";
  expect(await type(token, code, from(1), "recovery-code")).toBe("too-many-tries");
  expect(await type(token, code, CLIENT, "recovery-code")).toBe("accepted");
});
