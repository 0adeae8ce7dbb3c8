/** The peer that everybody has: `ssh -R` through an sshd of our own on loopback. */

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";

const SSHD = "/usr/sbin/sshd";
const READY_WITHIN_MS = 10_000;
const ASK_EVERY_MS = 50;

export interface Tunnel {
  /** Forwarded to the origin. */
  readonly origin: string;
  close(): Promise<void>;
}

/** True where OpenSSH's server is installed. */
export const hasSshd = existsSync(SSHD);

/** Forwards `sshPort + 1` to `127.0.0.1:originPort` through sshd on `sshPort`. */
export async function startSshTunnel(originPort: number, sshPort: number): Promise<Tunnel> {
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
  await answers(sshPort);
  const port = sshPort + 1;
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
  await answers(port);
  return {
    origin: `http://127.0.0.1:${port}`,
    async close() {
      for (const child of started.reverse()) child.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Resolves when something listens on the port. */
async function answers(port: number): Promise<void> {
  const until = performance.now() + READY_WITHIN_MS;
  for (;;) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.destroy();
        resolve(true);
      });
      socket.on("error", () => resolve(false));
    });
    if (open) return;
    if (performance.now() > until) throw new Error(`nothing listens on port ${port}`);
    await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
  }
}
