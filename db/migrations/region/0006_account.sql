CREATE TABLE undo (
  token_hash TEXT PRIMARY KEY NOT NULL, account_id TEXT NOT NULL, payload_sealed TEXT NOT NULL,
  expires_at INTEGER NOT NULL
);
CREATE INDEX undo_account ON undo (account_id);
CREATE INDEX undo_expires_at ON undo (expires_at);
CREATE TABLE recovery (
  account_id TEXT PRIMARY KEY NOT NULL, stop_hash TEXT NOT NULL UNIQUE, started_at INTEGER NOT NULL,
  opens_at INTEGER NOT NULL, expires_at INTEGER NOT NULL
);
CREATE INDEX recovery_expires_at ON recovery (expires_at);
