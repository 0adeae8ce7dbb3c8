/** What a device's object tells its owner: every table of the data map, opened where it is sealed. */

import { deviceMap } from "../../db/data-map/device.ts";
import {
  type ExportedTable,
  exportedTable,
  isExported,
  type Opener,
  type Row,
} from "../../db/data-map/export.ts";
import type { ObjectColumnRule, ObjectTableRule } from "../../db/data-map/types.ts";
import type { Sealer } from "../../db/seal.ts";
import type { DeviceContext } from "./context.ts";

/** The rows whose time has not come, table by table; a table without rows is left out. */
export async function exportedTables(
  { sql, clock, deviceId }: DeviceContext,
  sealer: Sealer,
): Promise<ExportedTable[]> {
  const open: Opener<ObjectColumnRule> = (rule, sealed, row) => {
    const at = rule.by === undefined ? rule.at : `${rule.at}:${row[rule.by]}`;
    return sealer.open(`feature/${deviceId}/${rule.key}`, at, sealed);
  };
  const tables: ExportedTable[] = [];
  for (const [table, rule] of Object.entries<ObjectTableRule>(deviceMap)) {
    if (!isExported(rule)) continue;
    const { expires } = rule;
    const live =
      expires === undefined ? "" : `WHERE ${expires} IS NULL OR ${expires} > ${clock.now()}`;
    const columns = Object.keys(rule.columns).join(", ");
    const rows = sql.all<Row>(`SELECT ${columns} FROM ${table} ${live}`);
    if (rows.length > 0) tables.push(await exportedTable(table, rule, rows, open));
  }
  return tables;
}
