/** Second steps for tests inside workerd: switched on the way a person does it. */

import { personKey, sealedAt } from "../../db/queries/accounts.ts";
import { identifier } from "../../db/schema/region/account.ts";
import { newId } from "../../protocol/ids.ts";
import type { Db } from "../../workers/ports.ts";
import { signIn } from "../../workers/sign-in/sign-in.ts";
import {
  setUpSms,
  setUpTotp,
  switchOnSms,
  switchOnTotp,
} from "../../workers/sign-in/step-settings.ts";
import { totpCode } from "../../workers/sign-in/totp.ts";
import { CLIENT, PASSWORD } from "../support/person.ts";
import type { TestPorts } from "../support/ports.ts";

export const STEP_MS = 30_000;
export const PHONE = "+4915112345678";

export interface App {
  readonly secret: string;
  /** What was shown when it was switched on. */
  readonly recoveryCodes: readonly string[] | null;
}

/** Switches codes from an app on; the clock moves on, so that the next code is a fresh one. */
export async function withApp(test: TestPorts, accountId: string): Promise<App> {
  const { secret } = await setUpTotp(test.ports, accountId);
  const code = totpCode(secret, test.clock.now());
  const recoveryCodes = await switchOnTotp(test.ports, accountId, code, CLIENT);
  test.clock.advance(2 * STEP_MS);
  return { secret, recoveryCodes };
}

/** Gives an account a verified phone. @returns its identifier */
export async function withPhone(test: TestPorts, accountId: string): Promise<string> {
  const id = newId("idn", "home", test.ports.random.bytes);
  const addressSealed = await test.ports.sealer.seal(
    personKey(accountId),
    sealedAt.address(id),
    PHONE,
  );
  const db = test.ports.regions.db(accountId) as Db;
  const row = { id, accountId, kind: "phone" as const, addressSealed, isPrimary: 0 };
  await db.insert(identifier).values({ ...row, verifiedAt: test.clock.now() });
  return id;
}

/** The code in the last text message. */
export const smsCode = (test: TestPorts): string =>
  /^\d{6}/.exec(test.sms.sent.at(-1)?.text ?? "")?.[0] ?? "";

/** Switches codes by text message on, to a phone that the account gets now. @returns recovery codes */
export async function withSms(test: TestPorts, accountId: string): Promise<string[] | null> {
  await setUpSms(test.ports, accountId, await withPhone(test, accountId), CLIENT);
  return await switchOnSms(test.ports, accountId, smsCode(test), CLIENT);
}

/** Takes the first step with the password. @returns the token of the sign-in under way */
export async function firstStep(
  test: TestPorts,
  address: string,
  password = PASSWORD,
): Promise<string> {
  const outcome = await signIn(test.ports, { address, password }, CLIENT);
  if (outcome.kind !== "second-step") throw new Error("the account asks for one step only");
  return outcome.pending.token;
}
