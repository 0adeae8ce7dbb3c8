CREATE TABLE contact (hash TEXT PRIMARY KEY NOT NULL, account_id TEXT NOT NULL);
CREATE INDEX contact_account ON contact (account_id);
CREATE TABLE label (
  hash TEXT PRIMARY KEY NOT NULL, device_id TEXT, held_until INTEGER, held_for TEXT
);
CREATE INDEX label_device ON label (device_id);
CREATE INDEX label_held_until ON label (held_until);
CREATE INDEX label_held_for ON label (held_for);
