/** The data folder: made when absent, for this user only, and held by one process at a time. */

import { join } from "node:path";
import { StartError } from "./settings.ts";

/**
 * Takes the folder; the operating system gives it back when the process ends, however it ends.
 * @returns lets go of it
 * @throws StartError when it cannot be used or another process uses it
 */
export function takeFolder(folder: string): () => void {
  // Whatever is written from here on, the databases' own files too, is this user's alone.
  Deno.umask(0o077);
  let lock: Deno.FsFile;
  try {
    Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
    lock = Deno.openSync(join(folder, "lock"), { create: true, write: true, mode: 0o600 });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartError(`The data folder ${folder} cannot be used: ${reason}.`);
  }
  if (!lock.tryLockSync(true)) {
    lock.close();
    throw new StartError(
      `Another Latchkey uses the data folder ${folder}. Stop it, or choose another with --data.`,
    );
  }
  return () => lock.close();
}
