CREATE TABLE acme_account (
  server TEXT PRIMARY KEY NOT NULL, url TEXT NOT NULL, key_sealed TEXT NOT NULL,
  created_at INTEGER NOT NULL, paused_until INTEGER NOT NULL
);
CREATE TABLE certificate_order (
  device_id TEXT PRIMARY KEY NOT NULL, slot TEXT NOT NULL, exempt INTEGER NOT NULL,
  asked_at INTEGER NOT NULL, due_at INTEGER NOT NULL, lease_until INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
);
CREATE INDEX certificate_order_due_at ON certificate_order (due_at);
CREATE INDEX certificate_order_expires_at ON certificate_order (expires_at);
CREATE TABLE acme_slot (
  id TEXT PRIMARY KEY NOT NULL, kind TEXT NOT NULL, expires_at INTEGER NOT NULL
);
CREATE INDEX acme_slot_expires_at ON acme_slot (expires_at);
