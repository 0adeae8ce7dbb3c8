/**
 * One tunnel in the object: a visitor's pipe joined to the device's stream. Each side gets credit only
 * for what went on to the other, so at most a window waits here for either.
 */

import { limits } from "../../../protocol/limits.ts";
import { resetCode } from "../../../protocol/link/frames.ts";
import { decodeResponseHead, encodeHead } from "../../../protocol/link/headers.ts";
import { Pipe } from "../../../protocol/link/pipe.ts";
import type { LinkStream, StreamHandler } from "../../../protocol/link/stream.ts";
import { tunnelCloseCodes } from "../../../protocol/tunnel.ts";
import { tryClose } from "../agents.ts";
import type { Socket } from "../context.ts";
import { microtask } from "./exchange.ts";

/** Who comes, as the edge found out. */
export interface TunnelVisitor {
  readonly account: string;
  /** The access token's identifier: its end is the end of the tunnel. */
  readonly token: string;
  readonly service: string;
  /** When the token ends by itself, ms since the epoch. */
  readonly until: number;
}

export interface TunnelHost {
  now(): number;
  /** Counts bytes that passed; false when there were too many today. */
  onBytes(bytes: number): boolean;
  onOver(socket: Socket): void;
}

const CONNECTED = encodeHead({ status: 200, headers: [] }) as Uint8Array;

/** One tunnel: the handler of the device's stream, joined to the pipe of the visitor's socket. */
export class Tunnel implements StreamHandler {
  readonly visitor: TunnelVisitor;
  readonly #host: TunnelHost;
  #socket: Socket | null = null;
  #stream: LinkStream | null = null;
  #pipe: Pipe | null = null;
  #connected = false;
  #over = false;
  #settling = false;
  /** When something moved last, ms since the epoch. */
  #movedAt: number;
  /** Bytes of each side that were put on the other's way and not yet given back as credit. */
  #fromVisitor = 0;
  #fromDevice = 0;

  constructor(visitor: TunnelVisitor, host: TunnelHost) {
    this.visitor = visitor;
    this.#host = host;
    this.#movedAt = host.now();
  }

  /** Bytes that wait here for the credit of either side. */
  get waitingBytes(): number {
    return (this.#stream?.pendingBytes ?? 0) + (this.#pipe?.pendingBytes ?? 0);
  }

  start(socket: Socket, stream: LinkStream): void {
    this.#socket = socket;
    this.#stream = stream;
    stream.watched = true;
    const send = (message: Uint8Array) => this.#send(message);
    const port = { send, soon: microtask, watched: true };
    this.#pipe = new Pipe(port, {
      head: () => false,
      data: (bytes) => {
        if (!this.#moved(bytes.byteLength)) return;
        this.#fromVisitor += bytes.byteLength;
        stream.write(bytes);
        this.#settleSoon();
      },
      end: () => {
        stream.end();
        this.#settleSoon();
      },
      reset: () => this.#finish(1000, "the visitor gave up"),
      drain: () => this.#settleSoon(),
    });
  }

  onMessage(data: string | ArrayBuffer): void {
    const reason =
      typeof data === "string"
        ? "text where frames belong"
        : (this.#pipe?.receive(new Uint8Array(data)) ?? null);
    if (reason !== null) this.#finish(tunnelCloseCodes.protocolError, reason);
    else this.#settleSoon();
  }

  /** The visitor's socket closed. */
  visitorLeft(): void {
    this.#finish(1000, "");
  }

  /** Ends it now, for a reason that the visitor is told. */
  stop(why: "revoked" | "idle"): void {
    this.#finish(tunnelCloseCodes[why], why);
  }

  /** Looks what went on meanwhile, and gives up a device that does not say whether it connected. */
  tick(now: number): "idle" | null {
    this.#settle();
    if (this.#connected || this.#over) {
      return now - this.#movedAt >= limits.tunnelIdleMs ? "idle" : null;
    }
    if (now - this.#movedAt >= limits.linkHeadMs) {
      this.#pipe?.reset(resetCode.timeout);
      this.#finish(1000, "no answer");
    }
    return null;
  }

  // What the device says (StreamHandler)

  head(payload: Uint8Array): boolean {
    if (decodeResponseHead(payload)?.status !== 200) return false;
    this.#connected = true;
    this.#pipe?.sendHead(CONNECTED);
    return true;
  }
  data(bytes: Uint8Array): void {
    if (!this.#moved(bytes.byteLength)) return;
    this.#fromDevice += bytes.byteLength;
    this.#pipe?.write(bytes);
    this.#settleSoon();
  }
  reset(code: number | null): void {
    if (code !== null) this.#pipe?.reset(code);
    if (code === null) this.#finish(tunnelCloseCodes.lost, "the device's connection was lost");
    else this.#finish(1000, "the device gave up");
  }
  end(): void {
    this.#pipe?.end();
    this.#settleSoon();
  }
  drain(): void {
    this.#settleSoon();
  }

  #moved(bytes: number): boolean {
    this.#movedAt = this.#host.now();
    if (this.#host.onBytes(bytes)) return true;
    this.#finish(tunnelCloseCodes.spent, "too many bytes today");
    return false;
  }

  #settleSoon(): void {
    if (this.#settling || this.#over) return;
    this.#settling = true;
    // After what was written has gone out: `soon` of both sides runs first.
    microtask(() => {
      this.#settling = false;
      this.#settle();
    });
  }

  /** Gives either side back the credit for what went on to the other. */
  #settle(): void {
    const [stream, pipe] = [this.#stream, this.#pipe];
    if (stream === null || pipe === null || this.#over) return;
    const toDevice = this.#fromVisitor - stream.pendingBytes;
    const toVisitor = this.#fromDevice - pipe.pendingBytes;
    this.#fromVisitor -= toDevice;
    this.#fromDevice -= toVisitor;
    if (toDevice > 0) pipe.consumed(toDevice);
    if (toVisitor > 0) stream.consumed(toVisitor);
    if (pipe.over && stream.sendEnded && stream.receiveEnded) this.#finish(1000, "");
  }

  #send(message: Uint8Array): void {
    try {
      this.#socket?.send(message);
    } catch {
      this.visitorLeft(); // closed a moment ago; its close event is on its way
    }
  }

  /** The one way to end. */
  #finish(code: number, reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#pipe?.kill();
    this.#stream?.release(resetCode.cancel);
    if (this.#socket === null) return;
    this.#host.onOver(this.#socket);
    tryClose(this.#socket, code, reason);
  }
}
