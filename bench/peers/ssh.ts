/** The peer that everybody has: `ssh -R` through an sshd of our own on loopback. */

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { ended, freePort, listens } from "../processes.ts";
import type { Peer } from "./peers.ts";

const SSHD = "/usr/sbin/sshd";

/** Forwards a port to `127.0.0.1:originPort` through sshd; null where OpenSSH's server is not. */
export async function startSsh(originPort: number): Promise<Peer | null> {
  if (!existsSync(SSHD)) return null;
  const [sshPort, port] = [await freePort(), await freePort()];
  const folder = await mkdtemp(join(tmpdir(), "latchkey-ssh-"));
  const key = join(folder, "key");
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
  await mkdir("/run/sshd", { recursive: true });
  await writeFile(
    join(folder, "sshd_config"),
    `Port ${sshPort}\nListenAddress 127.0.0.1\nHostKey ${key}\nAuthorizedKeysFile ${key}.pub
PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\n`,
  );
  const started: ChildProcess[] = [
    spawn(SSHD, ["-D", "-q", "-f", join(folder, "sshd_config")], { stdio: "ignore" }),
  ];
  await listens(sshPort);
  started.push(
    spawn(
      "ssh",
      [
        ...["-N", "-q", "-i", key, "-p", String(sshPort), "-o", "StrictHostKeyChecking=no"],
        ...["-o", "UserKnownHostsFile=/dev/null", "-R", `${port}:127.0.0.1:${originPort}`],
        `${userInfo().username}@127.0.0.1`,
      ],
      { stdio: "ignore" },
    ),
  );
  await listens(port);
  return {
    way: { origin: `http://127.0.0.1:${port}`, through: started.map(({ pid = 0 }) => pid) },
    async close() {
      for (const child of started.reverse()) await ended(child);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
