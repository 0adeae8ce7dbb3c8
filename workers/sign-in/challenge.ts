/**
 * Challenges: a secret is sent to somebody and comes back, or does not. What it is about lies sealed
 * beside its hash and goes with it. A challenge is used up by whoever deletes it first.
 */

import { personKey, sealedAt } from "../../db/queries/accounts.ts";
import {
  type ChallengeKind,
  insertChallenge,
  pendingChallenge,
} from "../../db/queries/challenges.ts";
import { regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { hashToken, newToken, parseToken } from "../../protocol/tokens.ts";
import type { Db, Ports } from "../ports.ts";

/** What each kind of challenge is about. */
export interface ChallengePayloads {
  "sign-up": {
    readonly kind: "email" | "phone";
    readonly address: string;
    /** PHC string; null for a sign-up without a password. */
    readonly phc: string | null;
    /** A short code to type instead of a link, for phones. */
    readonly code?: string;
    /** What else the new account begins with, e.g. an identity to link. */
    readonly linked?: {
      readonly provider: string;
      readonly claims: Readonly<Record<string, string>>;
    };
  };
  "sms-code": { readonly code: string; readonly signIn: string };
  contact: { readonly kind: "email" | "phone"; readonly address: string; readonly code: string };
  /** Kept at the place of its address (`waiting-reset.ts`), which may have no account. */
  password: {
    readonly kind: "email" | "phone";
    /** Null for an address without an account: nothing was sent. */
    readonly accountId: string | null;
    /** The directory's hash of the address, which must still be the account's. */
    readonly contact: string;
    /** What the account's password was then (`passwordStamp`). */
    readonly stamp: string;
    /** A short code to type instead of a link, for phones. */
    readonly code?: string;
  };
  recovery: {
    /** Of the wait that is over; another wait needs another link. */
    readonly opensAt: number;
    readonly code?: string;
  };
}

export interface Challenge<K extends ChallengeKind> {
  readonly db: Db;
  readonly tokenHash: string;
  readonly accountId: string;
  readonly payload: ChallengePayloads[K];
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

export interface ChallengeOptions {
  /** True where the key may have been destroyed and made anew a moment ago. */
  readonly fresh?: boolean;
}

/**
 * Keeps what waits, sealed under the key of `accountId`.
 * @returns the secret to send, and the hash it is kept under
 */
export async function openChallenge<K extends ChallengeKind>(
  ports: Ports,
  accountId: string,
  kind: K,
  payload: ChallengePayloads[K],
  { fresh = false }: ChallengeOptions = {},
): Promise<{ token: string; tokenHash: string; db: Db; accountId: string }> {
  const region = regionOf(accountId);
  const db = region === null ? null : ports.regions.db(region);
  if (region === null || db === null) throw new Error("a challenge needs an account of a region");
  const token = newToken("chl", region, ports.random.bytes);
  const tokenHash = await hashToken(token);
  const payloadSealed = await ports.sealer.seal(
    personKey(accountId),
    sealedAt.challenge(tokenHash),
    JSON.stringify(payload),
    { fresh },
  );
  const expiresAt = ports.clock.now() + limits.challengeMs;
  await insertChallenge(db, { tokenHash, accountId, kind, payloadSealed, expiresAt });
  return { token, tokenHash, db, accountId };
}

/** What waits for this secret; null when there is nothing, its time has passed, or its key is gone. */
export async function findChallenge<K extends ChallengeKind>(
  ports: Ports,
  token: string,
  kind: K,
  { fresh = false }: ChallengeOptions = {},
): Promise<Challenge<K> | null> {
  const region = parseToken("chl", token)?.region;
  const db = region === undefined ? null : ports.regions.db(region);
  if (db === null) return null;
  const tokenHash = await hashToken(token);
  const found = await pendingChallenge(db, tokenHash, kind, ports.clock.now());
  if (found === null) return null;
  const { accountId, payloadSealed, expiresAt } = found;
  const at = sealedAt.challenge(tokenHash);
  const opened = await ports.sealer.open(personKey(accountId), at, payloadSealed, { fresh });
  if (opened === null) return null;
  return { db, tokenHash, accountId, payload: JSON.parse(opened), expiresAt };
}
