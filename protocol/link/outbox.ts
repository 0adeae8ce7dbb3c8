/**
 * What one end of a session has to say, in the order in which it is sent: control frames first, then
 * every stream that has bytes and credit, in its turn. Frames of one moment share a message.
 */

import { limits } from "../limits.ts";
import { FairQueue } from "./fair-queue.ts";
import { SendWindow } from "./flow.ts";
import {
  encodeMessage,
  type Frame,
  type FrameType,
  frameHeaderBytes,
  frameType,
  payloadBytes,
} from "./frames.ts";
import type { LinkStream } from "./stream.ts";

export interface OutboxPort {
  /** Sends one binary message, and says when its buffer is free again; never, when it is lost. */
  send(message: Uint8Array<ArrayBuffer>, sent: () => void): void;
  /** Bytes the socket has taken and not sent yet; 0 where the platform cannot tell. */
  bufferedBytes(): number;
  /** Runs `work` soon, after what is going on now. */
  soon(work: () => void): void;
  /** Runs `work` soon, or a little later with the work of others; without it, soon. */
  gather?(work: () => void): void;
  /** Runs `work` when the socket has sent some of what it took. */
  later(work: () => void): void;
}

export interface SessionPort extends OutboxPort {
  /** The time in ms, on any clock; without one, windows do not grow. */
  now?(): number;
  /** The other end broke the protocol; the session is over and the socket should be closed. */
  onProtocolError(reason: string): void;
  /** The other end wants no new streams on this connection. */
  onGoAway?(): void;
}

/**
 * Buffers for messages with data, of all sessions in this process: a fresh one for each would be all
 * that the garbage collector has to do.
 */
const spare: Uint8Array<ArrayBuffer>[] = [];
const SPARE_BUFFERS = 4;

export class Outbox {
  readonly #port: OutboxPort;
  readonly #onEnd: (stream: LinkStream) => void;
  readonly #ready = new FairQueue<LinkStream>(limits.linkFrameBytes);
  #window = new SendWindow(limits.linkConnectionWindowBytes);
  #control: Frame[] = [];
  #scheduled = false;
  #gathering = false;
  #over = false;

  /** @param onEnd told when a stream's last frame is in a message */
  constructor(port: OutboxPort, onEnd: (stream: LinkStream) => void) {
    this.#port = port;
    this.#onEnd = onEnd;
  }

  /** Control frames that wait. */
  get backlog(): number {
    return this.#control.length;
  }

  /** Bytes of DATA that the connection may still carry. */
  get available(): number {
    return this.#window.available;
  }

  /** Queues a frame that goes before all data. */
  control(type: FrameType, stream: number, payload?: Uint8Array, end = false): void {
    if (this.#over) return;
    this.#control.push({ type, end, stream, payload: payload === undefined ? [] : [payload] });
    this.#schedule();
  }

  /** Queues the frame that opens a stream, which others may join. */
  open(stream: number, payload: Uint8Array, end: boolean): void {
    if (this.#port.gather === undefined) {
      this.control(frameType.open, stream, payload, end);
      return;
    }
    if (this.#over) return;
    this.#control.push({ type: frameType.open, end, stream, payload: [payload] });
    if (this.#scheduled || this.#gathering) return;
    this.#gathering = true;
    this.#port.gather(this.#flush);
  }

  /** Queues a stream that has something to send. */
  data(stream: LinkStream): void {
    if (this.#over || !stream.hungry()) return;
    this.#ready.add(stream);
    this.#schedule();
  }

  /** Credit for the whole connection came. A late one of an earlier session lifts it to its top only. */
  grant(bytes: number): void {
    this.#window.grant(bytes);
    this.#schedule();
  }

  /** A new session begins: what waits belongs to the old one. */
  restart(): void {
    this.#control = [];
    this.#window = new SendWindow(limits.linkConnectionWindowBytes);
  }

  /** Nothing is sent from now on. */
  close(): void {
    this.#over = true;
    this.#control = [];
  }

  #schedule(): void {
    if (this.#scheduled || this.#over) return;
    this.#scheduled = true;
    this.#port.soon(this.#flush);
  }

  readonly #flush = (): void => {
    this.#scheduled = false;
    while (!this.#over) {
      if (this.#port.bufferedBytes() > limits.linkBufferedBytes) {
        this.#scheduled = true;
        this.#port.later(this.#flush);
        return;
      }
      const { frames, streams } = this.#gather();
      if (frames.length === 0) break;
      this.#send(frames, streams.length > 0);
      for (const stream of streams) stream.tellDrain();
    }
    // Nothing waits any more, whoever opened a stream meanwhile.
    this.#gathering = false;
  };

  #send(frames: readonly Frame[], hasData: boolean): void {
    // A message without data is small: it has a buffer of its own.
    const buffer = hasData ? (spare.pop() ?? new Uint8Array(limits.linkMessageBytes)) : undefined;
    this.#port.send(encodeMessage(frames, buffer), () => {
      if (buffer !== undefined && spare.length < SPARE_BUFFERS) spare.push(buffer);
    });
  }

  /** Fills one message; also says which streams sent data. */
  #gather(): { frames: Frame[]; streams: LinkStream[] } {
    const { frames, room } = this.#takeControl();
    // Data waits for all control frames: a stream's bytes must not pass its head.
    const streams = this.#control.length > 0 ? [] : this.#takeData(frames, room);
    return { frames, streams };
  }

  #takeControl(): { frames: Frame[]; room: number } {
    let room: number = limits.linkMessageBytes;
    const frames: Frame[] = [];
    for (const frame of this.#control) {
      const bytes = frameHeaderBytes + payloadBytes(frame);
      if (bytes > room) break;
      frames.push(frame);
      room -= bytes;
    }
    this.#control = this.#control.slice(frames.length);
    return { frames, room };
  }

  #takeData(frames: Frame[], messageRoom: number): LinkStream[] {
    const streams: LinkStream[] = [];
    // A close is always let through once there is room for anything, so its bytes are set aside.
    let room = messageRoom - frameHeaderBytes - (2 + limits.linkSocketReasonBytes);
    // Ends when every stream in the queue was passed over since the last one that sent.
    for (let left = this.#ready.size; left > 0 && room > 0; ) {
      const stream = this.#ready.next();
      if (stream === null) break;
      // Nobody else waits: one long frame costs either end less than several.
      const turn = this.#ready.size === 0 ? limits.linkDataBytes : stream.deficit;
      const most = Math.min(turn, room, limits.linkDataBytes, this.#window.available);
      if (!stream.hungry() || most < (stream.least() ?? 0)) {
        this.#ready.settle(stream, 0, stream.hungry());
        left--;
        continue;
      }
      const { type, flags, pieces, cost, end } = stream.take(most);
      this.#window.take(cost);
      const frame = { type, flags, end: false, stream: stream.id, payload: pieces };
      room -= frameHeaderBytes + payloadBytes(frame);
      frames.push(frame);
      if (end) this.#onEnd(stream);
      this.#ready.settle(stream, Math.min(cost, stream.deficit), stream.hungry());
      streams.push(stream);
      left = this.#ready.size;
    }
    return streams;
  }
}
