/** Accounts, as other services and the console's pages use them. */

import { accountWithAddress, personKey, sealedAt } from "../../db/queries/accounts.ts";
import { regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { isPasswordOf } from "./password.ts";

export { type Client, clientOf } from "./client.ts";
export {
  checkSession,
  listSessions,
  revokeSession,
  type SessionView,
  signOut,
} from "./sessions.ts";
export {
  completeSignIn,
  type NewSession,
  type SignInMethod,
  type SignInOutcome,
  signIn,
} from "./sign-in.ts";
export { type SignUp, signUp, type Verification, verifySignUp } from "./sign-up.ts";

export interface Profile {
  readonly accountId: string;
  readonly region: string;
  readonly regionTitle: string;
  /** The verified e-mail address. */
  readonly address: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

/** @throws Problem `not-found` when the account is gone */
export async function profile(ports: Ports, accountId: string): Promise<Profile> {
  const db = ports.regions.db(accountId);
  const row = db === null ? null : await accountWithAddress(db, accountId);
  if (row === null) throw new Problem("not-found");
  const region = regionOf(accountId) ?? ports.regions.default;
  const at = sealedAt.address(row.identifierId);
  const address = await ports.sealer.open(personKey(accountId), at, row.addressSealed);
  if (address === null) throw new Problem("not-found");
  const regionTitle = ports.config.regions.find(({ id }) => id === region)?.title ?? region;
  return { accountId, region, regionTitle, address, createdAt: row.createdAt };
}

/**
 * Asks again for the password of somebody who is signed in, before what cannot be undone.
 * @throws Problem `too-many-tries`
 */
export async function checkPassword(
  ports: Ports,
  accountId: string,
  password: string,
): Promise<boolean> {
  const { passwordCheckPerAccount: max, signInWindowMs } = limits;
  if (!(await ports.limits.take("password-check", accountId, max, signInWindowMs))) {
    throw new Problem("too-many-tries");
  }
  return await isPasswordOf(ports, accountId, password);
}
