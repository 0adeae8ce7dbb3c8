/**
 * A home behind a line that keeps failing: the real agent, its local service, and visitors who load
 * and send bodies that they can check to the byte. What a visitor or the service may not see at any
 * time is collected as a violation; how long each end was left waiting after a cut is measured.
 */

import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  createServer,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import type { AgentClock } from "../../agent/clock.ts";
import { run } from "../../agent/run.ts";
import { limits } from "../../protocol/limits.ts";
import type { Fault, Line, Weather } from "./fault-proxy.ts";
import { type Chance, content, MAX_START } from "./link-world.ts";

const MAX_BODY_BYTES = 700_000;
const CHUNK_BYTES = 16 * 1024;
const MAX_LINE_MS = 200;
/** Between a line's silence and the moment when its end must have noticed. */
const SILENT_MS = 20;

const VISIBLE: readonly Fault[] = ["reset", "reset", "finish", "reset near"];
const HIDDEN: readonly Fault[] = ["reset far", "silence"];

/** The agent's time: it comes back at once, and a test can let the documented silence pass. */
export class StormClock implements AgentClock {
  #ahead = 0;
  readonly #beats = new Set<() => void>();

  readonly now = (): number => Date.now() + this.#ahead;

  sleep(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  every(_ms: number, work: () => void): () => void {
    this.#beats.add(work);
    return () => void this.#beats.delete(work);
  }

  /** True while the agent watches over an open connection; its handshake has a wait of its own. */
  get watched(): boolean {
    return this.#beats.size > 0;
  }

  /** Lets so much time pass that a silent peer counts as gone. @param back whether it is then undone */
  leap(back: boolean): void {
    const before = this.#ahead;
    this.#ahead += limits.agentStaleMs + 1;
    for (const beat of [...this.#beats]) beat();
    if (back) this.#ahead = before;
  }
}

const hashOf = (start: number, length: number) =>
  createHash("sha256").update(content(start, length)).digest("hex");

/** Resolves when more may be written, or when nobody is there to read it. */
function writable(to: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      to.off("drain", done).off("close", done);
      resolve();
    };
    to.on("drain", done).on("close", done);
  });
}

interface Asked {
  readonly start: number;
  readonly length: number;
  readonly announced: boolean;
}

function asked(url: URL): Asked {
  const number = (name: string) => Number(url.searchParams.get(name));
  return {
    start: number("start"),
    length: number("length"),
    announced: url.searchParams.has("announced"),
  };
}

/** The service at home. It remembers how often it was asked for what may be done only once. */
class HomeService {
  readonly violations: string[] = [];
  /** From a cut to the end of each request that it caught, ms. */
  readonly told: number[] = [];
  readonly #seen = new Map<string, number>();
  readonly #open = new Set<{ cutAt: number | null }>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((from, to) => {
      const call: { cutAt: number | null } = { cutAt: null };
      this.#open.add(call);
      to.once("close", () => {
        this.#open.delete(call);
        if (call.cutAt !== null) this.told.push(performance.now() - call.cutAt);
      });
      void this.#serve(from, to).catch(() => to.destroy());
    });
  }

  static async start(): Promise<HomeService> {
    const service = new HomeService();
    service.#server.listen(0, "127.0.0.1");
    await once(service.#server, "listening");
    return service;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get open(): number {
    return this.#open.size;
  }

  cut(at: number): void {
    for (const call of this.#open) call.cutAt ??= at;
  }

  connections(): Promise<number> {
    return new Promise((resolve) => this.#server.getConnections((_error, count) => resolve(count)));
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #serve(from: IncomingMessage, to: ServerResponse): Promise<void> {
    const url = new URL(from.url ?? "/", "http://home.invalid");
    const { start, length, announced } = asked(url);
    const times = (this.#seen.get(url.pathname) ?? 0) + 1;
    this.#seen.set(url.pathname, times);
    const most = from.method === "GET" ? 2 : 1;
    if (times > most) this.violations.push(`${from.method} came ${times} times`);
    if (from.method === "PUT") {
      const hash = createHash("sha256");
      for await (const chunk of from) hash.update(chunk);
      const digest = hash.digest("hex");
      if (digest !== hashOf(start, length)) this.violations.push("an upload ended short or wrong");
      return void to.end(digest);
    }
    if (announced) to.setHeader("content-length", length);
    for (let at = 0; at < length && !to.destroyed; at += CHUNK_BYTES) {
      const room = to.write(content(start + at, Math.min(CHUNK_BYTES, length - at)));
      if (!room) await writable(to);
    }
    to.end();
  }
}

export interface StormOptions {
  readonly chance: Chance;
  /** The agent's folder, enrolled. */
  readonly home: string;
  readonly clock: StormClock;
  /** True where the edge keeps another clock than the agent, which must agree when it connects. */
  readonly edgeHasOwnClock: boolean;
  /** Where visitors go, past the proxy. */
  readonly doorPort: () => number;
  readonly host: string;
  readonly visitors: number;
  readonly drops: number;
}

export class Storm {
  readonly violations: string[] = [];
  /** From a cut to the end of each visitor's request that it broke, ms. */
  readonly told: number[] = [];
  readonly endings: Record<string, number> = {};
  readonly faults: Record<string, number> = {};
  drops = 0;
  readonly service: HomeService;
  readonly #with: StormOptions;
  readonly #connections = new HttpAgent({ keepAlive: false });
  readonly #cuts: number[] = [];
  readonly #stop = new AbortController();
  readonly #over = Promise.withResolvers<void>();
  #nextLine = Promise.withResolvers<void>();
  #requests = 0;

  private constructor(options: StormOptions, service: HomeService) {
    this.#with = options;
    this.service = service;
  }

  static async create(options: StormOptions): Promise<Storm> {
    return new Storm(options, await HomeService.start());
  }

  /** How the next line carries: most are fair, some are slow. */
  weather(): Weather {
    const { chance } = this.#with;
    const what = chance.next();
    if (what < 0.7) return { delayMs: 0, bytesPerSecond: null };
    if (what < 0.85) return { delayMs: 1 + chance.below(30), bytesPerSecond: null };
    return { delayMs: chance.below(5), bytesPerSecond: 200_000 + chance.below(2_000_000) };
  }

  /** Decides when and how the agent's new line fails; to be called for each. */
  readonly onLine = (line: Line): void => {
    this.#nextLine.resolve();
    this.#nextLine = Promise.withResolvers();
    if (this.drops >= this.#with.drops || this.#stop.signal.aborted) return;
    const { chance } = this.#with;
    // Most fall in the middle of bodies, some into the handshake, where silence has a wait of its own.
    const early = chance.is(0.1);
    const fault = chance.pick<Fault>(early ? VISIBLE : [...VISIBLE, ...VISIBLE, ...HIDDEN]);
    const act = () => this.#break(line, fault);
    line.after(early ? 1 + chance.below(900) : Math.ceil(2 ** (11 + 10 * chance.next())), act);
    setTimeout(() => this.#break(line, early ? "reset" : fault), MAX_LINE_MS).unref();
  };

  /** Runs until all drops have happened and every visitor has come to an end. */
  async run(): Promise<void> {
    const { home, clock } = this.#with;
    const stopped = new AbortController();
    const agent = run({
      home,
      serve: this.service.origin,
      log: () => {},
      signal: stopped.signal,
      clock,
      chance: () => 0,
    });
    const visitors = Array.from({ length: this.#with.visitors }, () => this.#visitor());
    await this.#over.promise;
    this.#stop.abort();
    await Promise.all(visitors);
    stopped.abort();
    if ((await agent) !== "stopped") this.violations.push("the agent gave up");
    this.#connections.destroy();
  }

  #break(line: Line, wanted: Fault): void {
    if (line.fault !== null || line.near.destroyed || this.drops >= this.#with.drops) return;
    const fault = HIDDEN.includes(wanted) && !this.#with.clock.watched ? "reset" : wanted;
    this.drops++;
    this.faults[fault] = (this.faults[fault] ?? 0) + 1;
    line.break(fault);
    const told = () => {
      this.#cuts.push(performance.now());
      this.service.cut(performance.now());
      if (this.drops >= this.#with.drops) this.#over.resolve();
    };
    if (!HIDDEN.includes(fault)) told();
    else {
      setTimeout(() => {
        told();
        this.#with.clock.leap(this.#with.edgeHasOwnClock);
      }, SILENT_MS);
    }
  }

  async #visitor(): Promise<void> {
    const { chance } = this.#with;
    while (!this.#stop.signal.aborted) {
      const wanted = {
        start: chance.below(MAX_START),
        length: chance.is(0.4) ? chance.below(MAX_BODY_BYTES) : chance.below(4000),
        announced: chance.is(0.5),
      };
      const ending = await this.#ask(chance.is(0.65) ? "GET" : "PUT", wanted);
      this.endings[ending] = (this.endings[ending] ?? 0) + 1;
      if (ending === "503") await Promise.race([this.#nextLine.promise, this.#over.promise]);
    }
  }

  async #ask(method: "GET" | "PUT", wanted: Asked): Promise<string> {
    const { start, length, announced } = wanted;
    const path = `/${this.#requests++}?start=${start}&length=${length}${announced ? "&announced" : ""}`;
    const begunAt = performance.now();
    let headAt: number | null = null;
    try {
      const answer = await this.#send(method, path, wanted);
      if (answer.statusCode === 200) headAt = performance.now();
      const pieces: Buffer[] = [];
      for await (const piece of answer) pieces.push(piece as Buffer);
      const body = Buffer.concat(pieces);
      if (answer.statusCode !== 200) return this.#refused(method, answer.statusCode ?? 0, begunAt);
      const right =
        method === "PUT"
          ? body.toString() === hashOf(start, length)
          : body.equals(content(start, length));
      if (!right) this.violations.push(`${method}: ${body.length} of ${length} bytes as a success`);
      return "whole";
    } catch {
      if (headAt === null) this.violations.push(`${method}: no answer at all`);
      this.#wasTold(1, headAt ?? begunAt);
      return "body broken off";
    }
  }

  #send(
    method: string,
    path: string,
    { start, length, announced }: Asked,
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const headers: Record<string, string> = { host: this.#with.host };
      if (method === "PUT" && announced) headers["content-length"] = String(length);
      const agent = this.#connections;
      const options = {
        host: "127.0.0.1",
        port: this.#with.doorPort(),
        method,
        path,
        headers,
        agent,
      };
      const request = httpRequest(options, resolve);
      request.on("error", reject);
      if (method === "GET") return void request.end();
      for (let at = 0; at < length; at += CHUNK_BYTES) {
        request.write(content(start + at, Math.min(CHUNK_BYTES, length - at)));
      }
      request.end();
    });
  }

  #refused(method: string, status: number, begunAt: number): string {
    // 502, 503: the line went or is not there yet. 408, 504: the silence took all the time there is.
    if (![408, 502, 503, 504].includes(status)) this.violations.push(`${method}: status ${status}`);
    if (status === 502) this.#wasTold(method === "GET" ? 2 : 1, begunAt);
    return String(status);
  }

  /** A request that began at `since` was broken by the `nth` cut after it. */
  #wasTold(nth: number, since: number): void {
    const after = this.#cuts.filter((at) => at > since);
    const cutAt = after[nth - 1] ?? after[0];
    if (cutAt !== undefined) this.told.push(performance.now() - cutAt);
  }
}
