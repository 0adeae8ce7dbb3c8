/**
 * One Link session over one socket, the same code at both ends: the edge opens streams, the agent
 * serves them. It knows frames, credits and fairness; it does no I/O but `send`, reads no clock and
 * stores nothing.
 *
 * A session begins with the edge's HELLO, which the agent answers with its own. After hibernation the
 * object has forgotten its session and says HELLO again, whereupon the agent forgets too: no window can
 * drift apart. Only WebSockets go on (sockets.ts).
 */

import { limits } from "../limits.ts";
import {
  bulkTokenBytes,
  decodeMessage,
  type FrameType,
  frameType,
  helloPayload,
  protocolVersion,
  readHello,
  readU32,
  readU64,
  resetCode,
  u32,
} from "./frames.ts";
import { Intake } from "./intake.ts";
import { Outbox, type SessionPort } from "./outbox.ts";
import { type EdgeRole, SessionSockets } from "./sockets.ts";
import { type Accept, LinkStream, type StreamHandler, type StreamHost } from "./stream.ts";
import { StreamTable } from "./stream-table.ts";

export class Session implements StreamHost {
  readonly #port: SessionPort;
  /** Null at the edge, which accepts no stream. */
  readonly #accept: Accept | null;
  readonly #streams: StreamTable;
  readonly #outbox: Outbox;
  readonly #intake: Intake;
  #over = false;
  #draining = false;
  #capabilities: number | null = null;
  readonly #sockets: SessionSockets;

  constructor(port: SessionPort, role: EdgeRole | { readonly accept: Accept }) {
    this.#port = port;
    this.#outbox = new Outbox(port, (stream) => this.#sendEnded(stream));
    const edge = "firstId" in role;
    this.#accept = edge ? null : role.accept;
    this.#streams = new StreamTable(edge ? (role.firstId | 1) >>> 0 : 0);
    const { now } = port;
    const clock = now === undefined ? null : () => now();
    this.#intake = new Intake(this.#outbox, this.#streams.live, clock);
    this.#sockets = this.#makeSockets(edge);
    if (!edge) return;
    this.#outbox.control(frameType.hello, 0, helloPayload(this.#streams.firstId));
    for (const { id, serve } of role.resume ?? []) {
      this.#sockets.begin(new LinkStream(id, this), serve);
    }
  }

  #makeSockets(isEdge: boolean): SessionSockets {
    return new SessionSockets({
      isEdge,
      session: this,
      streams: this.#streams.live,
      outbox: this.#outbox,
      receive: (bytes) => this.#intake.receive(bytes),
      bury: (stream) => this.#bury(stream),
      late: (id, bytes) => this.#onLate(id, bytes),
    });
  }

  /** What the other end can do, as bits of `capability`; null until it said HELLO. */
  get capabilities(): number | null {
    return this.#capabilities;
  }

  /** How many streams live. */
  get size(): number {
    return this.#streams.live.size;
  }

  /** The connection's windows in bytes: what may be sent, what the consumers have not taken, what is owed. */
  get windows(): { readonly send: number; readonly held: number; readonly owed: number } {
    const { held, owed } = this.#intake;
    return { send: this.#outbox.available, held, owed };
  }

  /** True when no stream may be opened: over, draining, or as many as `limits.linkStreams` live. */
  get isFull(): boolean {
    return this.#over || this.#draining || this.#streams.isFull || this.#streams.isUsedUp;
  }

  /** True when the other end wants no new streams here. */
  get isDraining(): boolean {
    return this.#draining;
  }

  /** True when identifiers run low: the connection should be replaced by a new one. */
  get isWornOut(): boolean {
    return this.#streams.isWornOut;
  }

  /** Opens a stream at the edge. Ask `isFull` first. */
  open(payload: Uint8Array, end: boolean, handler: StreamHandler): LinkStream {
    const stream = new LinkStream(this.#streams.nextId(), this, handler);
    this.#streams.live.set(stream.id, stream);
    this.#intake.opened(stream.id);
    stream.sendEnded = end;
    this.#outbox.open(stream.id, payload, end);
    return stream;
  }

  /** Says that this end opens, or wants, no new streams on this connection. */
  goAway(): void {
    this.#outbox.control(frameType.goaway, 0);
  }

  /** Asks the other end for a sign of life. */
  ping(): void {
    this.#outbox.control(frameType.ping, 0);
  }

  /** Takes one message of the other end. */
  receive(message: Uint8Array): void {
    if (this.#over) return;
    const reason = decodeMessage(message, (type, end, id, payload, flags) =>
      this.#over ? null : this.#onFrame(type, end, id, payload, flags),
    );
    this.#sockets.endAside();
    if (reason !== null) this.#fail(reason);
  }

  /** The socket has gone: every stream dies, nothing more is sent. */
  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#outbox.close();
    this.#streams.forgetAll();
  }

  // What streams ask for (StreamHost)

  wantsToSend(stream: LinkStream): void {
    this.#outbox.data(stream);
  }

  consumed(stream: LinkStream, bytes: number): void {
    this.#intake.consumed(stream, bytes);
  }

  othersAsk(stream: LinkStream): boolean {
    return this.#intake.othersAsk(stream.id);
  }

  sendHead(stream: LinkStream, payload: Uint8Array, end: boolean): void {
    this.#outbox.control(frameType.head, stream.id, payload, end);
    if (end) this.#sendEnded(stream);
  }

  sendReset(stream: LinkStream, code: number): void {
    this.#outbox.control(frameType.reset, stream.id, u32(code));
    this.#bury(stream);
  }

  sendBulk(stream: LinkStream, payload: Uint8Array): void {
    this.#outbox.control(frameType.bulk, stream.id, payload);
  }

  sendUpload(stream: LinkStream, payload: Uint8Array): void {
    this.#outbox.control(frameType.upload, stream.id, payload);
  }

  // Receiving

  #onFrame(
    type: FrameType,
    end: boolean,
    id: number,
    payload: Uint8Array,
    flags: number,
  ): string | null {
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
        return this.#onHello(payload);
      case frameType.ping:
        this.#outbox.control(frameType.pong, 0, new Uint8Array(payload));
        return this.#outbox.backlog > limits.linkControlFrames ? "too many pings" : null;
      case frameType.pong:
        this.#intake.answered(payload);
        return null;
      case frameType.goaway:
        this.#draining = true;
        this.#port.onGoAway?.();
        return null;
      case frameType.wsMessage:
        return this.#sockets.onMessage(id, payload, flags);
      case frameType.wsClose:
        return this.#sockets.onClose(id, payload);
      case frameType.resume:
        return this.#sockets.onResume(id, readU32(payload), this.#capabilities !== null);
      case frameType.bulk:
        return this.#onBulk(id, payload);
      case frameType.upload:
        return this.#onUpload(id, payload);
    }
  }

  #onHello(payload: Uint8Array): string | null {
    const { version, capabilities, session } = readHello(payload);
    if (version !== protocolVersion) return "unknown protocol version";
    if (this.#accept === null) {
      if (session !== this.#streams.firstId) return null; // late, to a session that was forgotten
      if (this.#capabilities !== null) return "second hello";
      this.#capabilities = capabilities;
      return null;
    }
    this.#capabilities = capabilities;
    this.#outbox.restart();
    this.#sockets.setAside();
    this.#streams.forgetAll();
    this.#intake.restart();
    this.#streams.restart();
    this.#outbox.control(frameType.hello, 0, helloPayload(session));
    return null;
  }

  #onOpen(id: number, payload: Uint8Array, end: boolean): string | null {
    if (this.#accept === null) return "only the edge opens streams";
    if (!this.#streams.note(id)) return "stream identifier used before";
    const stream = new LinkStream(id, this);
    if (this.#streams.isFull) {
      this.#outbox.control(frameType.reset, id, u32(resetCode.refused));
      return null;
    }
    this.#streams.live.set(id, stream);
    this.#intake.opened(id);
    stream.gotHead = true;
    stream.receiveEnded = end;
    const handler = this.#accept(stream, payload);
    if (handler === null) stream.reset(resetCode.badMessage);
    else stream.serve(handler);
    return null;
  }

  #onHead(id: number, payload: Uint8Array, end: boolean): string | null {
    if (this.#accept !== null) return "only the agent sends heads";
    const stream = this.#streams.live.get(id);
    if (stream === undefined) return this.#onStranger(id);
    if (stream.gotHead) return "second head";
    stream.gotHead = true;
    if (!stream.handler.head(payload)) return "head that is not HTTP";
    if (end && stream.socket !== null) return "end of a WebSocket";
    return end ? this.#onEnd(stream) : null;
  }

  #onData(id: number, payload: Uint8Array, end: boolean): string | null {
    const bytes = payload.byteLength;
    const stream = this.#streams.live.get(id);
    if (stream === undefined) return this.#onLate(id, bytes);
    if (stream.socket !== null) return "data on a WebSocket";
    if (stream.receiveEnded) return "data after the end";
    if (!stream.gotHead) return "data before the head";
    if (!stream.receiveWindow.receive(bytes)) return "stream overrun";
    if (!this.#intake.receive(bytes)) return "connection overrun";
    if (bytes > 0) stream.handler.data(payload);
    return end && !stream.dead ? this.#onEnd(stream) : null;
  }

  /** Bytes of a stream that is gone: the other end counted them, so the connection's window does. */
  #onLate(id: number, bytes: number): string | null {
    // Before its HELLO, an agent speaks of the session before.
    const counts = this.#wasOpened(id) || (this.#accept === null && this.#capabilities !== null);
    if (counts && bytes > 0 && !this.#intake.late(bytes)) return "connection overrun";
    return this.#onStranger(id);
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
    const stream = this.#streams.live.get(id);
    if (stream === undefined) return this.#onStranger(id);
    if (this.#sockets.isUnsure(id)) return null; // of the session before
    if (!stream.sendWindow.grant(bytes)) return "credit beyond the window";
    this.wantsToSend(stream);
    return null;
  }

  #onBulk(id: number, payload: Uint8Array): string | null {
    const stream = this.#streams.live.get(id);
    if (stream === undefined) return this.#onStranger(id);
    if (payload.byteLength !== (this.#accept === null ? 0 : bulkTokenBytes)) return "bad token";
    if (stream.socket === null) stream.handler.bulk?.(payload);
    return this.#outbox.backlog > limits.linkControlFrames ? "too many questions" : null;
  }

  #onUpload(id: number, payload: Uint8Array): string | null {
    const isCount = payload.byteLength === 8;
    if (this.#accept === null && !isCount) return "only the edge offers a request";
    const stream = this.#streams.live.get(id);
    if (stream === undefined) return this.#onStranger(id);
    if (this.#accept === null) {
      if (stream.socket === null) stream.handler.restTaken?.(readU64(payload));
      return null;
    }
    if (stream.socket !== null || stream.receiveEnded) return "an offer of nothing";
    if (isCount) stream.handler.restSent?.(readU64(payload));
    else if (payload.byteLength === bulkTokenBytes)
      stream.handler.restOffered?.(new Uint8Array(payload));
    else return "bad token";
    return null;
  }

  #onReset(id: number, code: number): string | null {
    const stream = this.#streams.live.get(id);
    if (stream === undefined) return this.#onStranger(id);
    this.#bury(stream);
    stream.tellReset(code);
    return null;
  }

  /** A late frame of a stream that is gone is ignored; one that never can be is an error. */
  #onStranger(id: number): string | null {
    if (id % 2 === 0) return "stream of a wrong parity";
    return this.#accept !== null && !this.#wasOpened(id) ? "stream that was never opened" : null;
  }

  #wasOpened(id: number): boolean {
    return this.#streams.wasOpened(id) || this.#sockets.wasNamed(id);
  }

  // Ending

  #sendEnded(stream: LinkStream): void {
    stream.sendEnded = true;
    if (stream.socket === null) this.#dropIfDone(stream);
    else this.#bury(stream);
  }

  #dropIfDone(stream: LinkStream): void {
    if (stream.sendEnded && stream.receiveEnded) this.#streams.live.delete(stream.id);
  }

  /** Forgets a stream; what it held is given back to the connection's window. */
  #bury(stream: LinkStream): void {
    stream.kill();
    this.#streams.live.delete(stream.id);
    this.#sockets.forget(stream.id);
    this.consumed(stream, stream.receiveWindow.held);
  }

  #fail(reason: string): void {
    this.close();
    this.#port.onProtocolError(reason);
  }
}
