/**
 * Sign-in. Every way in ends in `completeSignIn()`, the only maker of sessions, so that no way can
 * forget a second step. Unknown addresses take the time and get the answer of a wrong password.
 */

import { insertSession, personKey, sealedAt } from "../../db/queries/accounts.ts";
import { newId, regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { hashToken, newToken } from "../../protocol/tokens.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { browserName, type Client, limitedNetwork, maskedNetwork } from "./client.ts";
import { isPasswordOf } from "./password.ts";
import { normalizeAddress } from "./rules.ts";

export interface NewSession {
  /** The bearer secret; shown to its owner once, stored as a hash only. */
  readonly token: string;
  readonly sessionId: string;
  readonly accountId: string;
  /** Milliseconds since the epoch, should the session not be used again. */
  readonly expiresAt: number;
}

/** How a person has shown who they are so far. */
export type SignInMethod = "password" | "mail";

/** Where a sign-in stands. An account that asks for a second step answers with another kind. */
export type SignInOutcome = { readonly kind: "signed-in"; readonly session: NewSession };

/**
 * Signs in with an address and a password.
 * @throws Problem `bad-credentials`, the same for unknown addresses; `too-many-tries`
 */
export async function signIn(
  ports: Ports,
  input: { readonly address: string; readonly password: string },
  client: Client,
): Promise<NewSession> {
  const address = normalizeAddress(input.address) ?? input.address;
  const contact = await ports.directory.contactHash(address);
  await takeSignInLimits(ports, contact, client);
  const found = await ports.directory.accountOfContact(contact);
  const right = await isPasswordOf(ports, found, input.password);
  if (found === null || !right) throw new Problem("bad-credentials");
  return sessionOf(
    await completeSignIn(ports, { accountId: found, methods: ["password"] }, client),
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

/**
 * Decides whether `methods` are enough for this account and makes the session.
 * @throws Problem `bad-credentials` when the account was erased meanwhile
 */
export async function completeSignIn(
  ports: Ports,
  proof: { readonly accountId: string; readonly methods: readonly SignInMethod[] },
  client: Client,
): Promise<SignInOutcome> {
  const { accountId, methods } = proof;
  const region = regionOf(accountId);
  const db = region === null ? null : ports.regions.db(region);
  if (region === null || db === null || methods.length === 0) throw new Problem("bad-credentials");
  const now = ports.clock.now();
  const sessionId = newId("ses", region, ports.random.bytes);
  const token = newToken("ses", region, ports.random.bytes);
  const kept = { client: browserName(client.userAgent), network: maskedNetwork(client.peer) };
  const clientSealed = await ports.sealer.seal(
    personKey(accountId),
    sealedAt.client(sessionId),
    JSON.stringify(kept),
  );
  const expiresAt = now + limits.sessionIdleMs;
  const tokenHash = await hashToken(token);
  const row = { tokenHash, id: sessionId, accountId, clientSealed, expiresAt };
  if (!(await insertSession(db, row, now))) throw new Problem("bad-credentials");
  return { kind: "signed-in", session: { token, sessionId, accountId, expiresAt } };
}

/** The session of an outcome that needs nothing more. */
export function sessionOf(outcome: SignInOutcome): NewSession {
  switch (outcome.kind) {
    case "signed-in":
      return outcome.session;
  }
}
