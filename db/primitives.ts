/** The few effects that data and device logic need; each is injected, so tests own time and chance. */

/** Milliseconds since the Unix epoch. The only way to read the time. */
export interface Clock {
  now(): number;
}

/** Cryptographically strong random bytes. */
export interface Random {
  bytes(count: number): Uint8Array<ArrayBuffer>;
}

/**
 * A store of 32-byte keys **without history**: what a key sealed is gone the moment it is destroyed,
 * in every copy. Names hold random identifiers only, for a store may remember names.
 */
export interface KeyStore {
  get(name: KeyName): Promise<Uint8Array<ArrayBuffer> | null>;
  /** Returns the key, making it when absent; two callers at once get the same key. */
  getOrCreate(name: KeyName): Promise<Uint8Array<ArrayBuffer>>;
  destroy(name: KeyName): Promise<void>;
}

/**
 * Objects too large for a row, each sealed before it comes here. No history: what is deleted or
 * replaced is gone. Names hold random identifiers only, and begin with a prefix of the data map.
 */
export interface BlobStore {
  put(name: BlobName, bytes: Uint8Array): Promise<void>;
  get(name: BlobName): Promise<Uint8Array<ArrayBuffer> | null>;
  delete(name: BlobName): Promise<void>;
}

/** Proofs of erasure. No history; names hold a time and a random identifier only. */
export interface Ledger {
  put(id: string, text: string): Promise<void>;
  get(id: string): Promise<string | null>;
  /** Names that begin with `prefix`, in order; at most `limits.ledgerPage`. */
  list(prefix: string): Promise<string[]>;
  delete(id: string): Promise<void>;
}

/** `photo/<account>`. */
export type BlobName = `photo/${string}`;

/** `person/<account>`, `feature/<device>/<feature>`, `system/<use>`. */
export type KeyName = `person/${string}` | `feature/${string}/${string}` | `system/${string}`;
