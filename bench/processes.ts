/** Programs that a lane runs beside itself, and what they cost; from Linux's /proc where it is there. */

import { type ChildProcess, fork } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { connect, createServer } from "node:net";

const READY_WITHIN_MS = 10_000;
const ASK_EVERY_MS = 20;
/** USER_HZ: Linux shows times to programs in hundredths of a second on every machine. */
const MS_PER_TICK = 10;

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));

/** Resolves when something listens on the port. */
export async function listens(port: number): Promise<void> {
  const until = performance.now() + READY_WITHIN_MS;
  while (!(await isOpen(port))) {
    if (performance.now() > until) throw new Error(`nothing listens on port ${port}`);
    await sleep(ASK_EVERY_MS);
  }
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

/** Ends a program of ours; resolves when it is gone. */
export function ended(child: ChildProcess, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill(signal);
  });
}

/** A program of the bench in a process of its own, which is asked and answers, one after the other. */
export class Helper {
  readonly child: ChildProcess;

  constructor(file: string, ...args: readonly string[]) {
    this.child = fork(file, args, { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  }

  /** The next thing it says. @throws Error when it ends instead */
  next<T>(): Promise<T> {
    return new Promise((resolve, reject) => {
      const gone = () => reject(new Error(`${this.child.spawnargs[1]} ended`));
      this.child.once("exit", gone);
      this.child.once("message", (message) => {
        this.child.off("exit", gone);
        resolve(message as T);
      });
    });
  }

  ask<T>(question: string): Promise<T> {
    const answer = this.next<T>();
    this.child.send(question);
    return answer;
  }

  close(): Promise<void> {
    return ended(this.child);
  }
}

/** Every process there is. */
function processes(): Map<number, Stat> {
  const all = new Map<number, Stat>();
  for (const pid of readdirSync("/proc").map(Number)) {
    const stat = Number.isNaN(pid) ? null : statOf(pid);
    if (stat !== null) all.set(pid, stat);
  }
  return all;
}

/** The runtimes that this process has started and that live. */
export function runtimes(): number[] {
  return [...processes()]
    .filter(([, { name, parent }]) => name === "workerd" && parent === process.pid)
    .map(([pid]) => pid);
}

/** The children of this process that run this file. */
export function running(file: string): number[] {
  return [...processes()]
    .filter(([, { parent }]) => parent === process.pid)
    .map(([pid]) => pid)
    .filter((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes(file));
}

/** Bytes of memory that a process holds. */
export function memoryOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) * 1024;
}

/** Milliseconds of CPU that a process has used, to the hundredth of a second. */
export function cpuMsOf(pid: number): number {
  return statOf(pid)?.cpuMs ?? Number.NaN;
}

/** The same of several processes and all that they have started. */
export function cpuMsOfAll(roots: readonly number[]): number {
  const all = processes();
  const below = (pid: number): boolean => {
    if (roots.includes(pid)) return true;
    const parent = all.get(pid)?.parent ?? 0;
    return parent > 0 && below(parent);
  };
  let sum = 0;
  for (const [pid, { cpuMs }] of all) if (below(pid)) sum += cpuMs;
  return sum;
}

interface Stat {
  readonly name: string;
  readonly parent: number;
  readonly cpuMs: number;
}

/** What /proc says of a process; null when it is gone. */
function statOf(pid: number): Stat | null {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return null;
  }
}

/** Reads a line of /proc/<pid>/stat: the name stands in brackets and may hold any character. */
export function parseStat(text: string): Stat {
  const close = text.lastIndexOf(")");
  const fields = text.slice(close + 2).split(" ");
  const [user, system] = [Number(fields[11]), Number(fields[12])];
  return {
    name: text.slice(text.indexOf("(") + 1, close),
    parent: Number(fields[1]),
    cpuMs: (user + system) * MS_PER_TICK,
  };
}

/** How many files a process may open, as /proc/<pid>/limits says. */
export function maxOpenFiles(limits: string): number {
  return Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
}
