/**
 * One Link session over one socket, the same code at both ends: the edge opens streams, the agent
 * serves them. It knows frames, credits and fairness; it does no I/O but `send`, reads no clock and
 * stores nothing.
 *
 * A session begins with the edge's HELLO. After hibernation the object has forgotten its session and
 * says HELLO again, whereupon the agent forgets too: no window can drift apart.
 */

import { limits } from "../limits.ts";
import { ReceiveWindow } from "./flow.ts";
import {
  decodeMessage,
  type FrameType,
  frameType,
  helloPayload,
  helloVersion,
  protocolVersion,
  readU32,
  resetCode,
  u32,
} from "./frames.ts";
import { Outbox, type OutboxPort } from "./outbox.ts";
import { LinkStream, type StreamHandler, type StreamHost } from "./stream.ts";

export interface SessionPort extends OutboxPort {
  /** The other end broke the protocol; the session is over and the socket should be closed. */
  onProtocolError(reason: string): void;
}

/** Makes the handler of a stream that the edge opened; null refuses it. */
export type Accept = (stream: LinkStream, head: Uint8Array) => StreamHandler | null;

const LAST_ID = 0xffff_fffe;

export class Session implements StreamHost {
  readonly #port: SessionPort;
  /** Null at the edge, which accepts no stream. */
  readonly #accept: Accept | null;
  readonly #streams = new Map<number, LinkStream>();
  readonly #outbox: Outbox;
  #receiveWindow = new ReceiveWindow(limits.linkConnectionWindowBytes);
  #over = false;
  #draining = false;
  /** The identifiers of this session's streams so far: odd numbers from first up to, not including, next. */
  #firstId: number;
  #nextId: number;

  /** @param firstId at the edge: where stream identifiers begin, so that an earlier session's do not match */
  constructor(port: SessionPort, role: { readonly firstId: number } | { readonly accept: Accept }) {
    this.#port = port;
    this.#outbox = new Outbox(port, (stream) => this.#sendEnded(stream));
    const edge = "firstId" in role;
    this.#accept = edge ? null : role.accept;
    this.#firstId = edge ? role.firstId | 1 : 0;
    this.#nextId = this.#firstId;
    if (edge) this.#outbox.control(frameType.hello, 0, helloPayload());
  }

  /** How many streams live. */
  get size(): number {
    return this.#streams.size;
  }

  /** The connection's windows in bytes: what may be sent, what the consumers have not taken, what is owed. */
  get windows(): { readonly send: number; readonly held: number; readonly owed: number } {
    const { held, owed } = this.#receiveWindow;
    return { send: this.#outbox.available, held, owed };
  }

  /** True when no stream may be opened: over, draining, or as many as `limits.linkStreams` live. */
  get isFull(): boolean {
    return (
      this.#over ||
      this.#draining ||
      this.#streams.size >= limits.linkStreams ||
      this.#nextId > LAST_ID
    );
  }

  /** Opens a stream at the edge. Ask `isFull` first. */
  open(payload: Uint8Array, end: boolean, handler: StreamHandler): LinkStream {
    const stream = new LinkStream(this.#nextId, this, handler);
    this.#nextId += 2;
    this.#streams.set(stream.id, stream);
    stream.sendEnded = end;
    this.#outbox.control(frameType.open, stream.id, payload, end);
    return stream;
  }

  /** Says that this end opens, or wants, no new streams on this connection. */
  goAway(): void {
    this.#outbox.control(frameType.goaway, 0);
  }

  /** Takes one message of the other end. */
  receive(message: Uint8Array): void {
    if (this.#over) return;
    const reason = decodeMessage(message, (type, end, id, payload) =>
      this.#over ? null : this.#onFrame(type, end, id, payload),
    );
    if (reason !== null) this.#fail(reason);
  }

  /** The socket has gone: every stream dies, nothing more is sent. */
  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#outbox.close();
    this.#forgetStreams();
  }

  // What streams ask for (StreamHost)

  wantsToSend(stream: LinkStream): void {
    this.#outbox.data(stream);
  }

  consumed(stream: LinkStream, bytes: number): void {
    const before = stream.receiveWindow.held;
    stream.receiveWindow.consume(bytes);
    this.#receiveWindow.consume(before - stream.receiveWindow.held);
    if (!stream.receiveEnded && !stream.dead) {
      const due = stream.receiveWindow.creditDue();
      if (due > 0) this.#outbox.control(frameType.credit, stream.id, u32(due));
    }
    const due = this.#receiveWindow.creditDue();
    if (due > 0) this.#outbox.control(frameType.credit, 0, u32(due));
  }

  sendHead(stream: LinkStream, payload: Uint8Array, end: boolean): void {
    this.#outbox.control(frameType.head, stream.id, payload, end);
    if (end) this.#sendEnded(stream);
  }

  sendReset(stream: LinkStream, code: number): void {
    this.#outbox.control(frameType.reset, stream.id, u32(code));
    this.#bury(stream);
  }

  // Receiving

  #onFrame(type: FrameType, end: boolean, id: number, payload: Uint8Array): string | null {
    switch (type) {
      case frameType.data:
        return this.#onData(id, payload, end);
      case frameType.credit:
        return this.#onCredit(id, readU32(payload));
      case frameType.head:
        return this.#onHead(id, payload, end);
      case frameType.open:
        return this.#onOpen(id, payload, end);
      case frameType.reset:
        return this.#onReset(id, readU32(payload));
      case frameType.hello:
        return this.#onHello(helloVersion(payload));
      case frameType.ping:
        this.#outbox.control(frameType.pong, 0, payload.slice());
        return this.#outbox.backlog > limits.linkControlFrames ? "too many pings" : null;
      case frameType.pong:
        return null;
      case frameType.goaway:
        this.#draining = true;
        return null;
    }
  }

  #onHello(version: number): string | null {
    if (this.#accept === null) return "only the edge says hello";
    if (version !== protocolVersion) return "unknown protocol version";
    this.#outbox.restart();
    this.#forgetStreams();
    this.#receiveWindow = new ReceiveWindow(limits.linkConnectionWindowBytes);
    this.#firstId = 0;
    this.#nextId = 0;
    return null;
  }

  #onOpen(id: number, payload: Uint8Array, end: boolean): string | null {
    if (this.#accept === null) return "only the edge opens streams";
    if (id % 2 === 0 || id < this.#nextId) return "stream identifier used before";
    if (this.#firstId === 0) this.#firstId = id;
    this.#nextId = id + 2;
    const stream = new LinkStream(id, this, unserved);
    if (this.#streams.size >= limits.linkStreams) {
      this.#outbox.control(frameType.reset, id, u32(resetCode.refused));
      return null;
    }
    this.#streams.set(id, stream);
    stream.gotHead = true;
    stream.receiveEnded = end;
    const handler = this.#accept(stream, payload);
    if (handler === null) stream.reset(resetCode.badMessage);
    else stream.serve(handler);
    return null;
  }

  #onHead(id: number, payload: Uint8Array, end: boolean): string | null {
    if (this.#accept !== null) return "only the agent sends heads";
    const stream = this.#streams.get(id);
    if (stream === undefined) return this.#onStranger(id);
    if (stream.gotHead) return "second head";
    stream.gotHead = true;
    if (!stream.handler.head(payload)) return "head that is not HTTP";
    return end ? this.#onEnd(stream) : null;
  }

  #onData(id: number, payload: Uint8Array, end: boolean): string | null {
    const bytes = payload.byteLength;
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      if (this.#wasOpened(id) && !this.#receiveWindow.receive(bytes)) return "connection overrun";
      if (this.#wasOpened(id)) this.#receiveWindow.consume(bytes);
      return this.#onStranger(id);
    }
    if (stream.receiveEnded) return "data after the end";
    if (!stream.gotHead) return "data before the head";
    if (!stream.receiveWindow.receive(bytes)) return "stream overrun";
    if (!this.#receiveWindow.receive(bytes)) return "connection overrun";
    if (bytes > 0) stream.handler.data(payload);
    return end && !stream.dead ? this.#onEnd(stream) : null;
  }

  #onEnd(stream: LinkStream): null {
    stream.receiveEnded = true;
    stream.handler.end();
    this.#dropIfDone(stream);
    return null;
  }

  #onCredit(id: number, bytes: number): string | null {
    if (id === 0) {
      this.#outbox.grant(bytes);
      return null;
    }
    const stream = this.#streams.get(id);
    if (stream === undefined) return this.#onStranger(id);
    if (!stream.sendWindow.grant(bytes)) return "credit beyond the window";
    this.wantsToSend(stream);
    return null;
  }

  #onReset(id: number, code: number): string | null {
    const stream = this.#streams.get(id);
    if (stream === undefined) return this.#onStranger(id);
    this.#bury(stream);
    stream.handler.reset(code);
    return null;
  }

  /** A late frame of a stream that is gone is ignored; one that never can be is an error. */
  #onStranger(id: number): string | null {
    if (id % 2 === 0) return "stream of a wrong parity";
    return this.#accept !== null && !this.#wasOpened(id) ? "stream that was never opened" : null;
  }

  #wasOpened(id: number): boolean {
    return id >= this.#firstId && id < this.#nextId;
  }

  // Ending

  #sendEnded(stream: LinkStream): void {
    stream.sendEnded = true;
    this.#dropIfDone(stream);
  }

  #dropIfDone(stream: LinkStream): void {
    if (stream.sendEnded && stream.receiveEnded) this.#streams.delete(stream.id);
  }

  /** Forgets a stream; what it held is given back to the connection's window. */
  #bury(stream: LinkStream): void {
    stream.kill();
    this.#streams.delete(stream.id);
    this.consumed(stream, stream.receiveWindow.held);
  }

  #forgetStreams(): void {
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    for (const stream of streams) {
      stream.kill();
      stream.receiveWindow.consume(stream.receiveWindow.held);
      stream.handler.reset(null);
    }
  }

  #fail(reason: string): void {
    this.close();
    this.#port.onProtocolError(reason);
  }
}

/** Serves a stream between its OPEN and its handler. */
const unserved: StreamHandler = {
  head: () => false,
  data: () => {},
  end: () => {},
  reset: () => {},
  drain: () => {},
};
