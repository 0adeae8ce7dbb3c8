/**
 * The bulk lane: a long response goes to the edge as HTTP requests of its own, in segments below the
 * platform's body cap, and the edge pipes them to the visitor; the rest of a long request is fetched.
 * Frames carry what comes before, and everything where the edge grants no lane or refuses it.
 */

import { Agent, type ClientRequest, type RequestOptions, request as requestPlain } from "node:http";
import { Agent as AgentTls, request as requestTls } from "node:https";
import { type Dispatcher, Pool } from "undici";
import { agentBulkPath, bulkOffsetHeader } from "../protocol/agent.ts";
import { limits } from "../protocol/limits.ts";
import { notePassed } from "./heap.ts";
import { connectLending, type Lender, lendRest, lends } from "./lending-socket.ts";
import { connectPatiently } from "./patient-socket.ts";

/** Bytes, and who wants their memory back. */
export interface Chunk {
  readonly bytes: Uint8Array;
  readonly free: (() => void) | null;
}

/**
 * Sends one segment; resolves when the visitor has all of it. Asks `body` for more only when what it gave
 * is written, for its memory is used again then.
 * @throws Error when it broke
 */
export type SendSegment = (
  token: Uint8Array,
  offset: number,
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
) => Promise<void>;

/** What is told of the rest of a request; `failed` may come at any time, and is the last. */
export interface RestEvents {
  /** @param offset bytes that went in frames before it */
  begun(offset: number): void;
  /**
   * @param free called when `bytes`, which do not change until then, are not needed any more; without one they may be kept
   * @returns false when `resume` is to be waited for
   */
  data(bytes: Uint8Array, free?: (() => void) | null): boolean;
  ended(): void;
  /** @param refused there is none: the frames go on */
  failed(refused: boolean): void;
}

/** The rest of a request, as it is fetched. */
export interface Rest {
  resume(): void;
  abort(): void;
}

export type FetchRest = (token: Uint8Array, events: RestEvents) => Rest;

export interface BulkLane {
  readonly send: SendSegment;
  readonly fetch: FetchRest;
  close(): void;
}

/** The lane of one device to its cloud, over connections that are kept. */
export function bulkLaneTo(cloud: string, deviceId: string): BulkLane {
  const url = new URL(agentBulkPath + deviceId, cloud);
  const kept = { keepAlive: true, maxSockets: limits.linkBulkConnections };
  const connections = url.protocol === "https:" ? new AgentTls(kept) : new Agent(kept);
  const pool = new Pool(url.origin, {
    connections: limits.linkBulkConnections,
    connect: lends(url) ? connectLending : connectPatiently(),
    headersTimeout: 0, // the answer comes when the visitor has read it all
    bodyTimeout: 0,
  });
  return {
    async send(token, offset, body, signal) {
      const headers = { ...bearer(token), [bulkOffsetHeader]: String(offset) };
      const status = await post(url, { method: "POST", agent: connections, headers, signal }, body);
      if (status !== 204) throw new Error(`the edge answered ${status}`);
    },
    fetch: (token, events) => fetchRest(pool, deviceId, token, events),
    close: () => {
      connections.destroy();
      void pool.destroy();
    },
  };
}

const bearer = (token: Uint8Array) => ({
  authorization: `Bearer ${Buffer.from(token).toString("base64url")}`,
});

/** Posts `body`. Node's client tells when bytes are written, which undici does not. @returns the status */
async function post(
  url: URL,
  options: RequestOptions & { readonly signal: AbortSignal },
  body: AsyncIterable<Uint8Array>,
): Promise<number> {
  const request = (url.protocol === "https:" ? requestTls : requestPlain)(url, options);
  const status = new Promise<number>((resolve, reject) => {
    request.on("error", reject);
    request.once("response", (response) => {
      response.on("error", reject).once("end", () => resolve(response.statusCode ?? 0));
      response.resume();
    });
  });
  void pump(body, request, options.signal);
  try {
    return await status;
  } finally {
    if (!request.writableFinished) request.destroy();
  }
}

async function pump(
  body: AsyncIterable<Uint8Array>,
  request: ClientRequest,
  signal: AbortSignal,
): Promise<void> {
  // Of a request that is given up while it waits for a connection, Node never says that it is written.
  let goOn = () => {};
  const givenUp = () => goOn();
  signal.addEventListener("abort", givenUp);
  try {
    for await (const bytes of body) {
      await new Promise<void>((resolve) => {
        goOn = resolve;
        request.write(bytes, () => resolve());
      });
      if (request.destroyed) return;
    }
    request.end();
  } finally {
    signal.removeEventListener("abort", givenUp);
  }
}

function fetchRest(pool: Pool, deviceId: string, token: Uint8Array, events: RestEvents): Rest {
  let controller: Dispatcher.DispatchController | null = null;
  let lender: Lender | null = null;
  let over = false;
  const end = (tell: () => void) => {
    if (!over) tell();
    over = true;
  };
  const path = agentBulkPath + deviceId;
  pool.dispatch(
    { method: "GET", path, headers: bearer(token) },
    {
      onRequestStart(started) {
        controller = started;
        if (over) started.abort(new Error("nobody needs it"));
      },
      onResponseStart(started, status, answered) {
        const offset = Number(answered[bulkOffsetHeader] ?? Number.NaN);
        if (over || status < 200) return;
        if (status === 200 && Number.isSafeInteger(offset)) {
          if (answered["content-length"] !== undefined) lender = lendRest();
          return events.begun(offset);
        }
        end(() => events.failed(status !== 200));
        started.abort(new Error("refused"));
      },
      onResponseData(started, chunk) {
        const free = over ? null : (lender?.hold(chunk) ?? null);
        if (free === null) notePassed(chunk.byteLength);
        if (!over && !events.data(chunk, free)) started.pause();
      },
      onResponseEnd: () => {
        lender?.stop();
        end(() => events.ended());
      },
      onResponseError: () => end(() => events.failed(false)),
    },
  );
  return {
    resume: () => controller?.resume(),
    abort: () => {
      over = true;
      controller?.abort(new Error("nobody needs it"));
    },
  };
}

export interface BulkEvents {
  /** True while the visitors of this box want something else too. */
  othersAsk(): boolean;
  /** There is room to write again. */
  drain(): void;
  /** The lane was refused before anything came of it: `chunks` go in frames, and so does the rest. */
  refused(chunks: readonly Chunk[], ended: boolean): void;
  /** The body broke: what the visitor has is not all. */
  broken(): void;
  /** The visitor has everything. */
  done(): void;
}

/** The rest of one response, on its way by the lane. */
export class BulkBody {
  readonly #send: SendSegment;
  readonly #offset: number;
  readonly #events: BulkEvents;
  readonly #giveUp = new AbortController();
  /** The next segment's, which the edge sends when it reads the one before. */
  #token: Uint8Array | null;
  #chunks: Chunk[] = [];
  #queued = 0;
  /** Bytes since others were made way for. */
  #sinceWay = 0;
  #ended = false;
  /** Whether the edge has begun to read: from then on there is no way back to frames. */
  #isRead = false;
  #sending = false;
  #paused = false;
  #wake: (() => void) | null = null;

  /** @param offset bytes of this body that went in frames */
  constructor(send: SendSegment, token: Uint8Array, offset: number, events: BulkEvents) {
    this.#send = send;
    this.#token = token;
    this.#offset = offset;
    this.#events = events;
  }

  /**
   * @param free called when `bytes`, which must not change until then, are not needed any more
   * @returns false when the writer should wait for `drain`
   */
  write(bytes: Uint8Array, free: (() => void) | null = null): boolean {
    this.#chunks.push({ bytes, free });
    this.#queued += bytes.byteLength;
    this.#paused = this.#queued >= limits.linkBulkQueueBytes;
    this.#next();
    return !this.#paused;
  }

  end(): void {
    this.#ended = true;
    this.#next();
  }

  /** Another token: the edge reads the segment of the one before. */
  granted(token: Uint8Array): void {
    this.#token = token;
    this.#isRead = true;
    this.#next();
  }

  /** Nobody needs the rest. */
  abort(): void {
    this.#giveUp.abort(); // before memory is free that may be on its way
    for (const { free } of this.#chunks.splice(0)) free?.();
    this.#wake?.();
  }

  /** Begins a segment where one may begin, and wakes the one that waits. */
  #next(): void {
    this.#wake?.();
    if (this.#sending || this.#giveUp.signal.aborted) return;
    if (this.#chunks.length === 0) {
      if (this.#ended) this.#events.done();
      return;
    }
    const token = this.#token;
    if (token === null) return;
    this.#token = null;
    this.#sending = true;
    void this.#segment(token);
  }

  async #segment(token: Uint8Array): Promise<void> {
    try {
      await this.#send(token, this.#offset, this.#body(), this.#giveUp.signal);
    } catch {
      if (this.#giveUp.signal.aborted) return;
      this.#giveUp.abort();
      this.#wake?.();
      if (this.#isRead) this.#events.broken();
      else this.#events.refused(this.#chunks, this.#ended);
      return;
    }
    this.#sending = false;
    this.#next();
  }

  /** What goes into one segment. Until the edge reads, the first piece is kept, and nothing else goes. */
  async *#body(): AsyncGenerator<Uint8Array> {
    const until = performance.now() + limits.linkBulkSegmentMs;
    let left: number = limits.linkBulkSegmentBytes;
    for (let first = true; left > 0 && performance.now() < until; first = false) {
      while (this.#chunks.length === 0 && !this.#ended && !this.#giveUp.signal.aborted) {
        await this.#woken();
      }
      const chunk = this.#chunks[0];
      if (chunk === undefined) return;
      left -= chunk.bytes.byteLength;
      if (first && !this.#isRead) {
        yield chunk.bytes;
        while (!this.#isRead && !this.#giveUp.signal.aborted) await this.#woken();
        if (this.#giveUp.signal.aborted) return;
        this.#taken(chunk);
        chunk.free?.();
      } else {
        this.#taken(chunk);
        try {
          yield chunk.bytes;
        } finally {
          chunk.free?.();
        }
        await this.#makeWay(chunk.bytes.byteLength);
      }
    }
  }

  /** Pauses while others ask: what the kernel holds for this connection, the edge reads before all else. */
  async #makeWay(bytes: number): Promise<void> {
    this.#sinceWay += bytes;
    if (this.#sinceWay < limits.linkBulkTurnBytes) return;
    this.#sinceWay = 0;
    if (!this.#events.othersAsk()) return;
    await new Promise((goOn) => setTimeout(goOn, limits.linkBulkPauseMs));
  }

  #taken({ bytes }: Chunk): void {
    this.#chunks.shift();
    this.#queued -= bytes.byteLength;
    if (!this.#paused || this.#queued > limits.linkBulkQueueBytes / 2) return;
    this.#paused = false;
    this.#events.drain();
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = null;
        resolve();
      };
    });
  }
}
