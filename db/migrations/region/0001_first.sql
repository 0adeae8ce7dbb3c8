CREATE TABLE account (
  id TEXT PRIMARY KEY NOT NULL, created_at INTEGER NOT NULL, active_day INTEGER NOT NULL,
  warnings INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX account_active_day ON account (active_day);
CREATE TABLE identifier (
  id TEXT PRIMARY KEY NOT NULL, account_id TEXT NOT NULL, kind TEXT NOT NULL,
  address_sealed TEXT NOT NULL, is_primary INTEGER NOT NULL, verified_at INTEGER NOT NULL
);
CREATE INDEX identifier_account ON identifier (account_id);
CREATE TABLE password (
  account_id TEXT PRIMARY KEY NOT NULL, phc_sealed TEXT NOT NULL, changed_at INTEGER NOT NULL
);
CREATE TABLE session (
  token_hash TEXT PRIMARY KEY NOT NULL, id TEXT NOT NULL UNIQUE, account_id TEXT NOT NULL,
  client_sealed TEXT NOT NULL, methods TEXT NOT NULL, created_at INTEGER NOT NULL,
  confirmed_at INTEGER NOT NULL, seen_at INTEGER NOT NULL, expires_at INTEGER NOT NULL
);
CREATE INDEX session_account ON session (account_id);
CREATE INDEX session_expires_at ON session (expires_at);
CREATE TABLE challenge (
  token_hash TEXT PRIMARY KEY NOT NULL, account_id TEXT NOT NULL, kind TEXT NOT NULL,
  payload_sealed TEXT NOT NULL, expires_at INTEGER NOT NULL
);
CREATE INDEX challenge_account ON challenge (account_id);
CREATE INDEX challenge_expires_at ON challenge (expires_at);
CREATE TABLE activity (
  id TEXT PRIMARY KEY NOT NULL, account_id TEXT NOT NULL, event TEXT NOT NULL,
  detail_sealed TEXT NOT NULL, at INTEGER NOT NULL, expires_at INTEGER NOT NULL
);
CREATE INDEX activity_account ON activity (account_id, at);
CREATE INDEX activity_expires_at ON activity (expires_at);
CREATE TABLE second_step (
  id TEXT PRIMARY KEY NOT NULL, account_id TEXT NOT NULL, kind TEXT NOT NULL,
  secret_sealed TEXT NOT NULL, last_step INTEGER NOT NULL, created_at INTEGER NOT NULL,
  confirmed_at INTEGER
);
CREATE INDEX second_step_account ON second_step (account_id);
CREATE TABLE recovery_code (
  code_hash TEXT PRIMARY KEY NOT NULL, account_id TEXT NOT NULL, created_at INTEGER NOT NULL,
  used_at INTEGER
);
CREATE INDEX recovery_code_account ON recovery_code (account_id);
CREATE TABLE trusted_browser (
  token_hash TEXT PRIMARY KEY NOT NULL, id TEXT NOT NULL UNIQUE, account_id TEXT NOT NULL,
  client_sealed TEXT NOT NULL, created_at INTEGER NOT NULL, seen_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
);
CREATE INDEX trusted_browser_account ON trusted_browser (account_id);
CREATE INDEX trusted_browser_expires_at ON trusted_browser (expires_at);
CREATE TABLE sign_in (
  token_hash TEXT PRIMARY KEY NOT NULL, account_id TEXT NOT NULL, methods TEXT NOT NULL,
  expires_at INTEGER NOT NULL
);
CREATE INDEX sign_in_account ON sign_in (account_id);
CREATE INDEX sign_in_expires_at ON sign_in (expires_at);
CREATE TABLE device (
  id TEXT PRIMARY KEY NOT NULL, account_id TEXT NOT NULL, created_at INTEGER NOT NULL, ends_at INTEGER,
  names_at INTEGER,
  domains_at INTEGER,
  tokens_at INTEGER
);
CREATE INDEX device_account ON device (account_id);
CREATE INDEX device_ends_at ON device (ends_at);
CREATE INDEX device_names_at ON device (names_at);
CREATE INDEX device_domains_at ON device (domains_at);
CREATE INDEX device_tokens_at ON device (tokens_at);
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
