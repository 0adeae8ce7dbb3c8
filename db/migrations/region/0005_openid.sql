CREATE TABLE oauth_grant (
  id TEXT PRIMARY KEY NOT NULL, slot_hash TEXT NOT NULL UNIQUE, account_id TEXT NOT NULL,
  client_id TEXT NOT NULL, scope TEXT NOT NULL, app_sealed TEXT NOT NULL,
  created_at INTEGER NOT NULL, used_day INTEGER NOT NULL
);
CREATE INDEX oauth_grant_account ON oauth_grant (account_id, client_id);
CREATE INDEX oauth_grant_client ON oauth_grant (client_id);
CREATE TABLE oauth_code (
  code_hash TEXT PRIMARY KEY NOT NULL, account_id TEXT NOT NULL, grant_id TEXT NOT NULL,
  client_id TEXT NOT NULL, chain TEXT, request_sealed TEXT NOT NULL,
  expires_at INTEGER NOT NULL
);
CREATE INDEX oauth_code_account ON oauth_code (account_id);
CREATE INDEX oauth_code_grant ON oauth_code (grant_id);
CREATE INDEX oauth_code_chain ON oauth_code (chain);
CREATE INDEX oauth_code_expires_at ON oauth_code (expires_at);
CREATE TABLE oauth_token (
  token_hash TEXT PRIMARY KEY NOT NULL, kind TEXT NOT NULL, account_id TEXT NOT NULL,
  grant_id TEXT NOT NULL, client_id TEXT NOT NULL, chain TEXT NOT NULL, turn INTEGER NOT NULL,
  scope TEXT NOT NULL, methods TEXT NOT NULL, auth_at INTEGER NOT NULL, began_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL
);
CREATE INDEX oauth_token_account ON oauth_token (account_id);
CREATE INDEX oauth_token_grant ON oauth_token (grant_id);
CREATE INDEX oauth_token_chain ON oauth_token (chain, kind, turn);
CREATE INDEX oauth_token_expires_at ON oauth_token (expires_at);
