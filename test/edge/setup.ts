/** Migrates the databases of each test file's isolated storage. */

import { env } from "cloudflare:workers";
import { applyMigrations, type MigrationFile, onD1 } from "../../db/migrate.ts";

const { DIRECTORY, DB_HOME, TEST_MIGRATIONS } = env as unknown as {
  DIRECTORY: D1Database;
  DB_HOME: D1Database;
  TEST_MIGRATIONS: { directory: MigrationFile[]; region: MigrationFile[] };
};

for (const [database, files] of [
  [DIRECTORY, TEST_MIGRATIONS.directory],
  [DB_HOME, TEST_MIGRATIONS.region],
] as const) {
  await applyMigrations(onD1(database), files);
}
