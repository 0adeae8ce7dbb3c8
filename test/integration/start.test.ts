/** `npm start` as a person or a script sees it: one line when ready, data that stays, and sentences. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const START = join(import.meta.dirname, "../../scripts/start.mjs");

let folder: string;
let started: ChildProcess[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "start-"));
  started = [];
});
afterEach(async () => {
  await Promise.all(started.map(stop));
  await rm(folder, { recursive: true, force: true });
});

function start(...args: string[]): ChildProcess {
  const child = spawn(process.execPath, [START, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  started.push(child);
  return child;
}

/** The lines on standard output until the program is ready. */
async function ready(child: ChildProcess): Promise<unknown> {
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    return JSON.parse(line);
  }
  throw new Error("it ended before it was ready");
}

async function stop(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null) {
    child.kill("SIGINT");
    await once(child, "exit");
  }
  return child.exitCode;
}

/** How a start that cannot go on ends: its exit code and what it says. */
async function refusal(...args: string[]): Promise<{ code: number; says: string }> {
  const child = start(...args);
  let says = "";
  child.stderr?.on("data", (chunk) => {
    says += chunk;
  });
  const [code] = await once(child, "close");
  return { code, says };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

describe("npm start", () => {
  it("prints one line for scripts, keeps its data over Ctrl-C, and finds it again", async () => {
    const port = String(await freePort());
    const args = ["--json", "--port", port, "--data", join(folder, "data")];
    const first = start(...args);
    let lines = 0;
    first.stdout?.on("data", (chunk) => {
      lines += String(chunk).split("\n").length - 1;
    });
    const line = await ready(first);
    expect(line).toEqual({
      console: `http://localhost:${port}`,
      api: `http://localhost:${port}/api`,
      linkZone: "link.localhost",
      ddnsZone: "ddns.test",
      doh: `http://localhost:${port}/dns-query`,
      account: { email: "demo@latchkey.test", password: expect.stringMatching(/^\S{12,}$/) },
      device: {
        id: expect.stringMatching(/^dev_home_/),
        name: "demo",
        host: "demo.ddns.test",
        link: `http://demo.link.localhost:${port}`,
        updateUser: "demo.ddns.test",
        updatePassword: expect.stringMatching(/^lk_upd_home_/),
      },
    });
    expect(await stop(first)).toBe(0);
    expect(lines).toBe(1);
    const second = start(...args);
    expect(await ready(second)).toEqual(line);
    const { account, device } = line as { account: Demo["account"]; device: Demo["device"] };
    const update = await fetch(
      `http://localhost:${port}/nic/update?hostname=${device.host}&myip=127.0.0.1`,
      {
        headers: {
          authorization: `Basic ${btoa(`${device.updateUser}:${device.updatePassword}`)}`,
          "user-agent": "test/1",
        },
      },
    );
    expect(await update.text()).toBe("nochg 127.0.0.1");
    const session = await fetch(`http://localhost:${port}/api/sessions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ address: account.email, password: account.password }),
    });
    expect(session.status).toBe(201);
  });

  it("--bare brings no account and no device", async () => {
    const port = String(await freePort());
    const child = start("--bare", "--json", "--port", port, "--data", join(folder, "data"));
    expect(await ready(child)).toMatchObject({ account: null, device: null });
    expect(await stat(join(folder, "data/demo")).catch(() => "none")).toBe("none");
  });

  it("says in a sentence why it cannot start", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const port = String((taken.address() as AddressInfo).port);
    const data = join(folder, "data");
    expect(await refusal("--port", port, "--data", data)).toEqual({
      code: 1,
      says: `Port ${port} is taken. Stop what uses it, or choose another: npm start -- --port ${Number(port) + 1}\n`,
    });
    taken.close();
    await writeFile(join(folder, "file"), "");
    for (const path of ["file", "none/data"]) {
      const { code, says } = await refusal("--data", join(folder, path));
      expect([code, says.trim().split("\n")]).toEqual([
        1,
        [
          expect.stringMatching(
            /cannot be used as the data folder .* Choose another with --data\.$/,
          ),
        ],
      ]);
    }
    expect(await refusal("--port", "none")).toMatchObject({ code: 1 });
    expect((await refusal("--wat")).says).toContain("Usage: npm start");
  });

  it("refuses a folder that another start uses, and data that is broken", async () => {
    const data = join(folder, "data");
    const port = String(await freePort());
    const child = start("--bare", "--json", "--port", port, "--data", data);
    await ready(child);
    const other = await refusal("--bare", "--port", String(await freePort()), "--data", data);
    expect(other.says).toContain(`is in use by another start (process ${child.pid})`);
    await stop(child);
    expect(await readFile(join(data, "lock"), "utf8").catch(() => "gone")).toBe("gone");
    await rm(join(data, "edge"), { recursive: true });
    await writeFile(join(data, "edge"), "not a folder");
    const broken = await refusal("--bare", "--port", port, "--data", data);
    expect(broken.code).toBe(1);
    expect(broken.says).toContain(`The data in ${data} could not be opened`);
  });

  it("tells an old Node what to do instead of failing on its syntax", async () => {
    const old = `Object.defineProperty(process.versions, "node", { value: "18.20.0" }); import(${JSON.stringify(START)});`;
    const child = spawn(process.execPath, ["-e", old], { stdio: ["ignore", "ignore", "pipe"] });
    let says = "";
    child.stderr.on("data", (chunk) => {
      says += chunk;
    });
    expect((await once(child, "close"))[0]).toBe(1);
    expect(says).toBe(
      "Latchkey needs Node 22.18 or newer; this is 18.20.0. Run `npm install && npm start`: it brings a Node of its own.\n",
    );
  });
});

interface Demo {
  readonly account: { readonly email: string; readonly password: string };
  readonly device: {
    readonly host: string;
    readonly updateUser: string;
    readonly updatePassword: string;
  };
}
