/**
 * One tunnel at the box: a pipe to the visitor, whatever carries it. When the carrier goes, be it the
 * box's connection or the visitor's, the tunnel is kept for a while and goes on with the next.
 */

import { limits } from "../../protocol/limits.ts";
import { type Close, encodeMessage, frameType, resetCode } from "../../protocol/link/frames.ts";
import { encodeHead } from "../../protocol/link/headers.ts";
import { messageCost, type SocketHandler } from "../../protocol/link/messages.ts";
import type { Position } from "../../protocol/link/pipe.ts";
import type { LinkStream } from "../../protocol/link/stream.ts";
import { positionText, tunnelCloseCodes, tunnelSubprotocol } from "../../protocol/tunnel.ts";
import { PipeDuplex } from "./duplex.ts";

/** Closes after which nobody comes back: both said all, or one of them may not. */
const FINAL: ReadonlySet<number | null> = new Set([
  1000,
  tunnelCloseCodes.revoked,
  tunnelCloseCodes.idle,
  tunnelCloseCodes.spent,
  tunnelCloseCodes.protocolError,
]);

const SWITCHED = encodeHead({
  status: 101,
  headers: [["sec-websocket-protocol", tunnelSubprotocol]],
}) as Uint8Array;

export class LastingTunnel {
  readonly duplex = new PipeDuplex();
  #stream: LinkStream | null = null;
  #waiting: ReturnType<typeof setTimeout> | undefined;
  #met = false;

  /** @param onOver told once, when nothing of it is left */
  constructor(onOver: () => void) {
    this.duplex.on("error", () => undefined); // its close tells
    this.duplex.onOver = () => {
      clearTimeout(this.#waiting);
      this.#stream?.close({ code: 1000, reason: "" });
      this.#stream = null;
      onOver();
    };
  }

  /**
   * The visitor said something here. One that never did may not know of this end: when the answer to its
   * asking was lost, it was asked for anew, perhaps at another program of the box.
   */
  get met(): boolean {
    return this.#met;
  }

  /** Goes on over `stream`, which a visitor opened who got so far. */
  carry(stream: LinkStream, there: Position): void {
    clearTimeout(this.#waiting);
    this.#stream?.reset(resetCode.cancel);
    this.duplex.wire.detach();
    this.#stream = stream;
    stream.sendHead(SWITCHED, false);
    stream.upgrade(this.#carrier(stream));
    const here = new TextEncoder().encode(positionText(this.duplex.wire.position()));
    const head = { type: frameType.head, end: false, stream: 1, payload: [here] };
    stream.send(encodeMessage([head]), false);
    const send = (message: Uint8Array) => void stream.send(message, false);
    if (!this.duplex.wire.attach(send, there)) this.end("protocolError");
  }

  /** Ends it for a reason that the visitor is told. */
  end(why: "idle" | "protocolError" | "ended"): void {
    this.#stream?.close({ code: tunnelCloseCodes[why], reason: why });
    this.#stream = null;
    this.duplex.fail(null);
  }

  #carrier(stream: LinkStream): SocketHandler {
    let pieces: Uint8Array[] = [];
    const isCurrent = () => this.#stream === stream;
    return {
      message: (bytes, text, last) => {
        stream.consumed(messageCost(bytes.byteLength));
        if (!isCurrent()) return true;
        this.#met = true;
        if (text) this.end("protocolError");
        else if (!last) pieces.push(bytes);
        else {
          const whole = pieces.length === 0 ? bytes : Buffer.concat([...pieces, bytes]);
          pieces = [];
          if (this.duplex.wire.receive(whole) !== null) this.end("protocolError");
        }
        return true;
      },
      closed: ({ code }: Close) => {
        if (isCurrent()) this.#lost(FINAL.has(code));
      },
      reset: (code) => {
        if (isCurrent()) this.#lost(code === resetCode.refused);
      },
      drain: () => undefined, // the credits of the tunnel bound what waits
    };
  }

  /** What carried it is gone: for good, or until the visitor comes back. */
  #lost(forGood: boolean): void {
    this.#stream = null;
    this.duplex.wire.detach();
    if (forGood || !this.#met) this.duplex.fail(null);
    else this.#waiting = setTimeout(() => this.duplex.fail(null), limits.tunnelLastingMs);
  }
}
