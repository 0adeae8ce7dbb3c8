/**
 * Queries of contacts. Each touches one side only, in that person's region, and says in its own
 * condition from which state it may lead; two sides become one by the order in which they are called
 * (workers/people/contacts.ts) and by what is mended when somebody looks (workers/people/between.ts).
 *
 * `asked` and `contact` mean that the person of the row wants the contact. Nothing here writes either
 * of them into another person's row, except `contact` over `asked`.
 */

import { and, desc, eq, inArray, type SQL, sql } from "drizzle-orm";
import type { Db } from "../db.ts";
import { contactEdge } from "../schema/region/people.ts";
import type { EdgeState } from "./profiles.ts";

export interface EdgeRow {
  readonly accountId: string;
  readonly otherId: string;
  readonly state: EdgeState;
  readonly since: number;
  readonly expiresAt: number | null;
}

/** One side: whose, and towards whom. */
export interface Side {
  readonly me: string;
  readonly other: string;
}

const idOf = ({ me, other }: Side) => `${me}/${other}`;
const live = (now: number): SQL => sql`(expires_at IS NULL OR expires_at > ${now})`;

const columns = {
  accountId: contactEdge.accountId,
  otherId: contactEdge.otherId,
  state: contactEdge.state,
  since: contactEdge.since,
  expiresAt: contactEdge.expiresAt,
};

/** How a person stands to everybody, the latest first. */
export async function edgesOf(db: Db, accountId: string, now: number): Promise<EdgeRow[]> {
  return await db
    .select(columns)
    .from(contactEdge)
    .where(and(eq(contactEdge.accountId, accountId), live(now)))
    .orderBy(desc(contactEdge.since), desc(contactEdge.otherId));
}

/** How everybody of a region stands to a person. */
export async function edgesTo(db: Db, otherId: string, now: number): Promise<EdgeRow[]> {
  return await db
    .select(columns)
    .from(contactEdge)
    .where(and(eq(contactEdge.otherId, otherId), live(now)));
}

/** How one person stands to another; null: not at all. */
export async function edgeState(db: Db, side: Side, now: number): Promise<EdgeState | null> {
  const [row] = await db
    .select({ state: contactEdge.state })
    .from(contactEdge)
    .where(and(eq(contactEdge.id, idOf(side)), live(now)));
  return row?.state ?? null;
}

export interface AskTimes {
  readonly now: number;
  readonly expiresAt: number;
}

/**
 * Notes that `me` wants the contact: a new ask, or the answer to one that came.
 * @returns the state then; null when there is no such account, or it has `max` rows
 */
export async function putAsk(
  db: Db,
  side: Side,
  { now, expiresAt }: AskTimes,
  max: number,
): Promise<EdgeState | null> {
  const keep = sql`${live(now)} AND state IN ('asked', 'contact', 'blocked')`;
  const take = sql`${live(now)} AND state = 'asking'`;
  const rows = await db.all<{ state: EdgeState }>(
    sql`INSERT INTO contact_edge (id, account_id, other_id, state, since, expires_at)
        SELECT ${idOf(side)}, id, ${side.other}, 'asked', ${now}, ${expiresAt} FROM account
        WHERE id = ${side.me} AND (
          (SELECT count(*) FROM contact_edge WHERE account_id = ${side.me}) < ${max}
          OR EXISTS (SELECT 1 FROM contact_edge WHERE id = ${idOf(side)}))
        ON CONFLICT (id) DO UPDATE SET
          state = CASE WHEN ${keep} THEN state WHEN ${take} THEN 'contact' ELSE 'asked' END,
          since = CASE WHEN ${keep} THEN since ELSE ${now} END,
          expires_at = CASE WHEN ${keep} THEN expires_at WHEN ${take} THEN NULL
                       ELSE ${expiresAt} END
        RETURNING state`,
  );
  return rows[0]?.state ?? null;
}

/**
 * Brings an ask to whom it is for: `side.me` is the one who is asked. Who asked too, or wants the
 * contact already, is a contact then; who declined or blocked hears nothing.
 * @returns the state then; null when there is no such account, or `max` asks wait
 */
export async function receiveAsk(
  db: Db,
  side: Side,
  { now, expiresAt }: AskTimes,
  max: number,
): Promise<EdgeState | null> {
  const agree = sql`${live(now)} AND state IN ('asked', 'contact')`;
  const rows = await db.all<{ state: EdgeState }>(
    sql`INSERT INTO contact_edge (id, account_id, other_id, state, since, expires_at)
        SELECT ${idOf(side)}, id, ${side.other}, 'asking', ${now}, ${expiresAt} FROM account
        WHERE id = ${side.me} AND (
          (SELECT count(*) FROM contact_edge
           WHERE account_id = ${side.me} AND state = 'asking' AND expires_at > ${now}) < ${max}
          OR EXISTS (SELECT 1 FROM contact_edge WHERE id = ${idOf(side)}))
        ON CONFLICT (id) DO UPDATE SET
          state = CASE WHEN ${agree} THEN 'contact' WHEN ${live(now)} THEN state ELSE 'asking' END,
          since = CASE WHEN ${live(now)} AND state <> 'asked' THEN since ELSE ${now} END,
          expires_at = CASE WHEN ${agree} THEN NULL WHEN ${live(now)} THEN expires_at
                       ELSE ${expiresAt} END
        RETURNING state`,
  );
  return rows[0]?.state ?? null;
}

/**
 * The last step of an ask, by what the other side said: a contact, or an ask that waits.
 * @returns false when the asker changed their mind meanwhile, or was erased
 */
export async function settleAsk(
  db: Db,
  side: Side,
  isContact: boolean,
  { expiresAt }: Pick<AskTimes, "expiresAt">,
): Promise<boolean> {
  const to = isContact ? "contact" : "asked";
  const rows = await db.all(
    sql`UPDATE contact_edge SET
          state = ${to},
          expires_at = CASE WHEN ${to} = 'contact' THEN NULL ELSE coalesce(expires_at, ${expiresAt}) END
        WHERE id = ${idOf(side)} AND state IN ('asked', 'contact') RETURNING 1`,
  );
  return rows.length === 1;
}

/** Changes one side from one of the states `from`, if it is in one of them and its time has not come. */
export async function changeEdge(
  db: Db,
  side: Side,
  from: readonly EdgeState[],
  to: "contact" | "declined",
  now: number,
): Promise<boolean> {
  const rows = await db
    .update(contactEdge)
    .set({
      state: to,
      since: sql`CASE WHEN state = ${to} THEN since ELSE ${now} END`,
      ...(to === "contact" ? { expiresAt: null } : {}),
    })
    .where(and(eq(contactEdge.id, idOf(side)), inArray(contactEdge.state, [...from]), live(now)))
    .returning({ id: contactEdge.id });
  return rows.length === 1;
}

/** Deletes one side, if it is in one of the states `from`. */
export async function deleteEdge(db: Db, side: Side, from: readonly EdgeState[]): Promise<boolean> {
  const rows = await db
    .delete(contactEdge)
    .where(and(eq(contactEdge.id, idOf(side)), inArray(contactEdge.state, [...from])))
    .returning({ id: contactEdge.id });
  return rows.length === 1;
}

/** Blocks somebody, whatever was before; false when there is no such account, or it has `max` rows. */
export async function putBlock(db: Db, side: Side, now: number, max: number): Promise<boolean> {
  const rows = await db.all(
    sql`INSERT INTO contact_edge (id, account_id, other_id, state, since, expires_at)
        SELECT ${idOf(side)}, id, ${side.other}, 'blocked', ${now}, NULL FROM account
        WHERE id = ${side.me} AND (
          (SELECT count(*) FROM contact_edge WHERE account_id = ${side.me}) < ${max}
          OR EXISTS (SELECT 1 FROM contact_edge WHERE id = ${idOf(side)}))
        ON CONFLICT (id) DO UPDATE SET state = 'blocked', since = ${now}, expires_at = NULL
        RETURNING 1`,
  );
  return rows.length === 1;
}
