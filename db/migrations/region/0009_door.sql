CREATE TABLE door_reach (
  id TEXT PRIMARY KEY NOT NULL, account_id TEXT NOT NULL, device_id TEXT NOT NULL,
  expires_at INTEGER NOT NULL
);
CREATE INDEX door_reach_account ON door_reach (account_id);
CREATE INDEX door_reach_device ON door_reach (device_id);
CREATE INDEX door_reach_expires_at ON door_reach (expires_at);
