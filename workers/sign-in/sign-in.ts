/**
 * Signing in with an address and a password. Unknown addresses take the time and get the answer of a
 * wrong password.
 */

import { limits } from "../../protocol/limits.ts";
import { note, noteNobody } from "../account/activity.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { type Client, limitedNetwork } from "./client.ts";
import { completeSignIn, type SignInOutcome } from "./complete.ts";
import { isPasswordOf } from "./password.ts";
import { normalizeContact } from "./rules.ts";

export interface PasswordSignIn {
  /** An e-mail address or a phone number. */
  readonly address: string;
  readonly password: string;
  /** The secret of the `__Host-trust` cookie, if the browser brings one. */
  readonly trustToken?: string | null | undefined;
}

/** @throws Problem `bad-credentials`, the same for unknown addresses; `too-many-tries` */
export async function signIn(
  ports: Ports,
  { address, password, trustToken }: PasswordSignIn,
  client: Client,
): Promise<SignInOutcome> {
  const contact = await ports.directory.contactHash(normalizeContact(address)?.text ?? address);
  await takeSignInLimits(ports, contact, client);
  const found = await ports.directory.accountOfContact(contact);
  const right = await isPasswordOf(ports, found, password);
  if (found === null || !right) {
    // In the background, and as much for nobody: neither time nor work tells a known address.
    const noted =
      found === null ? noteNobody(ports) : note(ports, found, "sign-in-failed", { client });
    ports.background(noted);
    throw new Problem("bad-credentials");
  }
  return await completeSignIn(
    ports,
    { accountId: found, methods: ["password"], trustToken },
    client,
  );
}

async function takeSignInLimits(ports: Ports, contact: string, client: Client): Promise<void> {
  const network = limitedNetwork(client.peer);
  const { signInPerNetwork, signInPerAccount, signInWindowMs } = limits;
  const free =
    (await ports.limits.take("sign-in-network", network, signInPerNetwork, signInWindowMs)) &&
    (await ports.limits.take("sign-in-account", contact, signInPerAccount, signInWindowMs));
  if (!free) throw new Problem("too-many-tries");
}
