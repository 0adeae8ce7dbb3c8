/**
 * Reading every row of an account, written over table and column names that the data map gives: they
 * know no table of their own. Names come from the map only, never from a request.
 */

import { type SQL, sql } from "drizzle-orm";
import type { Cell, Row } from "../data-map/export.ts";
import type { TableRule } from "../data-map/types.ts";
import type { Db } from "../db.ts";

const name = (text: string): SQL => sql.raw(`"${text}"`);

export interface RowsOf {
  /** The column that says whose a row is, and whose it is. */
  readonly by: string;
  readonly owner: string;
  /** The key of the last row of the page before; null for the first page. */
  readonly after: Cell;
  readonly now: number;
  readonly limit: number;
}

/** A page of the owner's rows whose time has not come, in the order of their keys. */
export async function rowsOf(
  db: Db,
  table: string,
  rule: TableRule,
  { by, owner, after, now, limit }: RowsOf,
): Promise<Row[]> {
  const columns = sql.join(Object.keys(rule.columns).map(name), sql`, `);
  const onward = after === null ? sql`` : sql` AND ${name(rule.key)} > ${after}`;
  const live =
    rule.expires === undefined
      ? sql``
      : sql` AND (${name(rule.expires)} IS NULL OR ${name(rule.expires)} > ${now})`;
  return await db.all<Row>(
    sql`SELECT ${columns} FROM ${name(table)}
        WHERE ${name(by)} = ${owner}${onward}${live}
        ORDER BY ${name(rule.key)} LIMIT ${limit}`,
  );
}
