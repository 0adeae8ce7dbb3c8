CREATE TABLE zone_key (
  slot INTEGER PRIMARY KEY NOT NULL, public_key TEXT NOT NULL, private_sealed TEXT NOT NULL,
  created_at INTEGER NOT NULL, signs_at INTEGER NOT NULL
);
