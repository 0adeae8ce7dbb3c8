/** Programs from the system's packages: run as a person would, and missed with a sentence. */

import { execFile } from "node:child_process";

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `command` to its end, whatever its exit code. Rejects when it is not installed. */
export function run(command: string, args: readonly string[], install: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    execFile(command, [...args], { timeout: 30_000 }, (error, stdout, stderr) => {
      if (error?.code === "ENOENT") {
        reject(new Error(`${command} is not installed: ${install}`));
      } else {
        resolve({
          code: typeof error?.code === "number" ? error.code : error ? -1 : 0,
          stdout,
          stderr,
        });
      }
    });
  });
}
