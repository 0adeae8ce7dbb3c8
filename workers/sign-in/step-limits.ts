/**
 * How often a second step may be tried, or showing again who one is. What can be guessed is counted, so
 * that nobody guesses it; what cannot be guessed is not, so that nobody who has the password, and spends
 * the tries on purpose, locks the owner out who has a passkey or a recovery code. docs/sign-in.md has the
 * numbers.
 */

import { limits } from "../../protocol/limits.ts";
import { notice } from "../account/notices.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { type Client, limitedNetwork } from "./client.ts";

/**
 * What is tried.
 * - `second-step`: a code of six digits, by whoever took the first step
 * - `confirm`: a code or a password, by whoever is signed in: counted apart, for a stranger who is not
 *   cannot spend these
 * - `unguessable`: the signature of a passkey, a recovery code of 60 bits; per network only
 */
export type StepTry = "second-step" | "confirm" | "unguessable";

/**
 * Counts one try. One network has half of an account's tries at most, so that somebody with one network
 * leaves the owner, who is elsewhere, the other half. When they are used up the owner is told.
 * @throws Problem `too-many-tries`
 */
export async function takeStepLimits(
  ports: Ports,
  { accountId, tried }: { readonly accountId: string; readonly tried: StepTry },
  client: Client,
): Promise<void> {
  const { secondStepPerAccount, secondStepPerAccountNetwork, secondStepPerNetwork } = limits;
  const { signInWindowMs, secondStepWindowMs } = limits;
  const network = limitedNetwork(client.peer);
  const take = ports.limits.take;
  if (!(await take("second-step-network", network, secondStepPerNetwork, signInWindowMs))) {
    throw new Problem("too-many-tries");
  }
  if (tried === "unguessable") return;
  const pair = `${accountId} ${network}`;
  const free =
    (await take(`${tried}-here`, pair, secondStepPerAccountNetwork, secondStepWindowMs)) &&
    (await take(tried, accountId, secondStepPerAccount, secondStepWindowMs));
  if (free) return;
  if (await take("second-step-notice", accountId, 1, secondStepWindowMs)) {
    notice(ports, accountId, "second-step-guessed", { client });
  }
  throw new Problem("too-many-tries");
}
