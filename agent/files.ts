/** What the agent keeps as JSON: in files that their owner alone can read, written whole or not at all. */

import { chmod, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { AgentFailure, reasonOf } from "./failure.ts";

export const FOLDER_MODE = 0o700;
export const FILE_MODE = 0o600;

/** What stands in the file; null when there is none. @throws AgentFailure when it cannot be read */
export async function readJson<T>(path: string): Promise<T | null> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as T;
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return null;
    throw new AgentFailure(`${path} cannot be read: ${reasonOf(error)}`);
  }
}

/**
 * Writes whole or not at all: a power cut leaves the old file or the new one.
 * @param hidden the folder is closed to others also where it was there before
 * @throws AgentFailure when it cannot be written
 */
export async function writeJson(path: string, value: unknown, hidden = false): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: FOLDER_MODE });
    if (hidden) await chmod(dirname(path), FOLDER_MODE);
    const draft = `${path}.new`;
    await rm(draft, { force: true });
    await writeFile(draft, `${JSON.stringify(value, null, 2)}\n`, { mode: FILE_MODE, flag: "wx" });
    await rename(draft, path);
  } catch (error) {
    throw new AgentFailure(`${path} cannot be written: ${reasonOf(error)}`);
  }
}
