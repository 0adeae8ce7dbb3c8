/**
 * Queries of the sweeps and of erasure, written over table and column names that the data map gives:
 * they know no table of their own. Names come from the map only, never from a request.
 */

import { eq, type SQL, sql } from "drizzle-orm";
import { sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { TableRule } from "../data-map/types.ts";
import type { Db } from "../db.ts";
import { label } from "../schema/directory.ts";
import { device, deviceGuest, doorReach } from "../schema/region.ts";
import { forgetSessions } from "../session-cache.ts";

const name = (text: string): SQL => sql.raw(`"${text}"`);

/** The time of the row that goes first; null when no row has one. Reads one row of the index. */
export async function firstExpiry(db: Db, table: string, expires: string): Promise<number | null> {
  const rows = await db.all<{ at: number | null }>(
    sql`SELECT min(${name(expires)}) AS at FROM ${name(table)}`,
  );
  return rows[0]?.at ?? null;
}

/** Deletes at most `limit` rows whose time is `now` or earlier, the oldest first. */
export async function deleteExpired(
  db: Db,
  table: string,
  rule: { readonly key: string; readonly expires: string },
  now: number,
  limit: number,
): Promise<number> {
  const [key, expires] = [name(rule.key), name(rule.expires)];
  const rows = await db.all(
    sql`DELETE FROM ${name(table)} WHERE ${key} IN (SELECT ${key} FROM ${name(table)}
        WHERE ${expires} <= ${now} ORDER BY ${expires} LIMIT ${limit}) RETURNING 1`,
  );
  return rows.length;
}

/** An expired row whose person is sealed under a key of their own. */
export interface Orphan {
  readonly key: string;
  readonly person: string;
  /** True when the account came to be, or another row of the person still waits. */
  readonly lives: boolean;
}

/** Rows whose time is `now` or earlier, each with its person (`TableRule.keyOf`). */
export async function expiredPersons(
  db: Db,
  table: string,
  rule: { readonly key: string; readonly expires: string; readonly keyOf: string },
  now: number,
  limit: number,
): Promise<Orphan[]> {
  const [of, expires, person] = [name(table), name(rule.expires), name(rule.keyOf)];
  const rows = await db.all<{ key: string; person: string; lives: number }>(
    sql`SELECT gone.${name(rule.key)} AS key, gone.${person} AS person,
          EXISTS (SELECT 1 FROM account WHERE id = gone.${person}) OR
          EXISTS (SELECT 1 FROM ${of} AS other
                  WHERE other.${person} = gone.${person} AND other.${expires} > ${now}) AS lives
        FROM ${of} AS gone WHERE gone.${expires} <= ${now}
        ORDER BY gone.${expires} LIMIT ${limit}`,
  );
  return rows.map((row) => ({ ...row, lives: row.lives === 1 }));
}

/** Deletes the rows with these keys; at most a hundred, the most parameters that D1 binds. */
export async function deleteKeys(
  db: Db,
  table: string,
  key: string,
  keys: readonly string[],
): Promise<void> {
  if (keys.length === 0) return;
  await db.run(sql`DELETE FROM ${name(table)} WHERE ${name(key)} IN ${[...keys]}`);
}

/** Takes the lease of `lane` until `until`; false while another runner holds it. */
export async function takeLease(
  db: Db,
  lane: string,
  now: number,
  until: number,
): Promise<boolean> {
  const rows = await db.all(
    sql`INSERT INTO sweep (name, lease_until, ran_at, deleted) VALUES (${lane}, ${until}, 0, 0)
        ON CONFLICT (name) DO UPDATE SET lease_until = excluded.lease_until
        WHERE sweep.lease_until <= ${now} RETURNING name`,
  );
  return rows.length === 1;
}

/** Gives the lease back, unless another runner took it; `ranAt` when the lane ended clean. */
export async function endLease(
  db: Db,
  lane: string,
  until: number,
  result: { readonly deleted: number; readonly ranAt: number | null },
): Promise<void> {
  await db.run(
    sql`UPDATE sweep SET lease_until = 0, deleted = deleted + ${result.deleted},
          ran_at = coalesce(${result.ranAt}, ran_at)
        WHERE name = ${lane} AND lease_until = ${until}`,
  );
}

/** When each lane last ended clean, in ms since the epoch; 0: never. */
export async function lastRuns(db: Db): Promise<ReadonlyMap<string, number>> {
  const rows = await db.all<{ name: string; ran_at: number }>(sql`SELECT name, ran_at FROM sweep`);
  return new Map(rows.map((row) => [row.name, row.ran_at]));
}

/** Tables that erasing an account deletes from, with the column that names the account. */
export function erasedTables(
  tables: Readonly<Record<string, TableRule>>,
): { readonly table: string; readonly by: string }[] {
  return Object.entries(tables).flatMap(([table, { erase }]) =>
    "by" in erase ? [{ table, by: erase.by }] : [],
  );
}

/** Tables in which other people's rows may mention an account, with the column that does. */
export function mentioningTables(
  tables: Readonly<Record<string, TableRule>>,
): { readonly table: string; readonly by: string }[] {
  return Object.entries(tables).flatMap(([table, { erase }]) =>
    "by" in erase && erase.mentions !== undefined ? [{ table, by: erase.mentions }] : [],
  );
}

/** Deletes every row of the account from `tables`: all of them or none. Idempotent. */
export async function deleteAccountRows(
  db: Db,
  tables: readonly { readonly table: string; readonly by: string }[],
  accountId: string,
): Promise<void> {
  // Built, not `db.run(sql…)`: D1's batch takes no raw statement that has parameters.
  const [first, ...others] = tables.map(({ table, by }) => {
    const rows = sqliteTable(table, { by: text(by) });
    return db.delete(rows).where(eq(rows.by, accountId));
  });
  if (first !== undefined) await db.batch([first, ...others]);
  forgetSessions(db);
}

/** Devices that `table` names for the account, at most `limit`. */
export async function devicesIn(
  db: Db,
  table: "device" | "device_guest" | "door_reach",
  accountId: string,
  limit: number,
): Promise<string[]> {
  const of = { device, device_guest: deviceGuest, door_reach: doorReach }[table];
  const column = "deviceId" in of ? of.deviceId : of.id;
  const rows = await db
    .select({ id: column })
    .from(of)
    .where(eq(of.accountId, accountId))
    .limit(limit);
  return rows.map((row) => row.id);
}

/** How many labels a device has in the directory. */
export async function labelsOf(directory: Db, deviceId: string): Promise<number> {
  return await directory.$count(label, eq(label.deviceId, deviceId));
}

/** How much of one table an account has, and since and until when. */
export interface HeldRows {
  readonly count: number;
  readonly since: number | null;
  readonly until: number | null;
}

/** Counts the account's rows whose time has not come; a row without a time has none to come. */
export async function heldRows(
  db: Db,
  table: string,
  rule: TableRule & { readonly erase: { readonly by: string } },
  accountId: string,
  now: number,
): Promise<HeldRows> {
  const since = rule.since === undefined ? sql`NULL` : sql`min(${name(rule.since)})`;
  const end = rule.expires === undefined ? sql`NULL` : name(rule.expires);
  const until = sql`CASE WHEN count(${end}) = count(*) THEN max(${end}) END`;
  const live = sql` AND (${end} IS NULL OR ${end} > ${now})`;
  const [row] = await db.all<HeldRows>(
    sql`SELECT count(*) AS count, ${since} AS since, ${until} AS until
        FROM ${name(table)} WHERE ${name(rule.erase.by)} = ${accountId}${live}`,
  );
  return row ?? { count: 0, since: null, until: null };
}
