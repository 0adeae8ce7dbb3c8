/** What is Deno's alone: how it starts, refuses to start, survives a kill, and what its folder holds. */

import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { request } from "undici";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { hashToken } from "../../protocol/tokens.ts";
import { buildConsole } from "../../scripts/build-console.ts";
import { search } from "../support/canary.ts";
import { DENO, DenoServer, deno } from "./deno-process.ts";
import { freePort } from "./runtime.ts";
import { Box } from "./suite/box.ts";
import { ask } from "./suite/http.ts";
import { household } from "./suite/lasting.ts";
import { newPerson, signInAgain } from "./suite/person.ts";
import { startHomeService } from "./suite/service.ts";
import { newLabel, World } from "./suite/world.ts";

/** An edge that is gone after the test, however it ends. */
async function newWorld(variables: Readonly<Record<string, string>> = {}): Promise<World> {
  const world = await World.create(deno, variables);
  onTestFinished(() => world.close());
  return world;
}

describe("deno task serve", () => {
  let folder: string;
  beforeAll(async () => {
    await buildConsole();
    folder = await mkdtemp(join(tmpdir(), "latchkey-deno-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  /** Starts a server that is to give up; what it said, in one text. */
  async function refusal(
    options: readonly string[],
    variables: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const server = new DenoServer(options, variables);
    expect(await server.ended).toBe(1);
    return server.lines.join("\n");
  }

  it("starts and stops as a task", async () => {
    const port = await freePort();
    const options = ["--port", `${port}`, "--data", join(folder, "task")];
    const task = { file: DENO, args: ["task", "--quiet", "serve"] };
    const server = new DenoServer(options, {}, task);
    await server.said(/^Latchkey on /);
    expect(await (await fetch(`http://localhost:${port}/healthz`)).text()).toBe("ok");
    expect(server.lines.join("\n")).toContain("Mails are shown on http://localhost:");
    await server.end("SIGTERM");
  });

  it("says what is wrong with an option or a variable", async () => {
    expect(await refusal(["--colour"])).toContain("Unknown option '--colour'");
    expect(await refusal(["--port", "70000"])).toContain("--port must be a number");
    const data = ["--data", join(folder, "none")];
    expect(await refusal(data, { ORIGIN: "nothing" })).toContain("ORIGIN must be a URL");
    expect(await refusal(data, { ORIGIN: "https://latchkey.example" })).toMatch(
      /The variable [A-Z_]+ is missing/,
    );
    expect(existsSync(join(folder, "none"))).toBe(false);
  });

  it("says so when the port is taken", async () => {
    const other = createServer();
    const port = await freePort();
    await new Promise<void>((resolve) => other.listen(port, "127.0.0.1", resolve));
    const said = await refusal(["--port", `${port}`, "--data", join(folder, "port")]);
    expect(said).toContain(`Port ${port} is taken.`);
    other.close();
  });

  it("says so when the folder cannot be used, is in use, or holds something else", async () => {
    const file = join(folder, "file");
    writeFileSync(file, "");
    expect(await refusal(["--data", file])).toContain(`The data folder ${file} cannot be used`);

    const broken = join(folder, "broken");
    mkdirSync(broken);
    writeFileSync(join(broken, "directory.db"), "this is not a database".repeat(100));
    expect(await refusal(["--data", broken])).toContain(`The databases in ${broken}`);

    const data = join(folder, "used");
    const first = await deno.start({ data, port: await freePort(), variables: {} });
    expect(await refusal(["--data", data, "--port", `${await freePort()}`])).toContain(
      `Another Latchkey uses the data folder ${data}`,
    );
    await first.stop();
  });

  it("starts again after a kill, with everything it had acknowledged", async () => {
    const world = await newWorld();
    const { person, box, host } = await household(world);
    const tokens = [];
    for (let time = 0; time < 4; time++) tokens.push(await signInAgain(world, person));
    await world.restart("SIGKILL");
    for (const token of tokens) {
      expect((await ask(world, "/api/account", { token })).json.id).toBe(person.accountId);
    }
    expect((await box.ask("")).json).toMatchObject({
      features: { name: true, link: true, lan: false },
      name: { tokens: 1 },
    });
    expect(host).toContain(box.label);
  });

  it("makes nothing on disk for a device or a door that does not exist", async () => {
    const world = await newWorld();
    const { token } = await newPerson(world);
    const id = "dev_home_0123456789ABCDEF";
    for (const path of [`/api/devices/${id}`, "/api/devices/..%2F..%2Fescape", "/api/devices/x"]) {
      expect((await ask(world, path, { token })).status).toBe(404);
      expect((await ask(world, path, { token, method: "DELETE" })).status).toBe(404);
    }
    expect((await ask(world, "/", { host: world.doorHost("nobody-home") })).status).toBe(404);
    expect(readdirSync(join(world.data, "devices"))).toEqual(["alarms.db"]);
  });

  it("[RGT-4] an erased account's very identifiers are in no byte of the folder", async () => {
    const world = await newWorld();
    const [leaving, staying] = [await household(world), await household(world)];
    const { person, box } = leaving;
    const markers = {
      account: person.accountId,
      device: box.id,
      session: await hashToken(person.token),
      address: person.address,
      label: box.label,
    };
    const controls = {
      account: staying.person.accountId,
      device: staying.box.id,
      session: await hashToken(staying.person.token),
      label: staying.box.label,
    };
    const before = await search({ folder: world.data, markers, controls });
    expect(new Set(before.map((hit) => hit.marker))).toEqual(
      new Set(["account", "device", "session", "label"]),
    );
    const body = { password: person.password };
    await ask(world, "/api/account", { method: "DELETE", token: person.token, body });
    await world.sweep();
    expect(await search({ folder: world.data, markers, controls })).toEqual([]);
  });

  it("[LOC-2] keeps an account of a second region in that region's files alone", async () => {
    const world = await newWorld({ REGIONS: "home:At_home:home eu:Europe:eu" });
    const person = await newPerson(world, "eu");
    const box = await Box.enroll(world, person, newLabel());
    expect((await ask(world, "/api/account", { token: person.token })).json.region).toBe("eu");
    await world.sweep();
    const holding = (text: string) =>
      filesBelow(world.data)
        .filter(({ name }) => name.endsWith(".db"))
        .filter(({ name }) => readFileSync(join(world.data, name)).includes(text))
        .map(({ name }) => name)
        .sort();
    const file = `devices/eu/${box.id}.db`;
    expect(holding(person.accountId)).toEqual([file, "directory.db", "eu.db"]);
    expect(holding(box.label)).toEqual([file]);
    expect(holding(box.id)).toEqual([file, "directory.db", "eu.db"]);
  });

  it("believes a proxy that it was told to trust, and speaks of the visitor's own origin", async () => {
    const world = await newWorld({
      ORIGIN: "https://latchkey.example",
      LINK_ZONE: "link.localhost",
      DDNS_ZONE: "ddns.test",
      REGIONS: "home:At_home:home",
      SOURCE_ADDRESS: "trusted-proxy",
      TRUSTED_PROXIES: "127.0.0.1",
      MAIL_FROM: "keys@latchkey.example",
    });
    const service = await startHomeService();
    const box = await Box.enroll(world, await newPerson(world), newLabel());
    await box.switch("link", true);
    await box.ask("/access", "PUT", { mode: "everyone" });
    const socket = await box.serve(service.origin);
    const headers = { "x-forwarded-for": "203.0.113.5, 192.0.2.9" };
    const shown = await ask(world, "/hello", { host: world.doorHost(box.label), headers });
    expect(shown.json.headers).toMatchObject({
      "x-forwarded-for": "192.0.2.9",
      "x-forwarded-proto": "https",
    });
    expect(await traced(world, world.doorHost(box.label))).toMatch(/^HTTP\/1.1 405 /);
    expect(await traced(world, "latchkey.example")).toMatch(/^HTTP\/1.1 4\d\d /);
    socket.socket.terminate();
    await service.close();
  });

  it("stops when asked, also while a visitor does not read", async () => {
    const world = await World.create(deno);
    const service = await startHomeService();
    const box = await Box.enroll(world, await newPerson(world), newLabel());
    await box.switch("link", true);
    await box.ask("/access", "PUT", { mode: "everyone" });
    const socket = await box.serve(service.origin);
    const host = world.doorHost(box.label);
    const paused = await request(`http://127.0.0.1:${world.port}/stream?mib=64`, {
      headers: { host },
    });
    await world.close();
    await expect(paused.body.arrayBuffer()).rejects.toThrow();
    expect(await socket.closed).not.toBe(1000);
    await service.close();
  });

  it("keeps nothing readable by another user of the machine", async () => {
    const world = await newWorld();
    await household(world);
    const readable = filesBelow(world.data).filter(({ mode }) => (mode & 0o077) !== 0);
    expect(readable).toEqual([]);
  });
});

/** The status line that TRACE gets at `host`; clients of HTTP refuse to send it. */
function traced(world: World, host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(world.port, "127.0.0.1");
    socket.on("error", reject);
    socket.once("data", (data) => {
      socket.destroy();
      resolve(data.toString("latin1").split("\r\n")[0] ?? "");
    });
    socket.write(`TRACE / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  });
}

function filesBelow(folder: string): { name: string; mode: number }[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).flatMap((name) => {
    const stat = statSync(join(folder, name), { throwIfNoEntry: false });
    return stat === undefined ? [] : [{ name, mode: stat.mode }]; // a journal may be gone by now
  });
}
