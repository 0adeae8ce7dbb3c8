/**
 * The zone as the edge tells it: a WebSocket that is kept open, opened again when it went, and read on
 * from where it stood.
 */

import { WebSocket } from "ws";
import { pingText, pongText } from "../protocol/agent.ts";
import {
  type FeedAnswer,
  type FeedAsk,
  feedPath,
  feedSubprotocol,
  type Position,
  parseAnswer,
} from "../protocol/feed.ts";
import { limits } from "../protocol/limits.ts";

const NOT_UNDERSTOOD = 1007; // RFC 6455 §7.4.1

export interface FeedOptions {
  /** The edge's origin. */
  readonly edge: string;
  readonly token: string;
  readonly onAnswer: (answer: FeedAnswer) => void;
  /** Told once each time that it changes: whether changes come in; why not, where it is known. */
  readonly onState: (live: boolean, reason: string | null) => void;
}

export interface Feed {
  close(): void;
}

/** Begins to read; goes on until it is closed. */
export function openFeed(options: FeedOptions): Feed {
  return new Reader(options);
}

class Reader implements Feed {
  readonly #options: FeedOptions;
  #socket: WebSocket | null = null;
  #position: Position | null = null;
  /** True while everything is read anew: the position is good for this connection only. */
  #reading = false;
  #live = false;
  #failures = 0;
  #closed = false;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #heartbeat: ReturnType<typeof setInterval> | null = null;
  #heard = false;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#open();
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#rest();
    this.#socket?.terminate();
  }

  #open(): void {
    const { edge, token } = this.#options;
    const url = new URL(feedPath, edge.replace(/^http/, "ws"));
    const socket = new WebSocket(url, [feedSubprotocol], {
      headers: { authorization: `Bearer ${token}` },
      perMessageDeflate: false,
      handshakeTimeout: limits.feedOpenMs,
      maxPayload: limits.feedMessageBytes,
    });
    this.#socket = socket;
    let reason: string | null = null;
    socket.on("open", () => {
      this.#ask();
      this.#watch(socket);
    });
    socket.on("message", (data, isBinary) => {
      this.#heard = true;
      if (!isBinary) this.#hear(socket, String(data));
    });
    socket.on("unexpected-response", (_request, response) => {
      reason =
        response.statusCode === 401
          ? "the edge does not know this token"
          : `the edge answers ${response.statusCode}`;
      socket.terminate();
    });
    socket.on("error", (error) => {
      reason ??= error.message;
    });
    socket.on("close", () => this.#ended(reason));
  }

  #ask(): void {
    // What was read in part is no position: it began before it was broken off.
    const ask: FeedAsk = { from: this.#position, reading: this.#reading };
    this.#socket?.send(JSON.stringify(ask));
  }

  #hear(socket: WebSocket, text: string): void {
    if (text === pongText) return;
    const answer = parseAnswer(text);
    if (answer === null) return void socket.close(NOT_UNDERSTOOD, "not understood");
    if (answer.kind === "change") {
      // A change that was missed is asked for; the answer brings this one along.
      if (!isAt(this.#position, answer.before)) return void this.#ask();
      this.#position = answer.to;
      return void this.#options.onAnswer(answer);
    }
    if (answer.whole) this.#reading = true;
    this.#position = answer.to;
    if (answer.end) this.#reading = false;
    this.#options.onAnswer(answer);
    if (!answer.end) return void this.#ask();
    this.#failures = 0;
    this.#become(true, null);
  }

  /** Pings, and takes silence for the end: a dead connection says nothing. */
  #watch(socket: WebSocket): void {
    this.#heard = true;
    this.#heartbeat = setInterval(() => {
      if (!this.#heard) return socket.terminate();
      this.#heard = false;
      socket.send(pingText);
    }, limits.feedPingMs);
  }

  #rest(): void {
    if (this.#heartbeat !== null) clearInterval(this.#heartbeat);
    this.#heartbeat = null;
  }

  #ended(reason: string | null): void {
    this.#rest();
    if (this.#closed) return;
    if (this.#reading) this.#position = null;
    this.#reading = false;
    this.#become(false, reason);
    const most = Math.min(limits.feedAgainMaxMs, limits.feedAgainMinMs * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 30);
    const wait = limits.feedAgainMinMs + Math.random() * (most - limits.feedAgainMinMs);
    this.#timer = setTimeout(() => this.#open(), wait);
  }

  #become(live: boolean, reason: string | null): void {
    if (live === this.#live && reason === null) return;
    this.#live = live;
    this.#options.onState(live, reason);
  }
}

function isAt(one: Position | null, other: Position): boolean {
  return one?.epoch === other.epoch && one.seq === other.seq;
}
