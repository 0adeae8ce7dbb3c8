/** Queries of profiles: what a person says of themself, and who may see which of it. */

import { and, eq, inArray, sql } from "drizzle-orm";
import type { Db } from "../db.ts";
import { account } from "../schema/region/account.ts";
import {
  contactEdge,
  edgeStates,
  profileField,
  profileFields,
  visibilities,
} from "../schema/region/people.ts";

export { edgeStates, profileFields, visibilities };
export type ProfileFieldName = (typeof profileFields)[number];
export type Visibility = (typeof visibilities)[number];
export type EdgeState = (typeof edgeStates)[number];

export interface FieldRow {
  readonly id: string;
  readonly accountId: string;
  readonly field: ProfileFieldName;
  readonly valueSealed: string;
  readonly visibility: Visibility;
  readonly changedAt: number;
}

/** Everything that a person's profile holds. */
export async function fieldsOf(db: Db, accountId: string): Promise<FieldRow[]> {
  return await db.select().from(profileField).where(eq(profileField.accountId, accountId));
}

/** The profiles of at most ninety people, for D1 binds a hundred parameters. */
export async function fieldsOfMany(db: Db, accountIds: readonly string[]): Promise<FieldRow[]> {
  if (accountIds.length === 0) return [];
  return await db
    .select()
    .from(profileField)
    .where(inArray(profileField.accountId, [...accountIds]));
}

/** A person's profile, and how that person stands to `viewerId`; one round trip. */
export async function fieldsSeen(
  db: Db,
  accountId: string,
  viewerId: string,
  now: number,
): Promise<{ readonly fields: FieldRow[]; readonly toViewer: EdgeState | null }> {
  const [fields, edges] = (await db.batch([
    db.select().from(profileField).where(eq(profileField.accountId, accountId)),
    db
      .select({ state: contactEdge.state })
      .from(contactEdge)
      .where(
        and(
          eq(contactEdge.id, `${accountId}/${viewerId}`),
          sql`(${contactEdge.expiresAt} IS NULL OR ${contactEdge.expiresAt} > ${now})`,
        ),
      ),
  ])) as [FieldRow[], { state: EdgeState }[]];
  return { fields, toViewer: edges[0]?.state ?? null };
}

export interface NewField {
  readonly id: string;
  readonly accountId: string;
  readonly field: ProfileFieldName;
  readonly valueSealed: string;
  /** Null: as it was, or `fallback` for a field that is new. */
  readonly visibility: Visibility | null;
  readonly fallback: Visibility;
}

/** Keeps what a person says; false when there is no such account. */
export async function putField(db: Db, row: NewField, now: number): Promise<boolean> {
  const rows = await db
    .insert(profileField)
    .select(
      db
        .select({
          id: sql<string>`${row.id}`.as("id"),
          accountId: account.id,
          field: sql<ProfileFieldName>`${row.field}`.as("field"),
          valueSealed: sql<string>`${row.valueSealed}`.as("value_sealed"),
          visibility: sql<Visibility>`${row.visibility ?? row.fallback}`.as("visibility"),
          changedAt: sql<number>`${now}`.as("changed_at"),
        })
        .from(account)
        .where(eq(account.id, row.accountId)),
    )
    .onConflictDoUpdate({
      target: profileField.id,
      set: {
        valueSealed: row.valueSealed,
        visibility: sql`coalesce(${row.visibility}, ${profileField.visibility})`,
        changedAt: now,
      },
    })
    .returning({ id: profileField.id });
  return rows.length === 1;
}

/** Changes who may see a field; false when it is not held. */
export async function setVisibility(
  db: Db,
  id: string,
  visibility: Visibility,
  now: number,
): Promise<boolean> {
  const rows = await db
    .update(profileField)
    .set({ visibility, changedAt: now })
    .where(eq(profileField.id, id))
    .returning({ id: profileField.id });
  return rows.length === 1;
}

/** Clears fields of a person; answers which of them were held. */
export async function deleteFields(
  db: Db,
  accountId: string,
  fields: readonly ProfileFieldName[],
): Promise<ProfileFieldName[]> {
  const rows = await db
    .delete(profileField)
    .where(and(eq(profileField.accountId, accountId), inArray(profileField.field, [...fields])))
    .returning({ field: profileField.field });
  return rows.map(({ field }) => field);
}
