/**
 * Signing in with a passkey, without a name: the authenticator says whose it is. Whoever asks gets
 * the same kind of answer, and an unknown passkey that of a wrong one.
 */

import { limits } from "../../protocol/limits.ts";
import { note, noteNobody } from "../account/activity.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { type RequestOptions, readAssertion, requestOptions } from "./ceremonies.ts";
import { type Client, limitedNetwork } from "./client.ts";
import { completeSignIn, type SignInOutcome } from "./complete.ts";
import { takeCeremonyLimit } from "./passkey-steps.ts";
import type { AssertionResponse } from "./webauthn.ts";

const ANYBODY = { kind: "sign-in", accountId: null } as const;

/** What any visitor's authenticator is asked. @throws Problem `too-many-tries` */
export async function passkeySignInOptions(ports: Ports, client: Client): Promise<RequestOptions> {
  await takeCeremonyLimit(ports, client);
  return await requestOptions(ports, ANYBODY);
}

export interface PasskeySignIn {
  readonly response: AssertionResponse;
  /** The secret of the `__Host-trust` cookie, if the browser brings one. */
  readonly trustToken?: string | null | undefined;
}

/** @throws Problem `passkey-refused`, whatever was wrong; `too-many-tries` */
export async function signInWithPasskey(
  ports: Ports,
  { response, trustToken }: PasskeySignIn,
  client: Client,
): Promise<SignInOutcome> {
  const { signInPerNetwork: max, signInWindowMs } = limits;
  const network = limitedNetwork(client.peer);
  if (!(await ports.limits.take("sign-in-network", network, max, signInWindowMs))) {
    throw new Problem("too-many-tries");
  }
  const shown = await readAssertion(ports, ANYBODY, response);
  if (shown.method === null) {
    const { accountId } = shown;
    const noted =
      accountId === null
        ? noteNobody(ports)
        : note(ports, accountId, "sign-in-failed", { client, about: "passkey" });
    ports.background(noted);
    throw new Problem("passkey-refused");
  }
  const { accountId, method } = shown;
  return await completeSignIn(ports, { accountId, methods: [method], trustToken }, client);
}
