/**
 * The WebSockets of one session: what comes on them, and how they go on in a new session.
 *
 * The edge names in RESUME, in the message of its HELLO, which WebSockets it goes on with; the agent
 * answers each with a RESUME of its own and ends the rest. Each says how many bytes it takes now. What
 * the agent says of a WebSocket before its answer belongs to the session before, whose windows are
 * forgotten: it is taken, bounded, and counts against no window of this session.
 */

import { limits } from "../limits.ts";
import { frameType, messageFlag, readClose, resetCode, u32 } from "./frames.ts";
import { messageCost, type SocketHandler } from "./messages.ts";
import type { Outbox } from "./outbox.ts";
import type { LinkStream, StreamHost } from "./stream.ts";

/** A WebSocket that a new session of the edge goes on with. */
export interface Resumption {
  readonly id: number;
  /** Makes the handler of the stream. */
  serve(stream: LinkStream): SocketHandler;
}

/** The end that opens streams. */
export interface EdgeRole {
  /** Where stream identifiers begin, so that an earlier session's do not match. */
  readonly firstId: number;
  /** The WebSockets of an earlier session that go on. */
  readonly resume?: readonly Resumption[];
}

/** What this needs of its session. */
export interface SocketsHost {
  readonly isEdge: boolean;
  readonly session: StreamHost;
  readonly streams: Map<number, LinkStream>;
  readonly outbox: Outbox;
  /** Counts bytes against the connection's window; false when they exceed it. */
  receive(bytes: number): boolean;
  /** Forgets a stream. */
  bury(stream: LinkStream): void;
  /** Takes bytes of a stream that is gone. */
  late(id: number, bytes: number): string | null;
}

export class SessionSockets {
  readonly #host: SocketsHost;
  /** At the edge: what came on resumed streams that the agent has not answered for. */
  readonly #unsure = new Map<number, number>();
  /** At the edge: resumed streams of which nothing has come in this session. */
  readonly #silent = new Set<number>();
  /** At the agent: every stream that the edge named in this session. */
  readonly #named = new Set<number>();
  /** At the agent, while the message with the HELLO is read: what RESUME may name. */
  #aside: Map<number, LinkStream> | null = null;

  constructor(host: SocketsHost) {
    this.#host = host;
  }

  /** At the edge: true until the agent said that it goes on with this stream too. */
  isUnsure(id: number): boolean {
    return this.#unsure.has(id);
  }

  /** At the agent: true for a stream that the edge named in RESUME. */
  wasNamed(id: number): boolean {
    return this.#named.has(id);
  }

  forget(id: number): void {
    this.#unsure.delete(id);
    this.#silent.delete(id);
  }

  /** At the edge, at the beginning: goes on with a stream. */
  begin(stream: LinkStream, serve: Resumption["serve"]): void {
    const { id } = stream;
    stream.gotHead = true;
    stream.upgrade(serve(stream));
    stream.resume(0);
    this.#host.streams.set(id, stream);
    this.#unsure.set(id, 0);
    this.#silent.add(id);
    this.#host.outbox.control(frameType.resume, id, u32(stream.receiveWindow.restart()));
  }

  /** At the agent, at HELLO: takes the WebSockets out of the session until RESUME names them. */
  setAside(): void {
    this.endAside();
    this.#named.clear();
    const { streams } = this.#host;
    this.#aside = new Map([...streams].filter(([, stream]) => stream.socket !== null));
    for (const id of this.#aside.keys()) streams.delete(id);
  }

  /** At the agent, when the message with the HELLO was read: what it did not name is over. */
  endAside(): void {
    const aside = this.#aside;
    this.#aside = null;
    for (const stream of aside?.values() ?? []) {
      stream.kill();
      stream.tellReset(null);
    }
  }

  /** @param met at the edge: whether the agent's HELLO to this session came */
  onResume(id: number, bytes: number, met: boolean): string | null {
    if (bytes > limits.linkConnectionWindowBytes) return "credit beyond the window";
    if (this.#host.isEdge) {
      if (!met) return null; // late, to a session that was forgotten
      if (!this.#unsure.delete(id)) return this.#host.late(id, 0);
      this.#host.streams.get(id)?.resume(bytes);
      return null;
    }
    if (this.#aside === null) return "resume after the beginning";
    const stream = this.#aside.get(id);
    this.#named.add(id);
    if (stream === undefined || stream.dead) {
      this.#host.outbox.control(frameType.reset, id, u32(resetCode.cancel));
      return null;
    }
    this.#aside.delete(id);
    this.#host.streams.set(id, stream);
    this.#host.outbox.control(frameType.resume, id, u32(stream.receiveWindow.restart()));
    stream.resume(bytes);
    if (stream.socket?.pieces.within) this.#tear(stream);
    return null;
  }

  onMessage(id: number, payload: Uint8Array, flags: number): string | null {
    const cost = messageCost(payload.byteLength);
    const stream = this.#host.streams.get(id);
    if (stream === undefined) return this.#host.late(id, cost);
    if (stream.socket === null) return "message on a stream that is no WebSocket";
    const overrun = this.#count(stream, cost);
    if (overrun !== null) return overrun;
    if (this.#silent.delete(id) && (flags & messageFlag.continues) !== 0) {
      this.#tear(stream);
      return null;
    }
    const { handler, pieces } = stream.socket;
    const fault = pieces.take(flags, payload.byteLength);
    if (fault !== null) return fault;
    if (stream.closing) {
      this.#host.session.consumed(stream, cost);
      return null;
    }
    const text = (flags & messageFlag.text) !== 0;
    return handler.message(payload, text, !pieces.within) ? null : "text that is not UTF-8";
  }

  onClose(id: number, payload: Uint8Array): string | null {
    const close = readClose(payload);
    if (close === null) return "close that no WebSocket could carry";
    const stream = this.#host.streams.get(id);
    if (stream === undefined) return this.#host.late(id, 0);
    if (stream.socket === null) return "close of a stream that is no WebSocket";
    if (stream.socket.pieces.within) return "close within a message";
    const told = !stream.closing;
    this.#host.bury(stream);
    if (told) stream.socket.handler.closed(close);
    return null;
  }

  /** Counts what came: against the windows, or as the rest of the session before. */
  #count(stream: LinkStream, cost: number): string | null {
    const before = this.#unsure.get(stream.id);
    if (before === undefined) {
      if (!stream.receiveWindow.receive(cost)) return "stream overrun";
      return this.#host.receive(cost) ? null : "connection overrun";
    }
    this.#unsure.set(stream.id, before + cost);
    return before + cost > limits.linkConnectionWindowBytes ? "stream overrun" : null;
  }

  /** A part of a message is lost with the session that it began in: this WebSocket cannot go on. */
  #tear(stream: LinkStream): void {
    this.#host.session.sendReset(stream, resetCode.internal);
    stream.tellReset(null);
  }
}
