/** The erasure ledger in a folder: one small file an entry, replaced whole, on the disk when `put` returns. */

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Ledger, Random } from "../../db/primitives.ts";
import { limits } from "../../protocol/limits.ts";
import { isMissing, removeUnfinished, syncFolder, unfinishedPath, writeDurably } from "./keys.ts";

export function folderLedger(folder: string, random: Random): Ledger {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  removeUnfinished(folder);
  const pathOf = (id: string) => join(folder, encodeURIComponent(id));
  return {
    async put(id, text) {
      const unfinished = unfinishedPath(folder, random);
      writeDurably(unfinished, new TextEncoder().encode(text));
      renameSync(unfinished, pathOf(id));
      syncFolder(folder);
    },
    async get(id) {
      try {
        return readFileSync(pathOf(id), "utf8");
      } catch (error) {
        if (isMissing(error)) return null;
        throw error;
      }
    },
    list: async (prefix) =>
      readdirSync(folder)
        .map(decodeURIComponent)
        .filter((id) => id.startsWith(prefix))
        .sort()
        .slice(0, limits.ledgerPage),
    async delete(id) {
      rmSync(pathOf(id), { force: true });
      syncFolder(folder);
    },
  };
}
