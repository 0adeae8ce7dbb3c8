CREATE TABLE personal_token (
  token_hash TEXT PRIMARY KEY NOT NULL, id TEXT NOT NULL UNIQUE, account_id TEXT NOT NULL,
  name_sealed TEXT NOT NULL, scopes TEXT NOT NULL, created_at INTEGER NOT NULL, used_day INTEGER,
  expires_at INTEGER NOT NULL
);
CREATE INDEX personal_token_account ON personal_token (account_id);
CREATE INDEX personal_token_expires_at ON personal_token (expires_at);
