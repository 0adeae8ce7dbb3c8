/**
 * The real agent against a whole running edge: inside this process, and as the program that a person
 * starts on Node and on Deno.
 */

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { enroll } from "../../agent/enroll.ts";
import { exitCodes } from "../../agent/failure.ts";
import { type RunEnd, run } from "../../agent/run.ts";
import { type Nas, startNas } from "../../demo/nas.ts";
import packageJson from "../../package.json" with { type: "json" };
import { ask } from "../contract/suite/http.ts";
import { newPerson, type Person } from "../contract/suite/person.ts";
import { newLabel, type World } from "../contract/suite/world.ts";
import { startWorld } from "../support/scenario.ts";

const ROOT = join(import.meta.dirname, "../..");

let world: World;
let owner: Person;
let folder: string;
let nas: Nas;
let count = 0;

beforeAll(async () => {
  world = await startWorld();
  owner = await newPerson(world);
  folder = await mkdtemp(join(tmpdir(), "latchkey-agent-"));
  nas = await startNas({ folder: join(folder, "files") });
});

afterAll(async () => {
  await nas?.close();
  await world?.close();
  await rm(folder, { recursive: true, force: true });
});

const newHome = () => join(folder, `home${count++}`);

async function approve(userCode: string, label: string): Promise<void> {
  const body = { user_code: userCode, label };
  const answer = await ask(world, "/api/enrolments/approve", { token: owner.token, body });
  expect([answer.status, answer.text]).toEqual([201, expect.anything()]);
}

/** Enrolls in this process; the owner approves at once. */
async function enrolled(home: string, label = newLabel()) {
  const onCode = (code: { user_code: string }) => approve(code.user_code, label);
  return await enroll({ cloud: world.origin, home, onCode });
}

const owned = (id: string, path = "") =>
  ask(world, `/api/devices/${id}${path}`, { token: owner.token });

/** Changes a device as its owner. */
async function change(id: string, path: string, body: object): Promise<void> {
  const request = { method: "PUT", token: owner.token, body };
  expect((await ask(world, `/api/devices/${id}${path}`, request)).status).toBe(200);
}

/** Switches the door on, for everyone. */
async function openDoor(id: string): Promise<void> {
  await change(id, "/features/link", { on: true });
  await change(id, "/access", { mode: "everyone" });
}

/** Lines that something says, one after another; `until` waits for one that matches. */
class Lines {
  readonly all: string[] = [];
  #wake: () => void = () => undefined;

  push(line: string): void {
    this.all.push(line);
    this.#wake();
  }

  /** The match in the first line from `from` on that has one. */
  async until(pattern: RegExp, from = 0): Promise<RegExpExecArray> {
    for (;;) {
      for (const line of this.all.slice(from)) {
        const match = pattern.exec(line);
        if (match !== null) return match;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

interface Running {
  readonly lines: Lines;
  readonly end: Promise<RunEnd>;
  stop(): void;
}

function runHere(home: string, serve: string | null = null): Running {
  const lines = new Lines();
  const controller = new AbortController();
  const end = run({
    home,
    serve,
    log: (line) => lines.push(line),
    signal: controller.signal,
    chance: () => 0,
  });
  return { lines, end, stop: () => controller.abort() };
}

/** An enrolled device whose door is open to everyone, and its agent once it says so. */
async function serving(local: string | null) {
  const home = newHome();
  const device = await enrolled(home);
  await openDoor(device.device_id);
  const agent = runHere(home, local);
  await agent.lines.until(/^Link is on/);
  return { device, agent, host: world.doorHost(device.label) };
}

describe("the agent in a process", () => {
  it("enrolls with a key that only its owner can read, and that never left the box", async () => {
    const home = newHome();
    const label = newLabel();
    const device = await enrolled(home, label);
    expect(device).toEqual({
      device_id: expect.stringMatching(/^dev_home_/),
      label,
      link: `http://${world.doorHost(label)}`,
      host: `${label}.${world.ddnsZone}`,
      cloud: world.origin,
    });
    expect((await stat(join(home, "key.json"))).mode & 0o777).toBe(0o600);
    expect((await stat(home)).mode & 0o777).toBe(0o700);
    await expect(enrolled(home)).rejects.toThrow(`enrolled already, as "${label}"`);
  });

  it("serves visitors, is shown online, and stops when told", async () => {
    const { device, agent, host } = await serving(nas.origin);
    const page = await ask(world, "/", { host });
    expect([page.status, page.text]).toEqual([200, expect.stringContaining("welcome")]);
    expect((await owned(device.device_id)).json.connection).toMatchObject({
      online: true,
      agent: `latchkey-agent/${packageJson.version}`,
    });
    agent.stop();
    expect(await agent.end).toBe("stopped");
  });

  it("comes back by itself after the edge was killed and started again", async () => {
    const { agent, host } = await serving(nas.origin);
    const before = agent.lines.all.length;
    await world.restart("SIGKILL");
    await agent.lines.until(/Trying again in/, before);
    await agent.lines.until(/^Connected/, before);
    await agent.lines.until(/^Link is on/, before);
    expect((await ask(world, "/", { host })).status).toBe(200);
    agent.stop();
    expect(await agent.end).toBe("stopped");
  });

  it("follows the switch: off serves nothing, on serves again", async () => {
    const { device, agent, host } = await serving(nas.origin);
    expect((await ask(world, "/", { host })).status).toBe(200);
    const before = agent.lines.all.length;
    await change(device.device_id, "/features/link", { on: false });
    await agent.lines.until(/^Link is off/, before);
    expect((await ask(world, "/", { host })).status).toBe(404);
    await openDoor(device.device_id);
    expect((await ask(world, "/", { host })).status).toBe(200);
    agent.stop();
    await agent.end;
  });

  it("refuses visitors at once when it offers nothing", async () => {
    const { agent, host } = await serving(null);
    await agent.lines.until(/^Link is on, but/);
    const visit = await ask(world, "/", { host, method: "POST" });
    expect(visit.status).toBe(502);
    agent.stop();
    expect(await agent.end).toBe("stopped");
  });

  it("stands beside another program with the same key", async () => {
    const home = newHome();
    await enrolled(home);
    const older = runHere(home);
    await older.lines.until(/^Connected/);
    const newer = runHere(home);
    await newer.lines.until(/^Connected/);
    for (const program of [older, newer]) {
      program.stop();
      expect(await program.end).toBe("stopped");
    }
  });

  it("[CON-11] forgets its key when its owner unregisters it, connected or not", async () => {
    for (const connected of [true, false]) {
      const home = newHome();
      const device = await enrolled(home);
      const agent = connected ? runHere(home) : null;
      await agent?.lines.until(/^Connected/);
      const path = `/api/devices/${device.device_id}`;
      expect((await ask(world, path, { method: "DELETE", token: owner.token })).status).toBe(204);
      expect(await (agent ?? runHere(home)).end).toBe("unregistered");
      await expect(readFile(join(home, "key.json"))).rejects.toThrow("ENOENT");
      await expect(runHere(home).end).rejects.toThrow("not enrolled");
    }
  });
});

const programs = {
  Node: ["node", "agent/main.ts"],
  Deno: ["deno", "run", "--quiet", "-A", "agent/main.ts"],
} as const;

interface Program {
  readonly out: Lines;
  readonly err: Lines;
  readonly exit: Promise<number | null>;
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
}

/** Starts the agent as a person would. */
function start(command: readonly string[], args: readonly string[]): Program {
  const [file, ...first] = command;
  const child = spawn(file as string, [...first, ...args], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, err] = [new Lines(), new Lines()];
  for (const [stream, lines] of [
    [child.stdout, out],
    [child.stderr, err],
  ] as const) {
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => {
      for (const line of text.split("\n")) if (line !== "") lines.push(line);
    });
  }
  const exit = new Promise<number | null>((resolve) => child.once("close", resolve));
  return { out, err, exit, child };
}

describe.each(Object.entries(programs))("the agent as a program on %s", (_name, command) => {
  it("enrolls, runs behind the door, says its status and stops with its service manager", async () => {
    const home = newHome();
    const label = newLabel();
    const enrolling = start(command, ["enroll", "--cloud", world.origin, "--home", home]);
    const [, code] = await enrolling.out.until(/\?code=([A-Z]{4}-[A-Z]{4})$/);
    const [, shown] = await enrolling.out.until(/this key: {2}(.+)$/);
    const lookup = { token: owner.token, body: { user_code: code } };
    const found = await ask(world, "/api/enrolments/lookup", lookup);
    expect(found.json.fingerprint).toBe(shown);
    await approve(code as string, label);
    expect(await enrolling.exit).toBe(exitCodes.done);
    const device = JSON.parse(await readFile(join(home, "device.json"), "utf8"));
    await openDoor(device.device_id);

    const running = start(command, ["run", "--home", home, "--serve", nas.origin]);
    await running.out.until(/^Link is on/);
    const page = await ask(world, "/", { host: world.doorHost(label) });
    expect(page.status).toBe(200);
    const status = start(command, ["status", "--home", home]);
    expect(await status.exit).toBe(exitCodes.done);
    expect(status.out.all.join("\n")).toContain(shown);
    const openid = start(command, ["openid", "--home", home, "--callback", "/done"]);
    expect(await openid.exit).toBe(exitCodes.done);
    expect(JSON.parse(openid.out.all.join("\n"))).toMatchObject({
      issuer: world.origin,
      client_id: device.device_id,
      redirect_uris: expect.arrayContaining([
        `http://${world.doorHost(label)}/.latchkey/callback`,
        "http://127.0.0.1/done",
      ]),
    });
    running.child.kill("SIGTERM");
    expect(await running.exit).toBe(exitCodes.done);
    expect(running.err.all).toEqual([]);
  });

  it("ends with a sentence and a code of its own when something is wrong", async () => {
    const home = newHome();
    const away = "http://127.0.0.1:9";
    const cases = [
      [["run", "--home", home], exitCodes.notEnrolled, /not enrolled yet/],
      [["status", "--home", home], exitCodes.notEnrolled, /not enrolled yet/],
      [["openid", "--home", home], exitCodes.notEnrolled, /not enrolled yet/],
      [["enroll", "--cloud", away, "--home", home], exitCodes.failed, /cannot be reached/],
      [["enroll", "--cloud", "http://cloud.example"], exitCodes.failed, /not encrypted/],
      [["enroll"], exitCodes.usage, /needs --cloud/],
      [["dance"], exitCodes.usage, /not understood/],
      [["run", "--loud"], exitCodes.usage, /--loud/],
    ] as const;
    const programs = cases.map(([args]) => start(command, args));
    for (const [index, [args, code, sentence]] of cases.entries()) {
      const program = programs[index] as Program;
      expect([args, await program.exit]).toEqual([args, code]);
      expect(program.err.all.join("\n")).toMatch(sentence);
      expect(program.err.all.join("\n")).not.toContain("    at ");
    }
  });
});
