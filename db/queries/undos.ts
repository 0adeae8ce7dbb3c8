/** Queries of undo links: keeping one, finding it, and taking a change back. */

import { and, eq, gt, gte, ne, type SQL, sql } from "drizzle-orm";
import type { Db } from "../db.ts";
import { account, identifier } from "../schema/region/account.ts";
import { linkedIdentity } from "../schema/region/linked.ts";
import { oauthCode, oauthGrant, oauthToken } from "../schema/region/openid.ts";
import { passkey } from "../schema/region/passkeys.ts";
import { undo } from "../schema/region/recovery.ts";
import { password } from "../schema/region/sign-in.ts";
import { personalToken } from "../schema/region/tokens.ts";

export type NewUndo = typeof undo.$inferInsert;

export async function insertUndo(db: Db, row: NewUndo): Promise<void> {
  await db.insert(undo).values(row);
}

export interface UndoRow {
  readonly accountId: string;
  readonly payloadSealed: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** What a link takes back; null when it was used or its time has passed. */
export async function undoOfToken(db: Db, tokenHash: string, now: number): Promise<UndoRow | null> {
  const [row] = await db
    .select({
      accountId: undo.accountId,
      payloadSealed: undo.payloadSealed,
      expiresAt: undo.expiresAt,
    })
    .from(undo)
    .where(and(eq(undo.tokenHash, tokenHash), gt(undo.expiresAt, now)));
  return row ?? null;
}

/** True while some change of an account's addresses can be taken back. */
export async function hasUndo(db: Db, accountId: string, now: number): Promise<boolean> {
  return (await db.$count(undo, and(eq(undo.accountId, accountId), gt(undo.expiresAt, now)))) > 0;
}

export interface Restored {
  readonly id: string;
  readonly kind: "email" | "phone";
  readonly addressSealed: string;
  readonly verifiedAt: number;
}

/** An address that the account lost with the change. */
export interface Dropped {
  readonly id: string;
  readonly kind: "email" | "phone";
  readonly addressSealed: string;
}

/**
 * Takes a change back, in one transaction with one winner: the address is there and the primary, those
 * verified after `since` are gone, and so are the password, every other way in and every token that was
 * made after `since`, and every undo link that came with this one or after it. Second steps stay. Null
 * when the link was used or its time has passed.
 */
export async function applyUndo(
  db: Db,
  {
    tokenHash,
    accountId,
    expiresAt,
  }: Pick<UndoRow, "accountId" | "expiresAt"> & {
    readonly tokenHash: string;
  },
  restored: Restored,
  { since, now }: { readonly since: number; readonly now: number },
): Promise<Dropped[] | null> {
  const live: SQL = sql`EXISTS (SELECT 1 FROM ${undo} AS "open"
    WHERE "open"."token_hash" = ${tokenHash} AND "open"."account_id" = ${accountId}
      AND "open"."expires_at" > ${now})`;
  const results = await db.batch([
    db
      .insert(identifier)
      .select(
        db
          .select({
            id: sql<string>`${restored.id}`.as("restored_id"),
            accountId: account.id,
            kind: sql<"email" | "phone">`${restored.kind}`.as("kind"),
            addressSealed: sql<string>`${restored.addressSealed}`.as("address_sealed"),
            isPrimary: sql<number>`0`.as("is_primary"),
            verifiedAt: sql<number>`${restored.verifiedAt}`.as("verified_at"),
          })
          .from(account)
          .where(and(eq(account.id, accountId), live)),
      )
      .onConflictDoNothing(),
    db
      .delete(identifier)
      .where(
        and(
          eq(identifier.accountId, accountId),
          ne(identifier.id, restored.id),
          gt(identifier.verifiedAt, since),
          live,
        ),
      )
      .returning({
        id: identifier.id,
        kind: identifier.kind,
        addressSealed: identifier.addressSealed,
      }),
    db
      .update(identifier)
      .set({ isPrimary: sql`${identifier.id} = ${restored.id}` })
      .where(and(eq(identifier.accountId, accountId), live)),
    db.delete(password).where(and(eq(password.accountId, accountId), live)),
    db
      .delete(passkey)
      .where(and(eq(passkey.accountId, accountId), gt(passkey.createdAt, since), live)),
    db
      .delete(linkedIdentity)
      .where(
        and(eq(linkedIdentity.accountId, accountId), gt(linkedIdentity.linkedAt, since), live),
      ),
    db
      .delete(personalToken)
      .where(and(eq(personalToken.accountId, accountId), gt(personalToken.createdAt, since), live)),
    db.delete(oauthCode).where(and(eq(oauthCode.accountId, accountId), live)),
    db
      .delete(oauthToken)
      .where(and(eq(oauthToken.accountId, accountId), gt(oauthToken.beganAt, since), live)),
    db
      .delete(oauthGrant)
      .where(and(eq(oauthGrant.accountId, accountId), gt(oauthGrant.createdAt, since), live)),
    db
      .delete(undo)
      .where(and(eq(undo.accountId, accountId), gte(undo.expiresAt, expiresAt), live))
      .returning({ accountId: undo.accountId }),
  ]);
  const used = results.at(-1) as unknown[];
  return used.length === 0 ? null : (results[1] as Dropped[]);
}
