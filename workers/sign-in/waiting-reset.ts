/**
 * Where the secret of a forgotten password waits: in the default region, so that it does not tell the
 * region of the account, at a place and under a key that follow from the address alone by a keyed
 * hash, so that an address without an account has them as well. A newer request takes the place of an
 * older one; whoever gives the address up, or is erased, takes along what waits for it (RGT-4).
 *
 * The place is of the address and not of the account: else who asks for two addresses could tell, by
 * the first secret ending, that both are of one account.
 */

import { personKey } from "../../db/queries/accounts.ts";
import { deleteChallenge, deleteChallengesOf } from "../../db/queries/challenges.ts";
import { newId } from "../../protocol/ids.ts";
import { fromBase64url } from "../../protocol/tokens.ts";
import type { Ports } from "../ports.ts";
import {
  type Challenge,
  type ChallengePayloads,
  findChallenge,
  openChallenge,
} from "./challenge.ts";

/** Has the form of an account's identifier, for the sweep takes the key along by it; is no account's. */
async function placeOf(ports: Ports, contact: string): Promise<string> {
  const hash = fromBase64url(await ports.names.hash("reset", contact)) ?? new Uint8Array();
  // Below 248 every byte is a letter, so that the hash is enough.
  return newId("acc", ports.regions.default, () => hash.map((byte) => byte % 248));
}

/** Keeps what waits for an address, in place of what waited for it before. @returns its secret */
export async function keepReset(
  ports: Ports,
  payload: ChallengePayloads["password"],
): Promise<string> {
  const place = await placeOf(ports, payload.contact);
  const db = ports.regions.db(place);
  if (db === null) throw new Error("the default region has no database");
  await deleteChallengesOf(db, place, "password");
  // The key was destroyed with what waited before, perhaps by another isolate.
  return (await openChallenge(ports, place, "password", payload, { fresh: true })).token;
}

/** What waits for a secret; null when there is nothing. */
export const findReset = (ports: Ports, token: string): Promise<Challenge<"password"> | null> =>
  findChallenge(ports, token, "password", { fresh: true });

/** Uses a secret up: one caller wins. False when it was gone. */
export const claimReset = (found: Challenge<"password">): Promise<boolean> =>
  deleteChallenge(found.db, found.tokenHash);

/**
 * Forgets what waits for an address, and its key; harmless where nothing does.
 * @param contact the directory's hash of the address
 */
export async function forgetReset(ports: Ports, contact: string): Promise<void> {
  const place = await placeOf(ports, contact);
  const db = ports.regions.db(place);
  if (db !== null) await deleteChallengesOf(db, place, "password");
  await ports.sealer.destroy(personKey(place));
}
