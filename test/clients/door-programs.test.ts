/**
 * Real programs at a door: curl, wget, git and rclone as visitors, Debian's Apache and the real
 * agent at home. Large bodies are made and hashed on the way.
 */

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { World } from "../contract/suite/world.ts";
import { workerd } from "../contract/workerd.ts";
import { FaultProxy } from "../support/fault-proxy.ts";
import { type HomeApache, startHomeApache } from "../support/home-apache.ts";
import { type OpenDoor, openDoor } from "../support/open-door.ts";
import { memoryBytes, processOn } from "../support/processes.ts";
import { type Ended, run as runProgram } from "./program.ts";

const MIB = 1 << 20;
/** CONTRIBUTING.md: 2048 for the whole proof. */
const LARGE_MIB = Number(process.env.DOOR_MIB ?? 128);
const block = Buffer.from(Array.from({ length: MIB }, (_, at) => (at * 7919) >>> 5));

let world: World;
let folder: string;
let apache: HomeApache;
let echo: Server;
const doors: OpenDoor[] = [];
/** `http://<label>.<link zone>:<port>`: Apache's door, and that of a service that says what it got. */
let files: string;
let echoes: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "latchkey-door-"));
  world = await World.create(workerd);
  apache = await startHomeApache(folder);
  echo = createServer(
    (from, to) => void answer(from.url ?? "/", from, to).catch(() => to.destroy()),
  );
  echo.listen(0, "127.0.0.1");
  await once(echo, "listening");
  const own = `http://127.0.0.1:${(echo.address() as AddressInfo).port}`;
  for (const origin of [apache.origin, own]) doors.push(await openDoor(world, folder, origin));
  [files, echoes] = doors.map(({ host }) => `http://${host}`) as [string, string];
});

afterAll(async () => {
  for (const door of doors) await door.close();
  echo?.closeAllConnections();
  echo?.close();
  await apache?.close();
  await world?.close();
  await rm(folder, { recursive: true, force: true });
});

async function* blocks(count: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < count; at++) yield block;
}

function hashOf(count: number): string {
  const hash = createHash("sha256");
  for (let at = 0; at < count; at++) hash.update(block);
  return hash.digest("hex");
}

type Exchange = Parameters<Parameters<typeof createServer>[1] & object>;

async function answer(url: string, from: Exchange[0], to: Exchange[1]): Promise<void> {
  if (url.startsWith("/flow")) {
    const count = Number(url.split("=")[1]);
    return await pipeline(Readable.from(blocks(count)), to);
  }
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of from) {
    hash.update(chunk);
    bytes += (chunk as Buffer).byteLength;
  }
  const { method, headers } = from;
  const said = { method, bytes, hash: hash.digest("hex"), range: headers.range ?? null };
  to.setHeader("content-type", "application/json");
  to.end(JSON.stringify(said));
}

const curl = (...args: string[]) => runProgram("curl", ["-sS", ...args], "apt-get install curl");

/** A program with a generated body on its standard input, and the hash of its standard output. */
async function pumped(command: string, args: string[], input: AsyncIterable<Buffer> | null) {
  const child = spawn(command, args, {
    stdio: ["pipe", "pipe", "pipe"],
    env: through(),
    cwd: folder,
  });
  const ended = once(child, "close");
  let stderr = "";
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const hash = createHash("sha256");
  let stdout = Buffer.alloc(0);
  child.stdout.on("data", (chunk: Buffer) => {
    hash.update(chunk);
    if (stdout.length < MIB) stdout = Buffer.concat([stdout, chunk]);
  });
  if (input === null) child.stdin.end();
  else await pipeline(Readable.from(input), child.stdin).catch(() => {}); // it says why itself
  const [code] = await ended;
  return { code, stderr, hash: hash.digest("hex"), text: stdout.toString() };
}

/** The door's host is known to nobody's DNS: programs that do not know `.localhost` take the way of a proxy. */
function through(): Record<string, string> {
  const { PATH = "", HOME = "" } = process.env;
  const proxy = `http://127.0.0.1:${world.port}`;
  return { PATH, HOME, http_proxy: proxy, no_proxy: "" };
}

describe("curl", () => {
  it.each(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "MKCOL", "REPORT"])(
    "%s",
    async (method) => {
      const { stdout } = await curl("-X", method, "-d", "some words", `${echoes}/x`);
      expect(JSON.parse(stdout)).toMatchObject({ method, bytes: 10 });
    },
  );

  it("HEAD, ranges and compression are as the device has them", async () => {
    await writeFile(join(apache.files, "words.txt"), "0123456789".repeat(2000));
    const { stdout: head } = await curl("-I", `${files}/words.txt`);
    expect(head).toMatch(/^HTTP\/1.1 200/);
    expect(head).toMatch(/^content-length: 20000/im);
    const range = await curl("-i", "-r", "5-14", `${files}/words.txt`);
    expect(range.stdout).toMatch(
      /^HTTP\/1.1 206[\s\S]*content-range: bytes 5-14\/20000[\s\S]*5678901234$/i,
    );
    const raw = await curl(
      "-i",
      "-H",
      "Accept-Encoding: gzip",
      "-o",
      join(folder, "z"),
      `${files}/words.txt`,
    );
    expect([raw.code, (await readFile(join(folder, "z"))).length < 2000]).toEqual([0, true]);
    const { stdout } = await curl("--compressed", `${files}/words.txt`);
    expect(stdout).toBe("0123456789".repeat(2000));
  });

  it("Expect: 100-continue is answered at the edge, and the body follows", async () => {
    const body = join(folder, "body");
    await writeFile(body, block);
    const args = ["-v", "-H", "Expect: 100-continue", "--expect100-timeout", "20", "-T", body];
    const { stdout, stderr } = await curl(...args, `${echoes}/x`);
    expect(stderr).toContain("HTTP/1.1 100 Continue");
    expect(JSON.parse(stdout)).toMatchObject({ bytes: MIB, hash: hashOf(1) });
  });

  it(`brings ${LARGE_MIB} MiB out and takes as much in, chunked, stored nowhere`, {
    timeout: 600_000,
  }, async () => {
    const memory = await edgeMemory();
    const out = await pumped("curl", ["-sS", `${echoes}/flow?mib=${LARGE_MIB}`], null);
    expect([out.code, out.stderr, out.hash]).toEqual([0, "", hashOf(LARGE_MIB)]);
    const args = ["-sS", "-T", "-", "-H", "Expect:", `${echoes}/x`];
    const taken = await pumped("curl", args, blocks(LARGE_MIB));
    expect([taken.code, taken.stderr]).toEqual([0, ""]);
    expect(JSON.parse(taken.text)).toMatchObject({
      bytes: LARGE_MIB * MIB,
      hash: hashOf(LARGE_MIB),
    });
    expect(await memory.grown()).toBeLessThan(128 * MIB);
  });
});

/** By how much the edge's process has grown at most, looked at ten times a second. */
async function edgeMemory() {
  const pid = await processOn(world.port);
  const before = await memoryBytes(pid);
  let most = before;
  const timer = setInterval(async () => {
    most = Math.max(most, await memoryBytes(pid));
  }, 100);
  return {
    grown: async () => {
      clearInterval(timer);
      return Math.max(most, await memoryBytes(pid)) - before;
    },
  };
}

describe("wget", () => {
  it("goes on where its line was cut, and has the file whole", { timeout: 120_000 }, async () => {
    await pipeline(
      Readable.from(blocks(16)),
      (await import("node:fs")).createWriteStream(join(apache.files, "long")),
    );
    let cuts = 0;
    const proxy = await FaultProxy.start({
      target: () => world.port,
      onLine: (line) => {
        if (cuts++ < 3) line.after(3 * MIB, () => line.break("reset"));
      },
    });
    const place = join(folder, "long");
    const args = ["-q", "--continue", "--tries=9", "--waitretry=0", "-O", place, `${files}/long`];
    const { PATH = "" } = process.env;
    const env = { PATH, http_proxy: `http://127.0.0.1:${proxy.port}` };
    const [code] = await once(spawn("wget", args, { env, stdio: "inherit" }), "close");
    await proxy.close();
    expect([code, cuts]).toEqual([0, 4]);
    expect(
      createHash("sha256")
        .update(await readFile(place))
        .digest("hex"),
    ).toBe(hashOf(16));
    const ranges = (await apache.log()).filter((line) => /^GET \/long 206 bytes=\d+-/.test(line));
    expect(ranges.length).toBe(3);
  });
});

describe("git", () => {
  const git = (...args: string[]): Promise<Ended> =>
    runProgram(
      "git",
      ["-c", "user.name=A", "-c", "user.email=a@b.example", ...args],
      "apt-get install git",
    );

  it("clones and pushes over HTTP", { timeout: 120_000 }, async () => {
    const bare = join(apache.files, "git/box.git");
    await git("init", "-q", "--bare", "-b", "main", bare);
    await git("-C", bare, "config", "http.receivepack", "true");
    const [one, other] = [join(folder, "one"), join(folder, "other")];
    await git("init", "-q", "-b", "main", one);
    await writeFile(join(one, "file"), block);
    await git("-C", one, "add", "file");
    await git("-C", one, "commit", "-qm", "a file");
    const pushed = await git("-C", one, "push", "-q", `${files}/git/box.git`, "main");
    expect([pushed.code, pushed.stderr]).toEqual([0, ""]);
    const cloned = await git("clone", "-q", `${files}/git/box.git`, other);
    expect([cloned.code, cloned.stderr]).toEqual([0, ""]);
    expect((await readFile(join(other, "file"))).equals(block)).toBe(true);
  });
});

describe("WebDAV", () => {
  it(`rclone puts and gets a file of ${LARGE_MIB} MiB`, { timeout: 900_000 }, async () => {
    const remote = `:webdav,vendor=other,url='${files}/dav/':big.bin`;
    const quiet = [
      "--config",
      "/dev/null",
      "--retries",
      "1",
      "--low-level-retries",
      "1",
      "--log-level",
      "ERROR",
    ];
    const put = await pumped(
      "rclone",
      ["rcat", "--size", `${LARGE_MIB * MIB}`, ...quiet, remote],
      blocks(LARGE_MIB),
    );
    expect([put.code, put.stderr]).toEqual([0, ""]);
    const got = await pumped("rclone", ["cat", ...quiet, remote], null);
    expect([got.code, got.stderr, got.hash]).toEqual([0, "", hashOf(LARGE_MIB)]);
    await rm(join(apache.files, "dav/big.bin"));
  });
});
