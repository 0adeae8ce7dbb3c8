/**
 * Rows in every table that the data map declares for an account, each column with a canary of its
 * own, sealed where the map says sealed. A table that is declared tomorrow is planted tomorrow.
 */

import { sql } from "drizzle-orm";
import type { TableRule } from "../../db/data-map/types.ts";
import type { Db } from "../../db/db.ts";
import { personKey } from "../../db/queries/accounts.ts";
import type { Ports } from "../../workers/ports.ts";

export interface Planted {
  /** Must be in its owner's export: what is sealed, by `table.column` or `table.column.field`. */
  readonly shown: Record<string, string>;
  /** Must be in no export: hashes, keys, secrets. */
  readonly hidden: Record<string, string>;
}

export type Tables = Readonly<Record<string, TableRule>>;

let serial = 0;
const canary = () => `zq${crypto.randomUUID().replaceAll("-", "")}`;

/** Plants one row for `accountId` in every table whose rows name an account. */
export async function plantRows(
  ports: Ports,
  db: Db,
  tables: Tables,
  accountId: string,
): Promise<Planted> {
  const planted: Planted = { shown: {}, hidden: {} };
  for (const [table, rule] of Object.entries(tables)) {
    if (!("by" in rule.erase)) continue;
    const row = await plantedRow(ports, planted, { table, rule, by: rule.erase.by, accountId });
    const names = sql.join(
      Object.keys(row).map((column) => sql.raw(`"${column}"`)),
      sql`, `,
    );
    const values = sql.join(
      Object.values(row).map((value) => sql`${value}`),
      sql`, `,
    );
    await db.run(
      sql`INSERT OR REPLACE INTO ${sql.raw(`"${table}"`)} (${names}) VALUES (${values})`,
    );
  }
  return planted;
}

interface Place {
  readonly table: string;
  readonly rule: TableRule;
  readonly by: string;
  readonly accountId: string;
}

async function plantedRow(
  ports: Ports,
  { shown, hidden }: Planted,
  { table, rule, by, accountId }: Place,
): Promise<Record<string, string | number>> {
  const row: Record<string, string | number> = {};
  for (const [column, { kind }] of Object.entries(rule.columns)) {
    if (column === by) row[column] = accountId;
    else if (kind === "time") row[column] = ports.clock.now() + 60_000;
    else if (kind === "state") row[column] = 1;
    else if (kind === "id") row[column] = `${table}_${serial++}`;
    else if (kind !== "sealed") {
      row[column] = canary();
      hidden[`${table}.${column}`] = row[column];
    }
  }
  for (const [column, of] of Object.entries(rule.columns)) {
    if (of.kind !== "sealed") continue;
    const secret = canary();
    let text: string = secret;
    if (of.shows === undefined) shown[`${table}.${column}`] = secret;
    else {
      hidden[`${table}.${column}.secret`] = secret;
      const fields = of.shows.map((field) => [field, canary()] as const);
      for (const [field, value] of fields) shown[`${table}.${column}.${field}`] = value;
      text = JSON.stringify({ ...Object.fromEntries(fields), secret });
    }
    row[column] = await ports.sealer.seal(personKey(accountId), `${of.at}:${row[of.by]}`, text);
  }
  return row;
}
