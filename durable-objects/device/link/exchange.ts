/**
 * One visitor's request on one stream: the request body goes out as credit allows, the response
 * comes back as fast as the visitor reads and no faster. It ends in exactly one outcome.
 */

import { limits } from "../../../protocol/limits.ts";
import { resetCode } from "../../../protocol/link/frames.ts";
import {
  contentLength,
  decodeResponseHead,
  type ResponseHead,
  subprotocols,
} from "../../../protocol/link/headers.ts";
import type { LinkStream, StreamHandler } from "../../../protocol/link/stream.ts";
import { type BodyPipe, bodyPipe, pipesNatively } from "./body.ts";
import { hasNoBody, responseHeaders } from "./heads.ts";
import type { Passage } from "./passage.ts";
import { Segments } from "./segments.ts";
import type { Over } from "./surroundings.ts";
import { Upload } from "./upload.ts";

/** How far it came. `lost`: the connection went before a head, so a safe request may be tried again. */
export type Outcome =
  | { readonly kind: "response"; readonly response: Response }
  | { readonly kind: "websocket"; readonly passage: Passage; readonly headers: Headers }
  | { readonly kind: "lost" }
  | { readonly kind: "failed" }
  | { readonly kind: "timeout" }
  | { readonly kind: "stalled" }
  | { readonly kind: "malformed" }
  | { readonly kind: "revoked" }
  | { readonly kind: "spent" }
  | { readonly kind: "too-fast" };

/** Whose request it is, and over which connection of the device it goes. */
export interface Errand {
  readonly request: Request;
  /** By what and as whom it was let in: a pass of `Access`. */
  readonly visitor: string | null;
  /** The network it comes from, which has a share of the streams. */
  readonly network: string;
  /** A WebSocket is asked for: makes its passage when the device says 101. Null: a request like others. */
  readonly begin: ((stream: LinkStream) => Passage) | null;
  readonly over: Over;
}

/** What an exchange needs of Link; one for all of them, since most are over before anything of it is. */
export interface ExchangeHost {
  now(): number;
  /** Bytes of a body passed, either way. */
  onBytes(exchange: Exchange, bytes: number): void;
  /** Bytes went to the device beside the frames. */
  onBeside(bytes: number): void;
  /** So many bytes may go to the device from now on without being seen here. */
  onCarried(exchange: Exchange, bytes: number): void;
  /** Bytes of the response came beside the frames. */
  onSegment(exchange: Exchange, bytes: number): void;
  /** Makes a token for the next segment of the response and hands it to `grant`. */
  onBulk(exchange: Exchange): void;
  /** Makes a token for the rest of the request, if the device fetches such, and hands it to its `grant`. */
  onOffer(exchange: Exchange, upload: Upload): void;
  /** Nobody needs a token for the rest of the request any more. */
  onOfferOver(upload: Upload): void;
  /** Called once, when nothing of the exchange is left. */
  onDone(exchange: Exchange): void;
}

export class Exchange implements StreamHandler {
  readonly errand: Errand;
  readonly outcome: Promise<Outcome>;
  readonly #host: ExchangeHost;
  #settle: (outcome: Outcome) => void = () => {};
  #stream: LinkStream | null = null;
  #head: ResponseHead | null = null;
  /** Body bytes that came before the response was made. */
  #early: Uint8Array[] = [];
  #pipe: BodyPipe | null = null;
  /** The body of the request; null when it has none. */
  #upload: Upload | null = null;
  #responded = false;
  #watching = false;
  #ended = false;
  #done = false;
  /** Pieces of the response that the visitor has not taken. */
  #untaken = 0;
  /** What comes of the response by the bulk lane. */
  readonly #segments = new Segments();
  /** The length of the response; null when it is not known. */
  #length: number | null = null;
  /** When something moved last, ms since the epoch. */
  #movedAt = 0;

  constructor(host: ExchangeHost, errand: Errand) {
    this.#host = host;
    this.errand = errand;
    this.outcome = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  /** Begins, now that the stream is open. */
  start(stream: LinkStream): void {
    this.#stream = stream;
    const { request } = this.errand;
    this.#moved();
    if (request.body === null) return;
    this.#upload = new Upload(request, stream, {
      moved: () => this.#moved(),
      bytes: (count) => this.#host.onBytes(this, count),
      beside: (count) => this.#host.onBeside(count),
      carried: (count) => this.#host.onCarried(this, count),
      offer: pipesNatively ? (upload) => this.#host.onOffer(this, upload) : null,
      broke: (why) =>
        this.#fail({ kind: why === "visitor" ? "malformed" : "failed" }, resetCode.cancel),
    });
    void this.#upload.run();
  }

  /** Gives up when somebody is overdue, or when the visitor has left. */
  tick(now: number): void {
    this.#watchVisitor();
    const kind = this.#overdue(now - this.#movedAt);
    if (kind !== null) this.#fail({ kind }, resetCode.timeout);
  }

  /**
   * Who is overdue when nothing moved for `idleMs`: the visitor (`stalled`), the device (`timeout`) or
   * nobody. A device may be silent within its response for ever: a visitor waits for events so.
   */
  #overdue(idleMs: number): "stalled" | "timeout" | null {
    if (this.#untaken > 0 || this.#segments.underWay)
      return idleMs >= limits.linkUntakenMs ? "stalled" : null;
    if (this.#head !== null) return null;
    switch (this.#upload?.waitsFor ?? "over") {
      case "visitor":
        return idleMs >= limits.linkUploadIdleMs ? "stalled" : null;
      case "device":
        return idleMs >= limits.linkUntakenMs ? "timeout" : null;
      case "over":
        return idleMs >= limits.linkHeadMs ? "timeout" : null;
    }
  }

  #moved(): void {
    this.#movedAt = this.#host.now();
  }

  /** Ends it now; a response on its way becomes an error. */
  abort(kind: "revoked" | "spent" | "too-fast" = "revoked"): void {
    this.#fail({ kind }, resetCode.cancel);
  }

  /** Looks for the visitor leaving; later than at the start, for most exchanges are over by then. */
  #watchVisitor(): void {
    if (this.#watching) return;
    this.#watching = true;
    const { signal } = this.errand.request;
    if (signal?.aborted) this.#visitorLeft();
    else signal?.addEventListener("abort", () => this.#visitorLeft());
  }

  // What the device says (StreamHandler)

  head(payload: Uint8Array): boolean {
    const { begin } = this.errand;
    const head = decodeResponseHead(payload, begin !== null);
    if (head === null || contentLength(head.headers) === "bad") return false;
    this.#head = head;
    if (head.status === 101 && begin !== null) return this.#switch(head, begin);
    // What else is in this message is handled first: a small response is then made in one piece.
    microtask(() => this.#respond());
    return true;
  }

  /** The stream is a WebSocket from now on, and nothing of this exchange is left. */
  #switch(head: ResponseHead, begin: (stream: LinkStream) => Passage): boolean {
    const chosen = subprotocols(head.headers);
    const offered = subprotocols([...this.errand.request.headers]);
    if (chosen === null || chosen.length > 1) return false;
    if (!chosen.every((name) => offered?.includes(name))) return false;
    const stream = this.#stream as LinkStream;
    const passage = begin(stream);
    stream.upgrade(passage);
    this.#done = true;
    const headers = new Headers(responseHeaders(head.headers));
    this.#settle({ kind: "websocket", passage, headers });
    this.#host.onDone(this);
    return true;
  }

  data(bytes: Uint8Array): void {
    this.#host.onBytes(this, bytes.byteLength);
    if (this.#segments.passes) this.#fail({ kind: "failed" }, resetCode.badMessage);
    else if (this.#pipe !== null) this.#write(this.#pipe, bytes);
    else if (this.#responded) this.#stream?.consumed(bytes.byteLength);
    else this.#early.push(bytes);
  }

  end(): void {
    this.#ended = true;
    if (this.#segments.passes) return; // what ends the segment ends the body
    if (this.#pipe !== null) this.#closePipe(this.#pipe);
    else if (this.#responded) this.#finish(resetCode.cancel);
  }

  reset(code: number | null): void {
    if (code === null) this.#fail({ kind: "lost" }, null);
    else this.#fail({ kind: code === resetCode.timeout ? "timeout" : "failed" }, null);
  }

  drain(): void {
    this.#upload?.drain();
  }

  restTaken(bytes: number): void {
    this.#upload?.taken(bytes);
  }

  /** The device asks for the bulk lane; it has none before its visitor has a response. */
  bulk(): void {
    if (pipesNatively && this.#pipe !== null && !this.#ended) this.#host.onBulk(this);
  }

  /** Tells the device that it may send a segment of the response. */
  grant(token: Uint8Array): void {
    this.#stream?.bulk(token);
  }

  /**
   * Hands one segment to the visitor as it is read.
   * @param offset the bytes of the body that went in frames: the segment comes behind them
   * @returns false when there is nobody for it, or when it broke: then the response is one too
   */
  async take(segment: ReadableStream<Uint8Array>, offset: number): Promise<boolean> {
    const pipe = this.#pipe;
    if (pipe === null || this.#done || this.#ended || this.#segments.underWay) return false;
    this.#moved();
    const stillComing = () => (this.#done || this.#ended ? "over" : this.#untaken > 0);
    if (!(await this.#segments.turn(offset, stillComing))) return false;
    this.#moved();
    this.#host.onSegment(this, this.#segments.count(this.#length));
    if (this.#done) return false; // that was too much today
    this.#host.onBulk(this);
    if (!(await this.#segments.pass(pipe, segment))) this.#visitorLeft();
    this.#moved();
    if (this.#ended && !this.#done) this.#closePipe(pipe);
    return !this.#done || this.#ended;
  }

  // The response

  #respond(): void {
    const head = this.#head;
    if (head === null || this.#done || this.#responded) return;
    const { status } = head;
    const bodyless = hasNoBody(this.errand.request.method, status);
    const headers = responseHeaders(head.headers);
    const length = contentLength(head.headers) as number | null;
    this.#length = length;
    const early = this.#early;
    this.#early = [];
    if (!bodyless && this.#ended && length !== null && length !== sizeOf(early)) {
      this.#fail({ kind: "failed" }, resetCode.badMessage);
      return;
    }
    this.#responded = true;
    if (bodyless || this.#ended) {
      for (const bytes of early) this.#stream?.consumed(bytes.byteLength);
      this.#answer(bodyless ? null : joined(early), status, headers);
      if (this.#ended) this.#finish(resetCode.cancel);
      return;
    }
    const pipe = bodyPipe(length);
    this.#pipe = pipe;
    pipe.closed.catch(() => this.#visitorLeft());
    this.#answer(pipe.readable, status, headers);
    for (const bytes of early) this.#write(pipe, bytes);
  }

  #answer(
    body: ReadableStream<Uint8Array> | Uint8Array<ArrayBuffer> | null,
    status: number,
    headers: ReturnType<typeof responseHeaders>,
  ): void {
    // `manual`: the device's bytes are passed on as they are, compressed or not.
    const init = { status, headers, encodeBody: "manual" };
    this.#settle({
      kind: "response",
      response: new Response(body as BodyInit | null, init as ResponseInit),
    });
  }

  #write(pipe: BodyPipe, bytes: Uint8Array): void {
    const length = bytes.byteLength;
    if (this.#untaken++ === 0) this.#moved();
    pipe.write(bytes).then(
      () => {
        this.#untaken--;
        this.#moved();
        this.#segments.framed(length);
        this.#stream?.consumed(length);
      },
      () => this.#visitorLeft(),
    );
  }

  #closePipe(pipe: BodyPipe): void {
    pipe.close().then(
      () => {
        this.#host.onSegment(this, this.#segments.uncounted(this.#length));
        this.#finish(resetCode.cancel);
      },
      () => {
        pipe.abort("the device sent a body of another length");
        this.#visitorLeft();
      },
    );
  }

  // Ending

  #visitorLeft(): void {
    this.#fail({ kind: "failed" }, resetCode.cancel);
  }

  /** The one way to end badly. `code`: what the device is told, null when it knows. */
  #fail(outcome: Outcome, code: number | null): void {
    if (this.#done) return;
    this.#settle(outcome);
    this.#pipe?.abort("the device's response was cut off");
    this.#finish(code);
  }

  #finish(code: number | null): void {
    if (this.#done) return;
    this.#done = true;
    this.#segments.stir();
    this.#stream?.release(code ?? resetCode.cancel);
    this.#upload?.stop();
    if (this.#upload !== null) this.#host.onOfferOver(this.#upload);
    this.#host.onDone(this);
  }
}

const resolved = Promise.resolve();

/** Runs `work` after what is going on now; on workerd at half the price of `queueMicrotask`. */
export function microtask(work: () => void): void {
  void resolved.then(work);
}

function sizeOf(pieces: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const piece of pieces) bytes += piece.byteLength;
  return bytes;
}

function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  if (pieces.length === 1) return pieces[0] as Uint8Array<ArrayBuffer>;
  const whole = new Uint8Array(sizeOf(pieces));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.byteLength;
  }
  return whole;
}
