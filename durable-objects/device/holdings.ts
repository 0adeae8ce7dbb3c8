/** What a device's object holds, table by table as the data map declares: counts and times only. */

import { deviceMap } from "../../db/data-map/device.ts";
import type { ObjectTableRule } from "../../db/data-map/types.ts";
import type { ObjectSql } from "./context.ts";
import type { HeldTable } from "./rpc.ts";

/** Tables with rows whose time has not come; what only runs the object is left out. */
export function heldTables(sql: ObjectSql, now: number): HeldTable[] {
  return Object.entries<ObjectTableRule>(deviceMap).flatMap(([table, rule]) => {
    if (rule.class === "operations") return [];
    const { since, expires } = rule;
    const live = expires === undefined ? "" : `WHERE ${expires} IS NULL OR ${expires} > ${now}`;
    const [row] = sql.all<{ count: number; since: number | null; until: number | null }>(
      `SELECT count(*) AS count, ${since === undefined ? "NULL" : `nullif(min(${since}), 0)`} AS since,
         ${expires === undefined ? "NULL" : `max(${expires})`} AS until FROM ${table} ${live}`,
    );
    return row === undefined || row.count === 0 ? [] : [{ table, class: rule.class, ...row }];
  });
}
