/**
 * Two real programs of one box behind one door, on both runtimes: when one dies in the middle of what it
 * serves the other goes on where that is safe, and nobody takes half a file for a whole one.
 */

import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { request } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { enroll } from "../../agent/enroll.ts";
import { type RunEnd, run } from "../../agent/run.ts";
import { type AgentSocket, openSocket } from "../../agent/socket.ts";
import { deno } from "../contract/deno-process.ts";
import { ask } from "../contract/suite/http.ts";
import { newPerson, type Person } from "../contract/suite/person.ts";
import { newLabel, World } from "../contract/suite/world.ts";
import { workerd } from "../contract/workerd.ts";

const file = Buffer.alloc(300_000, "a file of the box at home, ");

describe.each([workerd, deno])("two programs of one box on $name", (runtime) => {
  const label = newLabel();
  let world: World;
  let owner: Person;
  let home: string;
  let id: string;
  let service: Server;
  const programs: Program[] = [];
  /** Requests that the service has not answered. */
  const waiting: ServerResponse[] = [];
  let asked: () => void = () => undefined;

  interface Program {
    readonly stop: AbortController;
    readonly end: Promise<RunEnd>;
    socket: AgentSocket | null;
  }

  beforeAll(async () => {
    world = await World.create(runtime);
    owner = await newPerson(world);
    home = await mkdtemp(join(tmpdir(), "latchkey-many-"));
    service = createServer((from, to) => {
      const start = Number(/bytes=(\d+)-/.exec(from.headers.range ?? "")?.[1] ?? 0);
      if (start > 0) {
        to.writeHead(206, { "content-range": `bytes ${start}-${file.length - 1}/${file.length}` });
        to.end(file.subarray(start));
        return;
      }
      if (from.url === "/now") {
        to.end("now");
        return;
      }
      waiting.push(to);
      asked();
    });
    service.listen(0, "127.0.0.1");
    await once(service, "listening");
    const device = await enroll({
      cloud: world.origin,
      home,
      async onCode({ user_code }) {
        const approve = { token: owner.token, body: { user_code, label } };
        await ask(world, "/api/enrolments/approve", approve);
      },
    });
    id = device.device_id;
    await own("/features/link", { on: true });
    await own("/access", { mode: "everyone" });
    await start();
    await start();
  });

  afterAll(async () => {
    for (const { stop } of programs) stop.abort();
    await Promise.all(programs.map(({ end }) => end));
    service?.closeAllConnections();
    service?.close();
    await world?.close();
    if (home !== undefined) await rm(home, { recursive: true });
  });

  const own = (below: string, body: object) =>
    ask(world, `/api/devices/${id}${below}`, { token: owner.token, method: "PUT", body });
  const described = async () =>
    (await ask(world, `/api/devices/${id}`, { token: owner.token })).json;
  const visit = (path: string, headers: Record<string, string> = {}) =>
    request(`http://127.0.0.1:${world.port}${path}`, {
      headers: { host: world.doorHost(label), ...headers },
    });

  /** Starts a program and waits until the cloud has it. */
  async function start(): Promise<void> {
    const stop = new AbortController();
    const { promise: connected, resolve } = Promise.withResolvers<void>();
    const program: Program = {
      stop,
      socket: null,
      end: run({
        home,
        serve: `http://127.0.0.1:${(service.address() as AddressInfo).port}`,
        signal: stop.signal,
        log: (line) => {
          if (line.startsWith("Link is on")) resolve();
        },
        open: (cloud, who, events) => {
          program.socket = openSocket(cloud, who, events);
          return program.socket;
        },
      }),
    };
    programs.push(program);
    await connected;
  }

  /** The service's next request that waits for its answer. */
  async function nextWaiting(): Promise<ServerResponse> {
    while (waiting.length === 0) {
      await new Promise<void>((resolve) => {
        asked = resolve;
      });
    }
    return waiting.shift() as ServerResponse;
  }

  /** Kills every program that serves a request now, without a word; another stays or comes. */
  function killServing(streamsOf: readonly number[]): void {
    const newestFirst = [...programs].filter(({ stop }) => !stop.signal.aborted).reverse();
    for (const [index, program] of newestFirst.entries()) {
      if ((streamsOf[index] ?? 0) > 0) program.socket?.terminate();
    }
  }

  it("are both connected, and their owner sees them", async () => {
    const { agents } = await described();
    expect(agents.length).toBe(2);
    expect(new Set(agents.map((agent: { id: string }) => agent.id)).size).toBe(2);
  });

  it("the other answers when one dies before its head", async () => {
    const answer = visit("/file");
    await nextWaiting();
    killServing((await described()).agents.map((agent: { streams: number }) => agent.streams));
    (await nextWaiting()).end(file);
    const { statusCode, body } = await answer;
    const bytes = Buffer.from(await body.arrayBuffer());
    expect([statusCode, bytes.equals(file)]).toEqual([200, true]);
  });

  it("a body breaks off when one dies after its head, and goes on by Range", async () => {
    while ((await described()).agents.length < 2) await (await visit("/now")).body.text();
    const answer = visit("/file");
    const to = await nextWaiting();
    to.writeHead(200, { "content-length": String(file.length) });
    to.write(file.subarray(0, 100_000));
    const { statusCode, body } = await answer;
    const got: Buffer[] = [];
    const read = (async () => {
      for await (const chunk of body) got.push(chunk as Buffer);
    })();
    const { agents } = await described();
    killServing(agents.map((agent: { streams: number }) => agent.streams));
    await expect(read).rejects.toThrow();
    expect(statusCode).toBe(200);
    const some = Buffer.concat(got);
    const rest = await visit("/file", { range: `bytes=${some.length || 1}-` });
    expect(rest.statusCode).toBe(206);
    const whole = Buffer.concat([
      some.length === 0 ? file.subarray(0, 1) : some,
      Buffer.from(await rest.body.arrayBuffer()),
    ]);
    expect(whole.equals(file)).toBe(true);
  });

  it("programs that are told to stop finish what they serve", async () => {
    while ((await described()).agents.length < 2) await (await visit("/now")).body.text();
    const answer = visit("/file");
    const to = await nextWaiting();
    for (const { stop } of programs) stop.abort();
    to.end(file);
    const { statusCode, body } = await answer;
    expect([statusCode, Buffer.from(await body.arrayBuffer()).equals(file)]).toEqual([200, true]);
    expect(await Promise.all(programs.map(({ end }) => end))).toEqual(["stopped", "stopped"]);
  });
});
