/** A WebSocket client whose messages are awaited one by one. */

import WebSocket from "ws";
import type { World } from "./world.ts";

const CLOSE_MS = 500;

export interface SocketOptions {
  readonly protocols?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
}

export class TestSocket {
  readonly socket: WebSocket;
  /** The close code. */
  readonly closed: Promise<number>;
  readonly #heard: string[] = [];
  readonly #waiting: ((text: string) => void)[] = [];

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (data, isBinary) => {
      if (isBinary) return;
      const text = data.toString();
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#heard.push(text);
      else waiting(text);
    });
    this.closed = new Promise((resolve) => {
      socket.on("close", (code) => resolve(code));
    });
  }

  /** Opens the socket; rejects with the HTTP status when the edge refuses. */
  static open(world: World, path: string, options: SocketOptions = {}): Promise<TestSocket> {
    // workerd keeps the connection for ten seconds after the closing handshake.
    const closing = { closeTimeout: CLOSE_MS };
    const socket = new WebSocket(
      `ws://127.0.0.1:${world.port}${path}`,
      [...(options.protocols ?? [])],
      { headers: { host: `localhost:${world.port}`, ...options.headers }, ...closing },
    );
    const opened = new TestSocket(socket);
    return new Promise((resolve, reject) => {
      socket.once("open", () => resolve(opened));
      socket.once("unexpected-response", (_request, response) => {
        response.resume();
        reject(new Error(`refused with ${response.statusCode}`));
      });
      socket.once("error", reject);
    });
  }

  /** The next text message. */
  next(): Promise<string> {
    const heard = this.#heard.shift();
    if (heard !== undefined) return Promise.resolve(heard);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Reads text messages until one makes `match` true. */
  async until(match: (text: string) => boolean): Promise<string> {
    for (;;) {
      const text = await this.next();
      if (match(text)) return text;
    }
  }
}
