/** What Linux knows of a running process: which one listens, what it holds. */

import { readdir, readFile, readlink } from "node:fs/promises";

/** The process that listens on a loopback port. */
export async function processOn(port: number): Promise<number> {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  const tables = await Promise.all(
    ["tcp", "tcp6"].map((name) => readFile(`/proc/net/${name}`, "utf8")),
  );
  const rows = tables.flatMap((table) => table.split("\n").map((line) => line.trim().split(/\s+/)));
  const listening = rows.find((row) => row[1]?.endsWith(`:${hex}`) && row[3] === "0A");
  const wanted = `socket:[${listening?.[9]}]`;
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    if ((await openFiles(pid)).includes(wanted)) return Number(pid);
  }
  throw new Error(`nobody listens on port ${port}`);
}

/** What each open file of a process leads to, as the kernel names it. */
export async function openFiles(pid: number | string): Promise<string[]> {
  const files = await readdir(`/proc/${pid}/fd`).catch(() => []);
  return await Promise.all(
    files.map((file) => readlink(`/proc/${pid}/fd/${file}`).catch(() => "")),
  );
}

/** How many sockets a process has open. */
export async function openSockets(pid: number | string): Promise<number> {
  return (await openFiles(pid)).filter((file) => file.startsWith("socket:")).length;
}

/** Resident memory in bytes. */
export async function memoryBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}
