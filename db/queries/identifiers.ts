/**
 * Queries that change an account's address book. Each takes the database of the region that holds the
 * account; the directory's hashes are claimed and released beside them.
 */

import { and, eq, sql } from "drizzle-orm";
import type { Db } from "../db.ts";
import { account, identifier } from "../schema/region/account.ts";
import { challenge } from "../schema/region/sign-in.ts";
import { liveChallenge } from "./challenges.ts";

export interface NewIdentifier {
  readonly id: string;
  readonly accountId: string;
  readonly kind: "email" | "phone";
  readonly addressSealed: string;
}

/**
 * Adds a verified address and uses its challenge up, in one transaction with one winner.
 * - `gone`: the challenge was used up or its time has passed
 * - `full`: the account has `max` addresses by now, or was erased
 */
export async function addIdentifier(
  db: Db,
  tokenHash: string,
  row: NewIdentifier,
  { now, max }: { now: number; max: number },
): Promise<"added" | "full" | "gone"> {
  const live = and(
    liveChallenge(tokenHash, "contact", now),
    eq(challenge.accountId, row.accountId),
  );
  const count = sql`(SELECT count(*) FROM ${identifier}
                     WHERE ${identifier.accountId} = ${row.accountId})`;
  const [added, used] = (await db.batch([
    db
      .insert(identifier)
      .select(
        db
          .select({
            id: sql<string>`${row.id}`.as("new_id"),
            accountId: account.id,
            kind: sql<"email" | "phone">`${row.kind}`.as("kind"),
            addressSealed: sql<string>`${row.addressSealed}`.as("address_sealed"),
            isPrimary: sql<number>`0`.as("is_primary"),
            verifiedAt: sql<number>`${now}`.as("verified_at"),
          })
          .from(challenge)
          .innerJoin(account, eq(account.id, challenge.accountId))
          .where(and(live, sql`${count} < ${max}`)),
      )
      .returning({ id: identifier.id }),
    db.delete(challenge).where(live).returning({ accountId: challenge.accountId }),
  ])) as [unknown[], unknown[]];
  if (used.length === 0) return "gone";
  return added.length === 1 ? "added" : "full";
}

/** Lets notices go to one of an account's addresses, in place of another; false when it has none such. */
export async function setPrimary(db: Db, accountId: string, id: string): Promise<boolean> {
  const rows = await db
    .update(identifier)
    .set({ isPrimary: sql`${identifier.id} = ${id}` })
    .where(
      and(
        eq(identifier.accountId, accountId),
        sql`EXISTS (SELECT 1 FROM ${identifier} AS "one"
                    WHERE "one"."id" = ${id} AND "one"."account_id" = ${accountId})`,
      ),
    )
    .returning({ id: identifier.id });
  return rows.length > 0;
}

/** Removes an address that is not the primary: so one always stays. False when there is none such. */
export async function deleteIdentifier(db: Db, accountId: string, id: string): Promise<boolean> {
  const rows = await db
    .delete(identifier)
    .where(
      and(eq(identifier.id, id), eq(identifier.accountId, accountId), eq(identifier.isPrimary, 0)),
    )
    .returning({ id: identifier.id });
  return rows.length === 1;
}
