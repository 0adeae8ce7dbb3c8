/**
 * Queries of what stands between a first step and a session: second steps and sign-ins
 * under way. Trusted browsers have a file of their own.
 */

import { and, eq, gt, isNotNull, isNull, sql } from "drizzle-orm";
import type { Db } from "../db.ts";
import { account } from "../schema/region/account.ts";
import { recoveryCode, secondStep, signIn } from "../schema/region/sign-in.ts";

export type SecondStepKind = "totp" | "sms";

export interface SecondStepRow {
  readonly id: string;
  readonly kind: SecondStepKind;
  readonly secretSealed: string;
  readonly lastStep: number;
}

/** The second steps that an account has switched on; none: it asks for one step. */
export async function secondStepsOf(db: Db, accountId: string): Promise<SecondStepRow[]> {
  return await db
    .select({
      id: secondStep.id,
      kind: secondStep.kind,
      secretSealed: secondStep.secretSealed,
      lastStep: secondStep.lastStep,
    })
    .from(secondStep)
    .where(and(eq(secondStep.accountId, accountId), isNotNull(secondStep.confirmedAt)));
}

/** How many recovery codes an account has left. */
export async function recoveryCodesLeft(db: Db, accountId: string): Promise<number> {
  return await db.$count(
    recoveryCode,
    and(eq(recoveryCode.accountId, accountId), isNull(recoveryCode.usedAt)),
  );
}

export interface NewSignInRow {
  readonly tokenHash: string;
  readonly accountId: string;
  /** `SignInMethod`s separated by spaces. */
  readonly methods: string;
  readonly expiresAt: number;
}

/** Remembers a sign-in that needs another step; false when the account was erased meanwhile. */
export async function insertSignIn(db: Db, row: NewSignInRow): Promise<boolean> {
  const rows = await db
    .insert(signIn)
    .select(
      db
        .select({
          tokenHash: sql<string>`${row.tokenHash}`.as("token_hash"),
          accountId: account.id,
          methods: sql<string>`${row.methods}`.as("methods"),
          expiresAt: sql<number>`${row.expiresAt}`.as("expires_at"),
        })
        .from(account)
        .where(eq(account.id, row.accountId)),
    )
    .returning({ accountId: signIn.accountId });
  return rows.length === 1;
}

export interface SignInRow {
  readonly accountId: string;
  readonly methods: string;
  readonly expiresAt: number;
}

/** The sign-in under way of a token; null when there is none or its time has passed. */
export async function signInOfToken(
  db: Db,
  tokenHash: string,
  now: number,
): Promise<SignInRow | null> {
  const [row] = await db
    .select({ accountId: signIn.accountId, methods: signIn.methods, expiresAt: signIn.expiresAt })
    .from(signIn)
    .where(and(eq(signIn.tokenHash, tokenHash), gt(signIn.expiresAt, now)));
  return row ?? null;
}
