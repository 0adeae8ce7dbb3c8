/**
 * A stream of Link as Node knows streams, so that TLS can run over it. Bytes count as taken, and are
 * given back as credit, only when the reader took them.
 */

import { Duplex } from "node:stream";
import { limits } from "../../protocol/limits.ts";
import { resetCode } from "../../protocol/link/frames.ts";
import type { StreamHandler } from "../../protocol/link/stream.ts";

/** What a stream of a session and a pipe have in common. */
export interface ByteStream {
  write(bytes: Uint8Array): boolean;
  end(): void;
  consumed(bytes: number): void;
  release(code: number): void;
}

/** The other end gave up, or the connection went: its code, or null. */
export class StreamReset extends Error {
  readonly code: number | null;

  constructor(code: number | null) {
    super(code === null ? "the connection was lost" : `reset (${code})`);
    this.code = code;
  }
}

export class StreamDuplex extends Duplex {
  /** What the stream tells, for whoever opens or serves it. */
  readonly handler: StreamHandler;
  /** Told when the other side said that it is there. */
  onHead: () => void = () => undefined;
  #stream: ByteStream | null = null;
  #arrived: Uint8Array[] = [];
  #wanted = false;
  #finished = false;
  #onRoom: (() => void) | null = null;
  #lingering: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    super({ allowHalfOpen: true });
    this.handler = {
      head: () => {
        this.onHead();
        return true;
      },
      data: (bytes) => {
        if (this.destroyed) return this.#stream?.consumed(bytes.byteLength);
        this.#arrived.push(bytes);
        this.#hand();
      },
      end: () => {
        this.#finished = true;
        clearTimeout(this.#lingering);
        this.#hand();
      },
      reset: (code) => {
        this.#stream = null;
        clearTimeout(this.#lingering);
        this.destroy(new StreamReset(code));
      },
      drain: () => {
        const onRoom = this.#onRoom;
        this.#onRoom = null;
        onRoom?.();
      },
    };
  }

  /** Gives it its stream, once that is there. */
  over(stream: ByteStream): this {
    this.#stream = stream;
    return this;
  }

  override _read(): void {
    this.#wanted = true;
    this.#hand();
  }

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    if (this.#stream === null || this.#stream.write(chunk)) done();
    else this.#onRoom = done;
  }

  override _final(done: () => void): void {
    this.#stream?.end();
    done();
  }

  /**
   * Whoever breaks off gives the stream up. Whoever has said all leaves it to end by itself: what it
   * said may still wait for credit, and the other end's last word may still be on its way.
   */
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const stream = this.#stream;
    for (const bytes of this.#arrived.splice(0)) stream?.consumed(bytes.byteLength);
    if (error !== null || !this.writableFinished) {
      this.#stream = null;
      stream?.release(resetCode.cancel);
    } else if (!this.#finished) {
      const giveUp = () => stream?.release(resetCode.cancel);
      this.#lingering = setTimeout(giveUp, limits.tunnelConnectMs);
    }
    done(error);
  }

  /** Hands over what arrived while the reader wants it. */
  #hand(): void {
    while (this.#wanted && !this.destroyed) {
      const bytes = this.#arrived.shift();
      if (bytes === undefined) {
        if (!this.#finished) return;
        this.#wanted = false;
        this.push(null);
        return;
      }
      this.#wanted = this.push(bytes);
      this.#stream?.consumed(bytes.byteLength);
    }
  }
}

/** Joins two connections: what either says the other hears, each direction ends by itself. */
export function join(one: Duplex, other: Duplex): void {
  one.pipe(other);
  other.pipe(one);
  for (const [here, there] of [
    [one, other],
    [other, one],
  ] as const) {
    here.on("error", () => there.destroy());
    // Closed before it has said and heard all: what is missing must not look like an end.
    here.on("close", () => {
      if (!here.readableEnded || !here.writableFinished) there.destroy();
    });
  }
}
