/**
 * A small world for Link without network, time or chance of its own: visitors, the object's Link, a
 * pipe, the agent's LinkServer and a local service, each moved by the test one step at a time.
 */

import type { Dispatcher } from "undici";
import type { BulkLane } from "../../agent/bulk.ts";
import { LinkServer } from "../../agent/link.ts";
import type { TcpServices } from "../../agent/tunnel/services.ts";
import {
  type AgentAttachment,
  type AgentRefusal,
  Agents,
} from "../../durable-objects/device/agents.ts";
import { type Budgets, defaultBudgets } from "../../durable-objects/device/budgets.ts";
import type { Socket, Sockets } from "../../durable-objects/device/context.ts";
import { doorHeader } from "../../durable-objects/device/door.ts";
import { Link } from "../../durable-objects/device/link/link.ts";
import { agentHeader, closeCodes, greetingText } from "../../protocol/agent.ts";
import { encodeMessage, frameType } from "../../protocol/link/frames.ts";
import { tcpHeader } from "../../protocol/tunnel.ts";

/** A small fast generator (mulberry32): the same seed, the same history. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number in [0, max). */
  below(max: number): number {
    return Math.floor(this.next() * max);
  }

  /** True with probability `p`. */
  is(p: number): boolean {
    return this.next() < p;
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }

  bytes = (count: number): Uint8Array<ArrayBuffer> =>
    Uint8Array.from({ length: count }, () => this.below(256));
}

const PATTERN_BYTES = 1 << 20;
const pattern = (() => {
  const chance = new Chance(7);
  const bytes = new Uint8Array(PATTERN_BYTES);
  for (let at = 0; at < PATTERN_BYTES; at++) bytes[at] = chance.below(256);
  return bytes;
})();

/** `length` bytes that no other `start` has. */
export function content(start: number, length: number): Uint8Array {
  return pattern.subarray(start, start + length);
}

export const MAX_BODY = 700_000;
export const MAX_START = PATTERN_BYTES - MAX_BODY;

/** How the local service answers. */
export interface Script {
  readonly status: number;
  readonly start: number;
  readonly length: number;
  /** What it announces: the truth, nothing, or a wrong number. */
  readonly announced: number | null;
  /** It breaks off after this many bytes; null: it does not. */
  readonly breakAfter: number | null;
  readonly readsBody: boolean;
}

/** Ten bytes, at once and whole. */
export const shortAnswer: Script = {
  status: 200,
  start: 0,
  length: 10,
  announced: 10,
  breakAfter: null,
  readsBody: true,
};

/** One request at the local service. */
export class Call {
  readonly path: string;
  readonly script: Script;
  readonly received: Uint8Array[] = [];
  /** How the request body ended, as the service saw it. */
  upload: "none" | "reading" | "complete" | "error" = "none";
  state: "new" | "body" | "responding" | "over" | "aborted" = "new";
  #sent = 0;
  #paused = false;
  #reading = false;
  readonly #handler: Dispatcher.DispatchHandler;
  readonly #body: AsyncIterator<Uint8Array> | null;
  readonly #controller: Dispatcher.DispatchController;

  constructor(
    options: Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandler,
    script: Script,
  ) {
    this.path = options.path;
    this.script = script;
    this.#handler = handler;
    const body = options.body as unknown as AsyncIterable<Uint8Array> | null;
    this.#body = body?.[Symbol.asyncIterator]() ?? null;
    if (this.#body !== null) this.upload = "reading";
    const call = this;
    this.#controller = {
      aborted: false,
      get paused() {
        return call.#paused;
      },
      reason: null,
      rawHeaders: headersOf(script),
      pause: () => {
        this.#paused = true;
      },
      resume: () => {
        this.#paused = false;
      },
      abort: () => this.#abort(),
    } as unknown as Dispatcher.DispatchController;
    handler.onRequestStart?.(this.#controller, {});
  }

  get waits(): boolean {
    return this.#paused || this.state === "over" || this.state === "aborted";
  }

  /** Does one thing: reads a piece of the request, or sends a piece of the response. */
  async step(chance: Chance): Promise<void> {
    if (this.state === "over" || this.state === "aborted") return;
    if (this.state === "new") this.state = "body";
    if (this.state === "body") {
      if (this.upload === "reading" && this.script.readsBody) return await this.#read();
      this.state = "responding";
      this.#handler.onResponseStart?.(this.#controller, this.script.status, {});
      return;
    }
    if (this.#paused) return;
    const { start, length, breakAfter } = this.script;
    if (breakAfter !== null && this.#sent >= breakAfter) return this.#break();
    const top = Math.min(length, breakAfter ?? length);
    if (this.#sent < top) {
      const size = Math.min(top - this.#sent, 1 + chance.below(65_536));
      const piece = content(start + this.#sent, size);
      this.#sent += size;
      this.#handler.onResponseData?.(this.#controller, Buffer.from(piece));
      return;
    }
    if (breakAfter !== null) return this.#break();
    this.state = "over";
    this.#handler.onResponseEnd?.(this.#controller, {});
  }

  async #read(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    try {
      const { done, value } = await (this.#body as AsyncIterator<Uint8Array>).next();
      if (done) this.upload = "complete";
      else this.received.push(value.slice());
    } catch {
      this.upload = "error";
      if (this.state !== "aborted") this.#break();
    }
    this.#reading = false;
  }

  #break(): void {
    this.state = "over";
    this.#handler.onResponseError?.(this.#controller, new Error("other side closed"));
  }

  #abort(): void {
    if (this.state === "over" || this.state === "aborted") return;
    this.state = "aborted";
    this.#handler.onResponseError?.(this.#controller, new Error("aborted"));
  }
}

function headersOf({ announced }: Script): Buffer[] {
  const headers = ["content-type", "application/octet-stream", "set-cookie", "a=1"];
  headers.push("set-cookie", "b=2", "connection", "keep-alive");
  if (announced !== null) headers.push("content-length", String(announced));
  return headers.map((text) => Buffer.from(text));
}

export type Ending =
  | "waiting" // no response yet
  | "reading"
  | "complete" // a clean end
  | "error" // the body broke off
  | "left" // the visitor went
  | `refused ${string}`;

/** One visitor and what they saw. */
export class Visitor {
  ending: Ending = "waiting";
  status = 0;
  readonly received: Uint8Array[] = [];
  readonly #abort = new AbortController();
  #reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
  #reading = false;

  /** Asks `link`, with a body that is handed over piece by piece when `body` is given. */
  async ask(world: World, path: string, method: string, upload: Upload | null): Promise<void> {
    const init: RequestInit & { duplex?: "half" } = { method, signal: this.#abort.signal };
    if (upload !== null) {
      init.body = upload.stream;
      init.duplex = "half";
    }
    const request = new Request(`http://nas.link.test${path}`, init);
    const response = await world.link.relay(request, "acc_home_0000000000000000");
    if (this.ending === "left") {
      await response.body?.cancel().catch(() => {}); // the object may have cut it off first
      return;
    }
    this.status = response.status;
    const verdict = response.headers.get(doorHeader);
    if (verdict !== null) {
      this.ending = `refused ${verdict}`;
      return;
    }
    this.#reader = response.body?.getReader() ?? null;
    this.ending = this.#reader === null ? "complete" : "reading";
  }

  /** Reads one piece, if one comes. */
  read(): void {
    if (this.ending !== "reading" || this.#reading || this.#reader === null) return;
    this.#reading = true;
    this.#reader.read().then(
      ({ done, value }) => {
        this.#reading = false;
        if (done && this.ending === "reading") this.ending = "complete";
        else if (value !== undefined) this.received.push(value.slice());
      },
      () => {
        this.#reading = false;
        if (this.ending === "reading") this.ending = "error";
      },
    );
  }

  leave(): void {
    if (this.ending !== "waiting" && this.ending !== "reading") return;
    this.ending = "left";
    void this.#reader?.cancel().catch(() => {});
    this.#abort.abort();
  }
}

/** A request body that the test hands over. */
export class Upload {
  readonly stream: ReadableStream<Uint8Array>;
  readonly start: number;
  readonly length: number;
  #given = 0;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  #over = false;

  constructor(start: number, length: number) {
    this.start = start;
    this.length = length;
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        cancel: () => {
          this.#over = true;
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** True once every byte was given. */
  get given(): boolean {
    return this.#over;
  }

  give(chance: Chance): void {
    if (this.#over || this.#controller === null) return;
    const size = Math.min(this.length - this.#given, 1 + chance.below(100_000));
    if (size > 0) this.#controller.enqueue(content(this.start + this.#given, size).slice());
    this.#given += size;
    if (this.#given < this.length) return;
    this.#over = true;
    this.#controller.close();
  }

  /** The visitor's connection breaks in the middle. */
  break(): void {
    if (this.#over) return;
    this.#over = true;
    this.#controller?.error(new Error("the visitor's connection broke"));
  }
}

interface Timer {
  readonly at: number;
  readonly work: () => void;
}

interface Sent {
  readonly message: Uint8Array;
  readonly sent: () => void;
}

/** One connection of one of the device's programs, with what is on its way. */
export interface Line {
  readonly program: number;
  readonly epoch: number;
  readonly socket: Socket;
  readonly server: LinkServer;
  readonly toAgent: Uint8Array[];
  readonly toEdge: Sent[];
  /** The agent said that it wants nobody new here. */
  left: boolean;
  /** Since when nothing passes any more, though neither end was told; null: everything passes. */
  deafSince: number | null;
}

const FRAME_OF_GOAWAY = encodeMessage([
  { type: frameType.goaway, end: false, stream: 0, payload: [] },
]);

/** Stands in for the device's record of traffic, whose day never ends. */
class CountedTraffic {
  requests = 0;
  bytesToday = 0;
  readonly isKnown = true;
  readonly turned: string[] = [];

  count(counts: { requests?: number; fromDevice?: number; toDevice?: number }): void {
    this.requests += counts.requests ?? 0;
    this.bytesToday += (counts.fromDevice ?? 0) + (counts.toDevice ?? 0);
  }
  turnedAway(verdict: string): void {
    this.turned.push(verdict);
  }
  async learn(): Promise<void> {}
}

/** A visitor's WebSocket: what either end says waits until the test brings it over. */
export class GuestLine {
  readonly socket: Socket;
  readonly toEdge: Uint8Array[] = [];
  readonly toGuest: (Uint8Array | { readonly code: number | null })[] = [];
  /** False once either end closed it, or it broke. */
  open = true;

  constructor(first: unknown) {
    let attachment = first;
    this.socket = {
      send: (data) => {
        if (!this.open) throw new Error("closed");
        this.toGuest.push((data as Uint8Array).slice());
      },
      close: (code) => {
        if (this.open) this.toGuest.push({ code });
        this.open = false;
      },
      attachment: () => attachment,
      attach: (value) => {
        attachment = structuredClone(value);
      },
      heardAt: () => null,
      bufferedBytes: () => null,
    };
  }
}

/** What a world may have beside frames and requests. */
export interface Beside {
  /** The TCP services of a program, each called "ssh". */
  tcp?(program: number): Pick<TcpServices, "serve">;
  bulk?(): BulkLane;
}

export class World {
  now = 1_800_000_000_000;
  link: Link;
  readonly agents: Agents;
  /** The connections that are open at both ends, in the order in which they came. */
  readonly lines: Line[] = [];
  /** What the device's traffic is told. */
  readonly traffic = new CountedTraffic();
  readonly budgets: Budgets;
  readonly calls: Call[] = [];
  readonly protocolErrors: string[] = [];
  /** How the next calls are answered, by path. */
  readonly scripts = new Map<string, Script>();
  readonly #timers = new Set<Timer>();
  readonly #chance: Chance;
  readonly #epochs = new Map<number, number>();
  readonly #sockets: Sockets;
  readonly #beside: Beside;
  /** Visitors' WebSockets, by the answer that opened them. */
  readonly guests = new Map<Response, GuestLine>();

  constructor(chance: Chance, budgets: Partial<Budgets> = {}, beside: Beside = {}) {
    this.#chance = chance;
    this.#beside = beside;
    this.budgets = { ...defaultBudgets, ...budgets };
    const clock = { now: () => this.now };
    this.#sockets = {
      accept: (_request, _tags, attachment) => {
        this.#accept(attachment as AgentAttachment);
        return { status: 101, headers: new Headers() } as Response;
      },
      acceptSocket: (_request, _tags, attachment) => {
        const response = { status: 101, headers: new Headers() } as Response;
        const guest = new GuestLine(attachment);
        this.guests.set(response, guest);
        return [response, guest.socket];
      },
      tagged: (tag) => {
        if (tag === "agent") return this.lines.map((line) => line.socket);
        return [...this.guests.values()].filter(({ open }) => open).map(({ socket }) => socket);
      },
    };
    this.agents = new Agents({ sockets: this.#sockets, clock, deviceId: "dev" }, (socket) =>
      this.link.onAgentGone(socket),
    );
    this.link = this.#newLink();
  }

  /** How many timers run. */
  get timers(): number {
    return this.#timers.size;
  }

  // The newest connection, for tests of one

  get line(): Line | null {
    return this.lines.at(-1) ?? null;
  }
  get server(): LinkServer | null {
    return this.line?.server ?? null;
  }
  get toAgent(): Uint8Array[] {
    return this.line?.toAgent ?? [];
  }
  get toEdge(): Sent[] {
    return this.line?.toEdge ?? [];
  }

  /** A program of the device connects: with its next epoch, or with the one given. */
  connect(program = 0, epoch = (this.#epochs.get(program) ?? 0) + 1): "connected" | AgentRefusal {
    this.now++; // no two come at the same moment
    const id = `program-of-the-box-${program}`;
    const headers: Record<string, string> = { [agentHeader]: greetingText({ id, epoch }) };
    if (this.#beside.tcp !== undefined) headers[tcpHeader] = "ssh";
    const request = new Request("http://nas.test/", { headers });
    const answer = this.agents.accept(request, `jti-${this.now}`);
    if (typeof answer === "string") return answer;
    this.#epochs.set(program, Math.max(epoch, this.#epochs.get(program) ?? 0));
    this.link.onAgent();
    return "connected";
  }

  #accept(first: AgentAttachment): void {
    let attachment = first;
    const [toAgent, toEdge]: [Uint8Array[], Sent[]] = [[], []];
    const socket: Socket = {
      send: (data) => {
        if (this.lines.includes(line)) toAgent.push((data as Uint8Array).slice());
      },
      close: (code, reason) => {
        if (code === closeCodes.protocolError) this.protocolErrors.push(`edge: ${reason}`);
        this.#end(line);
      },
      attachment: () => attachment,
      attach: (value) => {
        attachment = value as AgentAttachment;
      },
      heardAt: () => line.deafSince ?? this.now,
      bufferedBytes: () => null,
    };
    const program = Number(first.id.split("-").at(-1));
    const { tcp, bulk } = this.#beside;
    const server: LinkServer = new LinkServer({
      origin: "http://127.0.0.1:9",
      tcp: tcp?.(program) ?? null,
      ...(bulk === undefined ? {} : { bulk: bulk() }),
      send: (message, sent) => {
        if (this.lines.includes(line)) toEdge.push({ message, sent });
      },
      bufferedAmount: () => 0,
      onProtocolError: (reason) => void this.protocolErrors.push(`agent: ${reason}`),
      dispatcher: {
        dispatch: (options, handler) => {
          const script = this.scripts.get(options.path);
          if (script === undefined) throw new Error("a path nobody asked for");
          this.calls.push(new Call(options, handler, script));
          return true;
        },
        destroy: async () => {
          // The test ends calls itself.
        },
      } as Pick<Dispatcher, "dispatch" | "destroy">,
    });
    const line: Line = {
      program,
      epoch: first.epoch,
      socket,
      server,
      toAgent,
      toEdge,
      left: false,
      deafSince: null,
    };
    this.lines.push(line);
  }

  /** The agent says that it wants nobody new on this connection. */
  leave(line: Line): void {
    if (line.left) return;
    line.left = true;
    line.toEdge.push({ message: FRAME_OF_GOAWAY.slice(), sent: () => undefined });
  }

  /** The device connects anew before anybody noticed that its older connection had broken. */
  replace(): void {
    this.connect();
  }

  /** A connection breaks, and what was under way with it; both ends are told. */
  disconnect(line: Line | null = this.line): void {
    if (line === null || !this.#end(line)) return;
    this.link.onAgentGone(line.socket);
  }

  #end(line: Line): boolean {
    const at = this.lines.indexOf(line);
    if (at < 0) return false;
    this.lines.splice(at, 1);
    line.server.close();
    return true;
  }

  /** The object forgets what is in its memory; the sockets stay. Only an idle object does. */
  hibernate(): void {
    const { exchanges, waiting } = this.link.load;
    if (exchanges + waiting + this.#timers.size > 0 || this.link.passages.busy) return;
    this.link = this.#newLink();
  }

  deliverToAgent(line: Line | null = this.line): void {
    if (line === null || line.deafSince !== null) return;
    const message = line.toAgent.shift();
    if (message !== undefined) line.server.onMessage(message);
  }

  deliverToEdge(line: Line | null = this.line): void {
    if (line === null || line.deafSince !== null) return;
    const next = line.toEdge.shift();
    if (next === undefined) return;
    const { buffer } = next.message.slice();
    next.message.fill(0xee); // whoever still reads it would see
    next.sent();
    this.link.onMessage(line.socket, buffer as ArrayBuffer);
  }

  advance(ms: number): void {
    this.now += ms;
    for (const timer of [...this.#timers]) {
      if (timer.at > this.now) continue;
      this.#timers.delete(timer);
      timer.work();
    }
  }

  /** Lets promises, streams and immediates run. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  #newLink(): Link {
    const context = {
      clock: { now: () => this.now },
      random: this.#chance,
      agents: this.agents,
      sockets: this.#sockets,
      traffic: this.traffic,
      onTick: () => undefined,
      budgets: this.budgets,
    };
    return new Link(context, (ms, work) => {
      const timer = { at: this.now + ms, work };
      this.#timers.add(timer);
      return () => void this.#timers.delete(timer);
    });
  }
}
