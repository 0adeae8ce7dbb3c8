/**
 * The device's end of Link: serves the streams that visitors open through the edge, from one local
 * origin that was fixed when it was made.
 *
 * The edge names a service and a path, never a host or a port; redirects are handed to the visitor,
 * never followed; bodies pass as they are. Runs on Node ≥ 22 and on Deno.
 */

import { type Dispatcher, Pool } from "undici";
import { limits } from "../protocol/limits.ts";
import { capability, resetCode } from "../protocol/link/frames.ts";
import {
  contentLength,
  decodeOpen,
  encodeHead,
  endToEnd,
  type HeaderList,
  type OpenHead,
  webService,
} from "../protocol/link/headers.ts";
import { Session } from "../protocol/link/session.ts";
import type { LinkStream, StreamHandler } from "../protocol/link/stream.ts";
import { BulkBody, type BulkLane, type FetchRest, type SendSegment } from "./bulk.ts";
import { notePassed } from "./heap.ts";
import { connectLending, type Lender, lendRest, lends } from "./lending-socket.ts";
import { LocalSocket } from "./local-socket.ts";
import { connectPatiently } from "./patient-socket.ts";
import type { TcpServices } from "./tunnel/services.ts";
import { RequestBody } from "./upload.ts";

export interface LinkServerOptions {
  /** The local service, e.g. `http://127.0.0.1:8080`; null offers nothing, so every stream is refused. */
  readonly origin: string | null;
  /** The TCP services that tunnels lead to; none when absent. */
  readonly tcp?: Pick<TcpServices, "serve"> | null;
  /** Sends one binary message over the device's socket; `sent` when its bytes are no longer needed. */
  send(message: Uint8Array<ArrayBuffer>, sent: () => void): void;
  /** Bytes that the socket has taken and not sent yet. */
  bufferedAmount(): number;
  /** The edge broke the protocol: close the socket with `closeCodes.protocolError`. */
  onProtocolError(reason: string): void;
  /** The edge asks for another connection in place of this one. */
  onGoAway?(): void;
  /** Carries what is long beside the frames; without one, frames carry everything. */
  readonly bulk?: BulkLane;
  /** Replaces the connections to the local service, for tests. */
  readonly dispatcher?: Pick<Dispatcher, "dispatch" | "destroy">;
}

export class LinkServer {
  readonly #origin: Pick<Dispatcher, "dispatch" | "destroy"> | null;
  readonly #session: Session;
  readonly #bulk: BulkLane | null;
  /** The edge refused a segment: this connection's bodies go in frames. */
  #bulkRefused = false;
  /** Goes on when the socket has sent something. */
  #onSent: (() => void) | null = null;

  constructor(options: LinkServerOptions) {
    const own = options.origin === null ? null : connectionsTo(options.origin);
    const origin = options.dispatcher ?? own;
    this.#origin = origin;
    this.#bulk = options.bulk ?? null;
    this.#session = new Session(
      {
        send: (message, sent) =>
          options.send(message, () => {
            sent();
            const onSent = this.#onSent;
            this.#onSent = null;
            onSent?.();
          }),
        bufferedBytes: () => options.bufferedAmount(),
        now: () => performance.now(),
        // What several streams say in one turn of the loop shares a message; one alone waits for nobody.
        soon: (work) => {
          if (this.#session.size > 1) setImmediate(work);
          else queueMicrotask(work);
        },
        later: (work) => {
          this.#onSent = work;
        },
        onProtocolError: (reason) => options.onProtocolError(reason),
        onGoAway: () => options.onGoAway?.(),
      },
      {
        accept: (stream, payload) => {
          const head = decodeOpen(payload);
          if (head === null) return null;
          if (head.service !== webService) {
            if (options.tcp) return options.tcp.serve(stream, head);
            stream.reset(resetCode.refused);
            return null;
          }
          if (origin === null) return null;
          if (head.upgrade !== undefined) return webSocketTo(options.origin, stream, head);
          const service = new Service(stream, this.#laneFor, this.#bulk?.fetch ?? null);
          service.start(origin, head);
          return service;
        },
      },
    );
  }

  /** The session, for gauges: how many streams live, what its windows hold. */
  get session(): Session {
    return this.#session;
  }

  /** The way for a long body; `isRefused` when the edge would not have it. */
  readonly #laneFor: LaneFor = (isRefused) => {
    if (isRefused) this.#bulkRefused = true;
    const granted = ((this.#session.capabilities ?? 0) & capability.bulk) !== 0;
    return granted && !this.#bulkRefused ? (this.#bulk?.send ?? null) : null;
  };

  /** Takes one binary message of the edge. */
  onMessage(data: ArrayBuffer | Uint8Array): void {
    notePassed(data.byteLength);
    this.#session.receive(data instanceof Uint8Array ? data : new Uint8Array(data));
  }

  /** The socket has gone: local requests are given up and local connections closed. */
  close(): void {
    this.#session.close();
    void this.#origin?.destroy();
    this.#bulk?.close();
  }
}

/** Which way a long body may go beside the frames, if there is one. */
type LaneFor = (isRefused?: boolean) => SendSegment | null;

/** Where only tests serve requests there is no origin, and no WebSocket. */
function webSocketTo(
  origin: string | null,
  stream: LinkStream,
  head: OpenHead,
): StreamHandler | null {
  return origin === null ? null : new LocalSocket(stream, origin, head);
}

/** Kept-alive connections to the one local origin; undici follows no redirect and unpacks nothing. */
function connectionsTo(origin: string): Pool {
  return new Pool(new URL(origin).origin, {
    connections: limits.linkStreams,
    pipelining: 1,
    allowH2: false,
    connect: lends(new URL(origin)) ? connectLending : connectPatiently(),
    headersTimeout: limits.linkHeadMs,
    bodyTimeout: 0,
    maxHeaderSize: limits.linkHeadBytes,
  });
}

/** What undici's controller has besides its published type: the headers as they came. */
interface RawHeaders {
  readonly rawHeaders?: readonly (Buffer | string)[] | null;
}

/** One visitor's request, served from the local origin. */
class Service implements StreamHandler, Dispatcher.DispatchHandler {
  readonly #stream: LinkStream;
  readonly #laneFor: LaneFor;
  readonly #fetchRest: FetchRest | null;
  /** Bytes of the response that went in frames. */
  #framed = 0;
  /** How long the response is; null when it does not say. */
  #length: number | null = null;
  #askedForLane = false;
  /** The rest of the response, once it goes by the bulk lane. */
  #bulk: BulkBody | null = null;
  #controller: Dispatcher.DispatchController | null = null;
  /** Lends the body of the response; null when its memory is its own. */
  #lender: Lender | null = null;
  #body: RequestBody | null = null;
  /** The response is complete, or the stream is dead: nothing more may be said. */
  #over = false;
  #aborted = false;

  constructor(stream: LinkStream, laneFor: LaneFor, fetchRest: FetchRest | null) {
    this.#stream = stream;
    this.#laneFor = laneFor;
    this.#fetchRest = fetchRest;
  }

  start(origin: Pick<Dispatcher, "dispatch">, head: OpenHead): void {
    if (!this.#stream.receiveEnded) this.#body = new RequestBody(this.#stream);
    origin.dispatch(
      {
        method: head.method as Dispatcher.HttpMethod,
        path: head.path,
        headers: requestHeaders(head.headers),
        // An async iterable is a body too, which the published type forgets.
        body: this.#body as unknown as Buffer | null,
      },
      this,
    );
  }

  // What the edge says (StreamHandler)

  head(): boolean {
    return false;
  }
  data(bytes: Uint8Array): void {
    this.#body?.push(bytes);
  }
  end(): void {
    this.#body?.finish();
  }
  reset(): void {
    this.#over = true;
    this.#abort();
  }
  drain(): void {
    this.#controller?.resume();
  }
  restOffered(token: Uint8Array): void {
    if (this.#fetchRest !== null) this.#body?.fetch(this.#fetchRest, token);
  }
  restSent(bytes: number): void {
    this.#body?.expect(bytes);
  }
  /** The edge lets the rest of the response, or another segment of it, come by the bulk lane. */
  bulk(token: Uint8Array): void {
    const send = this.#laneFor();
    if (this.#over || this.#aborted) return;
    if (this.#bulk !== null) this.#bulk.granted(new Uint8Array(token));
    else if (send !== null) this.#bulk = this.#onLane(send, new Uint8Array(token));
  }

  #onLane(send: SendSegment, token: Uint8Array): BulkBody {
    return new BulkBody(send, token, this.#framed, {
      othersAsk: () => this.#stream.othersAsk,
      drain: () => this.#controller?.resume(),
      refused: (chunks, ended) => {
        this.#laneFor(true);
        this.#bulk = null;
        for (const { bytes, free } of chunks) this.#stream.write(bytes, free);
        if (ended) this.#finish();
        else this.#controller?.resume();
      },
      broken: () => this.#fail(resetCode.internal),
      done: () => this.#finish(),
    });
  }

  /** Asks for the bulk lane when enough went in frames and enough is left, or when nobody knows. */
  #askForLane(): void {
    if (this.#askedForLane || this.#framed < limits.linkBulkAfterBytes) return;
    this.#askedForLane = true;
    const left = (this.#length ?? Number.POSITIVE_INFINITY) - this.#framed;
    if (left >= limits.linkBulkAfterBytes && this.#laneFor() !== null) this.#stream.bulk(NOTHING);
  }

  // What the local service says (DispatchHandler)

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#aborted) controller.abort(new Error("the visitor left"));
  }
  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (status < 200 || this.#over) return;
    const headers = responseHeaders(controller as RawHeaders);
    const length = contentLength(headers);
    this.#length = length === "bad" ? null : length;
    if ((this.#length ?? 0) >= limits.linkBulkAfterBytes) this.#lender = lendRest();
    const payload = encodeHead({ status, headers });
    if (payload === null) this.#fail(resetCode.badMessage);
    else this.#stream.sendHead(payload, false);
  }
  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#over) return;
    const free = this.#lender?.hold(chunk) ?? null;
    if (free === null) notePassed(chunk.byteLength);
    const bulk = this.#bulk;
    if (bulk === null) this.#framed += chunk.byteLength;
    const room = bulk?.write(chunk, free) ?? this.#stream.write(chunk, free);
    if (!room) controller.pause();
    if (bulk === null) this.#askForLane();
  }
  onResponseEnd(): void {
    this.#lender?.stop();
    if (this.#bulk !== null) this.#bulk.end();
    else this.#finish();
  }
  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#over) return;
    const late = error.name === "HeadersTimeoutError" || error.name === "BodyTimeoutError";
    this.#fail(late ? resetCode.timeout : resetCode.unreachable);
  }

  #finish(): void {
    this.#over = true;
    this.#stream.end();
    this.#body?.fail();
  }

  #fail(code: number): void {
    this.#over = true;
    this.#stream.reset(code);
    this.#abort();
  }

  #abort(): void {
    this.#aborted = true;
    this.#bulk?.abort();
    this.#body?.fail();
    this.#controller?.abort(new Error("the visitor left"));
  }
}

const NOTHING = new Uint8Array(0);

/** Header arrays as undici takes them: name, value, name, value. */
function requestHeaders(headers: HeaderList): string[] {
  return endToEnd(headers).flat();
}

/** The response's headers in their order, duplicates and all, one character a byte. */
function responseHeaders({ rawHeaders }: RawHeaders): HeaderList {
  const list: [string, string][] = [];
  const raw = rawHeaders ?? [];
  for (let at = 0; at + 1 < raw.length; at += 2) list.push([text(raw[at]), text(raw[at + 1])]);
  return endToEnd(list);
}

function text(raw: Buffer | string | undefined): string {
  return typeof raw === "string" ? raw : (raw?.toString("latin1") ?? "");
}
