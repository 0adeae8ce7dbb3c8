/**
 * Accounts that nobody uses (ACC-14): which come due for a warning or their end, and counting what
 * was done. Each takes the database of one region.
 */

import { and, eq, lte, type SQL, sql } from "drizzle-orm";
import { limits } from "../../protocol/limits.ts";
import type { Db } from "../db.ts";
import { account } from "../schema/region/account.ts";
import { DAY_MS, startOfDay } from "./accounts.ts";

/** What is next for an account: `warnings` is how many it had, two is all. */
export interface DormantAccount {
  readonly id: string;
  /** Start of the last day of use, ms since the epoch. */
  readonly activeDay: number;
  readonly warnings: number;
  /** Since when it is due. */
  readonly dueAt: number;
}

const { dormantMs, dormantFirstWarningMs, dormantLastWarningMs } = limits;

/**
 * When the account comes due after so many warnings. The days count from the end of the last day of
 * use; what was late shortens no later wait, so each warning is followed by the whole time it names.
 */
const steps = [
  { idleMs: dormantMs - dormantFirstWarningMs, afterWarningMs: 0 },
  {
    idleMs: dormantMs - dormantLastWarningMs,
    afterWarningMs: dormantFirstWarningMs - dormantLastWarningMs,
  },
  { idleMs: dormantMs, afterWarningMs: dormantLastWarningMs },
] as const;

/** Accounts that are due, the longest due first of each step; at most `limit` of each. */
export async function dormantAccounts(
  db: Db,
  now: number,
  limit: number,
): Promise<DormantAccount[]> {
  const found: DormantAccount[] = [];
  for (const [warnings, { idleMs, afterWarningMs }] of steps.entries()) {
    const idleSince = now - idleMs - DAY_MS;
    const warnedAt = sql<number>`coalesce((SELECT max(at) FROM activity
      WHERE account_id = ${account.id} AND event = 'dormancy-warned' AND at >= ${account.activeDay}), 0)`;
    const dueAt: SQL<number> = sql`max(${account.activeDay} + ${idleMs + DAY_MS},
      CASE WHEN ${warnings} = 0 THEN 0 ELSE ${warnedAt} + ${afterWarningMs} END)`;
    const rows = await db
      .select({
        id: account.id,
        activeDay: account.activeDay,
        warnings: account.warnings,
        dueAt: dueAt.as("due_at"),
      })
      .from(account)
      .where(
        and(eq(account.warnings, warnings), lte(account.activeDay, idleSince), lte(dueAt, now)),
      )
      .orderBy(account.activeDay)
      .limit(limit);
    found.push(...rows);
  }
  return found;
}

/** Counts a warning that was sent; false when somebody used the account, or another runner counted. */
export async function countWarning(db: Db, dormant: DormantAccount): Promise<boolean> {
  const rows = await db
    .update(account)
    .set({ warnings: dormant.warnings + 1 })
    .where(asSeen(dormant))
    .returning({ id: account.id });
  return rows.length === 1;
}

/** True while nobody has used the account since it was looked at. */
export async function isStillDormant(db: Db, dormant: DormantAccount): Promise<boolean> {
  return (await db.$count(account, asSeen(dormant))) === 1;
}

const asSeen = ({ id, activeDay, warnings }: DormantAccount) =>
  and(eq(account.id, id), eq(account.activeDay, activeDay), eq(account.warnings, warnings));

/** Notes that the account was in use on the day of `at`, later than known; takes back all warnings. */
export async function noteUse(db: Db, dormant: DormantAccount, at: number): Promise<void> {
  await db
    .update(account)
    .set({ activeDay: startOfDay(at), warnings: 0 })
    .where(and(eq(account.id, dormant.id), eq(account.activeDay, dormant.activeDay)));
}
