/** Queries that change a password. Each takes the database of the region that holds the account. */

import { and, eq, sql } from "drizzle-orm";
import type { Db } from "../db.ts";
import { account } from "../schema/region/account.ts";
import { password } from "../schema/region/sign-in.ts";
import { waysIn } from "./ways-in.ts";

/** Sets the password of an account, its first or another; false when the account was erased. */
export async function putPassword(
  db: Db,
  { accountId, phcSealed }: { readonly accountId: string; readonly phcSealed: string },
  now: number,
): Promise<boolean> {
  const rows = await db
    .insert(password)
    .select(
      db
        .select({
          accountId: account.id,
          phcSealed: sql<string>`${phcSealed}`.as("phc_sealed"),
          changedAt: sql<number>`${now}`.as("changed_at"),
        })
        .from(account)
        .where(eq(account.id, accountId)),
    )
    .onConflictDoUpdate({ target: password.accountId, set: { phcSealed, changedAt: now } })
    .returning({ accountId: password.accountId });
  return rows.length === 1;
}

/** Takes the password of an account away, where another way in stays; false when none does. */
export async function deletePassword(db: Db, accountId: string): Promise<boolean> {
  const rows = await db
    .delete(password)
    .where(and(eq(password.accountId, accountId), waysIn(accountId, { besides: accountId })))
    .returning({ accountId: password.accountId });
  return rows.length === 1;
}
