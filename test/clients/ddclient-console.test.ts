/** Debian's ddclient with the very configuration that the console shows beside a new update password. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ddclientConfiguration } from "../../console/pages/commands.ts";
import { startWorld, withDevice } from "../support/scenario.ts";
import { run } from "./program.ts";

it("ddclient 3.10 takes the console's configuration as it is, asking no third party", async () => {
  const world = await startWorld();
  const folder = await mkdtemp(join(tmpdir(), "latchkey-ddclient-"));
  try {
    const nas = await withDevice(world);
    const file = join(folder, "ddclient.conf");
    const origin = `http://localhost:${world.port}`;
    const configuration = ddclientConfiguration(origin, nas.host, nas.updateSecret);
    await writeFile(file, `${configuration}\n`, { mode: 0o600 });
    const cache = join(folder, "ddclient.cache");
    const args = ["-file", file, "-cache", cache, "-daemon=0", "-foreground", "-verbose"];
    const ended = await run("ddclient", args, "apt-get install ddclient");
    const said = ended.stdout + ended.stderr;
    expect(said).toContain("SUCCESS");
    expect(said).not.toContain("WARNING");
    const hosts = [...said.matchAll(/CONNECT: +(\S+)/g)].map(([, host]) => host);
    expect(new Set(hosts)).toEqual(new Set([`127.0.0.1:${world.port}`]));
    expect((await nas.box.ask("")).json.name.ipv4).toBe("127.0.0.1");
  } finally {
    await world.close();
    await rm(folder, { recursive: true });
  }
});
