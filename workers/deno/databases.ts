/**
 * Region databases and the directory on libSQL: one file each, migrated when opened.
 *
 * `secure_delete` overwrites what is deleted, and `forgetDeleted` empties the write-ahead log, which
 * keeps the pages as they were before: after both, no byte of a deleted row is in the folder. There
 * is one connection, because the setting belongs to a connection.
 *
 * libsql 0.5 cuts a text at its first NUL when reading it back. No stored text has one: each is an
 * identifier, a hash, a label or sealed in base64url.
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createClient } from "@libsql/client";
import { drizzle } from "drizzle-orm/libsql";
import Database from "libsql";
import type { Db } from "../../db/db.ts";
import { applyMigrations, type MigrationFile } from "../../db/migrate.ts";

export interface OpenDatabase {
  readonly db: Db;
  /** Empties the write-ahead log into the file; rejects when a reader stands in the way. */
  forgetDeleted(): Promise<void>;
  close(): void;
}

const MIGRATIONS = join(import.meta.dirname ?? "", "../../db/migrations");
const PRAGMAS = ["journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"];

/** Opens `path`, making it when absent, with every migration of `kind` applied. */
export async function openDatabase(
  path: string,
  kind: "directory" | "region",
): Promise<OpenDatabase> {
  await migrateFile(path, migrationFiles(kind));
  const client = createClient({ url: pathToFileURL(path).href, concurrency: 1 });
  for (const pragma of PRAGMAS) await client.execute(`PRAGMA ${pragma}`);
  return {
    db: drizzle(client) as unknown as Db,
    async forgetDeleted() {
      const { rows } = await client.execute("PRAGMA wal_checkpoint(TRUNCATE)");
      if (Number(rows[0]?.busy ?? 1) !== 0) throw new Error("a reader holds the log");
    },
    close: () => client.close(),
  };
}

/** All migrations or none: a crash in between leaves the file as it was. */
async function migrateFile(path: string, files: readonly MigrationFile[]): Promise<void> {
  const database = new Database(path);
  try {
    for (const pragma of PRAGMAS) database.prepare(`PRAGMA ${pragma}`).all();
    database.exec("BEGIN IMMEDIATE");
    await applyMigrations(
      async (statement, ...parameters) => database.prepare(statement).all(parameters),
      files,
    );
    database.exec("COMMIT");
  } finally {
    database.close();
  }
}

/** The migration files of one kind of database. */
export function migrationFiles(kind: "directory" | "region"): MigrationFile[] {
  const folder = join(MIGRATIONS, kind);
  return readdirSync(folder)
    .filter((name) => name.endsWith(".sql"))
    .sort()
    .map((name) => ({ name, sql: readFileSync(join(folder, name), "utf8") }));
}
