/**
 * WebSockets of devices hosted in this process.
 *
 * A device accepts an upgrade deep inside a request, as it does in a Durable Object; the entry then
 * performs it on the runtime's own request. In between stands a `HostSocket`, which keeps what is
 * said until the connection is open. Attachments live in memory only.
 */

import { AsyncLocalStorage } from "node:async_hooks";
import type { Clock } from "../../db/primitives.ts";
import { pingText, pongText } from "../../protocol/agent.ts";
import { limits } from "../../protocol/limits.ts";
import type { Socket, Sockets } from "../device/context.ts";

/** Where an accepted socket waits for the entry that serves the request. */
export interface Upgrade {
  socket: HostSocket | null;
}

/** The entry runs each request inside one `Upgrade`; it follows the request through every await. */
export const upgrades = new AsyncLocalStorage<Upgrade>();

export interface SocketEvents {
  onMessage(socket: HostSocket, data: string | ArrayBuffer): void;
  onClose(socket: HostSocket, code: number, reason: string): void;
}

/** What this file uses of a WebSocket that the runtime accepted. */
export type ServerSocket = Pick<
  WebSocket,
  "binaryType" | "readyState" | "bufferedAmount" | "send" | "close" | "addEventListener"
>;

const OPEN = 1;
const NOT_READ = 1008; // RFC 6455 §7.4.1: against the rules, in no other way
/** RFC 6455 §7.1.5: the connection went without a close. */
const NO_CLOSE = 1006;

export class HostSocket implements Socket {
  readonly tags: readonly string[];
  readonly #events: SocketEvents;
  #attachment: unknown;
  #socket: ServerSocket | null = null;
  #waiting: (string | Uint8Array<ArrayBuffer>)[] = [];
  #closing: { code: number | null; reason: string } | null = null;
  #gone = false;
  #heardAt: number | null = null;
  readonly #clock: Clock;

  constructor(tags: readonly string[], attachment: unknown, events: SocketEvents, clock: Clock) {
    this.tags = tags;
    this.#attachment = attachment;
    this.#events = events;
    this.#clock = clock;
  }

  /** True until either side closes. */
  get open(): boolean {
    return !this.#gone && this.#closing === null;
  }

  send(data: string | Uint8Array): void {
    if (!this.open) throw new Error("this socket is closed");
    const socket = this.#socket;
    if (socket !== null && socket.readyState === OPEN) {
      this.#say(socket, data as Uint8Array<ArrayBuffer>);
    } else {
      // The caller may use its buffer again.
      this.#waiting.push(typeof data === "string" ? data : new Uint8Array(data));
    }
  }

  close(code: number | null, reason: string): void {
    if (!this.open) return;
    this.#closing = { code, reason };
    if (this.#socket?.readyState === OPEN) closeSocket(this.#socket, this.#closing);
  }

  bufferedBytes(): number {
    return this.#socket?.bufferedAmount ?? 0;
  }

  attachment(): unknown {
    return this.#attachment;
  }

  attach(value: unknown): void {
    this.#attachment = structuredClone(value);
  }

  heardAt(): number | null {
    return this.#heardAt;
  }

  /** Joins the runtime's socket; what was said so far is sent when it opens. */
  connect(socket: ServerSocket): void {
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => this.#opened(socket));
    socket.addEventListener("message", (event) => this.#heard(socket, event.data));
    socket.addEventListener("close", ({ code, reason }) => this.lost(code, reason));
    socket.addEventListener("error", () => this.lost());
    if (socket.readyState === OPEN) this.#opened(socket);
  }

  /** The connection ended, or never came to be. */
  lost(code = NO_CLOSE, reason = ""): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#waiting = [];
    this.#events.onClose(this, code, reason);
  }

  #opened(socket: ServerSocket): void {
    for (const data of this.#waiting.splice(0)) socket.send(data);
    if (this.#closing !== null) closeSocket(socket, this.#closing);
  }

  /** Credits bound what a device gets unasked; one that makes us answer and never reads is let go. */
  #say(socket: ServerSocket, data: string | Uint8Array<ArrayBuffer>): void {
    if (socket.bufferedAmount <= limits.hostSocketQueueBytes) socket.send(data);
    else {
      this.close(NOT_READ, "answers that nobody reads");
      this.lost();
    }
  }

  #heard(socket: ServerSocket, data: unknown): void {
    // The platform's auto-response: the device's logic never sees a ping.
    if (data === pingText) {
      this.#heardAt = this.#clock.now();
      if (socket.readyState === OPEN) this.#say(socket, pongText);
    } else if (typeof data === "string" || data instanceof ArrayBuffer) {
      this.#events.onMessage(this, data);
    }
  }
}

function closeSocket(
  socket: ServerSocket,
  { code, reason }: { code: number | null; reason: string },
): void {
  if (code === null) socket.close();
  else socket.close(code, reason);
}

/** All sockets of one device. */
export class HostSockets implements Sockets {
  readonly #sockets = new Set<HostSocket>();
  readonly #events: SocketEvents;
  readonly #clock: Clock;

  constructor(events: SocketEvents, clock: Clock) {
    this.#clock = clock;
    this.#events = {
      onMessage: events.onMessage,
      onClose: (socket, code, reason) => {
        this.#sockets.delete(socket);
        events.onClose(socket, code, reason);
      },
    };
  }

  /** How many are there, those that are closing included. */
  get size(): number {
    return this.#sockets.size;
  }

  accept(request: Request, tags: readonly string[], attachment: unknown): Response {
    return this.acceptSocket(request, tags, attachment)[0];
  }

  acceptSocket(
    _request: Request,
    tags: readonly string[],
    attachment: unknown,
  ): [Response, HostSocket] {
    const upgrade = upgrades.getStore();
    if (upgrade === undefined) throw new Error("an upgrade needs a request of the server");
    upgrade.socket?.lost();
    const socket = new HostSocket(tags, structuredClone(attachment), this.#events, this.#clock);
    upgrade.socket = socket;
    this.#sockets.add(socket);
    return [new Response(null, { status: 101 }), socket];
  }

  tagged(tag: string): HostSocket[] {
    return [...this.#sockets].filter((socket) => socket.open && socket.tags.includes(tag));
  }

  closeAll(code: number, reason: string): void {
    for (const socket of [...this.#sockets]) {
      socket.close(code, reason);
      socket.lost();
    }
  }
}
