/**
 * A device's own database on libSQL: one file, opened on the first use and closed when many others
 * are open. It never makes a file but inside `transaction`, so asking about a device that is not
 * registered leaves nothing behind.
 *
 * The rollback journal (not a write-ahead log) and `secure_delete` make a deletion final at its own
 * commit: no file holds the deleted bytes afterwards. `synchronous=EXTRA` puts a commit on the disk
 * before it is acknowledged.
 */

import { existsSync, mkdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import Database from "libsql";
import type { ObjectSql, SqlValue } from "../device/context.ts";

type Statement = ReturnType<InstanceType<typeof Database>["prepare"]>;

interface Handle {
  readonly database: InstanceType<typeof Database>;
  readonly statements: Map<string, Statement>;
}

const SIDE_FILES = ["", "-journal", "-wal", "-shm"];
const BUSY_MS = 5000;

/** Bounds how many stores hold a file open; the one used longest ago is closed first. */
export class OpenStores {
  readonly #max: number;
  /** In the order of use. */
  readonly #open = new Set<Store>();

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#open.size;
  }

  used(store: Store): void {
    this.#open.delete(store);
    this.#open.add(store);
    if (this.#open.size <= this.#max) return;
    const [oldest] = this.#open;
    oldest?.close();
  }

  closed(store: Store): void {
    this.#open.delete(store);
  }

  closeAll(): void {
    for (const store of [...this.#open]) store.close();
  }
}

export class Store implements ObjectSql {
  readonly #path: string | null;
  readonly #pool: OpenStores;
  #handle: Handle | null = null;
  #exists: boolean;

  /** @param path the database file; null for a store that can never come into being */
  constructor(path: string | null, pool: OpenStores) {
    this.#path = path;
    this.#pool = pool;
    this.#exists = path !== null && existsSync(path);
  }

  /** True when the file is there. */
  get exists(): boolean {
    return this.#exists;
  }

  /** The rows of `query`; none when there is no file. */
  all<Row extends Record<string, SqlValue>>(query: string, ...params: SqlValue[]): Row[] {
    if (!this.#exists) return [];
    return this.#statement(query).all(params) as Row[];
  }

  run(query: string, ...params: SqlValue[]): void {
    if (!this.#exists) throw new Error("this store is gone");
    this.#statement(query).run(params);
  }

  transaction<T>(work: () => T): T {
    const { database } = this.#open();
    database.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      database.exec("COMMIT");
      return result;
    } catch (error) {
      if (database.inTransaction) database.exec("ROLLBACK");
      throw error;
    }
  }

  /** Lets go of the file; the next use opens it again. */
  close(): void {
    const handle = this.#handle;
    this.#handle = null;
    this.#pool.closed(this);
    handle?.statements.clear();
    handle?.database.close();
  }

  /** Removes the file and all that SQLite put beside it. */
  destroy(): void {
    this.close();
    if (this.#path === null) return;
    for (const suffix of SIDE_FILES) rmSync(this.#path + suffix, { force: true });
    this.#exists = false;
  }

  #statement(query: string): Statement {
    const { database, statements } = this.#open();
    let statement = statements.get(query);
    if (statement === undefined) {
      statement = database.prepare(query);
      statements.set(query, statement);
    }
    return statement;
  }

  #open(): Handle {
    if (this.#path === null) throw new Error("this store cannot come into being");
    if (this.#handle === null) {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      const database = new Database(this.#path, { timeout: BUSY_MS });
      this.#handle = { database, statements: new Map() };
      this.#exists = true;
      for (const pragma of ["journal_mode=DELETE", "secure_delete=ON", "synchronous=EXTRA"]) {
        database.prepare(`PRAGMA ${pragma}`).all();
      }
    }
    this.#pool.used(this);
    return this.#handle;
  }
}
