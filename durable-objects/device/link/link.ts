/**
 * Link inside the device's object: carries visitors' requests over the device's socket. What passes
 * is in memory for as long as it takes to pass, and in no store (CON-8).
 *
 * It holds no timer while nobody waits, so an idle object hibernates.
 */

import type { Clock, Random } from "../../../db/primitives.ts";
import { networkOf, parsePeer } from "../../../protocol/addresses.ts";
import { closeCodes } from "../../../protocol/agent.ts";
import { limits } from "../../../protocol/limits.ts";
import { encodeHead, type OpenHead } from "../../../protocol/link/headers.ts";
import { Session } from "../../../protocol/link/session.ts";
import type { Socket } from "../context.ts";
import { refusal } from "../door.ts";
import { peerHeader } from "../rpc.ts";
import { Exchange, type ExchangeOptions, microtask, type Outcome } from "./exchange.ts";
import { openHead } from "./heads.ts";

/** What Link needs of the object. */
export interface LinkContext {
  readonly clock: Clock;
  readonly random: Random;
}

/** Runs `work` after `ms`; the returned function takes it back. */
export type After = (ms: number, work: () => void) => () => void;

const realAfter: After = (ms, work) => {
  const timer = setTimeout(work, ms);
  return () => clearTimeout(timer);
};

interface Live {
  readonly socket: Socket;
  readonly session: Session;
}

export class Link {
  readonly #context: LinkContext;
  readonly #after: After;
  #live: Live | null = null;
  readonly #exchanges = new Set<Exchange>();
  /** Visitors who wait for the device to come back. */
  readonly #waiting = new Map<(agent: Socket | null) => void, string | null>();
  #ticking = false;

  constructor(context: LinkContext, after: After = realAfter) {
    this.#context = context;
    this.#after = after;
  }

  /** For gauges: requests on their way, visitors who wait for the device, the session if there is one. */
  get load(): { exchanges: number; waiting: number; session: Session | null } {
    return {
      exchanges: this.#exchanges.size,
      waiting: this.#waiting.size,
      session: this.#live?.session ?? null,
    };
  }

  /**
   * Answers a visitor through the device's socket. A bodyless GET or HEAD waits for an offline device
   * up to `limits.linkHoldOfflineMs` and is tried once more when the connection went before a head.
   * @param findAgent looks for the device's socket; null when it is offline
   * @param visitor the account that may enter; null when the door is open to everyone
   */
  async relay(
    request: Request,
    findAgent: () => Socket | null,
    visitor: string | null,
  ): Promise<Response> {
    const head = openHead(request);
    if (typeof head === "string") return refusal(head);
    const payload = encodeHead(head);
    if (payload === null) return refusal("too-long");
    const repeatable = isRepeatable(request, head);
    const network = networkAt(request.headers.get(peerHeader));
    let socket = this.#current(findAgent) ?? (repeatable ? await this.#nextAgent(visitor) : null);
    for (let attempt = 1; ; attempt++) {
      if (request.signal?.aborted) return refusal("failed"); // nobody is there to read it
      if (socket === null) return refusal(attempt === 1 ? "offline" : "failed");
      const session = this.#sessionOf(socket);
      if (session.isFull || !this.#hasShare(network)) return refusal("busy");
      const outcome = await this.#exchange(session, payload, { request, visitor, network });
      if (outcome.kind === "response") return outcome.response;
      if (outcome.kind !== "lost") return refusal(outcome.kind);
      if (!repeatable || attempt === 2) return refusal("failed");
      // A connection that was replaced is lost after its successor came: there is nothing to wait for.
      const lost = socket;
      const other = this.#current(findAgent);
      socket = other !== null && other !== lost ? other : await this.#nextAgent(visitor);
    }
  }

  /** A device connected: its socket is the one to use from now on. */
  onAgent(socket: Socket): void {
    if (this.#live?.socket !== socket) this.#drop();
    for (const resolve of [...this.#waiting.keys()]) resolve(socket);
  }

  /** Takes one message of the device. */
  onMessage(socket: Socket, data: string | ArrayBuffer): void {
    if (typeof data === "string") {
      socket.close(closeCodes.protocolError, "text where frames belong");
      if (this.#live?.socket === socket) this.#drop();
      return;
    }
    // A socket that was replaced may still be heard; its session is over.
    if (this.#live !== null && this.#live.socket !== socket) return;
    this.#sessionOf(socket).receive(new Uint8Array(data));
  }

  onAgentGone(socket: Socket): void {
    if (this.#live?.socket === socket) this.#drop();
  }

  /** Ends every request on its way. */
  abortAll(): void {
    this.keepOnly(() => false);
  }

  /** Ends everything; what comes next begins a new session. */
  reset(): void {
    this.abortAll();
    this.#drop();
  }

  /** Ends the requests of visitors who may no longer enter (`null`: a visitor nobody asked for a name). */
  keepOnly(mayEnter: (visitor: string | null) => boolean): void {
    for (const exchange of [...this.#exchanges]) {
      if (!mayEnter(exchange.visitor)) exchange.abort();
    }
    for (const [resolve, visitor] of [...this.#waiting]) if (!mayEnter(visitor)) resolve(null);
  }

  /** The device's live socket. A session on any other is over, for its end is deaf or replaced. */
  #current(findAgent: () => Socket | null): Socket | null {
    const socket = findAgent();
    if (this.#live !== null && this.#live.socket !== socket) this.#drop();
    return socket;
  }

  /** False while one network has so much under way that the rest is for others. */
  #hasShare(network: string): boolean {
    if (this.#exchanges.size < limits.linkStreamsPerVisitor) return true;
    let count = 0;
    for (const exchange of this.#exchanges) if (exchange.network === network) count++;
    return count < limits.linkStreamsPerVisitor;
  }

  #exchange(
    session: Session,
    payload: Uint8Array,
    who: Pick<ExchangeOptions, "request" | "visitor" | "network">,
  ): Promise<Outcome> {
    const exchange = new Exchange({
      ...who,
      now: () => this.#context.clock.now(),
      onDone: () => this.#exchanges.delete(exchange),
    });
    this.#exchanges.add(exchange);
    exchange.start(session.open(payload, who.request.body === null, exchange));
    this.#tick();
    return exchange.outcome;
  }

  #sessionOf(socket: Socket): Session {
    if (this.#live?.socket === socket) return this.#live.session;
    this.#drop();
    const session = new Session(
      {
        send: (message, sent) => {
          this.#send(socket, message);
          sent(); // the platform has its own copy
        },
        bufferedBytes: () => 0,
        soon: microtask,
        later: microtask,
        onProtocolError: (reason) => {
          socket.close(closeCodes.protocolError, reason);
          this.onAgentGone(socket);
        },
      },
      { firstId: firstIdOf(this.#context.random) },
    );
    this.#live = { socket, session };
    return session;
  }

  #send(socket: Socket, message: Uint8Array): void {
    try {
      socket.send(message);
    } catch {
      this.onAgentGone(socket); // closed a moment ago; its close event is on its way
    }
  }

  #drop(): void {
    const live = this.#live;
    this.#live = null;
    live?.session.close();
  }

  /** The device's next connection, or null after `limits.linkHoldOfflineMs`. */
  #nextAgent(visitor: string | null): Promise<Socket | null> {
    return new Promise((resolve) => {
      const done = (agent: Socket | null) => {
        this.#waiting.delete(done);
        cancel();
        resolve(agent);
      };
      const cancel = this.#after(limits.linkHoldOfflineMs, () => done(null));
      this.#waiting.set(done, visitor);
    });
  }

  /** One timer for all heads that are awaited, and none when there are none. */
  #tick(): void {
    if (this.#ticking || this.#exchanges.size === 0) return;
    this.#ticking = true;
    this.#after(limits.linkTickMs, () => {
      this.#ticking = false;
      for (const exchange of [...this.#exchanges]) exchange.tick(this.#context.clock.now());
      this.#tick();
    });
  }
}

/** RFC 9110 §9.2.2: repeating these changes nothing, and without a body nothing is used up. */
function isRepeatable(request: Request, head: OpenHead): boolean {
  return request.body === null && (head.method === "GET" || head.method === "HEAD");
}

/** The network a visitor comes from; whoever's address is not known is one of the unknown. */
function networkAt(peer: string | null): string {
  const address = parsePeer(peer ?? "");
  return address === null ? "unknown" : networkOf(address);
}

/** A random start: a late frame of a session that was forgotten meets no stream of the new one. */
function firstIdOf(random: Random): number {
  const [a = 0, b = 0, c = 0, d = 0] = random.bytes(4);
  return (((a & 0x3f) << 24) | (b << 16) | (c << 8) | d) >>> 0;
}
