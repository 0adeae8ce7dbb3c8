/** The built files from a folder, read once: a later build takes none away from under a page. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Assets } from "../ports.ts";
import { StartError } from "./settings.ts";

/** @throws StartError when nothing is built */
export function folderAssets(folder: string): Assets {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    throw new StartError(`The console is not built: ${folder} is missing. Run \`npm run build\`.`);
  }
  const files = new Map(names.map((name) => [name, readFileSync(join(folder, name))]));
  return { get: async (name) => files.get(name) ?? null };
}
