/**
 * What a passage does in one way for a WebSocket and in another for a tunnel: how much may wait, whether
 * the visitor keeps up, which codes say that it is over.
 */

import { limits } from "../../../protocol/limits.ts";
import { type Close, resetCode } from "../../../protocol/link/frames.ts";
import type { Socket } from "../context.ts";

export type Side = "visitor" | "device";

export interface Manner {
  /** Bytes of the visitor that may wait for the device. */
  readonly queueBytes: number;
  /** Bytes of one message. */
  readonly messageBytes: number;
  /** What the device is told when it is ended from here. */
  readonly endCode: number;
  /** Looks at a message of one side; why it ends everything, null when it may pass. */
  fault(from: Side, message: string | Uint8Array): string | null;
  /** So many bytes went to the visitor. */
  sent(bytes: number, now: number): void;
  /** True where nobody can tell whether the visitor reads what is said. */
  isBlind(socket: Socket): boolean;
  /** True while nothing more should come for the visitor. */
  isFull(socket: Socket, now: number): boolean;
  /** The code and reason as this visitor knows them. */
  close(close: Close): Close;
}

/** Of a WebSocket: whether a visitor reads is told by Deno; on workerd nobody can tell, so there is a pace. */
export class WebSocketManner implements Manner {
  readonly queueBytes = limits.linkSocketQueueBytes;
  readonly messageBytes = limits.linkSocketMessageBytes;
  readonly endCode = resetCode.cancel;
  readonly #pace: Pace;

  constructor(now: number) {
    this.#pace = new Pace(limits.linkSocketPaceBytes, now);
  }

  fault(): null {
    return null;
  }

  sent(bytes: number, now: number): void {
    this.#pace.sent(bytes, now);
  }

  isBlind(socket: Socket): boolean {
    return socket.bufferedBytes() === null;
  }

  isFull(socket: Socket, now: number): boolean {
    const unread = socket.bufferedBytes();
    return unread === null ? this.#pace.isAhead(now) : unread > limits.linkBufferedBytes;
  }

  close(close: Close): Close {
    return close;
  }
}

/** How far what was said is ahead of a steady pace. */
class Pace {
  readonly #bytesPerSecond: number;
  #ahead = 0;
  #at: number;

  constructor(bytesPerSecond: number, now: number) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#at = now;
  }

  sent(bytes: number, now: number): void {
    this.#pass(now);
    this.#ahead += bytes;
  }

  /** True when more than a second's worth was said at once. */
  isAhead(now: number): boolean {
    this.#pass(now);
    return this.#ahead > this.#bytesPerSecond;
  }

  #pass(now: number): void {
    const passed = ((now - this.#at) * this.#bytesPerSecond) / 1000;
    this.#ahead = Math.max(0, this.#ahead - passed);
    this.#at = now;
  }
}
