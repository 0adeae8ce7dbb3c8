/**
 * Link inside the device's object: carries visitors' requests over the device's sockets. What passes
 * is in memory for as long as it takes to pass, and in no store (CON-8).
 *
 * Each socket has a session of its own; a request goes to the one with the least on its way. It holds
 * no timer while nobody waits, so an idle object hibernates.
 */

import { limits } from "../../../protocol/limits.ts";
import { encodeHead } from "../../../protocol/link/headers.ts";
import type { Session } from "../../../protocol/link/session.ts";
import type { LinkStream } from "../../../protocol/link/stream.ts";
import { tunnelStatuses } from "../../../protocol/tunnel.ts";
import { defaultBudgets, Meter, type Refusal } from "../budgets.ts";
import type { Socket } from "../context.ts";
import { refusal } from "../door.ts";
import { peerOf } from "../said.ts";
import { type After, realAfter } from "./after.ts";
import { BulkTokens, bearerOf, segmentOf } from "./bulk.ts";
import { Connections } from "./connections.ts";
import { type Errand, Exchange, type ExchangeHost, microtask, type Outcome } from "./exchange.ts";
import { networkAt, openHead } from "./heads.ts";
import { visitorCloses } from "./passage.ts";
import { Passages } from "./passages.ts";
import {
  carriesWebSockets,
  fetchesRests,
  hasShare,
  ignore,
  isRepeatable,
  type LinkContext,
  offers,
  turnedAway,
} from "./surroundings.ts";
import { tunnelHead, tunnelOf } from "./tunnel.ts";
import type { Upload } from "./upload.ts";

const ONE_REQUEST = { requests: 1 };

export class Link {
  readonly #context: LinkContext;
  readonly #after: After;
  readonly #meter: Meter;
  /** The streams of one visitor. */
  readonly #most: number;
  readonly #connections: Connections;
  readonly #exchanges = new Set<Exchange>();
  readonly #host: ExchangeHost;
  /** Visitors' WebSockets. */
  readonly passages: Passages;
  /** For segments of responses, and for the rests of requests. */
  readonly #tokens: BulkTokens<Exchange>;
  readonly #offers: BulkTokens<Upload>;
  /** Visitors who wait for the device to come back. */
  readonly #waiting = new Map<(back: boolean) => void, string | null>();
  #ticking = false;

  constructor(context: LinkContext, after: After = realAfter) {
    this.#context = context;
    this.#after = after;
    const now = () => context.clock.now();
    const budgets = context.budgets ?? defaultBudgets;
    this.#most = budgets.visitorStreams;
    this.#meter = new Meter(budgets, now, () => context.traffic.bytesToday);
    this.#connections = new Connections(context, () => this.passages, after);
    this.passages = new Passages({
      sockets: context.sockets,
      now: () => context.clock.now(),
      soon: (work) => void after(limits.linkSocketPollMs, work),
      wake: (agent) => void this.#connections.sessionOf(agent),
      stir: () => this.#tick(),
      moved: (network, bytes) => this.#mayMove(network, bytes),
      ended: () => microtask(() => this.#connections.closeDrained()),
    });
    this.#host = this.#makeHost();
    this.#tokens = new BulkTokens(context.random);
    this.#offers = new BulkTokens(context.random);
  }

  /** For gauges: requests on their way, visitors who wait for the device, the sessions there are. */
  get load(): { exchanges: number; waiting: number; sessions: Session[] } {
    const { sessions } = this.#connections;
    return { exchanges: this.#exchanges.size, waiting: this.#waiting.size, sessions };
  }

  /** The session on a socket; null where nothing was said yet. */
  sessionOn(socket: Socket): Session | null {
    return this.#connections.sessionOn(socket);
  }

  /** How many requests are on their way over a socket. */
  streamsOf(socket: Socket): number {
    return this.#connections.streamsOf(socket);
  }

  /**
   * Answers a visitor through one of the device's sockets. A bodyless GET or HEAD waits for an offline
   * device up to `limits.linkHoldOfflineMs`; when its connection went before a head, it is tried once
   * more: on another connection at once, else on the next that comes within the same time. A tunnel that
   * goes on is asked for at each of the box's programs, until one has it.
   * @param visitor by what and as whom it was let in: a pass of `Access`, or of a tunnel
   * @param identity the statement of who comes, for a device that wants it
   */
  async relay(
    request: Request,
    visitor: string | null,
    identity: string | null = null,
  ): Promise<Response> {
    const tunnel = tunnelOf(visitor);
    const peer = peerOf(request, this.#context);
    const head =
      tunnel === null ? openHead(request, peer, identity) : tunnelHead(request, tunnel.service);
    if (typeof head === "string") return refusal(head);
    const payload = encodeHead(head);
    if (payload === null) return refusal("too-long");
    const repeatable = isRepeatable(request, head);
    const network = networkAt(peer);
    this.passages.heardOf(network);
    const { traffic } = this.#context;
    if (!traffic.isKnown) void traffic.learn().catch(ignore); // budgets of a day go on after a sleep
    const over = this.#meter.admit(network);
    if (over !== null) return this.#turnAway(over);
    traffic.count(ONE_REQUEST);
    const upgrade = head.upgrade !== undefined;
    const begin = upgrade
      ? (stream: LinkStream) => this.passages.begin(stream, { visitor, network })
      : null;
    /** Connections that broke off, or whose program has no such tunnel. */
    const asked = new Set<Socket>();
    for (let broken = 0; ; ) {
      // Between the choice and the stream nothing may wait: others choose by what is open.
      let over = this.#connections.leastLoaded(asked, offers(head.service));
      if (over === null && repeatable && (await this.#comesBack(visitor))) {
        if (request.signal?.aborted) return refusal("failed"); // nobody is there to read it
        over = this.#connections.leastLoaded(asked, offers(head.service));
      }
      if (over === null) return refusal(broken === 0 ? "offline" : "failed");
      if (
        over === "busy" ||
        !this.#meter.hasRoom ||
        !hasShare(this.passages, this.#exchanges, { network, upgrade, most: this.#most })
      ) {
        return this.#turnAway({ verdict: "busy", retryAfter: 2 });
      }
      const outcome = await this.#exchange(payload, { request, visitor, network, begin, over });
      if (outcome.kind === "websocket") return this.#accept(request, over.socket, outcome);
      if (outcome.kind === "response" && upgrade && !carriesWebSockets(over.session)) {
        await outcome.response.body?.cancel();
        return refusal("upgrade");
      }
      if (outcome.kind !== "response" && outcome.kind !== "lost") return refusal(outcome.kind);
      asked.add(over.socket);
      if (outcome.kind === "response") {
        const elsewhere = tunnel !== null && outcome.response.status === tunnelStatuses.gone;
        if (!elsewhere || this.#connections.leastLoaded(asked, offers(head.service)) === null) {
          return outcome.response;
        }
        await outcome.response.body?.cancel();
        continue;
      }
      if (!repeatable || ++broken === 2) return refusal("failed");
      if (request.signal?.aborted) return refusal("failed");
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

  /** Takes a segment of a response, or gives the rest of a request, beside the frames: whose token it is. */
  async bulk(request: Request): Promise<Response> {
    if (request.method === "GET") return await this.#rest(request);
    const exchange = await this.#tokens.take(bearerOf(request));
    if (exchange === null) return new Response(null, { status: 401 });
    const segment = segmentOf(request);
    const taken = segment !== null && (await exchange.take(segment.body, segment.offset));
    return new Response(null, { status: taken ? 204 : 409 });
  }

  /** Hands over the rest of the one request whose token is shown. */
  async #rest(request: Request): Promise<Response> {
    const upload = await this.#offers.take(bearerOf(request));
    if (upload === null) return new Response(null, { status: 401 });
    return (await upload.fetch()) ?? new Response(null, { status: 409 });
  }

  /** A device connected: who waited for it goes on, and what it relieved is closed when it is empty. */
  onAgent(): void {
    for (const resolve of [...this.#waiting.keys()]) resolve(true);
    this.#connections.arrived();
  }

  /** Takes one message of the device. */
  onMessage(socket: Socket, data: string | ArrayBuffer): void {
    this.#connections.receive(socket, data);
  }

  /** Nothing more passes over this socket. @param code with which it was closed */
  onAgentGone(socket: Socket, code?: number): void {
    this.#connections.end(socket, code);
  }

  /**
   * Asks the device for another connection in place of each that it has. Visitors go on over these
   * until another is there.
   */
  goAway(): void {
    for (const socket of this.#context.agents.ready()) this.#connections.askForAnother(socket);
  }

  /** Ends every request on its way. */
  abortAll(): void {
    this.keepOnly(() => false);
  }

  /** Ends everything; what comes next begins a new session. */
  reset(): void {
    this.passages.keepOnly(() => false, visitorCloses.off);
    this.abortAll();
    this.#connections.reset();
  }

  /** Ends the requests whose pass holds no longer. */
  keepOnly(mayEnter: (visitor: string | null) => boolean): void {
    this.passages.keepOnly(mayEnter, visitorCloses.revoked);
    for (const exchange of [...this.#exchanges]) {
      if (!mayEnter(exchange.errand.visitor)) exchange.abort();
    }
    for (const [resolve, visitor] of [...this.#waiting]) if (!mayEnter(visitor)) resolve(false);
  }

  /** Ends the WebSockets whose connection of the device is gone or deaf. */
  checkSockets(): void {
    this.passages.check((agent) => this.#context.agents.stands(agent));
  }

  #turnAway(over: Refusal): Response {
    this.#context.traffic.turnedAway(over.verdict);
    this.#tick();
    return turnedAway(over);
  }

  /** Counts what a visitor's WebSocket moved; false when a budget of the day is used up. */
  #mayMove(network: string, bytes: number): boolean {
    this.#meter.moved(network, bytes);
    const over = this.#meter.over(network);
    if (over !== null) this.#context.traffic.turnedAway(over.verdict);
    return over === null;
  }

  /** Cuts off what is on the way for who has used up a budget of the day. */
  #endOverBudget(): void {
    for (const exchange of [...this.#exchanges]) {
      const over = this.#meter.over(exchange.errand.network);
      if (over === null || over.verdict === "busy") continue;
      this.#context.traffic.turnedAway(over.verdict);
      exchange.abort(over.verdict);
    }
  }

  #exchange(payload: Uint8Array, errand: Errand): Promise<Outcome> {
    const { session, socket } = errand.over;
    const exchange = new Exchange(this.#host, errand);
    this.#exchanges.add(exchange);
    this.#meter.begin(errand.network);
    exchange.start(session.open(payload, errand.request.body === null, exchange));
    if (session.isWornOut) this.#connections.askForAnother(socket);
    this.#tick();
    return exchange.outcome;
  }

  #makeHost(): ExchangeHost {
    return {
      now: () => this.#context.clock.now(),
      onBytes: ({ errand }, bytes) => this.#meter.moved(errand.network, bytes),
      onBeside: (bytes) => this.#context.traffic.count({ toDevice: bytes }),
      onCarried: ({ errand }, bytes) => {
        this.#meter.moved(errand.network, bytes);
        this.#context.traffic.count({ toDevice: bytes });
        this.#endOverBudget();
      },
      onSegment: ({ errand }, bytes) => {
        this.#meter.moved(errand.network, bytes);
        this.#context.traffic.count({ fromDevice: bytes });
        this.#endOverBudget();
      },
      onBulk: (exchange) => void this.#tokens.give(exchange),
      onOffer: ({ errand }, upload) => {
        if (fetchesRests(errand.over.session)) void this.#offers.give(upload);
      },
      onOfferOver: (upload) => this.#offers.forget(upload),
      onDone: (exchange) => {
        const { network, over } = exchange.errand;
        this.#exchanges.delete(exchange);
        this.#tokens.forget(exchange);
        this.#meter.end(network);
        // After what is going on now: the session has not forgotten the stream yet.
        if (this.#context.agents.isLeaving(over.socket))
          microtask(() => this.#connections.closeDrained());
      },
    };
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
    if (this.#ticking) return;
    this.#ticking = true;
    this.#after(limits.linkTickMs, () => {
      this.#ticking = false;
      const now = this.#context.clock.now();
      this.#connections.dropDead();
      this.#connections.dropSilent();
      for (const exchange of [...this.#exchanges]) exchange.tick(now);
      this.passages.tick(now);
      this.#endOverBudget();
      const idle = this.#exchanges.size === 0 && !this.passages.busy;
      this.#context.onTick(idle);
      if (!idle) this.#tick();
    });
  }
}
