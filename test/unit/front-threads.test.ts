/**
 * A front whose UDP is answered by several threads: each hears everything, and together they cost the edge
 * and allow a network no more than one would. Which thread answers which client only the system knows; the
 * test finds out by keeping a thread waiting for what it is told.
 */

import { createSocket, type Socket, type SocketOptions, type SocketType } from "node:dgram";
import { createServer } from "node:net";
import type { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Front, type FrontOptions, startFront } from "../../front/front.ts";
import type { ToThread } from "../../front/threads.ts";
import type { RecordSet } from "../../protocol/dns/sets.ts";
import { limits } from "../../protocol/limits.ts";
import { exchangeTcp, type Kind, question, readAnswer } from "../support/dns.ts";
import { ZoneEdge } from "../support/zone-edge.ts";

const APEX = "ddns.test";
const THREADS = 3;
/** All of them at one of three threads: one time in ten to the fifteenth. */
const CLIENTS = 32;

const world = vi.hoisted(() => ({
  workers: [] as Worker[],
  /** Which worker is not told for now, and what it was not. */
  held: null as { readonly worker: Worker; readonly told: ToThread[] } | null,
  /** True: that is the first that is made. */
  holdsFirst: false,
  sharesPorts: true,
}));
vi.mock(import("node:worker_threads"), async (original) => {
  const real = await original();
  class Watched extends real.Worker {
    constructor(...how: ConstructorParameters<typeof real.Worker>) {
      super(...how);
      if (world.holdsFirst && world.workers.length === 0) world.held = { worker: this, told: [] };
      world.workers.push(this);
    }
    override postMessage(told: ToThread): void {
      if (world.held?.worker === this) world.held.told.push(told);
      else super.postMessage(told);
    }
  }
  return { ...real, Worker: Watched };
});
vi.mock(import("node:dgram"), async (original) => {
  const real = await original();
  const createSocket = (how: SocketType | SocketOptions) => {
    const asked = typeof how === "string" ? { type: how } : how;
    return real.createSocket(world.sharesPorts ? asked : { ...asked, reusePort: false });
  };
  return { ...real, createSocket };
});

const a = (address: string): RecordSet[] => [
  { owner: "", type: "A", ttl: 60, data: [{ type: "A", address }] },
];

let edge: ZoneEdge;
let clients: Client[];
const fronts: Front[] = [];

/** A client with a port of its own. */
class Client {
  readonly #socket: Socket;
  readonly #port: number;
  readonly #waiting = new Map<number, (answer: Buffer) => void>();

  constructor(socket: Socket, port: number) {
    this.#socket = socket;
    this.#port = port;
    socket.on("message", (answer) => this.#waiting.get(answer.readUInt16BE(0))?.(answer));
  }

  async ask(name: string, kind: Kind = "A", dnssecOk: boolean | null = null) {
    return readAnswer(await this.exchange(question(name, kind, dnssecOk)));
  }

  exchange(message: Buffer): Promise<Buffer> {
    const { promise, resolve } = Promise.withResolvers<Buffer>();
    this.#waiting.set(message.readUInt16BE(0), resolve);
    this.#socket.send(message, this.#port, "127.0.0.1");
    return promise;
  }

  close(): void {
    this.#socket.close();
  }
}

async function start(more: Partial<FrontOptions> = {}): Promise<Front> {
  const held = { zone: APEX, token: "x".repeat(40) };
  const front = await startFront({
    ...{ edge: edge.origin, host: "127.0.0.1", port: 0, threads: THREADS, held },
    ...more,
  });
  fronts.push(front);
  await front.ready;
  return front;
}

async function clientsOf(front: Front): Promise<Client[]> {
  const made = Array.from({ length: CLIENTS }, async () => {
    const socket = createSocket("udp4");
    await new Promise<void>((bound) => socket.bind(0, "127.0.0.1", bound));
    return new Client(socket, front.port);
  });
  clients = await Promise.all(made);
  return clients;
}

/** What everybody is answered, each different answer once. */
async function all(name: string, kind: Kind = "A", dnssecOk: boolean | null = null) {
  const said = await Promise.all(clients.map((client) => client.ask(name, kind, dnssecOk)));
  return [...new Set(said.map((one) => JSON.stringify(one)))].map((one) => JSON.parse(one));
}

/** Until all say so, whichever thread they are at. */
const allSay = (name: string, expected: object) =>
  vi.waitFor(async () => expect(await all(name)).toMatchObject([expected]));

/** Resolves when every other thread has done what it was told. */
async function settled(): Promise<void> {
  const each = world.workers.map(
    (worker) =>
      new Promise<void>((done) => {
        worker.on("message", ({ kind }: { kind: string }) => kind === "settled" && done());
        worker.postMessage({ kind: "settle" });
      }),
  );
  await Promise.all(each);
}

/** Tells the thread that was not told what it was not. */
function release(): void {
  const held = world.held;
  world.held = null;
  for (const told of held?.told ?? []) held?.worker.postMessage(told);
}

beforeEach(async () => {
  edge = await ZoneEdge.start(APEX);
  await edge.put("nas", a("192.0.2.1"));
  await edge.put("box", a("192.0.2.2"));
  world.workers.length = 0;
  world.held = null;
  world.holdsFirst = false;
  world.sharesPorts = true;
  clients = [];
});

afterEach(async () => {
  for (const client of clients) client.close();
  await Promise.all(fronts.splice(0).map((front) => front.close()));
  await edge.close();
});

describe("threads of a front", () => {
  it("all answer, the same, and [CON-6] all forget a name that was given up", async () => {
    const front = await start();
    await clientsOf(front);
    expect([front.threads, world.workers.length]).toEqual([THREADS, THREADS - 1]);
    // Each of the others in turn is kept waiting: who is at it hears what was before.
    const at = new Set<Client>();
    for (const [turn, worker] of world.workers.entries()) {
      world.held = { worker, told: [] };
      const label = `turn${turn}`;
      await edge.put(label, a("192.0.2.9"));
      const late = async () => {
        const said = await Promise.all(clients.map((client) => client.ask(`${label}.${APEX}`)));
        return clients.filter((_, index) => said[index]?.rcode === "NXDOMAIN");
      };
      await vi.waitFor(async () => expect((await late()).length).toBeLessThan(CLIENTS));
      await vi.waitFor(() => expect(world.held?.told).toHaveLength(1));
      const waiting = await late();
      expect(waiting).not.toEqual([]);
      for (const client of waiting) at.add(client);
      release();
      await allSay(`${label}.${APEX}`, { answers: [`${label}.${APEX} A 192.0.2.9`] });
    }
    // And the rest is at the first.
    expect(at.size).toBeLessThan(CLIENTS);

    await edge.put("nas", a("192.0.2.7"));
    await allSay(`nas.${APEX}`, { rcode: "NOERROR", answers: [`nas.${APEX} A 192.0.2.7`] });
    await edge.put("nas", null);
    await allSay(`nas.${APEX}`, { rcode: "NXDOMAIN", answers: [] });
    expect(await all(`box.${APEX}`, "A", true)).toMatchObject([{ answers: { length: 2 } }]);
    for (const kind of ["SOA", "NS", "DNSKEY"] as const) {
      expect(await all(APEX, kind, true)).toMatchObject([{ authoritative: true }]);
    }
  });

  it("are ready when the last of them has the zone, and not before", async () => {
    world.holdsFirst = true;
    const news: string[] = [];
    const ready = vi.fn();
    const starting = start({ onNews: (sentence) => news.push(sentence) });
    void starting.then(ready);
    // The page, what stands at the apex, and twice whether all of that is done: for the news, and to be ready.
    const kinds = () => world.held?.told.map(({ kind }) => kind) ?? [];
    await vi.waitFor(() => expect(kinds().filter((kind) => kind === "settle")).toHaveLength(2));
    expect(kinds()).toEqual(expect.arrayContaining(["heard", "kept"]));
    await new Promise((later) => setImmediate(later));
    expect([news, ready.mock.calls]).toEqual([[], []]);
    release();
    await clientsOf(await starting);
    expect(news).toEqual(["The zone is here: 2 names; every change comes in."]);
    expect(await all(`nas.${APEX}`)).toMatchObject([{ answers: { length: 1 } }]);
  });

  it("ask the edge once for all, and all forget what it denied when the name comes", async () => {
    await clientsOf(await start());
    await settled();
    edge.asked = 0;
    const [first] = clients as [Client];
    expect(await first.ask(`later.${APEX}`, "A", true)).toMatchObject({ answers: [] });
    await settled();
    expect(await all(`later.${APEX}`, "A", true)).toMatchObject([{ authorities: { length: 4 } }]);
    expect(edge.asked).toBe(1);
    await edge.put("later", a("192.0.2.3"));
    await allSay(`later.${APEX}`, { answers: [`later.${APEX} A 192.0.2.3`] });
    expect(await all(`later.${APEX}`, "A", true)).toMatchObject([{ answers: { length: 2 } }]);
    expect(edge.asked).toBe(1);
  });

  it("go on while the edge is away, about the zone itself too", async () => {
    await clientsOf(await start());
    await edge.close();
    expect(await all(`nas.${APEX}`)).toMatchObject([{ answers: [`nas.${APEX} A 192.0.2.1`] }]);
    expect(await all(`nobody.${APEX}`)).toMatchObject([{ rcode: "NXDOMAIN" }]);
    expect(await all(APEX, "SOA", true)).toMatchObject([{ answers: { length: 2 } }]);
    expect(await all(`ns1.${APEX}`)).toMatchObject([{ rcode: "SERVFAIL" }]);
    edge = await ZoneEdge.start(APEX);
  });

  it("hand on to the edge what it alone decides, and its answer back", async () => {
    await clientsOf(await start({ inventedRate: 1e6, askRate: 1e6 }));
    edge.asked = 0;
    const said = await Promise.all(
      clients.map((client, at) => {
        const message = question(`co${at}.${APEX}`, "A", true);
        message[message.length - 4] = 0xc0; // DO and CO (RFC 9824 §5)
        return client.exchange(message);
      }),
    );
    expect(said.map((answer) => readAnswer(answer).rcode)).toEqual(clients.map(() => "NXDOMAIN"));
    expect(edge.asked).toBe(CLIENTS);
  });

  it("let a network have as much as one would, of questions and of names that are not there", async () => {
    /** How many were answered in full of those that all clients asked, and how much one thread may in that time. */
    const flood = async (ask: (client: Client, at: number) => Promise<boolean>) => {
      const begun = performance.now();
      const each = clients.map(async (client, index) => {
        let whole = 0;
        for (let at = 0; at < 10; at++) {
          if (await ask(client, index * 10 + at)) whole++;
        }
        return whole;
      });
      const whole = (await Promise.all(each)).reduce((sum, one) => sum + one, 0);
      const most = 40 * (1 + (performance.now() - begun) / 1000);
      return { whole, most };
    };
    for (const [rates, ask] of [
      [{ rate: 40 }, async (client: Client) => !(await client.ask(`nas.${APEX}`)).truncated],
      [
        { askRate: 40, inventedRate: 1e6 },
        async (client: Client, at: number) =>
          !(await client.ask(`x${at}.${APEX}`, "A", true)).truncated,
      ],
      [
        { inventedRate: 40, askRate: 1e6 },
        async (client: Client, at: number) =>
          !(await client.ask(`y${at}.${APEX}`, "A", true)).truncated,
      ],
    ] as const) {
      const front = await start(rates);
      await clientsOf(front);
      const { whole, most } = await flood(ask);
      expect([rates, whole >= 40]).toEqual([rates, true]);
      // One more for each moment in which two counted at once.
      expect(whole).toBeLessThanOrEqual(most + THREADS);
      for (const client of clients) client.close();
      await front.close();
      world.workers.length = 0;
    }
    clients = [];
  });

  it("have no more questions wait for the edge than one would", async () => {
    const front = await start({ askRate: 1e9, inventedRate: 1e9 });
    await clientsOf(front);
    await settled();
    [edge.asked, edge.hangs] = [0, true];
    let truncated = 0;
    for (let at = 0; at < limits.dnsFrontInFlight + CLIENTS; at++) {
      const client = clients[at % CLIENTS] as Client;
      void client.ask(`z${at}.${APEX}`, "A", true).then((said) => said.truncated && truncated++);
      await vi.waitFor(() => expect(edge.asked + truncated).toBe(at + 1), { interval: 1 });
    }
    expect(edge.asked).toBe(limits.dnsFrontInFlight);
    expect(await all(`nas.${APEX}`)).toMatchObject([{ answers: { length: 1 } }]);
  });

  it("have their port for themselves, and leave it when the front closes", async () => {
    const front = await start();
    const taken = `Port ${front.port} on 127.0.0.1 is taken.`;
    for (const threads of [1, THREADS]) {
      await expect(start({ port: front.port, threads })).rejects.toThrow(taken);
    }
    expect(await exchangeTcp(front.port, question(`nas.${APEX}`))).not.toHaveLength(0);
    await front.close();
    const stranger = createSocket({ type: "udp4", reusePort: true });
    await new Promise<void>((bound) => stranger.bind(front.port, "127.0.0.1", bound));
    await expect(start({ port: front.port })).rejects.toThrow(taken);
    await new Promise<void>((closed) => stranger.close(closed));
    // Nothing of the front is left that would be in the way of somebody who shares with nobody.
    const alone = createSocket("udp4");
    await new Promise<void>((bound) => alone.bind(front.port, "127.0.0.1", bound));
    await new Promise<void>((closed) => alone.close(closed));
    const tcp = createServer();
    await new Promise<void>((bound) => tcp.listen(front.port, "127.0.0.1", bound));
    await new Promise((closed) => tcp.close(closed));
  });

  it("end together: a front that has lost one answers nothing, and says so", async () => {
    const said = Promise.withResolvers<string>();
    const front = await start({ onEnd: said.resolve });
    await world.workers[0]?.terminate();
    expect(await said.promise).toBe("A thread of this name server ended.");
    const alone = createSocket("udp4");
    await new Promise<void>((bound) => alone.bind(front.port, "127.0.0.1", bound));
    await new Promise<void>((closed) => alone.close(closed));
    await front.close();
  });

  it("are one where the system lets no more share a port", async () => {
    world.sharesPorts = false;
    const news: string[] = [];
    const front = await start({ onNews: (sentence) => news.push(sentence) });
    await clientsOf(front);
    expect([front.threads, world.workers.length]).toEqual([1, 0]);
    expect(news[0]).toBe("This system lets no two threads answer on one port: one answers alone.");
    expect(await all(`nas.${APEX}`)).toMatchObject([{ answers: { length: 1 } }]);
  });

  it("answer over IPv6 too", async () => {
    const front = await start({ host: "::1" });
    const sockets = Array.from({ length: CLIENTS }, () => createSocket("udp6"));
    const said = await Promise.all(
      sockets.map(async (socket) => {
        const heard = new Promise<Buffer>((resolve) => socket.once("message", resolve));
        socket.send(question(`nas.${APEX}`), front.port, "::1");
        return readAnswer(await heard).answers.length;
      }),
    );
    expect(said).toEqual(sockets.map(() => 1));
    for (const socket of sockets) socket.close();
  });
});
