/** A passkey as the second step of a sign-in, and to show again who one is. */

import { limits } from "../../protocol/limits.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { type RequestOptions, readAssertion, requestOptions } from "./ceremonies.ts";
import { type Client, limitedNetwork } from "./client.ts";
import type { SignInOutcome } from "./complete.ts";
import { type ConfirmedSession, confirmBy } from "./confirm.ts";
import { type StepOptions, signInUnderWay, takeStep } from "./second-step.ts";
import type { AssertionResponse } from "./webauthn.ts";

/** Counts a question to an authenticator; the answers are counted where they are taken. */
export async function takeCeremonyLimit(ports: Ports, client: Client): Promise<void> {
  const { passkeyCeremoniesPerNetwork: max, signInWindowMs } = limits;
  const network = limitedNetwork(client.peer);
  if (!(await ports.limits.take("passkey-network", network, max, signInWindowMs))) {
    throw new Problem("too-many-tries");
  }
}

/** Asks for a passkey of whose sign-in `token` stands for. @throws Problem `sign-in-expired` */
export async function passkeyStepOptions(
  ports: Ports,
  token: string | null,
  client: Client,
): Promise<RequestOptions> {
  const { accountId } = await signInUnderWay(ports, token);
  await takeCeremonyLimit(ports, client);
  return await requestOptions(ports, { kind: "step", accountId });
}

/** @throws Problem `sign-in-expired`, `passkey-refused`, `too-many-tries` */
export async function takePasskeyStep(
  ports: Ports,
  token: string | null,
  response: AssertionResponse,
  client: Client,
  options: StepOptions = {},
): Promise<SignInOutcome> {
  const prove = async ({ accountId }: { readonly accountId: string }) =>
    (await readAssertion(ports, { kind: "step", accountId }, response)).method;
  return await inOwnWords(() =>
    takeStep(ports, token, { tried: "unguessable", prove }, client, options),
  );
}

/** Asks for a passkey of the account, to confirm with. */
export async function passkeyConfirmOptions(
  ports: Ports,
  { accountId }: ConfirmedSession,
  client: Client,
): Promise<RequestOptions> {
  await takeCeremonyLimit(ports, client);
  return await requestOptions(ports, { kind: "confirm", accountId });
}

/** Marks the session as confirmed now. @throws Problem `passkey-refused`, `too-many-tries` */
export async function confirmWithPasskey(
  ports: Ports,
  session: ConfirmedSession,
  response: AssertionResponse,
  client: Client,
): Promise<void> {
  const asking = { kind: "confirm", accountId: session.accountId } as const;
  const prove = async () => (await readAssertion(ports, asking, response)).method !== null;
  await inOwnWords(() => confirmBy(ports, session, { tried: "unguessable", prove }, client));
}

/** A passkey is no code: what is wrong with one is said of a passkey. */
async function inOwnWords<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const wrong = error instanceof Problem && error.code === "second-step-wrong";
    throw wrong ? new Problem("passkey-refused") : error;
  }
}
