CREATE TABLE profile_field (
  id TEXT PRIMARY KEY NOT NULL, account_id TEXT NOT NULL, field TEXT NOT NULL,
  value_sealed TEXT NOT NULL, visibility TEXT NOT NULL, changed_at INTEGER NOT NULL
);
CREATE INDEX profile_field_account ON profile_field (account_id);
CREATE TABLE contact_edge (
  id TEXT PRIMARY KEY NOT NULL, account_id TEXT NOT NULL, other_id TEXT NOT NULL,
  state TEXT NOT NULL, since INTEGER NOT NULL, expires_at INTEGER
);
CREATE INDEX contact_edge_account ON contact_edge (account_id);
CREATE INDEX contact_edge_other ON contact_edge (other_id);
CREATE INDEX contact_edge_expires_at ON contact_edge (expires_at);
