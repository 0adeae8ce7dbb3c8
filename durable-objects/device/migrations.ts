/** The object's tables. Append-only: a released step never changes; each column is in db/data-map/device.ts. */

import type { ObjectSql } from "./context.ts";

const steps: readonly string[] = [
  `CREATE TABLE registration (
     device_id TEXT PRIMARY KEY, account_id TEXT NOT NULL, public_key TEXT NOT NULL,
     label TEXT NOT NULL, label_since INTEGER NOT NULL, created_at INTEGER NOT NULL);
   CREATE TABLE feature (name TEXT PRIMARY KEY, since INTEGER NOT NULL);
   CREATE TABLE door (row INTEGER PRIMARY KEY CHECK (row = 1), identity TEXT NOT NULL,
     closed_for TEXT, closed_extent TEXT, closed_words TEXT, closed_at INTEGER);
   CREATE TABLE door_rule (id TEXT PRIMARY KEY, service TEXT NOT NULL, path TEXT NOT NULL,
     mode TEXT NOT NULL, UNIQUE (service, path));
   CREATE TABLE guest (rule_id TEXT NOT NULL, account_id TEXT NOT NULL,
     PRIMARY KEY (rule_id, account_id));
   CREATE TABLE share (id TEXT PRIMARY KEY, audience TEXT NOT NULL, secret_hash TEXT,
     what_sealed TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL);
   CREATE TABLE share_guest (share_id TEXT NOT NULL, account_id TEXT NOT NULL,
     expires_at INTEGER NOT NULL, PRIMARY KEY (share_id, account_id));
   CREATE TABLE connection (row INTEGER PRIMARY KEY CHECK (row = 1), record_sealed TEXT NOT NULL,
     expires_at INTEGER);
   CREATE TABLE name_record (row INTEGER PRIMARY KEY CHECK (row = 1), addresses_sealed TEXT,
     changed_at INTEGER);
   CREATE TABLE name_token (id TEXT PRIMARY KEY, secret_hash TEXT NOT NULL UNIQUE,
     scopes TEXT NOT NULL, what_sealed TEXT NOT NULL, created_at INTEGER NOT NULL,
     used_day INTEGER, ends_at INTEGER, flood_hours INTEGER NOT NULL DEFAULT 0,
     flooded_at INTEGER, told_end INTEGER);
   CREATE TABLE name_event (id TEXT PRIMARY KEY, what_sealed TEXT NOT NULL, at INTEGER NOT NULL,
     expires_at INTEGER NOT NULL);
   CREATE TABLE name_signature (row INTEGER PRIMARY KEY CHECK (row = 1),
     signatures_sealed TEXT NOT NULL, expires_at INTEGER NOT NULL);
   CREATE TABLE name_change (family TEXT NOT NULL, expires_at INTEGER NOT NULL);
   CREATE TABLE door_code (code_hash TEXT PRIMARY KEY, nonce_hash TEXT NOT NULL,
     account_id TEXT NOT NULL, session_id TEXT NOT NULL, contact INTEGER NOT NULL,
     expires_at INTEGER NOT NULL);
   CREATE TABLE door_session (token_hash TEXT PRIMARY KEY, account_id TEXT, session_id TEXT,
     contact INTEGER NOT NULL, expires_at INTEGER NOT NULL);
   CREATE TABLE door_opened (token_hash TEXT NOT NULL, share_id TEXT NOT NULL,
     expires_at INTEGER NOT NULL, PRIMARY KEY (token_hash, share_id))`,
  `CREATE TABLE openid_client (row INTEGER PRIMARY KEY CHECK (row = 1), auth TEXT NOT NULL,
     paths TEXT NOT NULL)`,
  `ALTER TABLE name_record ADD COLUMN reported_day INTEGER`,
  `CREATE TABLE traffic (row INTEGER PRIMARY KEY CHECK (row = 1), record_sealed TEXT NOT NULL,
     expires_at INTEGER NOT NULL)`,
  `CREATE TABLE acme_proof (id TEXT PRIMARY KEY, rolling INTEGER NOT NULL,
     value_sealed TEXT NOT NULL, expires_at INTEGER NOT NULL);
   CREATE TABLE certificate (row INTEGER PRIMARY KEY CHECK (row = 1), record_sealed TEXT NOT NULL,
     earlier_until INTEGER)`,
  `CREATE TABLE shortcut (row INTEGER PRIMARY KEY CHECK (row = 1), reach_sealed TEXT NOT NULL,
     expires_at INTEGER NOT NULL)`,
  `CREATE TABLE publication (row INTEGER PRIMARY KEY CHECK (row = 1), version INTEGER NOT NULL,
     told INTEGER NOT NULL)`,
  `CREATE TABLE name_signing (row INTEGER PRIMARY KEY CHECK (row = 1), key_sealed TEXT NOT NULL,
     signed_at INTEGER NOT NULL)`,
  `CREATE TABLE name_other (label TEXT PRIMARY KEY, state TEXT NOT NULL, instead TEXT,
     since INTEGER NOT NULL)`,
  `CREATE TABLE name_own (row INTEGER PRIMARY KEY CHECK (row = 1), records_sealed TEXT NOT NULL)`,
  `CREATE TABLE name_domains (row INTEGER PRIMARY KEY CHECK (row = 1), record_sealed TEXT NOT NULL)`,
];

/** True when this object holds a device; never creates a table. */
export function isRegistered(sql: ObjectSql): boolean {
  return (
    sql.all("SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'registration'")
      .length === 1
  );
}

/** The device whose object this is; null before it is registered. */
export function registeredId(sql: ObjectSql): string | null {
  if (!isRegistered(sql)) return null;
  return sql.all<{ device_id: string }>("SELECT device_id FROM registration")[0]?.device_id ?? null;
}

/** Brings the tables up to date; each step once, in order. */
export function migrate(sql: ObjectSql): void {
  sql.transaction(() => {
    sql.run("CREATE TABLE IF NOT EXISTS migration (step INTEGER PRIMARY KEY)");
    const done = sql.all<{ step: number }>("SELECT step FROM migration").length;
    if (done > steps.length) throw new Error("this object was written by a newer version");
    for (let step = done; step < steps.length; step++) {
      for (const statement of (steps[step] as string).split(";")) sql.run(statement);
      sql.run("INSERT INTO migration (step) VALUES (?)", step);
    }
  });
}
