CREATE TABLE linked (hash TEXT PRIMARY KEY NOT NULL, account_id TEXT NOT NULL, identity_id TEXT NOT NULL);
CREATE INDEX linked_account ON linked (account_id);
