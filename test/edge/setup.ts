/** Migrates the databases of each test file's isolated storage. */

import { env } from "cloudflare:workers";
import { applyMigrations, type MigrationFile } from "../../db/migrate.ts";

const { DIRECTORY, DB_HOME, TEST_MIGRATIONS } = env as unknown as {
  DIRECTORY: D1Database;
  DB_HOME: D1Database;
  TEST_MIGRATIONS: { directory: MigrationFile[]; region: MigrationFile[] };
};

for (const [database, files] of [
  [DIRECTORY, TEST_MIGRATIONS.directory],
  [DB_HOME, TEST_MIGRATIONS.region],
] as const) {
  await applyMigrations(
    async (statement, ...parameters) =>
      (
        await database
          .prepare(statement)
          .bind(...parameters)
          .all()
      ).results,
    files,
  );
}
