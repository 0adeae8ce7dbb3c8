/**
 * Every lane of Link at once over lines that are cut: long bodies both ways (by the bulk lane where there
 * is one), WebSockets and tunnels. Whatever breaks is seen to break; nothing is short, doubled or mixed up.
 */

import { createCipheriv, createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Agent, request } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { Home } from "../../agent/home.ts";
import { openTunnel } from "../../agent/tunnel/visitor.ts";
import { deno } from "../contract/deno-process.ts";
import { freePort } from "../contract/runtime.ts";
import { World } from "../contract/suite/world.ts";
import { workerd } from "../contract/workerd.ts";
import { type Fault, FaultProxy, type Line } from "../support/fault-proxy.ts";
import { Chance } from "../support/link-world.ts";
import { type OpenDoor, openDoor } from "../support/open-door.ts";
import { StormClock } from "../support/storm.ts";
import { accessToken, TcpService } from "../support/tunnel.ts";

/** CONTRIBUTING.md: how many lines are cut, and from which seed. */
const DROPS = Math.min(Number(process.env.LINK_DROPS ?? 40), 2000);
const SEED = Number(process.env.LINK_SEED ?? 1);
const MIB = 1 << 20;
const MOST = 6 * MIB;
const FAULTS: readonly Fault[] = ["reset", "finish", "reset near"];
/** No two pieces of it are alike. */
const all = createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16)).update(
  Buffer.alloc(2 * MOST),
);
const hashOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe.each([workerd, deno])("every lane over lines that are cut, on $name", (runtime) => {
  let world: World;
  let folder: string;
  let service: Server;
  let mirror: TcpService;
  let proxy: FaultProxy;
  let door: OpenDoor;
  let token: string;
  let publicKey: string;
  const chance = new Chance(SEED);
  const dispatcher = new Agent({ connections: 32 });
  const violations: string[] = [];
  const endings: Record<string, number> = {};
  let [drops, bulkLines, storming] = [0, 0, false];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "latchkey-storm-"));
    // The box dials the proxy, which leads to the edge.
    const port = await freePort();
    proxy = await FaultProxy.start({ port, target: () => world.port, onLine });
    world = await World.create(runtime, {
      ORIGIN: `http://localhost:${port}`,
      LINK_ZONE: "link.localhost",
      DDNS_ZONE: "ddns.test",
      REGIONS: runtime === workerd ? "home:At_home:DB_HOME" : "home:At_home:home",
      SOURCE_ADDRESS: "socket",
      ALLOW_SPECIAL_ADDRESSES: "yes",
      NETWORK_LIMIT_FACTOR: "50",
      MAIL_FROM: "Latchkey <keys@latchkey.test>",
    });
    service = createServer((from, to) => void serve(from, to).catch(() => to.destroy()));
    const sockets = new WebSocketServer({ server: service });
    sockets.on("connection", (socket) => {
      socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
    });
    service.listen(0, "127.0.0.1");
    await once(service, "listening");
    mirror = await TcpService.start((socket) => void socket.pipe(socket));
    const origin = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
    const own = { tcp: [`mirror=${mirror.address}`], clock: new StormClock() };
    door = await openDoor(world, folder, origin, own);
    ({ token } = await accessToken(world, door.owner));
    publicKey = (await new Home(join(folder, door.label)).identity())?.publicKey ?? "";
  });
  afterAll(async () => {
    await door?.close();
    await dispatcher.destroy();
    await proxy?.close();
    await mirror?.close();
    service?.closeAllConnections();
    service?.close();
    await world?.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** Each line that the box dials is cut after some of its bytes, while the storm goes on. */
  function onLine(line: Line): void {
    line.near.once("data", (first: Buffer) => {
      if (first.toString("latin1", 0, 30).startsWith("POST /api/agent/bulk")) bulkLines++;
    });
    if (!storming) return;
    line.after(chance.below(12 * MIB), () => {
      if (!storming) return;
      drops++;
      line.break(chance.pick(FAULTS));
    });
  }

  async function serve(from: IncomingMessage, to: ServerResponse): Promise<void> {
    const url = new URL(from.url ?? "/", "http://home.invalid");
    const [start, length] = ["start", "length"].map((name) => Number(url.searchParams.get(name)));
    const wanted = all.subarray(start, (start ?? 0) + (length ?? 0));
    if (from.method === "PUT") {
      const hash = createHash("sha256");
      for await (const chunk of from) hash.update(chunk);
      const came = hash.digest("hex");
      if (came !== hashOf(wanted)) violations.push("an upload came short or wrong");
      return void to.end(came);
    }
    if (url.searchParams.has("announced")) to.setHeader("content-length", wanted.length);
    await pipeline(Readable.from(pieces(wanted)), to);
  }

  function* pieces(bytes: Buffer): Generator<Buffer> {
    for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
  }

  const some = () => {
    const [start, length] = [chance.below(MOST), chance.below(MOST)];
    const announced = chance.is(0.5);
    const path = `/?start=${start}&length=${length}${announced ? "&announced" : ""}`;
    return { path, announced, bytes: all.subarray(start, start + length) };
  };

  async function body(method: "GET" | "PUT"): Promise<string> {
    const { path, announced, bytes } = some();
    const length = { "content-length": String(bytes.length) };
    const answer = await request(`http://127.0.0.1:${world.port}${path}`, {
      method,
      dispatcher,
      headers: { host: door.host, ...(method === "PUT" && announced ? length : {}) },
      body: method === "PUT" ? Readable.from(pieces(bytes)) : null,
    });
    const came = Buffer.from(await answer.body.arrayBuffer());
    if (answer.statusCode !== 200) return `${answer.statusCode}`;
    const right = method === "PUT" ? String(came) === hashOf(bytes) : came.equals(bytes);
    if (!right) violations.push(`${method}: ${came.length} of ${bytes.length} as a success`);
    return "whole";
  }

  /** What comes back is a beginning of what was said, and all of it where nobody was cut off. */
  async function webSocket(): Promise<string> {
    const socket = new WebSocket(`ws://127.0.0.1:${world.port}/`, [], {
      headers: { host: door.host },
    });
    const said = Array.from({ length: 20 }, (_, at) => {
      const words = all.subarray(0, chance.below(10_000)).toString("base64");
      return `${at} ${words}`;
    });
    const heard: string[] = [];
    const over = new Promise<number>((resolve) => {
      socket.on("message", (data) => {
        if (heard.push(String(data)) === said.length) socket.close(4000);
      });
      socket.on("close", resolve);
      socket.on("error", () => undefined); // a close follows
      socket.on("unexpected-response", () => resolve(1006));
    });
    socket.on("open", () => {
      for (const words of said) socket.send(words);
    });
    const code = await over;
    socket.terminate();
    if (heard.some((words, at) => words !== said[at]))
      violations.push("a WebSocket mixed words up");
    if (code === 4000 && heard.length < said.length) violations.push("a WebSocket lost words");
    return code === 4000 ? "whole" : "broken";
  }

  async function tunnel(): Promise<string> {
    const bytes = some().bytes.subarray(0, MIB);
    const link = `http://${door.host}`;
    const opened = await openTunnel({ link, token, service: "mirror", publicKey });
    opened.on("error", () => undefined); // the reading tells
    opened.end(bytes);
    const came: Buffer[] = [];
    for await (const piece of opened) came.push(piece as Buffer);
    const right = Buffer.concat(came).equals(bytes);
    if (!right)
      violations.push(`a tunnel ended well with ${came.length} pieces of ${bytes.length}`);
    return "whole";
  }

  const lanes: readonly (readonly [string, () => Promise<string>])[] = [
    ["download", () => body("GET")],
    ["download", () => body("GET")],
    ["upload", () => body("PUT")],
    ["WebSocket", webSocket],
    ["tunnel", tunnel],
  ];

  it(`breaks what it breaks, and keeps the rest whole, ${DROPS} times`, {
    timeout: 120_000 + DROPS * 3000,
  }, async () => {
    storming = true;
    for (const line of proxy.lines) onLine(line);
    await Promise.all(
      lanes.map(async ([name, act]) => {
        // A lane on which nothing came through yet goes on: a tunnel takes its time to give up.
        while (drops < DROPS || endings[`${name} whole`] === undefined) {
          const ending = await act().catch(() => "broken");
          endings[`${name} ${ending}`] = (endings[`${name} ${ending}`] ?? 0) + 1;
        }
      }),
    );
    storming = false;
    expect(violations).toEqual([]);
    console.log(`${runtime.name}: ${JSON.stringify(endings)}, ${bulkLines} bulk segments`);
    for (const name of ["download", "upload", "WebSocket", "tunnel"]) {
      expect(endings[`${name} whole`] ?? 0, `${name}s that came through`).toBeGreaterThan(0);
    }
    expect(endings["download broken"] ?? 0).toBeGreaterThan(0);
    if (runtime === workerd) expect(bulkLines).toBeGreaterThan(0);
    // The line is well again, and so is everything on it.
    await expect.poll(() => body("GET").catch(() => "broken"), { timeout: 30_000 }).toBe("whole");
    expect(await webSocket()).toBe("whole");
    expect(await tunnel()).toBe("whole");
    expect(violations).toEqual([]);
  });
});
