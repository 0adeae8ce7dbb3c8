/**
 * Keys in a folder: one file a key, readable by this user only, made at once or not at all.
 *
 * A destroyed key's file is gone from the folder when `destroy` returns. What the medium below keeps
 * of freed blocks, and what a backup of the folder keeps, is the operator's to choose: put the
 * folder on an encrypted disk and leave it out of backups that are older than the promise.
 */

import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { KeyName, KeyStore, Random } from "../../db/primitives.ts";
import { base64url } from "../../protocol/tokens.ts";

const KEY_BYTES = 32;
/** A file that is still being written; one left by a crash is removed at the next start. */
const UNFINISHED = ".new-";

export class FolderKeyStore implements KeyStore {
  readonly #folder: string;
  readonly #random: Random;

  constructor(folder: string, random: Random) {
    this.#folder = folder;
    this.#random = random;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    removeUnfinished(folder);
  }

  async get(name: KeyName): Promise<Uint8Array<ArrayBuffer> | null> {
    try {
      const key = new Uint8Array(readFileSync(this.#path(name)));
      if (key.length !== KEY_BYTES) throw new Error("a key file has the wrong size");
      return key;
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  async getOrCreate(name: KeyName): Promise<Uint8Array<ArrayBuffer>> {
    const existing = await this.get(name);
    if (existing !== null) return existing;
    const unfinished = unfinishedPath(this.#folder, this.#random);
    writeDurably(unfinished, this.#random.bytes(KEY_BYTES));
    try {
      // A link never replaces: only the first of two writers wins, and the file is whole.
      linkSync(unfinished, this.#path(name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    } finally {
      rmSync(unfinished, { force: true });
    }
    syncFolder(this.#folder);
    const key = await this.get(name);
    if (key === null) throw new Error("the key store lost a key that was just written");
    return key;
  }

  async destroy(name: KeyName): Promise<void> {
    rmSync(this.#path(name), { force: true });
    syncFolder(this.#folder);
  }

  /** `/` becomes `%2F`: every name is one file directly in the folder. */
  #path(name: KeyName): string {
    return join(this.#folder, encodeURIComponent(name));
  }
}

/** A path in `folder` that no reader looks at. */
export function unfinishedPath(folder: string, random: Random): string {
  return join(folder, UNFINISHED + base64url(random.bytes(12)));
}

/** Removes what a crash left half written. */
export function removeUnfinished(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (name.startsWith(UNFINISHED)) rmSync(join(folder, name), { force: true });
  }
}

/** Writes a new file, for this user only, and waits until it is on the disk. */
export function writeDurably(path: string, data: Uint8Array): void {
  const file = openSync(path, "wx", 0o600);
  try {
    writeFileSync(file, data);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Puts the names in a folder on the disk. */
export function syncFolder(folder: string): void {
  const handle = openSync(folder, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

export function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}
