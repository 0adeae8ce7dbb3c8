/** Starts `deno task serve`'s command as a child process, with the permissions that the task gives. */

import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { buildConsole } from "../../scripts/build-console.ts";
import type { Runtime } from "./runtime.ts";

const ROOT = join(import.meta.dirname, "../..");
export const DENO = join(ROOT, "node_modules/.bin/deno");

/** What went wrong on our side: an answer of 5xx, an event or a sweep that failed. */
const FAULT = /"event":"(internal-error|device-event-failed|background-failed|sweep-failed)"/;

export const deno: Runtime = {
  name: "Deno",
  async start({ data, port, variables }) {
    await buildConsole();
    const server = new DenoServer(["--port", String(port), "--data", data], variables);
    await server.said(/^Latchkey on /);
    return {
      async sweep() {
        const swept = server.said(/^Swept\.$/);
        server.child.kill("SIGHUP");
        await swept;
      },
      stop: () => server.end("SIGTERM"),
      kill: () => server.end("SIGKILL"),
      log: server.lines,
    };
  },
};

/** One server process and what it says to people. */
export class DenoServer {
  readonly child: ChildProcess;
  /** Resolves with the exit code, or null when a signal ended it. */
  readonly ended: Promise<number | null>;
  readonly lines: string[] = [];
  /** Lines of its log that no input may bring about. */
  readonly #faults: string[] = [];
  readonly #waiting = new Set<(line: string) => void>();

  constructor(
    options: readonly string[],
    variables: Readonly<Record<string, string>> = {},
    { file, args } = denoCommand(),
  ) {
    const { PATH = "", HOME = "" } = process.env;
    this.child = spawn(file, [...args, ...options], {
      cwd: ROOT,
      env: { PATH, HOME, NO_COLOR: "1", ...variables },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const lines = createInterface({ input: this.child.stderr as Readable });
    lines.on("line", (line) => {
      this.lines.push(line);
      if (FAULT.test(line)) this.#faults.push(line);
      for (const heard of this.#waiting) heard(line);
    });
    this.ended = new Promise((resolve) => {
      this.child.once("close", (code) => resolve(code));
    });
  }

  /** @throws when it was asked to end and did not end cleanly, or logged a fault of its own */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    this.child.kill(signal);
    const code = await this.ended;
    if (signal === "SIGTERM" && code !== 0) {
      throw new Error(`it ended with ${code}: ${this.lines.join("\n")}`);
    }
    if (this.#faults.length > 0) throw new Error(`it logged ${this.#faults.join("\n")}`);
  }

  /** The next line that matches; rejects with all that was said when the process ends first. */
  said(pattern: RegExp): Promise<string> {
    return new Promise((resolve, reject) => {
      const heard = (line: string) => {
        if (!pattern.test(line)) return;
        this.#waiting.delete(heard);
        resolve(line);
      };
      this.#waiting.add(heard);
      void this.ended.then((code) =>
        reject(new Error(`it ended (${code}): ${this.lines.join("\n")}`)),
      );
    });
  }
}

/** How the task starts `entry` (the server by default): the same program, the same permissions. */
export function denoCommand(entry?: string): { file: string; args: string[] } {
  const { tasks } = JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8"));
  const words = (tasks.serve as string).split(" ");
  const args = words.slice(words.lastIndexOf("deno") + 1, -1);
  return { file: DENO, args: [...args, entry ?? join(ROOT, words.at(-1) ?? "")] };
}
