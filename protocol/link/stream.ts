/**
 * One stream of a Link session: a request one way, its response the other; or, once its response is
 * 101, a WebSocket. See session.ts.
 */

import { limits } from "../limits.ts";
import type { Contender } from "./fair-queue.ts";
import { ReceiveWindow, SendWindow } from "./flow.ts";
import { type Close, u64 } from "./frames.ts";
import { MessageQueue, PieceCheck, type SocketHandler, type Taken, takenData } from "./messages.ts";

/** What happens on a stream, told to whoever serves it. Nothing is told after `reset`. */
export interface StreamHandler {
  /** The response head; false when it is not HTTP. Only the edge is told. */
  head(payload: Uint8Array): boolean;
  /** Bytes of the body, a view into the message. Call `consumed` when they were taken. */
  data(bytes: Uint8Array): void;
  /** The other end has sent all. */
  end(): void;
  /** Both directions are dead: the other end's code, or null when the connection went. */
  reset(code: number | null): void;
  /** There is room to write again. */
  drain(): void;
  /** About the bulk lane: a question at the edge, a token at the agent. Whoever has no lane is silent. */
  bulk?(payload: Uint8Array): void;
  /** At the agent: the rest of the request may be fetched with this token. */
  restOffered?(token: Uint8Array): void;
  /** At the agent: so many bytes of the request went beside the frames. */
  restSent?(bytes: number): void;
  /** At the edge: the device's service has taken so many of them. */
  restTaken?(bytes: number): void;
}

/** Makes the handler of a stream that the edge opened; null refuses it. */
export type Accept = (stream: LinkStream, head: Uint8Array) => StreamHandler | null;

/** Bytes that wait to be sent, and who wants their memory back. */
interface Chunk {
  bytes: Uint8Array;
  readonly free: (() => void) | null;
}

/** What a stream needs of its session. */
export interface StreamHost {
  /** Bytes, an end or both wait in `stream`. */
  wantsToSend(stream: LinkStream): void;
  /** The consumer took `bytes` of `stream`. */
  consumed(stream: LinkStream, bytes: number): void;
  /** True while somebody asked for something else of late. */
  othersAsk(stream: LinkStream): boolean;
  sendHead(stream: LinkStream, payload: Uint8Array, end: boolean): void;
  sendReset(stream: LinkStream, code: number): void;
  sendBulk(stream: LinkStream, payload: Uint8Array): void;
  sendUpload(stream: LinkStream, payload: Uint8Array): void;
}

/** What a stream has besides, once it carries a WebSocket. */
interface WebSocketState {
  readonly handler: SocketHandler;
  readonly queue: MessageQueue;
  readonly pieces: PieceCheck;
}

export class LinkStream implements Contender {
  readonly id: number;
  sendWindow = new SendWindow(limits.linkStreamWindowBytes, limits.linkConnectionWindowBytes);
  readonly receiveWindow = new ReceiveWindow(limits.linkStreamWindowBytes);
  /** The handler's `drain` is told of every message that took bytes, not only of room after a wait. */
  watched = false;
  deficit = 0;
  queued = false;
  /** Our direction is over: END was sent. */
  sendEnded = false;
  /** Their direction is over. */
  receiveEnded = false;
  gotHead = false;
  dead = false;
  #host: StreamHost;
  #handler: StreamHandler;
  #chunks: Chunk[] = [];
  #pending = 0;
  #ending = false;
  #full = false;
  #socket: WebSocketState | null = null;

  constructor(id: number, host: StreamHost, handler: StreamHandler = unserved) {
    this.id = id;
    this.#host = host;
    this.#handler = handler;
  }

  get handler(): StreamHandler {
    return this.#handler;
  }

  /** Gives the stream its handler, once it is known. */
  serve(handler: StreamHandler): void {
    this.#handler = handler;
  }

  /** True while somebody asked for something else on this connection of late. */
  get othersAsk(): boolean {
    return this.#host.othersAsk(this);
  }

  /** Bytes that wait to be sent. */
  get pendingBytes(): number {
    return this.#socket === null ? this.#pending : this.#socket.queue.bytes;
  }

  /** Messages that wait to be sent. */
  get pendingMessages(): number {
    return this.#socket?.queue.count ?? 0;
  }

  /** What a WebSocket has besides; null for a request and its response. */
  get socket(): { readonly handler: SocketHandler; readonly pieces: PieceCheck } | null {
    return this.#socket;
  }

  /** The response was 101: from now on both directions carry messages, told to `handler`. */
  upgrade(handler: SocketHandler): void {
    if (this.dead) return;
    this.#socket = { handler, queue: new MessageQueue(), pieces: new PieceCheck() };
    this.#chunks = [];
    this.sendEnded = false;
    this.receiveEnded = false;
  }

  /**
   * A WebSocket goes on in a new session: what was owed of the old one is forgotten.
   * @param mayBeSent what the other end takes now, in bytes
   */
  resume(mayBeSent: number): void {
    this.sendWindow = new SendWindow(mayBeSent, limits.linkConnectionWindowBytes);
    this.#host.wantsToSend(this);
  }

  /**
   * Queues a message of a WebSocket, which must not change afterwards.
   * @returns false when the writer should wait for `drain`
   */
  send(message: Uint8Array, text: boolean): boolean {
    const queue = this.#socket?.queue;
    if (this.dead || queue === undefined || queue.closing) return true;
    queue.push(message, text);
    this.#host.wantsToSend(this);
    this.#full = this.pendingBytes >= limits.linkWriteBufferBytes;
    return !this.#full;
  }

  /** Closes a WebSocket once its messages are sent; its handler is told nothing more. */
  close(close: Close): void {
    if (this.dead || this.#socket === null) return;
    this.#socket.queue.close(close);
    this.#host.wantsToSend(this);
  }

  /** True once `close` was called: what still comes is for nobody. */
  get closing(): boolean {
    return this.#socket?.queue.closing ?? false;
  }

  /** Tells whoever serves it that the stream is dead. */
  tellReset(code: number | null): void {
    if (this.#socket === null) this.#handler.reset(code);
    else if (!this.closing) this.#socket.handler.reset(code);
  }

  /**
   * Queues body bytes, which must not change before `free` is called, or at all without one.
   * @returns false when the writer should wait for `drain`
   */
  write(bytes: Uint8Array, free: (() => void) | null = null): boolean {
    if (this.dead || this.#ending) {
      free?.();
      return true;
    }
    if (bytes.byteLength > 0) {
      this.#chunks.push({ bytes, free });
      this.#pending += bytes.byteLength;
      this.#host.wantsToSend(this);
    }
    const overhead = Math.max(0, this.#chunks.length - 1) * limits.linkPieceOverheadBytes;
    this.#full = this.#pending + overhead >= limits.linkWriteBufferBytes;
    return !this.#full;
  }

  /** No more bytes follow those that were written. */
  end(): void {
    if (this.dead || this.#ending) return;
    this.#ending = true;
    this.#host.wantsToSend(this);
  }

  /** Sends the response head; with `end` there is no body. */
  sendHead(payload: Uint8Array, end: boolean): void {
    if (this.dead) return;
    if (end) this.#ending = true;
    this.#host.sendHead(this, payload, end);
  }

  /** About the bulk lane: nothing asks for it, a token grants it. */
  bulk(payload: Uint8Array): void {
    if (!this.dead) this.#host.sendBulk(this, payload);
  }

  /** At the edge: what is left of the request may be fetched with this token. */
  offerRest(token: Uint8Array): void {
    if (!this.dead) this.#host.sendUpload(this, token);
  }

  /** At the edge: so many bytes of the request went beside the frames. */
  sentBeside(bytes: number): void {
    if (!this.dead) this.#host.sendUpload(this, u64(bytes));
  }

  /** At the agent: the service has taken so many of the bytes that came beside the frames. */
  restTaken(bytes: number): void {
    if (!this.dead) this.#host.sendUpload(this, u64(bytes));
  }

  /** Gives up both directions; the handler is not told. */
  reset(code: number): void {
    if (!this.dead) this.#host.sendReset(this, code);
  }

  /** Done with this stream: resets what is still open and gives back what nobody will take. */
  release(code: number): void {
    if (this.sendEnded && this.receiveEnded) this.consumed(this.receiveWindow.held);
    else this.reset(code);
  }

  /** The consumer took `bytes` of what `data` gave it. */
  consumed(bytes: number): void {
    this.#host.consumed(this, bytes);
  }

  /** True when a frame could be made now. */
  hungry(): boolean {
    const least = this.least();
    return least !== null && least <= this.sendWindow.available;
  }

  /** The least that the next frame takes of the windows; null when there is nothing to send. */
  least(): number | null {
    if (this.dead || this.sendEnded) return null;
    if (this.#socket !== null) return this.#socket.queue.least();
    return this.#pending > 0 ? 1 : this.#ending ? 0 : null;
  }

  /** Takes what goes into one frame, of at most `max` cost. Ask `hungry` before. */
  take(max: number): Taken {
    const most = Math.min(max, this.sendWindow.available);
    const taken = this.#socket === null ? this.#takeData(most) : this.#socket.queue.take(most);
    this.sendWindow.take(taken.cost);
    return taken;
  }

  #takeData(max: number): Taken {
    let wanted = Math.min(max, this.#pending);
    const taken = wanted;
    const pieces: Uint8Array[] = [];
    while (wanted > 0) {
      const chunk = this.#chunks[0] as Chunk;
      const { bytes, free } = chunk;
      if (bytes.byteLength <= wanted) {
        pieces.push(bytes);
        this.#chunks.shift();
        wanted -= bytes.byteLength;
        // Its bytes are copied into the message before anything else runs.
        if (free !== null) void copied.then(free);
      } else {
        pieces.push(bytes.subarray(0, wanted));
        chunk.bytes = bytes.subarray(wanted);
        wanted = 0;
      }
    }
    this.#pending -= taken;
    return takenData(pieces, taken, this.#ending && this.#pending === 0);
  }

  /** Tells the writer once that there is room again. */
  tellDrain(): void {
    const room = this.#full && this.pendingBytes <= limits.linkWriteBufferBytes / 2;
    if (this.dead || !(room || this.watched)) return;
    if (room) this.#full = false;
    (this.#socket?.handler ?? this.#handler).drain();
  }

  /** Forgets what waits; nothing is sent or told from now on. */
  kill(): void {
    this.dead = true;
    for (const { free } of this.#chunks) free?.();
    this.#chunks = [];
    this.#pending = 0;
  }
}

const copied = Promise.resolve();

/** Serves a stream between its OPEN and its handler. */
const unserved: StreamHandler = {
  head: () => false,
  data: () => {},
  end: () => {},
  reset: () => {},
  drain: () => {},
};
