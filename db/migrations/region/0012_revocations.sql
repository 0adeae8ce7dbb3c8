CREATE TABLE revocation (
  id TEXT PRIMARY KEY NOT NULL, device_id TEXT NOT NULL, leaves_sealed TEXT NOT NULL,
  tries INTEGER NOT NULL, due_at INTEGER NOT NULL, expires_at INTEGER NOT NULL
);
CREATE INDEX revocation_device ON revocation (device_id);
CREATE INDEX revocation_due_at ON revocation (due_at);
CREATE INDEX revocation_expires_at ON revocation (expires_at);
