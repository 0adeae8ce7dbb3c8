/** Accounts, as other services and the console's pages use them. */

import {
  accountOf,
  identifiersOf,
  passwordOf,
  personKey,
  sealedAt,
} from "../../db/queries/accounts.ts";
import { regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import { isPasswordOf } from "../sign-in/password.ts";

export interface Profile {
  readonly accountId: string;
  readonly region: string;
  readonly regionTitle: string;
  /** Where notices go: the primary e-mail address or phone number. */
  readonly address: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

/** @throws Problem `not-found` when the account is gone */
export async function profile(ports: Ports, accountId: string): Promise<Profile> {
  const db = ports.regions.db(accountId);
  if (db === null) throw new Problem("not-found");
  const [row, [primary]] = await Promise.all([
    accountOf(db, accountId),
    identifiersOf(db, accountId),
  ]);
  if (row === null || primary === undefined) throw new Problem("not-found");
  const at = sealedAt.address(primary.id);
  const address = await ports.sealer.open(personKey(accountId), at, primary.addressSealed);
  if (address === null) throw new Problem("not-found");
  const { region, regionTitle } = homeOf(ports, accountId);
  return { accountId, region, regionTitle, address, createdAt: row.createdAt };
}

/** Where an account's data lives, by its identifier. */
export function homeOf(
  ports: Ports,
  accountId: string,
): { readonly region: string; readonly regionTitle: string } {
  const region = regionOf(accountId) ?? ports.regions.default;
  const regionTitle = ports.config.regions.find(({ id }) => id === region)?.title ?? region;
  return { region, regionTitle };
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

export async function hasPassword(ports: Ports, accountId: string): Promise<boolean> {
  const db = ports.regions.db(accountId);
  return db !== null && (await passwordOf(db, accountId)) !== null;
}

/**
 * Before an account is erased: its password, so that nobody does it at a screen that was left open;
 * whoever signs in another way has shown a moment ago who they are.
 * @throws Problem `bad-credentials` at `password`, `too-many-tries`, `confirm-first`
 */
export async function checkOwner(
  ports: Ports,
  { accountId, confirmedAt }: { readonly accountId: string; readonly confirmedAt: number },
  password = "",
): Promise<void> {
  if (await hasPassword(ports, accountId)) {
    const right = await checkPassword(ports, accountId, password);
    if (!right) throw new Problem("bad-credentials", "password");
  } else if (ports.clock.now() - confirmedAt >= limits.confirmedMs) {
    throw new Problem("confirm-first");
  }
}
