/**
 * The auditor: finds rows that should be gone. It shares no code with the sweeper and does not read
 * the data map: it looks at the schema itself and takes every column that is named like an end.
 */

/** A D1 database, or anything that answers the same. */
interface Database {
  prepare(query: string): {
    bind(...values: unknown[]): { all(): Promise<{ results: unknown[] }> };
  };
}

/** Tables with rows whose end is `now` or earlier. */
export async function auditOverdue(
  database: Database,
  now: number,
): Promise<{ table: string; rows: number }[]> {
  const ask = async (query: string, ...values: unknown[]) =>
    (
      await database
        .prepare(query)
        .bind(...values)
        .all()
    ).results as Record<string, unknown>[];
  const found = [];
  const tables = await ask(
    "SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name",
  );
  for (const { name, sql } of tables) {
    for (const [column] of String(sql).matchAll(/\b\w+_(?:at|until|after)\b/g)) {
      if (!/^(expires|held|ends|gone|delete)_/.test(column)) continue;
      const [row] = await ask(`SELECT count(*) AS n FROM "${name}" WHERE "${column}" <= ?`, now);
      if (Number(row?.n) > 0) found.push({ table: String(name), rows: Number(row?.n) });
    }
  }
  return found;
}
