/**
 * What one end has to say on a WebSocket: whole messages, cut into frames as credit allows, then a
 * close. A frame costs its header too, so that empty messages cannot be sent without end.
 */

import { limits } from "../limits.ts";
import {
  type Close,
  closePayload,
  endFlag,
  type FrameType,
  frameHeaderBytes,
  frameType,
  messageFlag,
} from "./frames.ts";

/** What happens on a WebSocket's stream, told to whoever serves it. Nothing is told after an end. */
export interface SocketHandler {
  /**
   * A message or a piece of one, a view into the frame. Call `consumed` with its `messageCost` when
   * it was taken.
   * @returns false when a text is no UTF-8
   */
  message(bytes: Uint8Array, text: boolean, last: boolean): boolean;
  /** The other end's WebSocket was closed: an end. */
  closed(close: Close): void;
  /** The stream is dead: the other end's code, or null when the connection went: an end. */
  reset(code: number | null): void;
  /** There is room to send again. */
  drain(): void;
}

/** What a piece of a message takes of the windows, in bytes. */
export function messageCost(bytes: number): number {
  return bytes + frameHeaderBytes;
}

/** One frame's worth of what a stream has to send. */
export interface Taken {
  readonly type: FrameType;
  readonly flags: number;
  readonly pieces: Uint8Array[];
  /** What it takes of the windows. */
  readonly cost: number;
  /** Nothing follows. */
  readonly end: boolean;
}

interface Message {
  readonly bytes: Uint8Array;
  readonly text: boolean;
}

export class MessageQueue {
  #messages: Message[] = [];
  #first = 0;
  /** How much of the first message is sent; null: nothing of it. */
  #sent: number | null = null;
  #bytes = 0;
  #close: Close | null = null;

  /** Bytes of messages that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Messages that wait. */
  get count(): number {
    return this.#messages.length - this.#first;
  }

  get closing(): boolean {
    return this.#close !== null;
  }

  push(bytes: Uint8Array, text: boolean): void {
    this.#messages.push({ bytes, text });
    this.#bytes += bytes.byteLength;
  }

  /** No more messages follow those that wait. */
  close(close: Close): void {
    this.#close ??= close;
  }

  /** The least that the next frame costs; null when there is nothing to send. */
  least(): number | null {
    const message = this.#messages[this.#first];
    if (message === undefined) return this.#close === null ? null : 0;
    return messageCost(Math.min(1, message.bytes.byteLength - (this.#sent ?? 0)));
  }

  /** The next frame, of at most `max` cost. Ask `least` before. */
  take(max: number): Taken {
    const message = this.#messages[this.#first];
    if (message === undefined) {
      const pieces = [closePayload(this.#close ?? { code: null, reason: "" })];
      return { type: frameType.wsClose, flags: 0, pieces, cost: 0, end: true };
    }
    const from = this.#sent ?? 0;
    const most = Math.min(max, limits.linkFrameBytes) - frameHeaderBytes;
    const to = Math.min(message.bytes.byteLength, from + most);
    const last = to === message.bytes.byteLength;
    const flags =
      (message.text ? messageFlag.text : 0) |
      (last ? 0 : messageFlag.more) |
      (this.#sent === null ? 0 : messageFlag.continues);
    this.#sent = last ? null : to;
    this.#bytes -= to - from;
    if (last) this.#drop();
    const pieces = [message.bytes.subarray(from, to)];
    return { type: frameType.wsMessage, flags, pieces, cost: messageCost(to - from), end: false };
  }

  #drop(): void {
    this.#first++;
    if (this.#first < 64 || this.#first * 2 < this.#messages.length) return;
    this.#messages = this.#messages.slice(this.#first);
    this.#first = 0;
  }
}

/** A DATA frame's worth. */
export function takenData(pieces: Uint8Array[], bytes: number, end: boolean): Taken {
  return { type: frameType.data, flags: end ? endFlag : 0, pieces, cost: bytes, end };
}

/** What the pieces of one direction must look like: a message begins, goes on and ends. */
export class PieceCheck {
  #text: boolean | null = null;
  #bytes = 0;

  /** True while a message is not whole. */
  get within(): boolean {
    return this.#text !== null;
  }

  /** Counts a piece; null when it fits what came before, else what is wrong with it. */
  take(flags: number, bytes: number): string | null {
    const text = (flags & messageFlag.text) !== 0;
    if (((flags & messageFlag.continues) !== 0) !== this.within) return "message out of order";
    if (this.#text !== null && this.#text !== text) return "message of two kinds";
    this.#bytes += bytes;
    if (this.#bytes > limits.linkSocketMessageBytes) return "WebSocket message too long";
    const more = (flags & messageFlag.more) !== 0;
    this.#text = more ? text : null;
    if (!more) this.#bytes = 0;
    return null;
  }
}
