/**
 * Applies migrations in order, each once, and remembers them where `wrangler d1 migrations` does, so
 * either may follow the other. A released file never changes.
 */

export interface MigrationFile {
  /** e.g. `0001_first.sql` */
  readonly name: string;
  readonly sql: string;
}

/** Runs one statement against the database and returns its rows. */
export type Run = (statement: string, ...parameters: string[]) => Promise<readonly unknown[]>;

/** What migrating needs of a D1 database, the platform's or Miniflare's. */
interface D1 {
  prepare(statement: string): {
    bind(...parameters: string[]): { all(): Promise<{ readonly results: readonly unknown[] }> };
  };
}

/** Runs statements on a D1 database. */
export function onD1(database: D1): Run {
  return async (statement, ...parameters) => {
    const prepared = database.prepare(statement).bind(...parameters);
    return (await prepared.all()).results;
  };
}

/** @returns the names that were applied now */
export async function applyMigrations(
  run: Run,
  files: readonly MigrationFile[],
): Promise<string[]> {
  await run(
    `CREATE TABLE IF NOT EXISTS d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT,
     name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)`,
  );
  const rows = (await run("SELECT name FROM d1_migrations")) as { name: string }[];
  const done = new Set(rows.map((row) => row.name));
  const applied: string[] = [];
  for (const file of [...files].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (done.has(file.name)) continue;
    for (const statement of file.sql.split(";").map((text) => text.trim())) {
      if (statement !== "") await run(statement);
    }
    await run("INSERT INTO d1_migrations (name) VALUES (?)", file.name);
    applied.push(file.name);
  }
  return applied;
}
