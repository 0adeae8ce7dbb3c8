/**
 * One stream over a WebSocket of its own, the same code at both ends: frames of frames.ts, all of
 * stream 1, under the same credits as in a session. A tunnel's visitor and the edge speak it.
 *
 * It does no I/O but `send`, reads no clock and stores nothing.
 */

import { limits } from "../limits.ts";
import { ReceiveWindow, SendWindow } from "./flow.ts";
import {
  decodeMessage,
  encodeMessage,
  type Frame,
  type FrameType,
  frameHeaderBytes,
  frameType,
  readU32,
  u32,
} from "./frames.ts";
import type { StreamHandler } from "./stream.ts";

const STREAM = 1;

export interface PipePort {
  /** Sends one binary message. */
  send(message: Uint8Array<ArrayBuffer>): void;
  /** Runs `work` soon, after what is going on now. */
  soon(work: () => void): void;
  /** The handler's `drain` is told of every message that took bytes. */
  readonly watched?: boolean;
}

export class Pipe {
  readonly #port: PipePort;
  readonly #handler: StreamHandler;
  readonly #sendWindow = new SendWindow(limits.linkStreamWindowBytes);
  readonly #receiveWindow = new ReceiveWindow(limits.linkStreamWindowBytes);
  #chunks: Uint8Array[] = [];
  #pending = 0;
  #control: Frame[] = [];
  #scheduled = false;
  #ending = false;
  #full = false;
  #sendEnded = false;
  #receiveEnded = false;
  #dead = false;

  constructor(port: PipePort, handler: StreamHandler) {
    this.#port = port;
    this.#handler = handler;
  }

  /** Bytes that wait for credit. */
  get pendingBytes(): number {
    return this.#pending;
  }

  /** Bytes that arrived and that the consumer has not taken. */
  get heldBytes(): number {
    return this.#receiveWindow.held;
  }

  /** True when nothing more will be sent or told. */
  get over(): boolean {
    return this.#dead || (this.#sendEnded && this.#receiveEnded);
  }

  /** Says that the other side is there. Only the edge does. */
  sendHead(payload: Uint8Array): void {
    this.#say(frameType.head, payload);
  }

  /**
   * Queues bytes, which must not change afterwards.
   * @returns false when the writer should wait for `drain`
   */
  write(bytes: Uint8Array): boolean {
    if (this.#dead || this.#ending) return true;
    if (bytes.byteLength > 0) {
      this.#chunks.push(bytes);
      this.#pending += bytes.byteLength;
      this.#schedule();
    }
    this.#full = this.#pending >= limits.linkWriteBufferBytes;
    return !this.#full;
  }

  /** No more bytes follow those that were written. */
  end(): void {
    if (this.#dead || this.#ending) return;
    this.#ending = true;
    this.#schedule();
  }

  /** Gives up both directions, at once; the handler is not told. */
  reset(code: number): void {
    if (this.over) return;
    this.kill();
    this.#send([{ type: frameType.reset, end: false, stream: STREAM, payload: [u32(code)] }]);
  }

  /** Done with it: resets what is still open. */
  release(code: number): void {
    this.reset(code);
  }

  /** The consumer took `bytes` of what `data` gave it. */
  consumed(bytes: number): void {
    this.#receiveWindow.consume(bytes);
    if (this.#receiveEnded || this.#dead) return;
    const due = this.#receiveWindow.creditDue();
    if (due > 0) this.#say(frameType.credit, u32(due));
  }

  /** Nothing is sent or told from now on: the WebSocket went. */
  kill(): void {
    this.#dead = true;
    this.#chunks = [];
    this.#control = [];
    this.#pending = 0;
  }

  /**
   * Takes one message of the other end.
   * @returns why it is not ours, whereupon nothing more is heard; null when it is
   */
  receive(message: Uint8Array): string | null {
    const reason = decodeMessage(message, (type, end, stream, payload) => {
      if (this.#dead) return null;
      return stream === STREAM ? this.#onFrame(type, end, payload) : "another stream";
    });
    if (reason !== null) this.kill();
    return reason;
  }

  #onFrame(type: FrameType, end: boolean, payload: Uint8Array): string | null {
    switch (type) {
      case frameType.data:
        return this.#onData(payload, end);
      case frameType.credit:
        if (!this.#sendWindow.grant(readU32(payload))) return "credit beyond the window";
        this.#schedule();
        return null;
      case frameType.head:
        return this.#handler.head(payload) ? null : "unexpected head";
      case frameType.reset:
        this.kill();
        this.#handler.reset(readU32(payload));
        return null;
      default:
        return "unexpected frame";
    }
  }

  #onData(payload: Uint8Array, end: boolean): string | null {
    if (this.#receiveEnded) return "data after the end";
    if (!this.#receiveWindow.receive(payload.byteLength)) return "overrun";
    if (payload.byteLength > 0) this.#handler.data(payload);
    if (!end || this.#dead) return null;
    this.#receiveEnded = true;
    this.#handler.end();
    return null;
  }

  #say(type: FrameType, payload: Uint8Array): void {
    if (this.#dead) return;
    this.#control.push({ type, end: false, stream: STREAM, payload: [payload] });
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#dead) return;
    this.#scheduled = true;
    this.#port.soon(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    while (!this.#dead) {
      const frames = this.#control.splice(0);
      this.#takeData(frames);
      if (frames.length === 0) return;
      this.#send(frames);
      const room = this.#full && this.#pending <= limits.linkWriteBufferBytes / 2;
      if (room) this.#full = false;
      if (room || this.#port.watched) this.#handler.drain();
    }
  }

  #takeData(frames: Frame[]): void {
    let room: number = limits.linkMessageBytes - frameHeaderBytes * (frames.length + 8);
    while (room > 0 && !this.#sendEnded) {
      const most = Math.min(room, limits.linkFrameBytes, this.#sendWindow.available);
      const { pieces, bytes } = this.#take(most);
      const end = this.#ending && this.#pending === 0;
      if (bytes === 0 && !end) return;
      this.#sendEnded = end;
      room -= bytes;
      frames.push({ type: frameType.data, end, stream: STREAM, payload: pieces });
    }
  }

  #take(most: number): { pieces: Uint8Array[]; bytes: number } {
    const bytes = Math.min(most, this.#pending);
    const pieces: Uint8Array[] = [];
    for (let wanted = bytes; wanted > 0; ) {
      const chunk = this.#chunks[0] as Uint8Array;
      const piece = chunk.subarray(0, wanted);
      if (piece.byteLength === chunk.byteLength) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(wanted);
      pieces.push(piece);
      wanted -= piece.byteLength;
    }
    this.#pending -= bytes;
    this.#sendWindow.take(bytes);
    return { pieces, bytes };
  }

  #send(frames: readonly Frame[]): void {
    this.#port.send(encodeMessage(frames));
  }
}
