/** Queries of challenges: secrets that were sent to somebody and wait to come back. */

import { and, eq, gt, type SQL } from "drizzle-orm";
import type { Db } from "../db.ts";
import { challenge, type challengeKinds } from "../schema/region/sign-in.ts";

export type ChallengeKind = (typeof challengeKinds)[number];
export type NewChallenge = typeof challenge.$inferInsert;

export async function insertChallenge(db: Db, row: NewChallenge): Promise<void> {
  await db.insert(challenge).values(row);
}

/** Keeps a challenge in place of the one that was kept under the same hash. */
export async function replaceChallenge(db: Db, row: NewChallenge): Promise<void> {
  const { payloadSealed, expiresAt } = row;
  await db
    .insert(challenge)
    .values(row)
    .onConflictDoUpdate({ target: challenge.tokenHash, set: { payloadSealed, expiresAt } });
}

/** Where a challenge of `kind` lies that has not expired at `now`. */
export function liveChallenge(
  tokenHash: string,
  kind: ChallengeKind,
  now: number,
): SQL | undefined {
  return and(
    eq(challenge.tokenHash, tokenHash),
    eq(challenge.kind, kind),
    gt(challenge.expiresAt, now),
  );
}

export interface PendingChallenge {
  readonly accountId: string;
  readonly payloadSealed: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** What waits for this secret; null when there is nothing or its time has passed. */
export async function pendingChallenge(
  db: Db,
  tokenHash: string,
  kind: ChallengeKind,
  now: number,
): Promise<PendingChallenge | null> {
  const [row] = await db
    .select({
      accountId: challenge.accountId,
      payloadSealed: challenge.payloadSealed,
      expiresAt: challenge.expiresAt,
    })
    .from(challenge)
    .where(liveChallenge(tokenHash, kind, now));
  return row ?? null;
}

/** Takes a waiting secret back, or uses it up: one caller wins. False when it was gone. */
export async function deleteChallenge(db: Db, tokenHash: string): Promise<boolean> {
  const rows = await db
    .delete(challenge)
    .where(eq(challenge.tokenHash, tokenHash))
    .returning({ accountId: challenge.accountId });
  return rows.length === 1;
}

/** Drops what waits for an account, by kind. */
export async function deleteChallengesOf(
  db: Db,
  accountId: string,
  kind: ChallengeKind,
): Promise<void> {
  await db
    .delete(challenge)
    .where(and(eq(challenge.accountId, accountId), eq(challenge.kind, kind)));
}
