/** `front/main.ts` as a program, which ends when one of its threads does. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";

const MAIN = join(import.meta.dirname, "../../front/main.ts");

/** Ends the first of the other threads when the program is told to. */
const ENDING = `
  import threads from "node:worker_threads";
  import { syncBuiltinESMExports } from "node:module";
  if (threads.isMainThread) {
    threads.Worker = class extends threads.Worker {
      constructor(...how) {
        super(...how);
        process.once("SIGUSR2", () => void this.terminate());
      }
    };
    syncBuiltinESMExports();
  }`;

describe("npm run dns", () => {
  it("ends with a sentence and 1 when a thread has ended, and does not answer with the rest", async () => {
    const hook = `data:text/javascript,${encodeURIComponent(ENDING)}`;
    const args = ["--import", hook, MAIN, "--port", "0", "--threads", "3"];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    onTestFinished(() => void child.kill("SIGKILL"));
    let said = "";
    child.stderr.on("data", (chunk) => {
      said += chunk;
    });
    const [line] = await once(child.stdout, "data");
    expect(String(line)).toContain("by 3 threads");
    child.kill("SIGUSR2");
    expect(await once(child, "exit")).toEqual([1, null]);
    expect(said).toBe("A thread of this name server ended.\n");
  });
});
