/**
 * The zone's rows: what each device publishes, sealed under the key of its name, in the order of the
 * last change. Whoever is gone leaves a row without a name for a while, so that fronts which were away
 * hear of it (CON-5).
 */

import type { Random } from "../../db/primitives.ts";
import type { Position } from "../../protocol/feed.ts";
import { limits } from "../../protocol/limits.ts";
import { base64url } from "../../protocol/tokens.ts";
import type { ObjectSql } from "../device/context.ts";
import type { Publication } from "./rpc.ts";

const TABLES = [
  `CREATE TABLE IF NOT EXISTS zone (row INTEGER PRIMARY KEY CHECK (row = 1), epoch TEXT NOT NULL,
     seq INTEGER NOT NULL, forgotten INTEGER NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS publisher (row INTEGER PRIMARY KEY CHECK (row = 1), seq INTEGER NOT NULL,
     reading INTEGER NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS zone_name (id TEXT PRIMARY KEY, device_id TEXT, version INTEGER NOT NULL,
     seq INTEGER NOT NULL, name_sealed TEXT, expires_at INTEGER)`,
  "CREATE UNIQUE INDEX IF NOT EXISTS zone_name_seq ON zone_name (seq)",
  "CREATE INDEX IF NOT EXISTS zone_name_expires_at ON zone_name (expires_at)",
];

export interface ZoneRow extends Record<string, string | number | null> {
  /** What fronts know the device by: a hash of its identifier. */
  id: string;
  /** null, with the name: gone. */
  device_id: string | null;
  version: number;
  seq: number;
  name_sealed: string | null;
  expires_at: number | null;
}

/** `forgotten`: up to which position rows of names that are gone may have been dropped. */
interface State extends Position, Record<string, string | number> {
  forgotten: number;
}

export class ZoneStore {
  readonly #sql: ObjectSql;
  readonly #random: Random;
  #ready = false;

  constructor(sql: ObjectSql, random: Random) {
    this.#sql = sql;
    this.#random = random;
  }

  /** Where the newest change stands. */
  position(): Position {
    const { epoch, seq } = this.#state();
    return { epoch, seq };
  }

  /** True when every change after `from` is still here to be told. */
  reaches(from: Position): boolean {
    const { epoch, seq, forgotten } = this.#state();
    return from.epoch === epoch && from.seq >= forgotten && from.seq <= seq;
  }

  /** Keeps a publication; false when it says nothing new. */
  keep(id: string, { deviceId, version, name }: Publication, now: number): boolean {
    this.#state();
    return this.#sql.transaction(() => {
      const query = "SELECT version FROM zone_name WHERE id = ?";
      const before = this.#sql.all<{ version: number }>(query, id)[0];
      if (before === undefined ? name === null : before.version >= version) return false;
      this.#sql.run("UPDATE zone SET seq = seq + 1");
      this.#sql.run(
        `INSERT INTO zone_name (id, device_id, version, seq, name_sealed, expires_at)
         VALUES (?, ?, ?, (SELECT seq FROM zone), ?, ?)
         ON CONFLICT (id) DO UPDATE SET device_id = excluded.device_id, version = excluded.version,
           seq = excluded.seq, name_sealed = excluded.name_sealed, expires_at = excluded.expires_at`,
        id,
        name === null ? null : deviceId,
        version,
        name?.sealed ?? null,
        name === null ? now + limits.zoneGoneMs : null,
      );
      return true;
    });
  }

  /** Rows that changed after `seq`, oldest first: as many as one page takes, and one at least. */
  after(seq: number, now: number): ZoneRow[] {
    const sizes = this.#sizesAfter(seq, now, limits.feedPageNames);
    let octets = 0;
    const tooFar = sizes.findIndex((row, at) => {
      octets += row.octets;
      return at > 0 && octets > limits.feedPageBytes;
    });
    const last = sizes.at(tooFar < 0 ? -1 : tooFar - 1);
    if (last === undefined) return [];
    return this.#sql.all<ZoneRow>(
      `SELECT * FROM zone_name WHERE seq > ? AND seq <= ? AND (expires_at IS NULL OR expires_at > ?)
       ORDER BY seq`,
      ...[seq, last.seq, now],
    );
  }

  /** True when nothing changed after `seq`. */
  isLast(seq: number, now: number): boolean {
    return this.#sizesAfter(seq, now, 1).length === 0;
  }

  #sizesAfter(seq: number, now: number, most: number): { seq: number; octets: number }[] {
    this.#state();
    return this.#sql.all<{ seq: number; octets: number }>(
      `SELECT seq, coalesce(length(name_sealed), 0) AS octets FROM zone_name
       WHERE seq > ? AND (expires_at IS NULL OR expires_at > ?) ORDER BY seq LIMIT ${most}`,
      ...[seq, now],
    );
  }

  /** Where the publisher stands, and whether it is reading everything; null: nothing is pushed yet. */
  publisher(): { from: Position; reading: boolean } | null {
    const { epoch } = this.position();
    const [row] = this.#sql.all<{ seq: number; reading: number }>("SELECT * FROM publisher");
    return row === undefined ? null : { from: { epoch, seq: row.seq }, reading: row.reading === 1 };
  }

  movePublisher({ seq }: Position, reading: boolean): void {
    this.#sql.run(
      `INSERT INTO publisher (row, seq, reading) VALUES (1, ?, ?)
       ON CONFLICT (row) DO UPDATE SET seq = excluded.seq, reading = excluded.reading`,
      seq,
      reading ? 1 : 0,
    );
  }

  /** Drops what has been gone for long enough. */
  sweep(now: number): void {
    if (!this.#exists()) return;
    this.#sql.transaction(() => {
      this.#sql.run(
        `UPDATE zone SET forgotten = max(forgotten,
           coalesce((SELECT max(seq) FROM zone_name WHERE expires_at <= ?), 0))`,
        now,
      );
      this.#sql.run("DELETE FROM zone_name WHERE expires_at <= ?", now);
    });
  }

  /** When the next row has been gone for long enough; null when none is. */
  nextExpiry(): number | null {
    if (!this.#exists()) return null;
    const query = "SELECT min(expires_at) AS at FROM zone_name";
    return this.#sql.all<{ at: number | null }>(query)[0]?.at ?? null;
  }

  #exists(): boolean {
    this.#ready ||=
      this.#sql.all("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'zone_name'")
        .length > 0;
    return this.#ready;
  }

  /** Makes the tables before they are first read. */
  #state(): State {
    if (!this.#ready) {
      this.#sql.transaction(() => {
        for (const statement of TABLES) this.#sql.run(statement);
        const epoch = base64url(this.#random.bytes(12));
        this.#sql.run(
          "INSERT INTO zone (row, epoch, seq, forgotten) VALUES (1, ?, 0, 0) ON CONFLICT DO NOTHING",
          epoch,
        );
      });
      this.#ready = true;
    }
    return this.#sql.all<State>("SELECT epoch, seq, forgotten FROM zone")[0] as State;
  }
}
