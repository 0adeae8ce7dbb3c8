/** Queries of second steps: switching one on and off, and using up what works once. */

import { and, eq, gt, isNotNull, isNull, lt, type SQL, sql } from "drizzle-orm";
import type { Db } from "../db.ts";
import { account } from "../schema/region/account.ts";
import { recoveryCode, secondStep } from "../schema/region/sign-in.ts";
import type { SecondStepKind } from "./sign-ins.ts";

/** The key of an account's second step of a kind: there is one of each at most. */
export const stepId = (accountId: string, kind: SecondStepKind): string => `${accountId}/${kind}`;

export interface NewSecondStep {
  readonly accountId: string;
  readonly kind: SecondStepKind;
  readonly secretSealed: string;
}

/**
 * Keeps a second step that is being switched on, in place of one that was never confirmed. False when
 * the account has such a step already, or was erased.
 */
export async function beginStep(db: Db, step: NewSecondStep, now: number): Promise<boolean> {
  const { accountId, kind, secretSealed } = step;
  const rows = await db
    .insert(secondStep)
    .select(
      db
        .select({
          id: sql<string>`${stepId(accountId, kind)}`.as("step_id"),
          accountId: account.id,
          kind: sql<SecondStepKind>`${kind}`.as("kind"),
          secretSealed: sql<string>`${secretSealed}`.as("secret_sealed"),
          lastStep: sql<number>`0`.as("last_step"),
          createdAt: sql<number>`${now}`.as("begun_at"),
          confirmedAt: sql<null>`NULL`.as("confirmed_at"),
        })
        .from(account)
        .where(eq(account.id, accountId)),
    )
    .onConflictDoUpdate({
      target: secondStep.id,
      set: { secretSealed, createdAt: now },
      setWhere: isNull(secondStep.confirmedAt),
    })
    .returning({ id: secondStep.id });
  return rows.length === 1;
}

/** What is being switched on since after `oldest`; null when there is nothing. */
export async function begunStep(
  db: Db,
  accountId: string,
  kind: SecondStepKind,
  oldest: number,
): Promise<string | null> {
  const [row] = await db
    .select({ secretSealed: secondStep.secretSealed })
    .from(secondStep)
    .where(begun(accountId, kind, oldest));
  return row?.secretSealed ?? null;
}

const begun = (accountId: string, kind: SecondStepKind, oldest: number): SQL | undefined =>
  and(
    eq(secondStep.id, stepId(accountId, kind)),
    isNull(secondStep.confirmedAt),
    gt(secondStep.createdAt, oldest),
  );

export interface ConfirmedStep extends NewSecondStep {
  /** RFC 6238: the time step of the code that confirmed it; 0 where there is none. */
  readonly lastStep: number;
}

/** Switches on what was begun with this very secret: one caller wins. */
export async function confirmStep(
  db: Db,
  { accountId, kind, secretSealed, lastStep }: ConfirmedStep,
  { now, oldest }: { now: number; oldest: number },
): Promise<boolean> {
  const rows = await db
    .update(secondStep)
    .set({ confirmedAt: now, lastStep })
    .where(and(begun(accountId, kind, oldest), eq(secondStep.secretSealed, secretSealed)))
    .returning({ id: secondStep.id });
  return rows.length === 1;
}

/** Switches a second step off, confirmed or not. True when it had been on. */
export async function deleteStep(
  db: Db,
  accountId: string,
  kind: SecondStepKind,
): Promise<boolean> {
  const [row] = await db
    .delete(secondStep)
    .where(eq(secondStep.id, stepId(accountId, kind)))
    .returning({ confirmedAt: secondStep.confirmedAt });
  return row !== undefined && row.confirmedAt !== null;
}

/**
 * Uses a time step of a code app up, and all before it (RFC 6238 §5.2): one caller wins. False also
 * when the step was switched off, or on again with another secret, since `secretSealed` was read.
 */
export async function useTimeStep(
  db: Db,
  { id, secretSealed }: { readonly id: string; readonly secretSealed: string },
  step: number,
): Promise<boolean> {
  const rows = await db
    .update(secondStep)
    .set({ lastStep: step })
    .where(
      and(
        eq(secondStep.id, id),
        eq(secondStep.secretSealed, secretSealed),
        isNotNull(secondStep.confirmedAt),
        lt(secondStep.lastStep, step),
      ),
    )
    .returning({ id: secondStep.id });
  return rows.length === 1;
}

/** Puts new recovery codes in place of all that an account had; none where it was erased. */
export async function replaceRecoveryCodes(
  db: Db,
  accountId: string,
  hashes: readonly string[],
  now: number,
): Promise<void> {
  const made = hashes.map((hash) =>
    db.insert(recoveryCode).select(
      db
        .select({
          codeHash: sql<string>`${hash}`.as("code_hash"),
          accountId: account.id,
          createdAt: sql<number>`${now}`.as("made_at"),
          usedAt: sql<null>`NULL`.as("used_at"),
        })
        .from(account)
        .where(eq(account.id, accountId)),
    ),
  );
  await db.batch([db.delete(recoveryCode).where(eq(recoveryCode.accountId, accountId)), ...made]);
}

/** Uses a recovery code up: one caller wins. */
export async function useRecoveryCode(
  db: Db,
  accountId: string,
  codeHash: string,
  now: number,
): Promise<boolean> {
  const rows = await db
    .update(recoveryCode)
    .set({ usedAt: now })
    .where(
      and(
        eq(recoveryCode.codeHash, codeHash),
        eq(recoveryCode.accountId, accountId),
        isNull(recoveryCode.usedAt),
      ),
    )
    .returning({ usedAt: recoveryCode.usedAt });
  return rows.length === 1;
}
