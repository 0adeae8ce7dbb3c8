CREATE TABLE signing_key (
  slot TEXT PRIMARY KEY NOT NULL, alg TEXT NOT NULL, kid TEXT NOT NULL, public_jwk TEXT NOT NULL,
  private_sealed TEXT NOT NULL, created_at INTEGER NOT NULL, starts_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
);
CREATE INDEX signing_key_expires_at ON signing_key (expires_at);
