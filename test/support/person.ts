/**
 * A person of a test inside workerd, signed up the way anyone is. The account asks for one step, so
 * every way in ends in a session; one that asks for another step fails the test.
 */

import type { Ports } from "../../workers/ports.ts";
import type { Client } from "../../workers/sign-in/client.ts";
import * as complete from "../../workers/sign-in/complete.ts";
import * as byPassword from "../../workers/sign-in/sign-in.ts";
import * as joining from "../../workers/sign-in/sign-up.ts";
import type { TestPorts } from "./ports.ts";

export type { NewSession } from "../../workers/sign-in/complete.ts";

export const PASSWORD = "an unlikely password";
export const CLIENT: Client = { userAgent: null, peer: null };

/** The session of an outcome that needs nothing more. */
export function sessionOf(outcome: complete.SignInOutcome): complete.NewSession {
  if (outcome.kind !== "signed-in") throw new Error(`the sign-in asks for a ${outcome.kind}`);
  return outcome.session;
}

type Rest<F> = F extends (ports: Ports, ...rest: infer R) => unknown ? R : never;

export const verifySignUp = async (ports: Ports, ...rest: Rest<typeof joining.verifySignUp>) =>
  sessionOf(await joining.verifySignUp(ports, ...rest));

export const signIn = async (ports: Ports, ...rest: Rest<typeof byPassword.signIn>) =>
  sessionOf(await byPassword.signIn(ports, ...rest));

export const completeSignIn = async (ports: Ports, ...rest: Rest<typeof complete.completeSignIn>) =>
  sessionOf(await complete.completeSignIn(ports, ...rest));

/** Signs up with `address` and opens the link in the mail. */
export async function newPerson(
  { ports, mail }: Pick<TestPorts, "ports" | "mail">,
  address: string,
  password = PASSWORD,
): Promise<complete.NewSession> {
  await joining.signUp(ports, { address, password }, CLIENT);
  const token = /token=(\S+)/.exec(mail.sent.at(-1)?.text ?? "")?.[1] ?? "";
  return await verifySignUp(ports, { token, password }, CLIENT);
}
