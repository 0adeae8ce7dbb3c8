/** What a person may say to `npm start -- …`, and the sentences for what cannot work. */

import { mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

/** A sentence for the person at the terminal; the program ends with it. */
export class Sentence extends Error {}

export interface StartOptions {
  readonly port: number;
  readonly data: string;
  readonly bare: boolean;
  readonly json: boolean;
}

export const usage = `Usage: npm start -- [options]

  --port <n>     where to listen on this machine (8787)
  --data <dir>   where to keep everything (.latchkey)
  --bare         no demo account, no demo device
  --json         print one JSON line on standard output when ready, everything else on standard error
  --help         this text
`;

/** Reads the command line; null when only the usage was asked for. */
export function readOptions(args: readonly string[]): StartOptions | null {
  let values: { port?: string; data?: string; bare?: boolean; json?: boolean; help?: boolean };
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        port: { type: "string" },
        data: { type: "string" },
        bare: { type: "boolean" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }));
  } catch (error) {
    throw new Sentence(`${error instanceof Error ? error.message : error}\n\n${usage}`);
  }
  if (values.help) return null;
  const port = Number(values.port ?? "8787");
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new Sentence(`--port takes a number from 1 to 65535, not "${values.port}".`);
  }
  return {
    port,
    data: resolve(values.data ?? ".latchkey"),
    bare: values.bare ?? false,
    json: values.json ?? false,
  };
}

/** Makes sure that the port is free. */
export function checkPort(port: number): Promise<void> {
  return new Promise((ready, refuse) => {
    const probe = createServer();
    probe.once("error", (error: NodeJS.ErrnoException) => {
      const why =
        error.code === "EADDRINUSE"
          ? `Port ${port} is taken. Stop what uses it, or choose another: npm start -- --port ${port + 1}`
          : `Port ${port} cannot be used (${error.code}). Choose another: npm start -- --port 8787`;
      refuse(new Sentence(why));
    });
    probe.listen(port, "127.0.0.1", () => probe.close(() => ready()));
  });
}

/**
 * Makes the data folder and takes its lock, so that two starts never share one.
 * @returns releases the lock
 */
export async function takeFolder(folder: string): Promise<() => Promise<void>> {
  const lock = join(folder, "lock");
  try {
    // One level only: Node's recursive mkdir never returns where a file system refuses with ENOENT.
    await mkdir(folder, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
    const holder = Number(await readFile(lock, "utf8").catch(() => "0"));
    if (holder > 0 && holder !== process.pid && isAlive(holder)) {
      throw new Sentence(
        `${folder} is in use by another start (process ${holder}). Stop it, or choose another folder with --data.`,
      );
    }
    await writeFile(lock, String(process.pid));
    const handle = await open(join(folder, ".write-test"), "w");
    await handle.close();
    await rm(join(folder, ".write-test"));
  } catch (error) {
    if (error instanceof Sentence) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
    const why = code === "ENOENT" ? "the folder above it does not exist" : code;
    throw new Sentence(
      `${folder} cannot be used as the data folder (${why}). Choose another with --data.`,
    );
  }
  return () => rm(lock, { force: true });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
