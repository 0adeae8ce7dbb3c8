CREATE TABLE oauth_device_code (
  code_hash TEXT PRIMARY KEY NOT NULL, user_code_hash TEXT NOT NULL UNIQUE,
  client_id TEXT NOT NULL, scope TEXT NOT NULL, polled_at INTEGER NOT NULL,
  interval_ms INTEGER NOT NULL, denied_at INTEGER, expires_at INTEGER NOT NULL
);
CREATE INDEX oauth_device_code_client ON oauth_device_code (client_id);
CREATE INDEX oauth_device_code_expires_at ON oauth_device_code (expires_at);
