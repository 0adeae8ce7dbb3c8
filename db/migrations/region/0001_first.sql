CREATE TABLE account (id TEXT PRIMARY KEY NOT NULL, created_at INTEGER NOT NULL);
CREATE TABLE identifier (
  id TEXT PRIMARY KEY NOT NULL, account_id TEXT NOT NULL, kind TEXT NOT NULL,
  address_sealed TEXT NOT NULL, verified_at INTEGER NOT NULL
);
CREATE INDEX identifier_account ON identifier (account_id);
CREATE TABLE password (
  account_id TEXT PRIMARY KEY NOT NULL, phc_sealed TEXT NOT NULL, changed_at INTEGER NOT NULL
);
CREATE TABLE session (
  token_hash TEXT PRIMARY KEY NOT NULL, id TEXT NOT NULL UNIQUE, account_id TEXT NOT NULL,
  client_sealed TEXT NOT NULL, created_at INTEGER NOT NULL, seen_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
);
CREATE INDEX session_account ON session (account_id);
CREATE INDEX session_expires_at ON session (expires_at);
CREATE TABLE challenge (
  token_hash TEXT PRIMARY KEY NOT NULL, account_id TEXT NOT NULL, kind TEXT NOT NULL,
  contact_sealed TEXT NOT NULL, phc_sealed TEXT NOT NULL, expires_at INTEGER NOT NULL
);
CREATE INDEX challenge_account ON challenge (account_id);
CREATE INDEX challenge_expires_at ON challenge (expires_at);
CREATE TABLE device (
  id TEXT PRIMARY KEY NOT NULL, account_id TEXT NOT NULL, created_at INTEGER NOT NULL, ends_at INTEGER
);
CREATE INDEX device_account ON device (account_id);
CREATE INDEX device_ends_at ON device (ends_at);
CREATE TABLE device_guest (id TEXT PRIMARY KEY NOT NULL, account_id TEXT NOT NULL, device_id TEXT NOT NULL);
CREATE INDEX device_guest_account ON device_guest (account_id);
CREATE INDEX device_guest_device ON device_guest (device_id);
CREATE TABLE enrolment (
  device_code_hash TEXT PRIMARY KEY NOT NULL, user_code_hash TEXT NOT NULL UNIQUE,
  public_key TEXT NOT NULL, polled_at INTEGER NOT NULL, interval_ms INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
);
CREATE INDEX enrolment_expires_at ON enrolment (expires_at);
CREATE TABLE enrolment_grant (
  device_code_hash TEXT PRIMARY KEY NOT NULL, account_id TEXT NOT NULL, device_id TEXT NOT NULL,
  expires_at INTEGER NOT NULL
);
CREATE INDEX enrolment_grant_account ON enrolment_grant (account_id);
CREATE INDEX enrolment_grant_expires_at ON enrolment_grant (expires_at);
CREATE TABLE sweep (
  name TEXT PRIMARY KEY NOT NULL, lease_until INTEGER NOT NULL, ran_at INTEGER NOT NULL,
  deleted INTEGER NOT NULL
);
