/** The keys of a data folder, as bytes: what was destroyed must be in no file of it. */

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { contentOf } from "./canary.ts";

const KEY_BYTES = 32;

async function filesIn(folder: string): Promise<Buffer[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  return await Promise.all(names.map((name) => contentOf(name)));
}

/** The keys in the key store of `folder`: files of exactly a key's length. */
export async function keysIn(folder: string): Promise<Buffer[]> {
  return (await filesIn(folder)).filter((bytes) => bytes.length === KEY_BYTES);
}

/** The keys that are there now and were not `before`. */
export async function newKeysIn(folder: string, before: readonly Buffer[]): Promise<Buffer[]> {
  return (await keysIn(folder)).filter((key) => !before.some((known) => known.equals(key)));
}

/** Which of `keys` are in the bytes of some file of `folder`. */
export async function keysFoundIn(folder: string, keys: readonly Buffer[]): Promise<Buffer[]> {
  const all = await filesIn(folder);
  return keys.filter((key) => all.some((bytes) => bytes.includes(key)));
}
