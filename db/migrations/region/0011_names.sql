CREATE TABLE name_offer (
  id TEXT PRIMARY KEY NOT NULL, account_id TEXT NOT NULL, from_id TEXT NOT NULL,
  device_id TEXT NOT NULL, label_sealed TEXT NOT NULL, expires_at INTEGER NOT NULL
);
CREATE INDEX name_offer_account ON name_offer (account_id);
CREATE INDEX name_offer_from ON name_offer (from_id);
CREATE INDEX name_offer_device ON name_offer (device_id);
CREATE INDEX name_offer_expires_at ON name_offer (expires_at);
