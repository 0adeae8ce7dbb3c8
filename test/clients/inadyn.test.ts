/** Debian's inadyn against a running edge: what OpenWrt and many routers run. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { World } from "../contract/suite/world.ts";
import { type Scenario, startWorld, withDevice } from "../support/scenario.ts";
import { type Ended, run } from "./program.ts";

describe("inadyn 2.10", () => {
  let world: World;
  let nas: Scenario;
  let folder: string;

  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.close());
  beforeEach(async () => {
    nas = await withDevice(world);
    folder = await mkdtemp(join(tmpdir(), "latchkey-inadyn-"));
    return () => rm(folder, { recursive: true });
  });

  interface Settings {
    readonly password?: string;
    readonly hosts?: readonly string[];
    /** In place of the address that the edge shows. */
    readonly address?: string;
    readonly family?: "ipv6";
  }

  /** One run without a memory of earlier ones. */
  async function inadyn(settings: Settings = {}): Promise<Ended> {
    const file = join(folder, "inadyn.conf");
    const server = `127.0.0.1:${world.port}`;
    const echo = settings.address === undefined ? "" : `echo ${settings.address}`;
    const hosts = (settings.hosts ?? [nas.host]).map((host) => `"${host}"`).join(", ");
    const lines = [
      `user-agent = "inadyn/2.10.0 router@example.test"`,
      ...(settings.family === undefined ? [] : ["allow-ipv6 = true"]),
      "custom latchkey {",
      `  username = "${nas.host}"`,
      `  password = "${settings.password ?? nas.updateSecret}"`,
      "  ssl = false",
      `  checkip-server = "${server}"`,
      `  checkip-path = "/nic/ip"`,
      "  checkip-ssl = false",
      ...(echo === "" ? [] : [`  checkip-command = "${echo}"`]),
      `  ddns-server = "${server}"`,
      `  ddns-path = "/nic/update?hostname=%h&myip=%i"`,
      `  hostname = { ${hosts} }`,
      "}",
    ];
    await writeFile(file, `${lines.join("\n")}\n`, { mode: 0o600 });
    const cache = join(folder, `cache-${Math.random()}`);
    const args = ["-1", "--force", "-n", "-l", "debug", "-f", file, "--cache-dir", cache];
    return await run("inadyn", [...args, "--no-pidfile"], "apt-get install inadyn");
  }

  const name = async () => {
    const { ipv4, ipv6 } = (await nas.box.ask("")).json.name;
    return { ipv4, ipv6 };
  };

  it("updates the address that the edge sees it with, then is content with nochg", async () => {
    const first = await inadyn();
    expect(first.stdout + first.stderr).toContain("good 127.0.0.1");
    expect(first.code).toBe(0);
    expect((await name()).ipv4).toBe("127.0.0.1");
    const again = await inadyn();
    expect(again.stdout + again.stderr).toContain("nochg 127.0.0.1");
    expect(again.code).toBe(0);
  });

  it("updates each family without touching the other, and its owner sees that it was inadyn", async () => {
    expect((await inadyn({ address: "203.0.113.4" })).code).toBe(0);
    expect(await name()).toEqual({ ipv4: "203.0.113.4", ipv6: null });
    expect((await inadyn({ address: "2001:db8::4", family: "ipv6" })).code).toBe(0);
    expect(await name()).toEqual({ ipv4: "203.0.113.4", ipv6: "2001:db8::4" });
    const { events } = (await nas.box.ask("/name/history")).json;
    expect(events.map((event: { client: string }) => event.client)).toEqual(["inadyn", "inadyn"]);
    expect(JSON.stringify(events)).not.toMatch(/203\.0|2001:db8|router@/);
  });

  it("says that a wrong password is wrong, and nothing changes", async () => {
    const wrong = await inadyn({ password: `${nas.updateSecret}x`, address: "203.0.113.4" });
    expect(wrong.code).not.toBe(0);
    expect(await name()).toEqual({ ipv4: null, ipv6: null });
  });
});
