/** One stream of a Link session: a request one way, its response the other. See session.ts. */

import { limits } from "../limits.ts";
import type { Contender } from "./fair-queue.ts";
import { ReceiveWindow, SendWindow } from "./flow.ts";

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
}

/** What a stream needs of its session. */
export interface StreamHost {
  /** Bytes, an end or both wait in `stream`. */
  wantsToSend(stream: LinkStream): void;
  /** The consumer took `bytes` of `stream`. */
  consumed(stream: LinkStream, bytes: number): void;
  sendHead(stream: LinkStream, payload: Uint8Array, end: boolean): void;
  sendReset(stream: LinkStream, code: number): void;
}

export class LinkStream implements Contender {
  readonly id: number;
  readonly sendWindow = new SendWindow(
    limits.linkStreamWindowBytes,
    limits.linkConnectionWindowBytes,
  );
  readonly receiveWindow = new ReceiveWindow(limits.linkStreamWindowBytes);
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
  #chunks: Uint8Array[] = [];
  #pending = 0;
  #ending = false;
  #full = false;

  constructor(id: number, host: StreamHost, handler: StreamHandler) {
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

  /** Bytes that wait to be sent. */
  get pendingBytes(): number {
    return this.#pending;
  }

  /**
   * Queues body bytes, which must not change afterwards.
   * @returns false when the writer should wait for `drain`
   */
  write(bytes: Uint8Array): boolean {
    if (this.dead || this.#ending) return true;
    if (bytes.byteLength > 0) {
      this.#chunks.push(bytes);
      this.#pending += bytes.byteLength;
      this.#host.wantsToSend(this);
    }
    this.#full = this.#pending >= limits.linkWriteBufferBytes;
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

  /** True when a DATA frame could be made now. */
  hungry(): boolean {
    if (this.dead || this.sendEnded) return false;
    return this.#pending > 0 ? this.sendWindow.available > 0 : this.#ending;
  }

  /**
   * Takes up to `max` queued bytes for one DATA frame.
   * @returns the pieces, and whether this frame ends our direction
   */
  take(max: number): { pieces: Uint8Array[]; bytes: number; end: boolean } {
    let wanted = Math.min(max, this.#pending, this.sendWindow.available);
    const bytes = wanted;
    const pieces: Uint8Array[] = [];
    while (wanted > 0) {
      const chunk = this.#chunks[0] as Uint8Array;
      if (chunk.byteLength <= wanted) {
        pieces.push(chunk);
        this.#chunks.shift();
        wanted -= chunk.byteLength;
      } else {
        pieces.push(chunk.subarray(0, wanted));
        this.#chunks[0] = chunk.subarray(wanted);
        wanted = 0;
      }
    }
    this.#pending -= bytes;
    this.sendWindow.take(bytes);
    return { pieces, bytes, end: this.#ending && this.#pending === 0 };
  }

  /** Tells the writer once that there is room again. */
  tellDrain(): void {
    if (!this.#full || this.dead || this.#pending > limits.linkWriteBufferBytes / 2) return;
    this.#full = false;
    this.#handler.drain();
  }

  /** Forgets what waits; nothing is sent or told from now on. */
  kill(): void {
    this.dead = true;
    this.#chunks = [];
    this.#pending = 0;
  }
}
