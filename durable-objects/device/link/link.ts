/**
 * Link inside the device's object: carries visitors' requests over the device's sockets. What passes
 * is in memory for as long as it takes to pass, and in no store (CON-8).
 *
 * Each socket has a session of its own; a request goes to the one with the least on its way. It holds
 * no timer while nobody waits, so an idle object hibernates.
 */

import type { Clock, Random } from "../../../db/primitives.ts";
import { bulkOffsetHeader, closeCodes } from "../../../protocol/agent.ts";
import { limits } from "../../../protocol/limits.ts";
import { capability } from "../../../protocol/link/frames.ts";
import { encodeHead, type OpenHead } from "../../../protocol/link/headers.ts";
import { Session } from "../../../protocol/link/session.ts";
import type { LinkStream, StreamHandler } from "../../../protocol/link/stream.ts";
import { agentOf, tryClose } from "../agents.ts";
import type { Socket, Sockets } from "../context.ts";
import { refusal } from "../door.ts";
import { peerHeader } from "../rpc.ts";
import { type After, realAfter } from "./after.ts";
import { BulkTokens, bearerOf } from "./bulk.ts";
import { Exchange, type ExchangeOptions, microtask, type Outcome } from "./exchange.ts";
import { networkAt, openHead } from "./heads.ts";
import { visitorCloses } from "./passage.ts";
import { Passages } from "./passages.ts";

/** The device's sockets, as far as Link must know them (agents.ts). */
export interface AgentSockets {
  /** Those that may take a new visitor, the one to prefer first. */
  ready(): readonly Socket[];
  /** Those that only finish what lives on them. */
  leaving(): readonly Socket[];
  isLeaving(socket: Socket): boolean;
  /** False for a socket whose other end is gone, or whose time to finish is over. */
  stands(socket: Socket): boolean;
  /** The agent wants no new visitors on this socket. */
  leave(socket: Socket): void;
  /** We ask the agent for another connection in place of this one; false when we did before. */
  told(socket: Socket): boolean;
}

/** What Link needs of the object. */
export interface LinkContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly agents: AgentSockets;
  readonly sockets: Sockets;
}

/** What a request goes over. */
interface Over {
  readonly socket: Socket;
  readonly session: Session;
}

interface Live {
  readonly session: Session;
  /** For how many ticks nothing was heard of it while somebody waited. */
  quietTicks: number;
}

export class Link {
  readonly #context: LinkContext;
  readonly #after: After;
  readonly #live = new Map<Socket, Live>();
  /** Sockets that were given up: what may still be heard of them is nobody's. */
  readonly #gone = new WeakSet<Socket>();
  readonly #exchanges = new Set<Exchange>();
  /** Visitors' WebSockets. */
  readonly passages: Passages;
  readonly #tokens: BulkTokens<Exchange>;
  /** Visitors who wait for the device to come back. */
  readonly #waiting = new Map<(back: boolean) => void, string | null>();
  #ticking = false;

  constructor(context: LinkContext, after: After = realAfter) {
    this.#context = context;
    this.#after = after;
    this.passages = new Passages({
      sockets: context.sockets,
      now: () => context.clock.now(),
      soon: (work) => void after(limits.linkSocketPollMs, work),
      wake: (agent) => {
        if (!this.#gone.has(agent)) this.#sessionOf(agent);
      },
      stir: () => this.#tick(),
      ended: () => microtask(() => this.#closeDrained()),
    });
    this.#tokens = new BulkTokens(context.random);
  }

  /** For gauges: requests on their way, visitors who wait for the device, the sessions there are. */
  get load(): { exchanges: number; waiting: number; sessions: Session[] } {
    const sessions = [...this.#live.values()].map((live) => live.session);
    return { exchanges: this.#exchanges.size, waiting: this.#waiting.size, sessions };
  }

  /** The session on a socket; null where nothing was said yet. */
  sessionOn(socket: Socket): Session | null {
    return this.#live.get(socket)?.session ?? null;
  }

  /** How many requests are on their way over a socket. */
  streamsOf(socket: Socket): number {
    return this.#live.get(socket)?.session.size ?? this.passages.on(socket);
  }

  /**
   * Answers a visitor through one of the device's sockets. A bodyless GET or HEAD waits for an offline
   * device up to `limits.linkHoldOfflineMs`; when its connection went before a head, it is tried once
   * more: on another connection at once, else on the next that comes within the same time.
   * @param visitor by what and as whom it was let in: a pass of `Access`
   * @param identity the statement of who comes, for a device that wants it
   */
  async relay(
    request: Request,
    visitor: string | null,
    identity: string | null = null,
  ): Promise<Response> {
    const head = openHead(request, identity);
    if (typeof head === "string") return refusal(head);
    const payload = encodeHead(head);
    if (payload === null) return refusal("too-long");
    const repeatable = isRepeatable(request, head);
    const network = networkAt(request.headers.get(peerHeader));
    const upgrade = head.upgrade !== undefined;
    const who = { request, visitor, network };
    const begin = upgrade ? (stream: LinkStream) => this.passages.begin(stream, who) : null;
    let lost: Socket | null = null;
    for (let attempt = 1; ; attempt++) {
      // Between the choice and the stream nothing may wait: others choose by what is open.
      let over = this.#leastLoaded(lost);
      if (over === null && repeatable && (await this.#comesBack(visitor))) {
        if (request.signal?.aborted) return refusal("failed"); // nobody is there to read it
        over = this.#leastLoaded(lost);
      }
      if (over === null) return refusal(attempt === 1 ? "offline" : "failed");
      if (over === "busy" || !this.#hasShare(network, upgrade)) return refusal("busy");
      const outcome = await this.#exchange(over, payload, { ...who, begin });
      if (outcome.kind === "websocket") return this.#accept(request, over.socket, outcome);
      if (outcome.kind === "response" && upgrade && !carriesWebSockets(over.session)) {
        await outcome.response.body?.cancel();
        return refusal("upgrade");
      }
      if (outcome.kind === "response") return outcome.response;
      if (outcome.kind !== "lost") return refusal(outcome.kind);
      if (!repeatable || attempt === 2) return refusal("failed");
      if (request.signal?.aborted) return refusal("failed");
      lost = over.socket;
    }
  }

  /** The device said 101: from now on the visitor has a socket of their own. */
  #accept(
    request: Request,
    agent: Socket,
    { passage, headers }: Extract<Outcome, { kind: "websocket" }>,
  ): Response {
    const response = this.passages.accept(request, agent, passage, headers);
    this.#tick();
    return response;
  }

  /** The socket with the fewest streams, the newest of several; `busy` when all have all they may. */
  #leastLoaded(except: Socket | null, may = (_socket: Socket) => true): Over | "busy" | null {
    this.#dropDead();
    const sockets = this.#context.agents
      .ready()
      .filter((socket) => socket !== except && may(socket));
    let best: Socket | null = null;
    for (const socket of sockets) {
      if (this.#live.get(socket)?.session.isFull) continue;
      if (best === null || this.streamsOf(socket) < this.streamsOf(best)) best = socket;
    }
    if (best !== null) return { socket: best, session: this.#sessionOf(best).session };
    return sockets.length === 0 ? null : "busy";
  }

  /** Opens a stream to a TCP service; whoever asks is its handler and closes it. */
  openStream(
    service: string,
    payload: Uint8Array,
    handler: StreamHandler,
  ): LinkStream | "offline" | "busy" {
    const over = this.#leastLoaded(
      null,
      (socket) => agentOf(socket)?.tcp.includes(service) ?? false,
    );
    if (over === null) return "offline";
    return over === "busy" ? over : over.session.open(payload, false, handler);
  }

  /** Takes a segment of a response beside the frames, for the one exchange whose token it brings. */
  async bulk(request: Request): Promise<Response> {
    const exchange = await this.#tokens.take(bearerOf(request));
    if (exchange === null) return new Response(null, { status: 401 });
    const offset = request.headers.get(bulkOffsetHeader) ?? "";
    const isWhole = request.body !== null && /^\d{1,15}$/.test(offset);
    const taken =
      isWhole && (await exchange.take(request.body as ReadableStream<Uint8Array>, Number(offset)));
    return new Response(null, { status: taken ? 204 : 409 });
  }

  /** A device connected: who waited for it goes on, and what it relieved is closed when it is empty. */
  onAgent(): void {
    for (const resolve of [...this.#waiting.keys()]) resolve(true);
    this.#closeDrained();
  }

  /** Takes one message of the device. */
  onMessage(socket: Socket, data: string | ArrayBuffer): void {
    if (this.#gone.has(socket)) return;
    if (typeof data === "string") {
      this.#refuse(socket, "text where frames belong");
      return;
    }
    const live = this.#sessionOf(socket);
    live.quietTicks = 0;
    live.session.receive(new Uint8Array(data));
  }

  /** Nothing more passes over this socket. */
  onAgentGone(socket: Socket): void {
    this.#gone.add(socket);
    const live = this.#live.get(socket);
    this.#live.delete(socket);
    live?.session.close();
    this.passages.agentGone(socket);
  }

  /**
   * Asks the device for another connection in place of each that it has. Visitors go on over these
   * until another is there.
   */
  goAway(): void {
    for (const socket of this.#context.agents.ready()) this.#askForAnother(socket);
  }

  /** Ends every request on its way. */
  abortAll(): void {
    this.keepOnly(() => false);
  }

  /** Ends everything; what comes next begins a new session. */
  reset(): void {
    this.passages.keepOnly(() => false, visitorCloses.off);
    this.abortAll();
    for (const { session } of this.#live.values()) session.close();
    this.#live.clear();
  }

  /** Ends the requests whose pass holds no longer. */
  keepOnly(mayEnter: (visitor: string | null) => boolean): void {
    this.passages.keepOnly(mayEnter, visitorCloses.revoked);
    for (const exchange of [...this.#exchanges]) {
      if (!mayEnter(exchange.visitor)) exchange.abort();
    }
    for (const [resolve, visitor] of [...this.#waiting]) if (!mayEnter(visitor)) resolve(false);
  }

  /** Ends the WebSockets whose connection of the device is gone or deaf. */
  checkSockets(): void {
    this.passages.check((agent) => this.#context.agents.stands(agent));
  }

  /** Gives up the sessions on sockets whose other end is gone. */
  #dropDead(): void {
    for (const socket of [...this.#live.keys()]) {
      if (!this.#context.agents.stands(socket)) this.#giveUp(socket);
    }
  }

  #askForAnother(socket: Socket): void {
    if (!this.#context.agents.told(socket)) return;
    this.#sessionOf(socket).session.goAway();
  }

  #giveUp(socket: Socket): void {
    tryClose(socket, closeCodes.silent, "not heard of");
    this.onAgentGone(socket);
  }

  #refuse(socket: Socket, reason: string): void {
    tryClose(socket, closeCodes.protocolError, reason);
    this.onAgentGone(socket);
  }

  /**
   * Closes what was to finish and has: we know of every stream that lives, the agent may not know of
   * one that is just being opened.
   */
  #closeDrained(): void {
    for (const socket of this.#context.agents.leaving()) {
      if (this.#gone.has(socket) || this.streamsOf(socket) > 0) continue;
      tryClose(socket, 1000, "drained");
      this.onAgentGone(socket);
    }
  }

  /** False while one network has so much under way that the rest is for others. */
  #hasShare(network: string, upgrade: boolean): boolean {
    const sockets = this.passages.size;
    if (upgrade && sockets >= limits.linkSockets) return false;
    if (this.#exchanges.size + sockets < limits.linkStreamsPerVisitor) return true;
    let count = this.passages.ofNetwork(network);
    for (const exchange of this.#exchanges) if (exchange.network === network) count++;
    return count < limits.linkStreamsPerVisitor;
  }

  #exchange(
    { socket, session }: Over,
    payload: Uint8Array,
    who: Pick<ExchangeOptions, "request" | "visitor" | "network" | "begin">,
  ): Promise<Outcome> {
    const exchange = new Exchange({
      ...who,
      now: () => this.#context.clock.now(),
      onBulk: (asking) => void this.#tokens.give(asking),
      onDone: () => {
        this.#exchanges.delete(exchange);
        this.#tokens.forget(exchange);
        // After what is going on now: the session has not forgotten the stream yet.
        if (this.#context.agents.isLeaving(socket)) microtask(() => this.#closeDrained());
      },
    });
    this.#exchanges.add(exchange);
    exchange.start(session.open(payload, who.request.body === null, exchange));
    if (session.isWornOut) this.#askForAnother(socket);
    this.#tick();
    return exchange.outcome;
  }

  #sessionOf(socket: Socket): Live {
    const existing = this.#live.get(socket);
    if (existing !== undefined) return existing;
    const session = new Session(
      {
        send: (message, sent) => {
          this.#send(socket, message);
          sent(); // the platform has its own copy
        },
        bufferedBytes: () => 0,
        soon: microtask,
        later: microtask,
        onProtocolError: (reason) => this.#refuse(socket, reason),
        onGoAway: () => {
          this.#context.agents.leave(socket);
          microtask(() => this.#closeDrained());
        },
      },
      { firstId: firstIdOf(this.#context.random), resume: this.passages.resumptions(socket) },
    );
    const live = { session, quietTicks: 0 };
    this.#live.set(socket, live);
    return live;
  }

  #send(socket: Socket, message: Uint8Array): void {
    try {
      socket.send(message);
    } catch {
      this.onAgentGone(socket); // closed a moment ago; its close event is on its way
    }
  }

  /** True when the device connects within `limits.linkHoldOfflineMs`. */
  #comesBack(visitor: string | null): Promise<boolean> {
    return new Promise((resolve) => {
      const done = (back: boolean) => {
        this.#waiting.delete(done);
        cancel();
        resolve(back);
      };
      const cancel = this.#after(limits.linkHoldOfflineMs, () => done(false));
      this.#waiting.set(done, visitor);
    });
  }

  /** One timer for all that is awaited, and none when nothing is. */
  #tick(): void {
    if (this.#ticking || (this.#exchanges.size === 0 && !this.passages.busy)) return;
    this.#ticking = true;
    this.#after(limits.linkTickMs, () => {
      this.#ticking = false;
      const now = this.#context.clock.now();
      this.#dropDead();
      for (const [socket, live] of [...this.#live]) this.#probe(socket, live);
      for (const exchange of [...this.#exchanges]) exchange.tick(now);
      this.passages.tick(now);
      this.#tick();
    });
  }

  /** While somebody waits: a silent device is asked for a sign of life, and given up without one. */
  #probe(socket: Socket, live: Live): void {
    if (live.session.size === 0) return;
    live.quietTicks++;
    const patience = limits.linkProbeMs / limits.linkTickMs;
    if (live.quietTicks === patience) live.session.ping();
    else if (live.quietTicks >= 2 * patience) this.#giveUp(socket);
  }
}

/** True for a device whose agent said that it passes WebSockets on. */
function carriesWebSockets(session: Session): boolean {
  return ((session.capabilities ?? 0) & capability.webSocket) !== 0;
}

/** RFC 9110 §9.2.2: repeating these changes nothing, and without a body nothing is used up. */
function isRepeatable(request: Request, head: OpenHead): boolean {
  return request.body === null && (head.method === "GET" || head.method === "HEAD");
}

/** A random start: a late frame of a session that was forgotten meets no stream of the new one. */
function firstIdOf(random: Random): number {
  const [a = 0, b = 0, c = 0, d = 0] = random.bytes(4);
  return (((a & 0x3f) << 24) | (b << 16) | (c << 8) | d) >>> 0;
}
