/**
 * Checking a password. The hash lies sealed under the person's key, so a stolen database gives
 * nothing to guess against; an account that does not exist costs the same work as one that does.
 */

import { passwordOf, personKey, sealedAt } from "../../db/queries/accounts.ts";
import type { Ports } from "../ports.ts";
import { verifyPassword } from "./argon2.ts";
import { normalizePassword } from "./rules.ts";

/** What an unknown account's password is checked against: today's parameters, random bytes. */
const DECOY_HASH =
  "$argon2id$v=19$m=19456,t=2,p=1$1qgPvRpXk0mYgk4cnq3k8g$H1dXo5rN1m1r0b0bq8cX1t0y3kq9yF8mM1t5sJm2c9A";
const DECOY_SEALED = `s1.${"A".repeat(64)}`;
/** An account of a region that is nobody's: the same stores are asked for it as for one that exists. */
const nobodyIn = (region: string) => `acc_${region}_${"0".repeat(16)}`;

/** True when `password` is the account's; false as slowly when `accountId` is null or gone. */
export async function isPasswordOf(
  ports: Ports,
  accountId: string | null,
  password: string,
): Promise<boolean> {
  const known = accountId !== null && ports.regions.db(accountId) !== null;
  const id = known ? accountId : nobodyIn(ports.regions.default);
  const db = ports.regions.db(id);
  const sealed = db === null ? null : await passwordOf(db, id);
  const phc = await ports.sealer.open(personKey(id), sealedAt.phc(id), sealed ?? DECOY_SEALED, {
    fresh: true,
  });
  const right = verifyPassword(phc ?? DECOY_HASH, normalizePassword(password));
  return right && phc !== null;
}
