/** Queries of getting in without a second step that was lost: one wait an account, one winner. */

import { and, eq, gt, inArray, lte, sql } from "drizzle-orm";
import type { Db } from "../db.ts";
import { account } from "../schema/region/account.ts";
import { recovery } from "../schema/region/recovery.ts";
import { challenge, recoveryCode, secondStep } from "../schema/region/sign-in.ts";

export interface RecoveryRow {
  /** Milliseconds since the epoch. */
  readonly opensAt: number;
  readonly expiresAt: number;
}

export interface NewRecovery extends RecoveryRow {
  readonly accountId: string;
  readonly stopHash: string;
}

/** Begins to wait; false when a wait is running, or the account was erased. */
export async function insertRecovery(db: Db, row: NewRecovery, now: number): Promise<boolean> {
  const { stopHash, opensAt, expiresAt } = row;
  const rows = await db
    .insert(recovery)
    .select(
      db
        .select({
          accountId: account.id,
          stopHash: sql<string>`${stopHash}`.as("stop_hash"),
          startedAt: sql<number>`${now}`.as("started_at"),
          opensAt: sql<number>`${opensAt}`.as("opens_at"),
          expiresAt: sql<number>`${expiresAt}`.as("expires_at"),
        })
        .from(account)
        .where(eq(account.id, row.accountId)),
    )
    .onConflictDoUpdate({
      target: recovery.accountId,
      set: { stopHash, startedAt: now, opensAt, expiresAt },
      setWhere: lte(recovery.expiresAt, now),
    })
    .returning({ accountId: recovery.accountId });
  return rows.length === 1;
}

/** The wait of an account; null when none runs. */
export async function recoveryOf(
  db: Db,
  accountId: string,
  now: number,
): Promise<RecoveryRow | null> {
  const [row] = await db
    .select({ opensAt: recovery.opensAt, expiresAt: recovery.expiresAt })
    .from(recovery)
    .where(and(eq(recovery.accountId, accountId), gt(recovery.expiresAt, now)));
  return row ?? null;
}

/** Stops the wait of an account, and its link; false when none ran. */
export async function deleteRecovery(db: Db, accountId: string, now: number): Promise<boolean> {
  const [rows] = (await db.batch([
    db
      .delete(recovery)
      .where(eq(recovery.accountId, accountId))
      .returning({ expiresAt: recovery.expiresAt }),
    db
      .delete(challenge)
      .where(and(eq(challenge.accountId, accountId), eq(challenge.kind, "recovery"))),
  ])) as [{ expiresAt: number }[]];
  return rows.some(({ expiresAt }) => expiresAt > now);
}

/** Stops the wait that a link is for; whose it was, null when none runs. One caller wins. */
export async function stopRecovery(db: Db, stopHash: string, now: number): Promise<string | null> {
  const rows = await db
    .delete(recovery)
    .where(and(eq(recovery.stopHash, stopHash), gt(recovery.expiresAt, now)))
    .returning({ accountId: recovery.accountId });
  return rows[0]?.accountId ?? null;
}

/**
 * Ends a wait that is over: the account's second steps and recovery codes are gone, and what was sent
 * to finish it. One caller wins; false when the wait was stopped, is another one, or is not over.
 */
export async function finishRecovery(
  db: Db,
  accountId: string,
  opensAt: number,
  now: number,
): Promise<boolean> {
  const open = and(
    eq(recovery.accountId, accountId),
    eq(recovery.opensAt, opensAt),
    lte(recovery.opensAt, now),
    gt(recovery.expiresAt, now),
  );
  const whose = db.select({ id: recovery.accountId }).from(recovery).where(open);
  const results = await db.batch([
    db.delete(secondStep).where(inArray(secondStep.accountId, whose)),
    db.delete(recoveryCode).where(inArray(recoveryCode.accountId, whose)),
    db
      .delete(challenge)
      .where(and(inArray(challenge.accountId, whose), eq(challenge.kind, "recovery"))),
    db.delete(recovery).where(open).returning({ accountId: recovery.accountId }),
  ]);
  return (results[3] as unknown[]).length === 1;
}
