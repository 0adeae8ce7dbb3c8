/** OpenSSH through a tunnel: an sshd of this test, `ssh` and `scp` as a person calls them. */

import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort } from "../contract/runtime.ts";
import { World } from "../contract/suite/world.ts";
import { workerd } from "../contract/workerd.ts";
import { accessToken, TunnelBox } from "../support/tunnel.ts";
import { run } from "./program.ts";

const INSTALL = "apt-get install openssh-server openssh-client rsync";
const AGENT = join(import.meta.dirname, "../../agent/main.ts");
const SIZE = 200 * 1000 * 1000;

/** Resolves once something listens. */
async function listening(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, "127.0.0.1");
    const [up] = await Promise.race([
      once(socket, "connect").then(() => [true]),
      once(socket, "close").then(() => [false]),
    ]).catch(() => [false]);
    socket.destroy();
    if (up) return;
  }
}

describe("ssh through a tunnel", { timeout: 240_000 }, () => {
  let world: World;
  let box: TunnelBox;
  let folder: string;
  let daemon: ChildProcess;
  let options: string[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "latchkey-ssh-"));
    await chmod(folder, 0o700);
    for (const key of ["host", "user"]) {
      await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, key)], INSTALL);
    }
    const port = await freePort();
    await writeFile(
      join(folder, "sshd_config"),
      [
        `Port ${port}`,
        "ListenAddress 127.0.0.1",
        `HostKey ${folder}/host`,
        `PidFile ${folder}/pid`,
        `AuthorizedKeysFile ${folder}/user.pub`,
        "StrictModes no",
        "UsePAM no",
        "PermitRootLogin yes",
        "Subsystem sftp internal-sftp",
        "",
      ].join("\n"),
    );
    daemon = spawn("/usr/sbin/sshd", ["-D", "-e", "-f", join(folder, "sshd_config")], {
      stdio: "ignore",
    });
    await listening(port);
    world = await World.create(workerd);
    box = await TunnelBox.make(world);
    await box.run([`ssh=127.0.0.1:${port}`]);
    const { token } = await accessToken(world, box.owner);
    const login = join(folder, "login.json");
    await writeFile(login, JSON.stringify({ cloud: world.origin, token }), { mode: 0o600 });
    const command = `${process.execPath} ${AGENT} tunnel ${box.label} ssh --stdio --home ${folder}`;
    options = [
      ...["-F", "none", "-i", join(folder, "user"), "-o", "BatchMode=yes"],
      ...["-o", "StrictHostKeyChecking=accept-new"],
      ...["-o", `UserKnownHostsFile=${folder}/known_hosts`],
      ...["-o", `ProxyCommand=${command}`],
    ];
  });

  afterAll(async () => {
    daemon?.kill();
    await box?.close();
    await world?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const here = () => `${userInfo().username}@nas`;

  it("runs a command and gives its exit code", async () => {
    const ended = await run("ssh", [...options, here(), "echo it is me; exit 7"], INSTALL);
    expect([ended.stdout, ended.code]).toEqual(["it is me\n", 7]);
  });

  it("copies 200 MB whole", async () => {
    const [from, to] = [join(folder, "from"), join(folder, "to")];
    const bytes = randomBytes(SIZE);
    await writeFile(from, bytes);
    const copy = spawn("scp", ["-q", ...options, from, `${here()}:${to}`], { stdio: "ignore" });
    expect((await once(copy, "exit"))[0]).toBe(0);
    const hash = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");
    expect(hash(await readFile(to))).toBe(hash(bytes));
  });

  it("carries rsync", async () => {
    const [from, to] = [join(folder, "rsync-from"), join(folder, "rsync-to")];
    const bytes = randomBytes(3_000_000);
    await writeFile(from, bytes);
    const shell = ["ssh", ...options].map((word) => `'${word}'`).join(" ");
    const ended = await run("rsync", ["-c", "-e", shell, from, `${here()}:${to}`], INSTALL);
    expect([ended.code, ended.stderr]).toEqual([0, expect.anything()]);
    expect((await readFile(to)).equals(bytes)).toBe(true);
  });
});
