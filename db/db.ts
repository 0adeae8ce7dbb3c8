/** The database type that queries are written against: D1 and libSQL both satisfy it. */

import type { BatchItem } from "drizzle-orm/batch";
import type { BaseSQLiteDatabase } from "drizzle-orm/sqlite-core";

/**
 * A drizzle database over SQLite whose `batch` is one round trip and one transaction: all of it or
 * nothing. Interactive transactions are not offered, because D1 has none.
 */
export interface Db extends BaseSQLiteDatabase<"async", unknown> {
  batch(statements: readonly [BatchItem<"sqlite">, ...BatchItem<"sqlite">[]]): Promise<unknown[]>;
}
