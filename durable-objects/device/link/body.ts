/**
 * The one place where a response body becomes a stream.
 *
 * On workerd it is a native pipe: a write resolves only when the client has taken the bytes, and a
 * client that leaves fails the write. A `ReadableStream` made in JavaScript would never be told.
 * Elsewhere a `TransformStream` without a buffer does the same.
 */

import { limits } from "../../../protocol/limits.ts";
import { frameHeaderBytes, leaveRoom } from "../../../protocol/link/frames.ts";

export interface BodyPipe {
  readonly readable: ReadableStream<Uint8Array>;
  /** Resolves when the client took the bytes; rejects when it left or the length is exceeded. */
  write(bytes: Uint8Array): Promise<void>;
  /** Rejects when fewer bytes were written than announced. */
  close(): Promise<void>;
  /** Pipes all of `source` natively; nothing else may be written until it resolves. Rejects as `write` does. */
  take(source: ReadableStream<Uint8Array>): Promise<void>;
  /** Makes the client see an error, never a short success. */
  abort(reason: string): void;
  /** Rejects when the client leaves. */
  readonly closed: Promise<unknown>;
}

interface Pipe {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

interface NativePipes {
  readonly FixedLengthStream?: new (length: number) => Pipe;
  readonly IdentityTransformStream?: new () => Pipe;
}

/**
 * True where `take` costs next to nothing. On Deno a pipe of streams is JavaScript, and slower than
 * frames: there nobody gets a token for the bulk lane.
 */
export const pipesNatively = "FixedLengthStream" in globalThis;

/** @param length the announced number of bytes; null when it is not known */
export function bodyPipe(length: number | null): BodyPipe {
  const native = globalThis as unknown as NativePipes;
  const { readable, writable } =
    length !== null && native.FixedLengthStream !== undefined
      ? new native.FixedLengthStream(length)
      : native.IdentityTransformStream !== undefined
        ? new native.IdentityTransformStream()
        : unbuffered(length);
  return new Body(readable, writable);
}

class Body implements BodyPipe {
  readonly readable: ReadableStream<Uint8Array>;
  readonly closed: Promise<unknown>;
  readonly #writable: WritableStream<Uint8Array>;
  #writer: WritableStreamDefaultWriter<Uint8Array>;
  #piping: AbortController | null = null;
  #gone: (reason: unknown) => void = ignore;

  constructor(readable: ReadableStream<Uint8Array>, writable: WritableStream<Uint8Array>) {
    this.readable = readable;
    this.#writable = writable;
    this.closed = new Promise((_, reject) => {
      this.#gone = reject;
    });
    this.closed.catch(ignore);
    this.#writer = this.#watched();
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#writer.write(bytes);
  }

  close(): Promise<void> {
    return this.#writer.close();
  }

  async take(source: ReadableStream<Uint8Array>): Promise<void> {
    const piping = new AbortController();
    this.#piping = piping;
    this.#writer.releaseLock();
    try {
      const kept = { preventClose: true, preventAbort: true, signal: piping.signal };
      await source.pipeTo(this.#writable, kept);
    } finally {
      this.#piping = null;
      this.#writer = this.#watched();
      if (piping.signal.aborted) this.abort(String(piping.signal.reason));
    }
  }

  abort(reason: string): void {
    if (this.#piping !== null) this.#piping.abort(reason);
    else void this.#writer.abort(new Error(reason)).catch(ignore);
  }

  /** A writer whose end is told, unless it ends because another one takes over. */
  #watched(): WritableStreamDefaultWriter<Uint8Array> {
    const writer = this.#writable.getWriter();
    writer.closed.catch((reason) => {
      if (this.#piping === null && this.#writer === writer) this.#gone(reason);
    });
    return writer;
  }
}

/** Counts like FixedLengthStream, so that a short or long body is an error everywhere. */
function unbuffered(length: number | null): Pipe {
  let written = 0;
  return new TransformStream<Uint8Array, Uint8Array>(
    {
      transform(bytes, controller) {
        written += bytes.byteLength;
        if (length !== null && written > length) throw new Error("longer than announced");
        controller.enqueue(bytes);
      },
      flush() {
        if (length !== null && written < length) throw new Error("shorter than announced");
      },
    },
    undefined,
    { highWaterMark: 0 },
  );
}

function ignore(): void {
  // The other side of the pipe was gone first; there is nobody left to tell.
}

/** A piece of a request body, in a buffer of its own. */
export interface Piece {
  readonly bytes: Uint8Array;
  /** Nothing follows. */
  readonly last: boolean;
}

export interface BodySource {
  /** The next piece, of at most `maxBytes`. */
  read(maxBytes: number): Promise<Piece>;
  /** The bytes of a piece are needed no more: the next one may take their place. */
  reuse(bytes: Uint8Array): void;
  /** True where the platform pipes it natively, and its length is known. */
  readonly isNative: boolean;
  /** All that was not read, to be piped; nothing is read here from now on. */
  rest(): ReadableStream<Uint8Array>;
  cancel(): void;
}

const NOTHING = new Uint8Array(0);

/**
 * Reads a request body in pieces, each in memory with room for a frame's header before it.
 * @param length the announced length: known, a piece waits for `limits.linkFrameBytes`, which makes fewer
 * and larger ones, and never longer, for a slow visitor moves too; unknown, whatever has arrived goes on
 * at once. What has arrived beyond that comes along: a piece may be twice as long as one that was full.
 * Whoever sends nothing holds memory for one short piece
 */
export function bodySource(body: ReadableStream<Uint8Array>, length: number | null): BodySource {
  const reader = byteReader(body);
  if (reader === null) return chunkSource(body);
  let left = length ?? Number.POSITIVE_INFINITY;
  let spare: ArrayBuffer | null = null;
  let most: number = limits.linkFrameBytes;
  return {
    async read(maxBytes) {
      if (left === 0) return { bytes: NOTHING, last: true };
      const size = Math.min(maxBytes, left, most);
      const needed = frameHeaderBytes + size;
      const used = spare !== null && spare.byteLength >= needed ? spare : new ArrayBuffer(needed);
      spare = null;
      const room = used.byteLength;
      const view = new Uint8Array(used, frameHeaderBytes, size);
      const { done, value } =
        length !== null && reader.readAtLeast !== undefined
          ? await reader.readAtLeast(Math.min(size, limits.linkFrameBytes), view)
          : await reader.read(view);
      const whole = value ?? NOTHING;
      const isFull = whole.byteLength === size;
      most = isFull ? Math.min(2 * most, maxBytes) : Math.max(limits.linkFrameBytes, most / 2);
      // A short piece that waits would hold the memory of a long one.
      const isShort = whole.byteLength <= room / 2;
      const bytes = isShort ? whole.slice() : whole;
      if (isShort && value !== undefined) spare = value.buffer as ArrayBuffer;
      leaveRoom(bytes);
      left -= bytes.byteLength;
      if (done && length !== null && left > 0) throw new Error("the request was cut off");
      return { bytes, last: done || left === 0 };
    },
    reuse: (bytes) => {
      spare ??= bytes.buffer as ArrayBuffer;
    },
    isNative: pipesNatively && length !== null,
    rest: () => {
      reader.releaseLock();
      return body;
    },
    cancel: () => void reader.cancel().catch(ignore),
  };
}

interface ByteReader {
  read(view: Uint8Array): Promise<{ done: boolean; value?: Uint8Array | undefined }>;
  /** Only on workerd. */
  readonly readAtLeast?: (
    bytes: number,
    view: Uint8Array,
  ) => Promise<{ done: boolean; value?: Uint8Array | undefined }>;
  releaseLock(): void;
  cancel(): Promise<void>;
}

function byteReader(body: ReadableStream<Uint8Array>): ByteReader | null {
  try {
    return body.getReader({ mode: "byob" }) as unknown as ByteReader;
  } catch {
    return null; // not a byte stream
  }
}

function chunkSource(body: ReadableStream<Uint8Array>): BodySource {
  const reader = body.getReader();
  let rest: Uint8Array = NOTHING;
  return {
    async read(maxBytes) {
      while (rest.byteLength === 0) {
        const { done, value } = await reader.read();
        if (done) return { bytes: NOTHING, last: true };
        rest = value;
      }
      const bytes = rest.subarray(0, maxBytes);
      rest = rest.subarray(maxBytes);
      return { bytes, last: false };
    },
    reuse: ignore,
    isNative: false,
    rest: () => {
      reader.releaseLock();
      return body;
    },
    cancel: () => void reader.cancel().catch(ignore),
  };
}
