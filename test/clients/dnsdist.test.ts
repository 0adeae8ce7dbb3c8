/** Debian's dnsdist and haproxy before the edge, as `npm run dns:dnsdist` sets them up. */

import { type ChildProcess, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { dnsdistConf, haproxyCfg, readDnsdistOptions } from "../../scripts/dns-dnsdist.ts";
import { freePort } from "../contract/runtime.ts";
import type { World } from "../contract/suite/world.ts";
import { exchangeTcp, look, question, readAnswer } from "../support/dns.ts";
import { type Scenario, startWorld, withDevice } from "../support/scenario.ts";
import { run } from "./program.ts";

const INSTALL = "apt-get install dnsdist haproxy";
const PATIENCE = { timeout: 30_000, interval: 100 };

describe("dnsdist 1.7 and haproxy 2.6", () => {
  let world: World;
  let nas: Scenario;
  let folder: string;
  let port: number;
  const programs: ChildProcess[] = [];

  const start = (command: string, args: string[]) => {
    const child = spawn(command, args, { stdio: "ignore" });
    child.on("error", () => undefined); // missed by the first question
    programs.push(child);
  };
  const update = async (address: string) => {
    const authorization = `Basic ${btoa(`${nas.host}:${nas.updateSecret}`)}`;
    const query = `hostname=${nas.host}&myip=${address}`;
    const answer = await fetch(`${world.origin}/nic/update?${query}`, {
      headers: { authorization },
    });
    expect(await answer.text()).toBe(`good ${address}`);
  };

  beforeAll(async () => {
    world = await startWorld();
    nas = await withDevice(world);
    folder = await mkdtemp(join(tmpdir(), "latchkey-dnsdist-"));
    port = await freePort();
    const between = await freePort();
    const args = [
      "--edge",
      world.origin.replace("localhost", "127.0.0.1"),
      "--zone",
      world.ddnsZone,
    ];
    const places = ["--listen", `127.0.0.1:${port}`, "--out", folder, "--between", String(between)];
    const options = readDnsdistOptions([...args, ...places]);
    if (options === null) throw new Error("no options");
    await writeFile(join(folder, "dnsdist.conf"), dnsdistConf(options));
    await writeFile(join(folder, "haproxy.cfg"), haproxyCfg(options));
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    const name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
    const files = ["-keyout", join(folder, "between.key"), "-out", join(folder, "between.crt")];
    await run("openssl", ["req", "-x509", ...key, ...name, ...files], "apt-get install openssl");
    const { stdout } = await run("cat", [files[3] ?? "", files[1] ?? ""], "");
    await writeFile(join(folder, "between.pem"), stdout, { mode: 0o600 });
    const checked = await run("haproxy", ["-c", "-f", join(folder, "haproxy.cfg")], INSTALL);
    expect(checked).toMatchObject({ code: 0 });
    const conf = join(folder, "dnsdist.conf");
    expect(await run("dnsdist", ["--check-config", "-C", conf], INSTALL)).toMatchObject({
      code: 0,
    });
    start("haproxy", ["-f", join(folder, "haproxy.cfg"), "-db"]);
    start("dnsdist", ["--supervised", "--disable-syslog", "-C", conf]);
    await update("203.0.113.4");
    await vi.waitFor(
      async () => expect((await look(port, world.ddnsZone, "SOA")).answers).toHaveLength(1),
      PATIENCE,
    );
  });
  afterAll(async () => {
    for (const program of programs) program.kill("SIGKILL");
    await world.close();
    await rm(folder, { recursive: true });
  });

  it("answer over UDP and TCP what the edge says", async () => {
    expect(await look(port, nas.host)).toMatchObject({
      ...{ rcode: "NOERROR", authoritative: true, answers: [`${nas.host} A 203.0.113.4`] },
    });
    const answer = readAnswer(await exchangeTcp(port, question(nas.host)));
    expect(answer.answers).toEqual([`${nas.host} A 203.0.113.4`]);
    expect(await look(port, `nobody.${world.ddnsZone}`)).toMatchObject({ rcode: "NXDOMAIN" });
    expect(await look(port, nas.host, "TXT")).toMatchObject({ rcode: "NOERROR", answers: [] });
    expect(await look(port, "example.org")).toMatchObject({ rcode: "REFUSED" });
  });

  it("see a change, and [CON-5] that a name went, within seconds", async () => {
    await look(port, nas.host);
    await update("203.0.113.5");
    await vi.waitFor(
      async () =>
        expect((await look(port, nas.host)).answers).toEqual([`${nas.host} A 203.0.113.5`]),
      { timeout: 20_000, interval: 100 },
    );
    await nas.box.switch("name", false);
    await vi.waitFor(async () => expect((await look(port, nas.host)).rcode).toBe("NXDOMAIN"), {
      timeout: 20_000,
      interval: 100,
    });
  });

  it("[CON-6] answer nothing at a name that was changed, within seconds", async () => {
    await nas.box.switch("name", true);
    const secret = await nas.box.nameToken();
    const authorization = `Basic ${btoa(`${nas.host}:${secret}`)}`;
    const query = `hostname=${nas.host}&myip=203.0.113.6`;
    await fetch(`${world.origin}/nic/update?${query}`, { headers: { authorization } });
    const says = (host: string, said: object) =>
      vi.waitFor(async () => expect(await look(port, host)).toMatchObject(said), {
        timeout: 20_000,
        interval: 100,
      });
    await says(nas.host, { answers: [`${nas.host} A 203.0.113.6`] });
    const [label = ""] = nas.host.split(".");
    const to = `${label}-new`;
    expect((await nas.box.ask(`/names/${label}`, "PATCH", { label: to })).status).toBe(200);
    const there = `${to}.${world.ddnsZone}`;
    await says(there, { answers: [`${there} A 203.0.113.6`] });
    await says(nas.host, { rcode: "NXDOMAIN", answers: [] });
  });

  it("send who asks too much to TCP", async () => {
    const messages = Array.from({ length: 50 }, (_, at) =>
      question(`flood${at}.${world.ddnsZone}`),
    );
    const socket = createSocket("udp4");
    let truncated = 0;
    socket.on("message", (answer) => {
      if (readAnswer(answer).truncated) truncated++;
    });
    // As fast as this machine can, until it is too fast: a busy one would not ask enough at once.
    const until = performance.now() + PATIENCE.timeout;
    while (truncated === 0 && performance.now() < until) {
      for (const message of messages) socket.send(message, port, "127.0.0.1");
      await new Promise((resolve) => setImmediate(resolve));
    }
    socket.close();
    expect(truncated).toBeGreaterThan(0);
  });
});
