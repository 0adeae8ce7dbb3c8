/**
 * One direction each way between the two ends of a tunnel, the same code at both: frames of frames.ts,
 * all of stream 1, in messages of whatever carries them. Credits run from end to end: who carries the
 * messages holds no more than a window of them.
 *
 * What carries them may go. Each end keeps what the other has not taken, and says when the next carrier
 * is there how far it got (`Position`), so nothing is lost and nothing comes twice.
 *
 * It does no I/O but `send`, reads no clock and stores nothing.
 */

import { limits } from "../limits.ts";
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

const STREAM = 1;

/** What happens in a pipe, told to whoever reads it. Nothing is told after `reset`. */
export interface PipeHandler {
  /** Bytes, a view into the message. Call `consumed` when they were taken. */
  data(bytes: Uint8Array): void;
  /** The other end has sent all. */
  end(): void;
  /** Both directions are dead, by the other end's word. */
  reset(code: number): void;
  /** There is room to write again. */
  drain(): void;
  /** Nothing more is said or heard: both ends said all, or this one gave up. */
  over(): void;
}

/** How far one end got with what the other said. */
export interface Position {
  /** Bytes that came; one more when their end came too. */
  readonly received: number;
  /** Those that the consumer took. */
  readonly taken: number;
}

export class Pipe {
  readonly #handler: PipeHandler;
  readonly #soon: (work: () => void) => void;
  #send: ((message: Uint8Array<ArrayBuffer>) => void) | null = null;
  /** What the other end has not taken, in pieces, from `#takenThere` on. */
  #kept: Uint8Array[] = [];
  #takenThere = 0;
  #sent = 0;
  #written = 0;
  /** The piece of `#kept` that is sent next, and how much of it was sent. */
  #next = { piece: 0, at: 0 };
  #received = 0;
  #taken = 0;
  /** Bytes of which the other end knows that they were taken. */
  #credited = 0;
  /** Frames with data since the last credit, either way: small ones are counted too. */
  #framesSent = 0;
  #framesReceived = 0;
  #control: Frame[] = [];
  #scheduled = false;
  #ending = false;
  #full = false;
  #sendEnded = false;
  #receiveEnded = false;
  #dead = false;

  /** @param soon runs work soon, after what is going on now */
  constructor(soon: (work: () => void) => void, handler: PipeHandler) {
    this.#soon = soon;
    this.#handler = handler;
  }

  /** Bytes that were written and not sent. */
  get pendingBytes(): number {
    return this.#written - this.#sent;
  }

  /** Bytes that arrived and that the consumer has not taken. */
  get heldBytes(): number {
    return this.#received - this.#taken;
  }

  /** True when nothing more will be sent or told. */
  get over(): boolean {
    return this.#dead || (this.#sendEnded && this.#receiveEnded);
  }

  /** True while something carries it. */
  get isCarried(): boolean {
    return this.#send !== null;
  }

  /** How far this end got: to be told to the other end before the next carrier is attached. */
  position(): Position {
    this.#credited = this.#taken;
    return { received: this.#received + (this.#receiveEnded ? 1 : 0), taken: this.#taken };
  }

  /**
   * Puts it on a carrier, after what this end said last on the one before.
   * @param there how far the other end got
   * @returns false when that cannot be: the other end is not the one that it was
   */
  attach(send: (message: Uint8Array<ArrayBuffer>) => void, there: Position): boolean {
    const { received, taken } = there;
    const most = this.#sent + (this.#sendEnded ? 1 : 0);
    const isTrue = taken >= this.#takenThere && taken <= this.#sent && received <= most;
    if (this.#dead || !isTrue || received < taken) return false;
    this.#drop(taken - this.#takenThere);
    this.#sendEnded = received > this.#written;
    this.#rewind(Math.min(received, this.#written));
    this.#framesSent = 0;
    this.#framesReceived = 0;
    this.#control = [];
    this.#send = send;
    this.#schedule();
    return true;
  }

  /** The carrier went: what is said now waits for the next. */
  detach(): void {
    this.#send = null;
    this.#control = [];
  }

  /**
   * Queues bytes, which must not change afterwards.
   * @returns false when the writer should wait for `drain`
   */
  write(bytes: Uint8Array): boolean {
    if (this.#dead || this.#ending) return true;
    if (bytes.byteLength > 0) {
      this.#kept.push(bytes);
      this.#written += bytes.byteLength;
      this.#schedule();
    }
    this.#full = this.pendingBytes >= limits.linkWriteBufferBytes;
    return !this.#full;
  }

  /** No more bytes follow those that were written. */
  end(): void {
    if (this.#dead || this.#ending) return;
    this.#ending = true;
    this.#schedule();
  }

  /** Gives up both directions, at once; the handler is not told. */
  release(code: number): void {
    if (this.over) return;
    const send = this.#send;
    this.kill();
    const frame = { type: frameType.reset, end: false, stream: STREAM, payload: [u32(code)] };
    send?.(encodeMessage([frame]));
    this.#handler.over();
  }

  /** The consumer took `bytes` of what `data` gave it. */
  consumed(bytes: number): void {
    this.#taken = Math.min(this.#received, this.#taken + bytes);
    const due = this.#taken - this.#credited;
    const isDue =
      due >= limits.tunnelWindowBytes / 2 || this.#framesReceived >= limits.tunnelFrames / 4;
    if (this.#send === null || this.#receiveEnded || due === 0 || !isDue) return;
    this.#credited = this.#taken;
    this.#framesReceived = 0;
    this.#control.push({ type: frameType.credit, end: false, stream: STREAM, payload: [u32(due)] });
    this.#schedule();
  }

  /** Nothing is sent or told from now on. */
  kill(): void {
    this.#dead = true;
    this.detach();
    this.#kept = [];
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
      case frameType.credit: {
        const bytes = readU32(payload);
        if (this.#takenThere + bytes > this.#sent) return "credit beyond the window";
        this.#drop(bytes);
        this.#framesSent = 0;
        this.#schedule();
        return null;
      }
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
    this.#received += payload.byteLength;
    if (this.#received - this.#credited > limits.tunnelWindowBytes) return "overrun";
    this.#framesReceived++;
    if (payload.byteLength > 0) this.#handler.data(payload);
    if (!end || this.#dead) return null;
    this.#receiveEnded = true;
    this.#handler.end();
    if (this.#sendEnded) this.#handler.over();
    return null;
  }

  #schedule(): void {
    if (this.#scheduled || this.#send === null) return;
    this.#scheduled = true;
    this.#soon(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    while (this.#send !== null) {
      const frames = this.#control.splice(0);
      this.#takeData(frames);
      if (frames.length === 0) return;
      this.#send(encodeMessage(frames));
      if (frames.at(-1)?.end === true && this.#receiveEnded) this.#handler.over();
      if (!this.#full || this.pendingBytes > limits.linkWriteBufferBytes / 2) continue;
      this.#full = false;
      this.#handler.drain();
    }
  }

  /** A message fits into one frame of the connection that carries it, header and all. */
  #takeData(frames: Frame[]): void {
    const headers = frames.length * (frameHeaderBytes + 4) + 2 * frameHeaderBytes;
    const window = limits.tunnelWindowBytes - (this.#sent - this.#takenThere);
    const most = Math.min(limits.linkFrameBytes - headers, window, this.pendingBytes);
    const end = this.#ending && most === this.pendingBytes && !this.#sendEnded;
    if (!end && (most <= 0 || this.#framesSent >= limits.tunnelFrames)) return;
    this.#framesSent++;
    const payload = this.#take(Math.max(0, most));
    this.#sendEnded ||= end;
    frames.push({ type: frameType.data, end, stream: STREAM, payload });
  }

  #take(bytes: number): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    for (let wanted = bytes; wanted > 0; ) {
      const { piece, at } = this.#next;
      const chunk = this.#kept[piece] as Uint8Array;
      const part = chunk.subarray(at, at + wanted);
      wanted -= part.byteLength;
      const whole = at + part.byteLength === chunk.byteLength;
      this.#next = whole ? { piece: piece + 1, at: 0 } : { piece, at: at + part.byteLength };
      pieces.push(part);
    }
    this.#sent += bytes;
    return pieces;
  }

  /** The other end took so many more: they are not kept any longer. */
  #drop(bytes: number): void {
    this.#takenThere += bytes;
    let [left, whole] = [bytes, 0];
    for (let first = this.#kept[0]; first !== undefined && left > 0; first = this.#kept[whole]) {
      if (first.byteLength > left) {
        this.#kept[whole] = first.subarray(left);
        if (this.#next.piece === whole) this.#next = { piece: whole, at: this.#next.at - left };
        break;
      }
      left -= first.byteLength;
      whole++;
    }
    if (whole > 0) this.#kept = this.#kept.slice(whole);
    this.#next = { piece: this.#next.piece - whole, at: this.#next.at };
  }

  /** Sends again from `offset` on. */
  #rewind(offset: number): void {
    this.#sent = offset;
    let [piece, at] = [0, offset - this.#takenThere];
    while (at > 0 && at >= (this.#kept[piece] as Uint8Array).byteLength) {
      at -= (this.#kept[piece] as Uint8Array).byteLength;
      piece++;
    }
    this.#next = { piece, at };
  }
}
