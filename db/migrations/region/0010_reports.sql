CREATE TABLE door_report (
  id TEXT PRIMARY KEY NOT NULL, device_id TEXT NOT NULL, about TEXT NOT NULL,
  told_sealed TEXT NOT NULL, outcome TEXT, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL
);
CREATE INDEX door_report_device ON door_report (device_id);
CREATE INDEX door_report_waiting ON door_report (outcome, created_at, id);
CREATE INDEX door_report_expires_at ON door_report (expires_at);
CREATE TABLE door_objection (
  device_id TEXT PRIMARY KEY NOT NULL, account_id TEXT NOT NULL, words_sealed TEXT NOT NULL,
  created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL
);
CREATE INDEX door_objection_account ON door_objection (account_id);
CREATE INDEX door_objection_expires_at ON door_objection (expires_at);
