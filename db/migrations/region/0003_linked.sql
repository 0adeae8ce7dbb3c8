CREATE TABLE linked_identity (
  id TEXT PRIMARY KEY NOT NULL,
  account_id TEXT NOT NULL,
  claims_sealed TEXT NOT NULL,
  linked_at INTEGER NOT NULL,
  used_day INTEGER
);
CREATE INDEX linked_identity_account ON linked_identity (account_id);
