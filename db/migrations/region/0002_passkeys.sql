CREATE TABLE passkey (
  id TEXT PRIMARY KEY NOT NULL, account_id TEXT NOT NULL, credential_hash TEXT NOT NULL UNIQUE,
  credential_sealed TEXT NOT NULL, name_sealed TEXT NOT NULL, counter INTEGER NOT NULL,
  backed_up INTEGER NOT NULL, created_at INTEGER NOT NULL, used_day INTEGER
);
CREATE INDEX passkey_account ON passkey (account_id);
CREATE TABLE ceremony (
  challenge_hash TEXT PRIMARY KEY NOT NULL, kind TEXT NOT NULL, account_id TEXT,
  expires_at INTEGER NOT NULL
);
CREATE INDEX ceremony_account ON ceremony (account_id);
CREATE INDEX ceremony_expires_at ON ceremony (expires_at);
