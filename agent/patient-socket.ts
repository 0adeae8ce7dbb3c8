/**
 * Connections for undici whose end waits until everything before it was read. undici stops reading while
 * a visitor does; when a connection ends meanwhile, which the stream it reads from may say together with
 * its last bytes, an assertion inside undici ends the program. A service that hangs up at the wrong moment
 * must not do that to a box.
 */

import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { buildConnector } from "undici";
import { limits } from "../protocol/limits.ts";

/** For undici, in place of its own connections: TLS, and all that Deno has. */
export function connectPatiently(tls: { readonly ca?: string } = {}): buildConnector.connector {
  const connect = buildConnector({ ...tls, allowH2: false, timeout: limits.agentConnectMs });
  return (options, tell) => {
    connect(options, (error, socket) => {
      if (error !== null) tell(error, null);
      else tell(null, new PatientSocket(socket) as unknown as Socket);
    });
  };
}

/**
 * A connection that was reset is no end of a response that says no length (RFC 9112, 8), for which undici
 * takes it; and while its parser is paused, asking it is the assertion that ends a program.
 */
export function toldAsFailure(error: Error | null): Error | null {
  const isReset = error !== null && "code" in error && error.code === "ECONNRESET";
  return isReset ? new Error("the service broke the connection off", { cause: error }) : error;
}

class PatientSocket extends Duplex {
  readonly #socket: Socket;
  /** The parser found nothing left when it asked last: it is not paused. */
  #isHungry = true;
  /** Nothing follows, and whether that was told. */
  #hasEnded = false;
  #isEndTold = false;

  constructor(socket: Socket) {
    super();
    this.#socket = socket;
    socket
      .on("readable", () => {
        if (this.#isHungry) this.emit("readable");
      })
      .once("end", () => {
        this.#hasEnded = true;
        if (this.#isHungry) this.#tellEnd();
      })
      .on("error", (error: Error) => {
        // What is written to one who has said all is lost, and no reason to lose what they said.
        if (!this.#hasEnded) this.destroy(error);
      })
      .once("close", () => {
        if (!this.#hasEnded) this.destroy(new Error("the connection has gone"));
      });
  }

  override read(size?: number): unknown {
    if (size === 0) return super.read(0);
    // What the parser gave back comes first. Asked while it has nothing, a stream begins to read again.
    const came: unknown = this.readableLength > 0 ? super.read() : this.#socket.read();
    this.#isHungry = came === null;
    if (this.#isHungry && this.#hasEnded) this.#tellEnd();
    return came;
  }

  #tellEnd(): void {
    if (this.#isEndTold) return;
    this.#isEndTold = true;
    this.push(null);
    super.read(0);
  }

  override _read(): void {}

  override _write(
    bytes: Uint8Array,
    _encoding: string,
    done: (error?: Error | null) => void,
  ): void {
    if (this.#hasEnded || this.#socket.destroyed) done();
    else this.#socket.write(bytes, (error) => done(this.#hasEnded ? null : error));
  }

  override _writev(
    chunks: { readonly chunk: Uint8Array }[],
    done: (error?: Error | null) => void,
  ): void {
    this.#socket.cork();
    const last = chunks.pop();
    for (const { chunk } of chunks) this._write(chunk, "buffer", () => undefined);
    if (last === undefined) done();
    else this._write(last.chunk, "buffer", done);
    this.#socket.uncork();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(() => done());
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(toldAsFailure(error));
  }

  ref(): this {
    this.#socket.ref();
    return this;
  }

  unref(): this {
    this.#socket.unref();
    return this;
  }
}
