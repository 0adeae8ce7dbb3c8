/**
 * One visitor's WebSocket, to the local service: a handshake of its own with the subprotocols that the
 * visitor offers, then messages both ways, each as fast as the other side takes them.
 *
 * It follows no redirect and offers no compression; pings stay on each side.
 */

import type { IncomingMessage } from "node:http";
import { WebSocket } from "ws";
import { limits } from "../protocol/limits.ts";
import { type Close, resetCode } from "../protocol/link/frames.ts";
import {
  encodeHead,
  endToEnd,
  type HeaderList,
  type OpenHead,
  subprotocols,
} from "../protocol/link/headers.ts";
import { messageCost, type SocketHandler } from "../protocol/link/messages.ts";
import type { LinkStream, StreamHandler } from "../protocol/link/stream.ts";
import { isLoopback } from "./cloud.ts";

/** The visitor's browser went away, or the connection to the cloud did (RFC 6455 §7.4.1). */
const GOING_AWAY = 1001;
const HANDSHAKE = /^sec-websocket-/;

export class LocalSocket implements StreamHandler, SocketHandler {
  readonly #stream: LinkStream;
  readonly #socket: WebSocket;
  /** The service's answer where it is no WebSocket. */
  #response: IncomingMessage | null = null;
  #headers: HeaderList = [];
  #over = false;
  /** Checks that the pieces of a text are UTF-8; null between texts. */
  #decoder: TextDecoder | null = null;
  /** What ended it, when it was not a close. */
  #fault: number | Close = resetCode.unreachable;

  /** @param origin of the local service */
  constructor(stream: LinkStream, origin: string, head: OpenHead) {
    this.#stream = stream;
    this.#socket = connect(origin, head);
    const socket = this.#socket;
    socket.on("upgrade", (response) => {
      this.#headers = headersOf(response);
    });
    socket.on("open", () => this.#opened());
    socket.on("unexpected-response", (_request, response) => this.#answered(response));
    socket.on("message", (data: Buffer, isBinary) => this.#said(data, isBinary));
    socket.on("error", (error) => this.#failed(error));
    socket.on("close", (code, reason) => this.#closed(code, reason.toString("utf8")));
  }

  // What the edge says of the stream (StreamHandler, SocketHandler)

  head(): boolean {
    return false;
  }
  data(): void {
    // A handshake has no body.
  }
  end(): void {
    // Nor does its end say anything.
  }

  message(bytes: Uint8Array, text: boolean, last: boolean): boolean {
    if (text && !this.#isText(bytes, last)) return false;
    const cost = messageCost(bytes.byteLength);
    const taken = () => this.#stream.consumed(cost);
    if (this.#socket.readyState === WebSocket.OPEN) {
      this.#socket.send(bytes, { binary: !text, fin: last }, taken);
    } else taken();
    return true;
  }

  closed({ code, reason }: Close): void {
    this.#over = true;
    if (code === null) this.#socket.close();
    else this.#socket.close(code, reason);
    this.#hearTheRest();
  }

  reset(): void {
    this.#over = true;
    this.#response?.destroy();
    if (this.#socket.readyState === WebSocket.CONNECTING) this.#socket.terminate();
    else this.#socket.close(GOING_AWAY);
    this.#hearTheRest();
  }

  /** The service's own close comes after what it said: whoever does not read never hears it. */
  #hearTheRest(): void {
    if (this.#socket.isPaused) this.#socket.resume();
  }

  drain(): void {
    this.#response?.resume();
    if (this.#socket.isPaused) this.#socket.resume();
  }

  #isText(bytes: Uint8Array, last: boolean): boolean {
    this.#decoder ??= new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    try {
      this.#decoder.decode(bytes, { stream: !last });
    } catch {
      return false;
    }
    if (last) this.#decoder = null;
    return true;
  }

  // What the local service says

  #opened(): void {
    if (this.#over) return;
    const payload = encodeHead({ status: 101, headers: this.#headers });
    if (payload === null) {
      this.#fail(resetCode.badMessage);
      return;
    }
    this.#stream.sendHead(payload, false);
    this.#stream.upgrade(this);
  }

  /** The service answered with something else, which the visitor gets as it is. */
  #answered(response: IncomingMessage): void {
    if (this.#over) return void response.destroy();
    this.#response = response;
    const status = response.statusCode ?? 0;
    const payload = encodeHead({ status, headers: headersOf(response) });
    if (payload === null || status < 200) {
      this.#fail(resetCode.badMessage);
      return;
    }
    this.#stream.sendHead(payload, false);
    response.on("data", (chunk: Buffer) => {
      if (!this.#stream.write(chunk)) response.pause();
    });
    response.on("end", () => {
      this.#over = true;
      this.#stream.end();
    });
    response.on("error", () => this.#fail(resetCode.unreachable));
  }

  #said(data: Buffer, isBinary: boolean): void {
    if (this.#over) return;
    if (!this.#stream.send(data, !isBinary)) this.#socket.pause();
  }

  #failed(error: Error & { readonly code?: string }): void {
    if (error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") {
      this.#fault = { code: 1009, reason: "a message of the service is too long" };
    } else if (/timed out/i.test(error.message)) this.#fault = resetCode.timeout;
  }

  #closed(code: number, reason: string): void {
    if (this.#over || this.#response !== null) return;
    const isOpen = this.#stream.socket !== null;
    const fault = this.#fault;
    if (isOpen && code !== 1006) this.#end({ code: code === 1005 ? null : code, reason });
    else if (isOpen && typeof fault === "object") this.#end(fault);
    else this.#fail(typeof fault === "object" ? resetCode.badMessage : fault);
  }

  #end(close: Close): void {
    this.#over = true;
    this.#stream.close(close);
  }

  #fail(code: number): void {
    if (this.#over) return;
    this.#over = true;
    this.#stream.reset(code);
    this.#response?.destroy();
    this.#socket.terminate();
  }
}

function connect(origin: string, head: OpenHead): WebSocket {
  // Joined as text: a path that begins with // must not name a host.
  const url = new URL(origin.replace(/^http/, "ws") + head.path);
  // RFC 6455 §10.3: masks guard intermediaries that read the bytes; here is none, or it sees TLS.
  const unseen = url.protocol === "wss:" || isLoopback(url.hostname);
  return new WebSocket(url, subprotocols(head.headers) ?? [], {
    headers: requestHeaders(head.headers),
    perMessageDeflate: false,
    followRedirects: false,
    handshakeTimeout: limits.linkHeadMs,
    maxPayload: limits.linkSocketMessageBytes,
    ...(unseen ? { generateMask: (mask: Buffer) => void mask.fill(0) } : {}),
  });
}

/** Headers as Node takes them; the handshake's own are made by the WebSocket. */
function requestHeaders(headers: HeaderList): Record<string, string | string[]> {
  // Without a prototype: a header may be called `constructor`.
  const all: Record<string, string | string[]> = Object.create(null);
  for (const [name, value] of endToEnd(headers)) {
    if (HANDSHAKE.test(name)) continue;
    const before = all[name];
    all[name] = before === undefined ? value : [before, value].flat();
  }
  return all;
}

function headersOf({ rawHeaders }: IncomingMessage): HeaderList {
  const list: [string, string][] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    list.push([rawHeaders[at] ?? "", rawHeaders[at + 1] ?? ""]);
  }
  return endToEnd(list);
}
