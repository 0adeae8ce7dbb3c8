/**
 * What passes a door leaves nothing behind: a thousand sessions of every kind, each with words that no
 * other has, and then a search of everything that the edge keeps, writes and says.
 */

import { once } from "node:events";
import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { Home } from "../../agent/home.ts";
import { openTunnel } from "../../agent/tunnel/visitor.ts";
import { logMap } from "../../db/data-map/outside.ts";
import { deno } from "../contract/deno-process.ts";
import { type Ask, ask } from "../contract/suite/http.ts";
import { World } from "../contract/suite/world.ts";
import { workerd } from "../contract/workerd.ts";
import { newMarker, search } from "../support/canary.ts";
import { foundInMemory } from "../support/memory-image.ts";
import { type OpenDoor, openDoor } from "../support/open-door.ts";
import { processOn } from "../support/processes.ts";
import { accessToken, TcpService } from "../support/tunnel.ts";

const SESSIONS = 1000;
const AT_ONCE = 50;
const LARGE_BYTES = 3 << 20;

/** A service at home with pages, a sign-in of its own and WebSockets: it says back what it got. */
class BoxAtHome {
  readonly server: Server;
  /** What was typed into its own sign-in. */
  readonly typed: string[] = [];

  constructor() {
    this.server = createServer((from, to) => void this.#serve(from, to).catch(() => to.destroy()));
    const sockets = new WebSocketServer({ server: this.server, maxPayload: 16 << 20 });
    sockets.on("connection", (socket) => {
      socket.on("message", (data: Buffer, isBinary) => socket.send(data, { binary: isBinary }));
    });
  }

  async #serve(from: IncomingMessage, to: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of from) pieces.push(piece as Buffer);
    const body = Buffer.concat(pieces).toString();
    if (from.url === "/sign-in") {
      this.typed.push(body, String(from.headers.authorization));
      to.writeHead(303, { location: "/", "set-cookie": `own=${from.headers["x-own"]}; HttpOnly` });
      return void to.end();
    }
    if (from.url?.startsWith("/breaks")) return void from.socket.destroy();
    to.setHeader("x-answer", from.headers["x-answer"] ?? "");
    if (from.url?.startsWith("/large")) {
      const line = `${from.headers["x-word"]} `;
      return void to.end(line.repeat(Math.ceil(LARGE_BYTES / line.length)));
    }
    to.end(`${from.url} ${body}`);
  }
}

describe.each([workerd, deno])("what passed a door on $name", (runtime) => {
  let world: World;
  let folder: string;
  let home: BoxAtHome;
  let chat: TcpService;
  let door: OpenDoor;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "latchkey-traces-"));
    // What cannot be reached is logged at the first sign-up: the log's own control.
    world = await World.create(runtime, { BREACH_URL: "http://127.0.0.1:9/range/" });
    home = new BoxAtHome();
    home.server.listen(0, "127.0.0.1");
    await once(home.server, "listening");
    chat = await TcpService.start((socket) => socket.pipe(socket));
    const origin = `http://127.0.0.1:${(home.server.address() as AddressInfo).port}`;
    door = await openDoor(world, folder, origin, { tcp: [`chat=${chat.address}`] });
  });
  afterAll(async () => {
    await door?.close();
    await chat?.close();
    home?.server.closeAllConnections();
    home?.server.close();
    await world?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const visit = (path: string, options: Ask = {}) =>
    ask(world, path, { host: door.host, ...options });

  /** One request, whose path, query, header, cookie and body nobody else has. */
  async function request(word: (kind: string) => string): Promise<void> {
    const path = `/${word("path")}/letter.pdf?q=${word("query")}`;
    const answer = await visit(path, {
      body: word("body"),
      headers: {
        "x-answer": word("header"),
        cookie: `own=${word("cookie")}`,
        authorization: `Bearer ${word("authorization")}`,
        referer: `http://${door.host}/${word("referer")}`,
        "user-agent": word("browser"),
      },
    });
    expect(answer.text).toBe(`${path} ${word("body")}`);
    expect(answer.headers["x-answer"]).toBe(word("header"));
  }

  /** A body that goes by the bulk lane where there is one, both ways. */
  async function large(word: (kind: string) => string): Promise<void> {
    const headers = { "x-word": word("large") };
    const answer = await visit(`/large?${word("query")}`, { headers });
    expect(answer.body.length).toBeGreaterThanOrEqual(LARGE_BYTES);
    const sent = `${word("upload")} `.repeat(100_000);
    expect((await visit(`/${word("path")}`, { body: sent })).body.length).toBeGreaterThan(
      sent.length,
    );
  }

  async function webSocket(word: (kind: string) => string): Promise<void> {
    const socket = new WebSocket(`ws://127.0.0.1:${world.port}/${word("path")}`, [], {
      headers: { host: door.host },
    });
    await once(socket, "open");
    for (const message of [word("text"), Buffer.from(word("binary"))]) {
      socket.send(message);
      expect(String((await once(socket, "message"))[0])).toBe(String(message));
    }
    const closed = once(socket, "close");
    socket.close(4000, word("close"));
    await closed;
  }

  async function tunnel(token: string, word: (kind: string) => string): Promise<void> {
    const { publicKey } = (await new Home(join(folder, door.label)).identity()) ?? {};
    const link = `http://${door.host}`;
    const target = { link, token, service: "chat", publicKey: publicKey ?? "" };
    const opened = await openTunnel(target);
    opened.write(word("tunnel"));
    let heard = "";
    for await (const piece of opened) {
      heard += piece;
      if (heard.includes(word("tunnel"))) break;
    }
  }

  /** What fails, in all the ways in which a door can: an error says nothing of what it was about. */
  async function failures(word: (kind: string) => string): Promise<void> {
    const statuses = [
      await visit(`/${word("path")}`, {
        host: `b${word("label").slice(0, 20)}.${door.host.split(".").slice(1).join(".")}`,
      }),
      await visit(`/breaks?${word("query")}`),
      await visit(`/${word("path")}?${"x".repeat(17_000)}`),
      await visit(`/${word("path")}`, { method: "TRACE" }),
      await visit("/.well-known/latchkey/enter?code=none", { headers: { cookie: word("cookie") } }),
      await visit(`/.well-known/latchkey/view?path=/${word("path")}`, {
        headers: { accept: "text/html" },
      }),
      await visit(`/.well-known/latchkey/share/${word("share")}`),
    ].map(({ status }) => status);
    expect(statuses.filter((status) => status >= 400).length).toBeGreaterThan(3);
    expect(statuses).not.toContain(500);
  }

  const mark = newMarker();
  let rowsBefore: Record<string, number>;
  let linesBefore: number;

  it("[CON-8] [CON-14] of 1,000 sessions is in no store, no file and no line of the log, nor what was asked for", {
    timeout: 240_000,
  }, async () => {
    const { token } = await accessToken(world, door.owner);
    await visit("/first");
    await world.sweep();
    rowsBefore = await rowsOnDisk(world);
    linesBefore = world.log.length;
    const kinds: ((word: (kind: string) => string) => Promise<void>)[] = [];
    for (let at = 0; at < SESSIONS; at++) {
      if (at % 100 === 50) kinds.push(large);
      else if (at % 100 === 51) kinds.push(failures);
      else if (at % 20 === 2) kinds.push((word) => tunnel(token, word));
      else kinds.push(at % 5 === 3 ? webSocket : request);
    }
    for (let from = 0; from < SESSIONS; from += AT_ONCE) {
      const batch = kinds.slice(from, from + AT_ONCE);
      await Promise.all(
        batch.map((session, at) => session((kind) => `${mark}${kind}${1000 + from + at}x`)),
      );
    }
    await world.sweep();
    const logged = world.log.join("\n");
    const where = { folder: world.data, texts: { log: `${logged} the log's own control` } };
    const markers = { "all that was said": mark };
    const controls = { label: door.label, log: "the log's own control" };
    expect(await search({ ...where, markers, controls })).toEqual([]);
  });

  it("[CON-9] leaves facts alone: declared fields in the log, and no row for any session", async () => {
    const lines = world.log.filter((line) => line.startsWith("{"));
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) {
      const fields = JSON.parse(line) as Record<string, unknown>;
      expect(Object.keys(fields).filter((field) => !Object.hasOwn(logMap, field))).toEqual([]);
    }
    // A thousand sessions, of which some failed in every way: not a line is about any of them.
    const since = world.log.slice(linesBefore).filter((line) => line.startsWith("{"));
    expect(since).toEqual([]);
    const rows = await rowsOnDisk(world);
    const traffic = Object.keys(rows).filter((table) => table.endsWith(" traffic"));
    // A day's counts are one sealed row, however many came.
    expect(traffic.map((table) => (rows[table] ?? 0) <= 1)).toEqual([true]);
    for (const table of traffic) delete rows[table];
    for (const table of traffic) delete rowsBefore[table];
    expect(rows).toEqual(rowsBefore);
  });

  it("[CON-8] of tunnels is not even in the edge's memory, where the words of requests pass", async () => {
    const pid = await processOn(world.port);
    const found = [...(await foundInMemory(pid, mark, "[a-z]+\\d{4}x"))];
    // Bytes stay in memory until they are written over (docs/link.md); it is searched rightly, then.
    expect(found.length).toBeGreaterThan(0);
    expect(found.filter((word) => word.includes("tunnel"))).toEqual([]);
  });

  it("[CON-4] of the device's own sign-in is with the device alone", async () => {
    const [password, basic, session] = [newMarker(), newMarker(), newMarker()];
    const typed = `user=me&password=${password}`;
    const answer = await visit("/sign-in", {
      body: typed,
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        authorization: `Basic ${Buffer.from(`me:${basic}`).toString("base64")}`,
        "x-own": session,
      },
    });
    expect([answer.status, String(answer.headers["set-cookie"])]).toEqual([
      303,
      `own=${session}; HttpOnly`,
    ]);
    expect(home.typed[0]).toBe(typed);
    await visit("/", { headers: { cookie: `own=${session}` } });
    await world.sweep();
    const texts = { log: `${world.log.join("\n")} the log's own control` };
    const markers = { password, basic, session, "the sessions before": mark };
    const controls = { label: door.label, log: "the log's own control" };
    expect(await search({ folder: world.data, texts, markers, controls })).toEqual([]);
    await door.close();
    await world.restart();
    const { label } = door;
    expect(await search({ folder: world.data, markers, controls: { label } })).toEqual([]);
  });
});

/** How many rows each table on the disk has, of databases and of devices' objects. */
async function rowsOnDisk(world: World): Promise<Record<string, number>> {
  const copy = await mkdtemp(join(tmpdir(), "latchkey-rows-"));
  await cp(world.data, copy, { recursive: true });
  const counts: Record<string, number> = {};
  for (const file of await readdir(copy, { recursive: true })) {
    if (!/\.(sqlite|db)$/.test(file)) continue;
    const database = new DatabaseSync(join(copy, file));
    const named = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
    for (const { name } of named) {
      if (/^(sqlite_|_cf|_mf)/.test(String(name))) continue;
      const row = database.prepare(`SELECT count(*) AS rows FROM "${name}"`).get();
      counts[`${file} ${name}`] = Number(row?.rows);
    }
    database.close();
  }
  await rm(copy, { recursive: true });
  return counts;
}
