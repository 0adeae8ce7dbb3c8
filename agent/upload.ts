/**
 * A visitor's request body as the local service gets it: what comes in frames and, when it is long,
 * the rest, which is fetched. What breaks on either way is a broken request, never a short one.
 */

import { limits } from "../protocol/limits.ts";
import type { LinkStream } from "../protocol/link/stream.ts";
import type { Chunk, FetchRest, Rest } from "./bulk.ts";

/** As undici reads it: bytes count as taken only when the local service took them. */
export class RequestBody implements AsyncIterable<Uint8Array> {
  readonly #stream: Pick<LinkStream, "consumed" | "restTaken">;
  readonly #chunks = new Pieces();
  /** Bytes that came in frames. */
  #framed = 0;
  #rest: RestOfRequest | null = null;
  #state: "open" | "finished" | "failed" = "open";
  #wake: (() => void) | null = null;

  constructor(stream: Pick<LinkStream, "consumed" | "restTaken">) {
    this.#stream = stream;
  }

  push(bytes: Uint8Array): void {
    this.#framed += bytes.byteLength;
    if (this.#state === "open") this.#chunks.push(bytes);
    else this.#stream.consumed(bytes.byteLength);
    this.#wake?.();
  }

  /** Fetches what is left. Frames go on until it comes. */
  fetch(from: FetchRest, token: Uint8Array): void {
    if (this.#state !== "open" || this.#rest !== null) return;
    this.#rest = new RestOfRequest(from, token, {
      news: () => this.#wake?.(),
      taken: (bytes) => this.#stream.restTaken(bytes),
    });
  }

  /** So many bytes went beside the frames. */
  expect(bytes: number): void {
    if (this.#rest === null) this.fail();
    else this.#rest.announced = bytes;
    this.#wake?.();
  }

  finish(): void {
    this.#rest?.stopTelling();
    if (this.#state === "open") this.#state = "finished";
    if (this.#rest?.isTorn) this.fail();
    this.#wake?.();
  }

  /**
   * No more of it matters: the visitor left, or the service has answered. What waits is dropped, and
   * the service sees a broken request, never a short one.
   */
  fail(): void {
    this.#state = "failed";
    this.#rest?.abort();
    for (let chunk = this.#chunks.shift(); chunk !== undefined; chunk = this.#chunks.shift()) {
      this.#stream.consumed(chunk.bytes.byteLength);
    }
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const rest = this.#rest;
      if (this.#state === "failed") throw new Error("the rest of the request is not needed");
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        yield chunk.bytes;
        this.#stream.consumed(chunk.bytes.byteLength);
        continue;
      }
      const more = rest?.take(this.#framed) ?? null;
      if (more === "broken") throw new Error("the rest of the request did not come");
      if (more !== null) {
        try {
          yield more.bytes;
        } finally {
          more.free?.();
        }
        continue;
      }
      if (this.#state === "finished" && (rest?.isWhole ?? true)) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
  }
}

/**
 * What waits for the service. A piece that is shorter than what keeping it costs is copied behind others
 * of the kind: however tiny a visitor's frames are, what they take is bounded with their bytes.
 */
class Pieces {
  readonly #pieces: Chunk[] = [];
  /** What the last of them lies in, where more fits behind it. */
  #memory: Uint8Array<ArrayBuffer> | null = null;

  /** @param free called when `bytes` are not needed any more, which those of `shift` are told */
  push(bytes: Uint8Array, free: (() => void) | null = null): void {
    if (bytes.byteLength === 0) {
      free?.();
      return;
    }
    if (bytes.byteLength >= limits.linkPieceOverheadBytes) {
      this.#memory = null;
      this.#pieces.push({ bytes, free });
      return;
    }
    const last = (this.#memory === null ? undefined : this.#pieces.pop())?.bytes ?? NOTHING;
    const size = last.byteLength + bytes.byteLength;
    if (this.#memory === null || size > this.#memory.byteLength) {
      this.#memory = new Uint8Array(Math.max(limits.linkPieceOverheadBytes, 2 * size));
      this.#memory.set(last);
    }
    this.#memory.set(bytes, last.byteLength);
    free?.();
    this.#pieces.push({ bytes: this.#memory.subarray(0, size), free: null });
    if (size >= limits.linkFrameBytes) this.#memory = null;
  }

  shift(): Chunk | undefined {
    const piece = this.#pieces.shift();
    if (this.#pieces.length === 0) this.#memory = null;
    return piece;
  }
}

const NOTHING = new Uint8Array(0);

type RestState = "coming" | "ended" | "refused" | "broken";

/** What is left of a request, as it is fetched beside the frames. */
class RestOfRequest {
  /** What the edge says went beside the frames; null before it said so, and when nothing did. */
  announced: number | null = null;
  readonly #from: Rest;
  #offset: number | null = null;
  readonly #chunks = new Pieces();
  #queued = 0;
  #count = 0;
  #paused = false;
  #state: RestState = "coming";
  /** Bytes that the service took, as the edge knows. */
  #told = 0;
  readonly #taken: (bytes: number) => void;
  readonly #telling: ReturnType<typeof setInterval>;

  /**
   * @param on news: look again; taken: of the bytes that came, the service has taken so many. The edge
   * sees none of them pass: it hears of it by bytes, and by time while the service keeps them waiting.
   */
  constructor(
    from: FetchRest,
    token: Uint8Array,
    on: { news(): void; taken(bytes: number): void },
  ) {
    const onNews = on.news;
    this.#taken = on.taken;
    this.#telling = setInterval(() => {
      if (this.#queued > 0 || this.#count > this.#told) this.#tell();
    }, limits.linkBulkTakenMs);
    const news = (state: RestState) => {
      this.#state = state;
      onNews();
    };
    this.#from = from(token, {
      begun: (offset) => {
        this.#offset = offset;
        onNews();
      },
      data: (bytes, free = null) => {
        this.#keep(bytes, free);
        this.#count += bytes.byteLength;
        this.#queued += bytes.byteLength;
        this.#paused = this.#queued >= limits.linkBulkQueueBytes;
        onNews();
        return !this.#paused;
      },
      ended: () => news("ended"),
      failed: (refused) => news(refused || this.#offset === null ? "refused" : "broken"),
    });
  }

  /**
   * The next bytes; null when there are none yet, or none at all.
   * @param framed the bytes that came in frames, all of which were taken
   */
  take(framed: number): Chunk | "broken" | null {
    const isSaid = this.announced !== null;
    if (this.#state === "broken" || (this.#state === "refused" && isSaid)) return "broken";
    if (this.#offset === null || framed < this.#offset) return null;
    if (framed > this.#offset) return "broken";
    const chunk = this.#chunks.shift();
    if (chunk === undefined) {
      const isShort = this.#state === "ended" && isSaid && this.announced !== this.#count;
      return isShort ? "broken" : null;
    }
    this.#queued -= chunk.bytes.byteLength;
    if (this.#count - this.#queued >= this.#told + limits.linkBulkTakenBytes) this.#tell();
    if (this.#paused && this.#queued <= limits.linkBulkQueueBytes / 2) {
      this.#paused = false;
      this.#from.resume();
    }
    return chunk;
  }

  /** True when everything came that is to come, once END was heard. */
  get isWhole(): boolean {
    if (this.announced === null) return true;
    return this.#state === "ended" && this.#count === this.announced;
  }

  /** True when it began and the edge does not say how long it was. */
  get isTorn(): boolean {
    return this.#offset !== null && this.announced === null;
  }

  /**
   * Of what is as long as a write that waits for its end, the memory is free when the service asks for more:
   * then the kernel has it. Anything shorter is copied.
   */
  #keep(bytes: Uint8Array, free: (() => void) | null): void {
    if (free === null || bytes.byteLength >= limits.agentAwaitedWriteBytes) {
      this.#chunks.push(bytes, free);
      return;
    }
    this.#chunks.push(new Uint8Array(bytes));
    free();
  }

  abort(): void {
    this.stopTelling();
    this.#from.abort(); // before memory is free that may be on its way
    for (let chunk = this.#chunks.shift(); chunk !== undefined; chunk = this.#chunks.shift()) {
      chunk.free?.();
    }
  }

  /** The edge knows: it has sent all, or nobody needs it. */
  stopTelling(): void {
    clearInterval(this.#telling);
  }

  #tell(): void {
    this.#told = this.#count - this.#queued;
    this.#taken(this.#told);
  }
}
