/**
 * A pipe as Node knows streams, so that TLS can run over it. Bytes count as taken, and are given back as
 * credit, only when the reader took them.
 */

import { Duplex } from "node:stream";
import { limits } from "../../protocol/limits.ts";
import { resetCode } from "../../protocol/link/frames.ts";
import { Pipe } from "../../protocol/link/pipe.ts";

/** The other end gave up, or the connection went and did not come back: its code, or null. */
export class StreamReset extends Error {
  readonly code: number | null;

  constructor(code: number | null) {
    super(code === null ? "the connection was lost" : `reset (${code})`);
    this.code = code;
  }
}

export class PipeDuplex extends Duplex {
  readonly wire: Pipe;
  /** Told when nothing more is said or heard, however that came. */
  onOver: () => void = () => undefined;
  #arrived: Uint8Array[] = [];
  #wanted = false;
  #finished = false;
  #onRoom: (() => void) | null = null;
  #lingering: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    super({ allowHalfOpen: true });
    this.wire = new Pipe((work) => void setImmediate(work), {
      data: (bytes) => {
        if (this.destroyed) return this.wire.consumed(bytes.byteLength);
        this.#arrived.push(bytes);
        this.#hand();
      },
      end: () => {
        this.#finished = true;
        clearTimeout(this.#lingering);
        this.#hand();
      },
      reset: (code) => this.fail(code),
      drain: () => {
        const onRoom = this.#onRoom;
        this.#onRoom = null;
        onRoom?.();
      },
      over: () => this.onOver(),
    });
  }

  /** It is over, by whatever carried it or by the other end. */
  fail(code: number | null): void {
    this.wire.kill();
    clearTimeout(this.#lingering);
    this.destroy(new StreamReset(code));
    this.onOver();
  }

  override _read(): void {
    this.#wanted = true;
    this.#hand();
  }

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    if (this.wire.write(chunk)) done();
    else this.#onRoom = done;
  }

  override _final(done: () => void): void {
    this.wire.end();
    done();
  }

  /**
   * Whoever breaks off gives the stream up. Whoever has said all leaves it to end by itself: what it
   * said may still wait for credit, and the other end's last word may still be on its way.
   */
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    for (const bytes of this.#arrived.splice(0)) this.wire.consumed(bytes.byteLength);
    const giveUp = () => this.wire.release(resetCode.cancel);
    if (error !== null || !this.writableFinished) giveUp();
    else if (!this.#finished) this.#lingering = setTimeout(giveUp, limits.tunnelConnectMs);
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
      this.wire.consumed(bytes.byteLength);
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
