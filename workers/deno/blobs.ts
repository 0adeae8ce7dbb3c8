/** Objects in a folder: one file each, replaced whole, on the disk when `put` returns. */

import { mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { BlobName, BlobStore, Random } from "../../db/primitives.ts";
import { isMissing, removeUnfinished, syncFolder, unfinishedPath, writeDurably } from "./keys.ts";

export function folderBlobs(folder: string, random: Random): BlobStore {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  removeUnfinished(folder);
  const pathOf = (name: BlobName) => join(folder, encodeURIComponent(name));
  return {
    async put(name, bytes) {
      const unfinished = unfinishedPath(folder, random);
      writeDurably(unfinished, bytes);
      renameSync(unfinished, pathOf(name));
      syncFolder(folder);
    },
    async get(name) {
      try {
        return new Uint8Array(readFileSync(pathOf(name)));
      } catch (error) {
        if (isMissing(error)) return null;
        throw error;
      }
    },
    async delete(name) {
      rmSync(pathOf(name), { force: true });
      syncFolder(folder);
    },
  };
}
