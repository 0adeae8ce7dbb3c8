/** Debian's ddclient against a running edge: what a router or a NAS does with its update secret. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { World } from "../contract/suite/world.ts";
import { type Scenario, startWorld, withDevice } from "../support/scenario.ts";
import { type Ended, run } from "./program.ts";

describe("ddclient 3.10", () => {
  let world: World;
  let nas: Scenario;
  let folder: string;

  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.close());
  beforeEach(async () => {
    nas = await withDevice(world);
    folder = await mkdtemp(join(tmpdir(), "latchkey-ddclient-"));
    return () => rm(folder, { recursive: true });
  });

  interface Settings {
    readonly login?: string;
    readonly password?: string;
    readonly hosts?: string;
    readonly port?: number;
  }

  /** One run with a configuration of one host and an empty cache. */
  async function ddclient(address: string, settings: Settings = {}): Promise<Ended> {
    const file = join(folder, "ddclient.conf");
    const lines = [
      "daemon=0",
      "syslog=no",
      "ssl=no",
      address,
      "protocol=dyndns2",
      `server=127.0.0.1:${settings.port ?? world.port}`,
      `login=${settings.login ?? nas.host}`,
      `password='${settings.password ?? nas.updateSecret}'`,
      settings.hosts ?? nas.host,
    ];
    await writeFile(file, `${lines.join("\n")}\n`, { mode: 0o600 });
    const cache = join(folder, "ddclient.cache");
    await rm(cache, { force: true });
    const args = ["-file", file, "-cache", cache, "-daemon=0", "-foreground", "-verbose"];
    return await run("ddclient", args, "apt-get install ddclient");
  }

  const name = async () => {
    const { ipv4, ipv6 } = (await nas.box.ask("")).json.name;
    return { ipv4, ipv6 };
  };

  it("updates A and AAAA, each without touching the other", async () => {
    const four = await ddclient("use=ip, ip=203.0.113.4");
    expect(four.stdout + four.stderr).toContain("good: IP address set to 203.0.113.4");
    expect(four.code).toBe(0);
    expect(await name()).toEqual({ ipv4: "203.0.113.4", ipv6: null });
    const six = await ddclient("use=ip, ip=2001:db8::4");
    expect(six.code).toBe(0);
    expect(await name()).toEqual({ ipv4: "203.0.113.4", ipv6: "2001:db8::4" });
  });

  it("is content with nochg", async () => {
    await ddclient("usev4=ipv4, ipv4=203.0.113.4");
    const again = await ddclient("usev4=ipv4, ipv4=203.0.113.4");
    expect(again.stdout + again.stderr).toContain("nochg");
    expect(again.code).toBe(0);
  });

  it("deletes nothing with a v6-only configuration, which sends an empty myip", async () => {
    await ddclient("use=ip, ip=2001:db8::4");
    const empty = await ddclient("usev6=ipv6, ipv6=2001:db8::9");
    expect(empty.stdout + empty.stderr).toMatch(/GET .*&myip= HTTP/);
    expect(empty.code).toBe(0);
    expect(await name()).toEqual({ ipv4: "127.0.0.1", ipv6: "2001:db8::4" });
  });

  it("logs in with the device's id too", async () => {
    const done = await ddclient("use=ip, ip=203.0.113.4", { login: nas.box.id });
    expect(done.code).toBe(0);
    expect((await name()).ipv4).toBe("203.0.113.4");
  });

  it("reads one verdict for each of several hosts", async () => {
    const hosts = `${nas.host},nobody.${world.ddnsZone}`;
    const both = await ddclient("use=ip, ip=203.0.113.4", { hosts });
    const said = both.stdout + both.stderr;
    expect(said).toContain(`updating ${nas.host}: good`);
    expect(said).toContain(`updating nobody.${world.ddnsZone}: nohost`);
    expect(both.code).toBe(1);
  });

  it("fails with a wrong password, and nothing changes", async () => {
    const wrong = await ddclient("use=ip, ip=203.0.113.4", { password: `${nas.updateSecret}x` });
    expect(wrong.stdout + wrong.stderr).toContain("authorization failed");
    expect(wrong.code).not.toBe(0);
    expect(await name()).toEqual({ ipv4: null, ipv6: null });
  });

  it("fails with an address that no public name may show", async () => {
    const inner = await ddclient("use=ip, ip=192.168.1.10");
    expect(inner.stdout + inner.stderr).toContain("dnserr");
    expect(inner.code).not.toBe(0);
    expect(await name()).toEqual({ ipv4: null, ipv6: null });
  });

  it("tries again later when it changed too often", async () => {
    for (let change = 0; change < 10; change++) {
      await update(`203.0.113.${change}`);
    }
    const late = await ddclient("use=ip, ip=203.0.113.99");
    expect(late.stdout + late.stderr).toContain("503");
    expect((await name()).ipv4).toBe("203.0.113.9");
  });

  async function update(address: string): Promise<void> {
    const authorization = `Basic ${btoa(`${nas.host}:${nas.updateSecret}`)}`;
    const query = `hostname=${nas.host}&myip=${address}`;
    const answer = await fetch(`${world.origin}/nic/update?${query}`, {
      headers: { authorization },
    });
    expect(await answer.text()).toBe(`good ${address}`);
  }
});
