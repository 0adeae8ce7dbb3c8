/**
 * One visitor's WebSocket on one stream: what the device says goes to the visitor in whole messages,
 * what the visitor says goes to the device as credit allows. A tunnel is one, too (watch.ts).
 *
 * A visitor cannot be held back: no platform lets a server refuse a message. So what waits for the
 * device is bounded, and beyond it the WebSocket is closed.
 */

import { closeCodes } from "../../../protocol/agent.ts";
import { limits } from "../../../protocol/limits.ts";
import { type Close, isCloseCode, resetCode } from "../../../protocol/link/frames.ts";
import { messageCost, type SocketHandler } from "../../../protocol/link/messages.ts";
import type { LinkStream } from "../../../protocol/link/stream.ts";
import type { Socket } from "../context.ts";
import type { Manner, Side } from "./manner.ts";

/** What stands in a visitor's socket: survives hibernation, is on no disk of ours. */
export interface VisitorAttachment {
  readonly kind: "visitor";
  /** Which of the device's connections carries it: the assertion that opened that one. */
  readonly connection: string;
  readonly stream: number;
  /** As `Link.relay` was told. */
  readonly visitor: string | null;
  readonly network: string;
  /** It is being closed; nothing passes any more. */
  readonly over: boolean;
}

/** What a passage needs of the others. */
export interface PassageHost {
  now(): number;
  /** Runs `work` after a moment. */
  soon(work: () => void): void;
  /** What all passages of the device hold in memory, in bytes. */
  held(): number;
  /** A visitor of `network` moved bytes; false when they used up what they may. */
  moved(network: string, bytes: number): boolean;
  /** Bytes went to a visitor of `network` who may not read them; false when it were too many. */
  unseen(network: string, bytes: number): boolean;
  onOver(passage: Passage): void;
}

/** RFC 6455 §7.4.1 and the registry of close codes. */
export const visitorCloses = {
  restart: { code: 1012, reason: "the device's connection was lost" },
  vanished: { code: 1012, reason: "the device went without a word" },
  failed: { code: 1014, reason: "the device's service broke off" },
  internal: { code: 1011, reason: "a message was lost" },
  revoked: { code: 1008, reason: "you may no longer enter" },
  off: { code: 1001, reason: "the door was closed" },
  tooLong: { code: 1009, reason: "the message is too long" },
  overrun: { code: 1013, reason: "the device does not keep up" },
  spent: { code: 1013, reason: "too much passed today" },
  stalled: { code: 1013, reason: "nothing moves any more" },
  unheard: { code: 1013, reason: "nothing was heard of you" },
} as const satisfies Record<string, Close>;

export class Passage implements SocketHandler {
  readonly #host: PassageHost;
  readonly #stream: LinkStream;
  #socket: Socket | null = null;
  /** What came before the visitor's socket was there. */
  #early: (string | Uint8Array)[] = [];
  #ended: Close | null = null;
  #over = false;
  readonly #assembly = new Assembly();
  /** Cost of pieces that were taken and are not given back yet. */
  #owed = 0;
  #polling = false;
  #waitsSince: number | null = null;
  #seen = "";

  readonly network: string;
  readonly #manner: Manner;

  constructor(host: PassageHost, stream: LinkStream, network: string, manner: Manner) {
    this.#host = host;
    this.#stream = stream;
    this.network = network;
    this.#manner = manner;
  }

  get streamId(): number {
    return this.#stream.id;
  }

  get socket(): Socket | null {
    return this.#socket;
  }

  /** False once either side closed, or the connection went. */
  get lives(): boolean {
    return !this.#over;
  }

  /** Bytes that it holds in memory, with what messages cost beside their own. */
  get held(): number {
    const { pendingBytes, pendingMessages } = this.#stream;
    return pendingBytes + pendingMessages * limits.linkSocketOverheadBytes + this.#assembly.bytes;
  }

  /** True while something is under way that an object which sleeps would lose. */
  get busy(): boolean {
    if (this.#stream.dead) return false;
    const { pendingMessages, closing } = this.#stream;
    return pendingMessages > 0 || closing || this.#assembly.bytes > 0 || this.#owed > 0;
  }

  /** The visitor's socket is there. */
  attach(socket: Socket): void {
    this.#socket = socket;
    for (const message of this.#early.splice(0)) this.#say(message);
    if (this.#ended !== null) this.#closeSocket(this.#ended);
    this.#settle();
  }

  // What the device says (SocketHandler)

  message(bytes: Uint8Array, text: boolean, last: boolean): boolean {
    if (!this.#moved(bytes.byteLength)) return true;
    const whole = this.#assembly.add(bytes, last);
    if (this.#assembly.length > this.#manner.messageBytes) {
      this.end(visitorCloses.tooLong);
      return true;
    }
    if (whole !== null) {
      const message = text ? decoded(whole) : whole;
      if (message === null) return false;
      if (this.#isFault("device", message)) return true;
      this.#say(message);
    } else if (this.#host.held() > limits.linkSocketsQueueBytes) {
      this.end(visitorCloses.overrun);
      return true;
    }
    this.#owed += messageCost(bytes.byteLength);
    this.#settle();
    return true;
  }

  closed(close: Close): void {
    this.#finish(close);
  }

  /** The connection of the device is gone: it hears of nothing any more. */
  lost(close: Close): void {
    this.#finish(close);
  }

  reset(code: number | null): void {
    if (code === null) this.#finish(visitorCloses.restart);
    else this.#finish(code === resetCode.internal ? visitorCloses.internal : visitorCloses.failed);
  }

  drain(): void {
    // A visitor cannot be told to wait.
  }

  // What the visitor says

  hear(data: string | ArrayBuffer): void {
    if (this.#over) return;
    const bytes = typeof data === "string" ? encoder.encode(data) : new Uint8Array(data);
    if (!this.#moved(bytes.byteLength)) return;
    if (bytes.byteLength > this.#manner.messageBytes) {
      this.end(visitorCloses.tooLong);
      return;
    }
    if (this.#isFault("visitor", typeof data === "string" ? data : bytes)) return;
    const size = bytes.byteLength + limits.linkSocketOverheadBytes;
    const full = this.held + size > this.#manner.queueBytes && this.#stream.pendingMessages > 0;
    if (full || this.#host.held() + size > limits.linkSocketsQueueBytes) {
      this.end(visitorCloses.overrun);
      return;
    }
    this.#stream.send(bytes, typeof data === "string");
  }

  /** The visitor's socket is closed: the device hears how, after what was said before. */
  left(code: number, reason: string): void {
    if (this.#over) return;
    if (code === 1006) this.#stream.reset(resetCode.cancel);
    else this.#stream.close(isCloseCode(code) ? { code, reason } : { code: null, reason: "" });
    this.#finish(null);
  }

  /** Closes it on both sides, from here. */
  end(close: Close): void {
    if (this.#over) return;
    this.#stream.reset(this.#manner.endCode);
    this.#finish(close);
  }

  /** Counts bytes, and ends it when they were too many today. */
  #moved(bytes: number): boolean {
    if (this.#host.moved(this.network, bytes)) return true;
    this.end(visitorCloses.spent);
    return false;
  }

  /** Ends it when a message may not pass. */
  #isFault(from: Side, message: string | Uint8Array): boolean {
    const reason = this.#manner.fault(from, message);
    if (reason !== null) this.end({ code: closeCodes.protocolError, reason: `${from}: ${reason}` });
    return reason !== null;
  }

  /** Gives up when nothing moves: a device that takes nothing, or a visitor who reads nothing. */
  tick(now: number): void {
    const { pendingBytes, pendingMessages } = this.#stream;
    const seen = `${pendingBytes} ${pendingMessages} ${this.#assembly.bytes} ${this.#owed}`;
    if (!this.busy || seen !== this.#seen) {
      this.#seen = seen;
      this.#waitsSince = now;
      return;
    }
    const waits = now - (this.#waitsSince ?? now);
    const patience = this.#owed > 0 ? limits.linkUntakenMs : limits.linkSocketStallMs;
    if (waits < patience) return;
    this.#stream.reset(resetCode.timeout);
    this.#finish(visitorCloses.stalled);
  }

  // To the visitor

  #say(message: string | Uint8Array): void {
    if (this.#socket === null) {
      this.#early.push(typeof message === "string" ? message : message.slice());
      return;
    }
    try {
      this.#socket.send(message);
    } catch {
      return; // closed a moment ago; its close event is on its way
    }
    this.#manner.sent(message.length, this.#host.now());
    if (!this.#manner.isBlind(this.#socket)) return;
    if (!this.#host.unseen(this.network, message.length)) this.end(visitorCloses.unheard);
  }

  /** Gives back what the visitor may be taken to have read. */
  #settle(): void {
    if (this.#owed === 0 || this.#stream.dead) return;
    if (!this.#isFull()) {
      const owed = this.#owed;
      this.#owed = 0;
      this.#stream.consumed(owed);
    } else if (!this.#polling && this.#socket !== null) {
      this.#polling = true;
      this.#host.soon(() => {
        this.#polling = false;
        this.#settle();
      });
    }
  }

  #isFull(): boolean {
    return this.#socket === null || this.#manner.isFull(this.#socket, this.#host.now());
  }

  #finish(close: Close | null): void {
    if (this.#over) return;
    this.#over = true;
    if (close !== null) this.#closeSocket(close);
    this.#host.onOver(this);
  }

  #closeSocket(close: Close): void {
    if (this.#socket === null) this.#ended = close;
    else closeVisitor(this.#socket, this.#manner.close(close));
  }
}

/** Closes a visitor's socket and keeps with it that it is over. */
export function closeVisitor(socket: Socket, { code, reason }: Close): void {
  const attachment = socket.attachment() as VisitorAttachment;
  socket.attach({ ...attachment, over: true } satisfies VisitorAttachment);
  try {
    socket.close(code, reason);
  } catch {
    // It was closed a moment ago.
  }
}

/** A message that comes in pieces, in a buffer that grows with it. */
class Assembly {
  #buffer: Uint8Array | null = null;
  #length = 0;

  /** Bytes of the message so far. */
  get length(): number {
    return this.#length;
  }

  /** Bytes in memory. */
  get bytes(): number {
    return this.#buffer?.byteLength ?? 0;
  }

  /** Adds a piece; the message when this was the last one, else null. */
  add(piece: Uint8Array, last: boolean): Uint8Array | null {
    if (last && this.#buffer === null) return piece;
    const length = this.#length + piece.byteLength;
    if (this.#buffer === null || length > this.#buffer.byteLength) this.#grow(length);
    (this.#buffer as Uint8Array).set(piece, this.#length);
    this.#length = length;
    if (!last) return null;
    const whole = (this.#buffer as Uint8Array).subarray(0, length);
    this.#buffer = null;
    this.#length = 0;
    return whole;
  }

  #grow(length: number): void {
    const buffer = new Uint8Array(Math.max(2 * length, 1024));
    if (this.#buffer !== null) buffer.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = buffer;
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decoded(bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}
