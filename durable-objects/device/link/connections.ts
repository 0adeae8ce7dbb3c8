/**
 * The device's connections as Link sees them: a session on each of its sockets, which of them a new
 * stream goes over, and when one is given up, refused or closed because it is empty.
 */

import { closeCodes } from "../../../protocol/agent.ts";
import { limits } from "../../../protocol/limits.ts";
import { Session } from "../../../protocol/link/session.ts";
import { tryClose } from "../agents.ts";
import type { Socket } from "../context.ts";
import type { After } from "./after.ts";
import { microtask } from "./exchange.ts";
import { Gathering } from "./gathering.ts";
import type { Passages } from "./passages.ts";
import {
  firstIdOf,
  ignore,
  isSilent,
  type LinkContext,
  type Live,
  type Over,
} from "./surroundings.ts";

/** RFC 6455 §7.1.5: the connection broke off before the other end said that it closes it. */
const NO_CLOSE_FRAME = 1006;

export class Connections {
  readonly #context: Pick<LinkContext, "agents" | "clock" | "random" | "traffic">;
  readonly #passages: () => Passages;
  readonly #live = new Map<Socket, Live>();
  /** Sockets that were given up: what may still be heard of them is nobody's. */
  readonly #gone = new WeakSet<Socket>();

  #ready: readonly Socket[] = [];
  /** Until when `#ready` holds, ms since the epoch. */
  #readyUntil = 0;
  readonly #after: After;

  /** @param passages the visitors' WebSockets, which a new session goes on with */
  constructor(
    context: Pick<LinkContext, "agents" | "clock" | "random" | "traffic">,
    passages: () => Passages,
    after: After,
  ) {
    this.#context = context;
    this.#passages = passages;
    this.#after = after;
  }

  /** The sessions there are. */
  get sessions(): Session[] {
    return [...this.#live.values()].map((live) => live.session);
  }

  /** The session on a socket; null where nothing was said yet. */
  sessionOn(socket: Socket): Session | null {
    return this.#live.get(socket)?.session ?? null;
  }

  /** The session on a socket that still counts; null for one that was given up. */
  sessionOf(socket: Socket): Session | null {
    return this.#gone.has(socket) ? null : this.#open(socket).session;
  }

  /** How many streams live on a socket. */
  streamsOf(socket: Socket): number {
    return this.#live.get(socket)?.session.size ?? this.#passages().on(socket);
  }

  /**
   * The socket with the fewest streams, the newest of several; `busy` when all have all they may.
   * @param except those that were asked already
   */
  leastLoaded(except: ReadonlySet<Socket>, may = (_socket: Socket) => true): Over | "busy" | null {
    let best: Socket | null = null;
    let isThere = false;
    for (const socket of this.#readySockets()) {
      if (except.has(socket) || !may(socket)) continue;
      isThere = true;
      if (this.#live.get(socket)?.session.isFull) continue;
      if (best === null || this.streamsOf(socket) < this.streamsOf(best)) best = socket;
    }
    if (best !== null) return this.#open(best);
    return isThere ? "busy" : null;
  }

  /** A device connected: it is one to choose from. */
  arrived(): void {
    this.#readyUntil = 0;
    this.closeDrained();
  }

  /** Those to choose from. Looked up once a second, and when one came or went: a look asks the platform. */
  #readySockets(): readonly Socket[] {
    const now = this.#context.clock.now();
    if (now < this.#readyUntil) return this.#ready;
    this.#ready = this.#context.agents.ready();
    this.#readyUntil = now + limits.linkTickMs;
    // Whoever waits on one whose other end is gone hears of it now, not with the next tick.
    if (this.#ready.length !== this.#live.size) this.dropDead();
    return this.#ready;
  }

  /** Takes one message of the device. */
  receive(socket: Socket, data: string | ArrayBuffer): void {
    if (this.#gone.has(socket)) return;
    if (typeof data === "string") {
      this.#refuse(socket, "text where frames belong");
      return;
    }
    const live = this.#open(socket);
    live.quietTicks = 0;
    this.#context.traffic.count({ fromDevice: data.byteLength });
    live.session.receive(new Uint8Array(data));
    live.gathering.heard();
  }

  /** Nothing more passes over this socket. @param code with which it was closed */
  end(socket: Socket, code?: number): void {
    this.#gone.add(socket);
    this.#readyUntil = 0;
    const live = this.#live.get(socket);
    this.#live.delete(socket);
    // Before its session ends, which knows no reason.
    this.#passages().agentGone(socket, code === NO_CLOSE_FRAME);
    live?.session.close();
  }

  /** Ends every session; what comes next begins a new one. */
  reset(): void {
    for (const { session } of this.#live.values()) session.close();
    this.#live.clear();
    this.#readyUntil = 0;
  }

  /** Asks the device for another connection in place of this one, once. */
  askForAnother(socket: Socket): void {
    if (!this.#context.agents.told(socket)) return;
    this.#open(socket).session.goAway();
  }

  /** Gives up the sessions on sockets whose other end is gone. */
  dropDead(): void {
    for (const socket of [...this.#live.keys()]) {
      if (!this.#context.agents.stands(socket)) this.#giveUp(socket);
    }
  }

  /** Called each second while somebody waits: gives up the connections that say nothing. */
  dropSilent(): void {
    for (const [socket, live] of [...this.#live]) if (isSilent(live)) this.#giveUp(socket);
  }

  /**
   * Closes what was to finish and has: we know of every stream that lives, the agent may not know of
   * one that is just being opened.
   */
  closeDrained(): void {
    for (const socket of this.#context.agents.leaving()) {
      if (this.#gone.has(socket) || this.streamsOf(socket) > 0) continue;
      tryClose(socket, 1000, "drained");
      this.end(socket);
    }
  }

  #giveUp(socket: Socket): void {
    tryClose(socket, closeCodes.silent, "not heard of");
    this.end(socket);
  }

  #refuse(socket: Socket, reason: string): void {
    tryClose(socket, closeCodes.protocolError, reason);
    this.end(socket);
  }

  #open(socket: Socket): Live {
    const existing = this.#live.get(socket);
    if (existing !== undefined) return existing;
    void this.#context.traffic.learn().catch(ignore); // budgets of a day go on after a sleep
    const gathering = new Gathering(this.#context.clock, this.#after, microtask);
    const session = new Session(
      {
        send: (message, sent) => {
          gathering.sent();
          this.#send(socket, message);
          sent(); // the platform has its own copy
        },
        bufferedBytes: () => 0,
        now: () => this.#context.clock.now(),
        soon: microtask,
        gather: (work) => gathering.gather(work),
        later: microtask,
        onProtocolError: (reason) => this.#refuse(socket, reason),
        onGoAway: () => {
          this.#context.agents.leave(socket);
          this.#readyUntil = 0;
          microtask(() => this.closeDrained());
        },
      },
      { firstId: firstIdOf(this.#context.random), resume: this.#passages().resumptions(socket) },
    );
    const live = { socket, session, gathering, quietTicks: 0 };
    this.#live.set(socket, live);
    return live;
  }

  #send(socket: Socket, message: Uint8Array): void {
    this.#context.traffic.count({ toDevice: message.byteLength });
    try {
      socket.send(message);
    } catch {
      this.end(socket); // closed a moment ago; its close event is on its way
    }
  }
}
