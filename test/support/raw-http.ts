/**
 * HTTP/1.1 by hand (RFC 9112), at either end: what a test says is what goes over the wire, and what
 * came is told apart to the byte: informational heads, trailers, and whether a body ended or broke.
 */

import { once } from "node:events";
import {
  type AddressInfo,
  createServer,
  connect as dial,
  type Server,
  type Socket,
} from "node:net";

/** A request's or a response's head. */
export interface Head {
  /** The request line or the status line. */
  readonly start: string;
  /** As they came, names in lower case. */
  readonly headers: (readonly [name: string, value: string])[];
}

/** The connection ended where more was due. */
export class Broken extends Error {}

/** The values of a header, in order; what is a list in one line is as good as several lines. */
export function valuesOf({ headers }: Head, name: string): string[] {
  return headers.filter(([each]) => each === name).map(([, value]) => value);
}

/** The status of a response's head. */
export function statusOf({ start }: Head): number {
  return Number(start.split(" ")[1]);
}

/** One end of a connection. */
export class Wire {
  readonly socket: Socket;
  /** Everything that came, as it came. */
  came = Buffer.alloc(0);
  /** The trailers of the last chunked body. */
  trailers: (readonly [string, string])[] = [];
  #unread = Buffer.alloc(0);
  #over = false;
  #wake: () => void = () => undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      if (this.came.length < 1 << 20) this.came = Buffer.concat([this.came, chunk]);
      this.#unread = Buffer.concat([this.#unread, chunk]);
      this.#wake();
    });
    const over = () => {
      this.#over = true;
      this.#wake();
    };
    socket.on("end", over);
    socket.on("close", over);
    socket.on("error", () => undefined); // a close follows
  }

  /** Dials a port on loopback. */
  static async dial(port: number, from = "127.0.0.1"): Promise<Wire> {
    const socket = dial({ host: "127.0.0.1", port, localAddress: from });
    await once(socket, "connect");
    return new Wire(socket);
  }

  say(...pieces: (string | Buffer)[]): void {
    for (const piece of pieces) {
      this.socket.write(typeof piece === "string" ? Buffer.from(piece, "latin1") : piece);
    }
  }

  /** The next head; null when the connection ended instead. */
  async head(): Promise<Head | null> {
    const text = await this.#until("\r\n\r\n");
    if (text === null) return null;
    const [start = "", ...lines] = text.split("\r\n");
    return { start, headers: lines.map(headerOf) };
  }

  /** The final head of a response, after all informational ones. */
  async final(): Promise<Head> {
    for (;;) {
      const head = await this.head();
      if (head === null) throw new Broken("no final response");
      if (statusOf(head) >= 200) return head;
    }
  }

  /** A whole body. @throws Broken when it breaks off */
  async body(head: Head, method?: string): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for await (const piece of this.pieces(head, method)) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  /**
   * The pieces of a body as they come (RFC 9112 §6.3).
   * @param method of the request that a response answers; absent for a request
   */
  async *pieces(head: Head, method?: string): AsyncGenerator<Buffer> {
    if (method !== undefined && hasNone(method, statusOf(head))) return;
    if (valuesOf(head, "transfer-encoding").includes("chunked")) return yield* this.#chunks();
    const [length] = valuesOf(head, "content-length");
    if (length === undefined) {
      if (method === undefined) return;
      for (let piece = await this.#some(); piece !== null; piece = await this.#some()) yield piece;
      return;
    }
    yield* this.#exactly(Number(length));
  }

  /** True once the other side has ended or broken the connection. */
  async ended(): Promise<void> {
    while (!this.#over) await this.#more();
  }

  close(): void {
    this.socket.destroy();
  }

  async *#chunks(): AsyncGenerator<Buffer> {
    for (;;) {
      const line = await this.#until("\r\n");
      if (line === null) throw new Broken("a chunk was due");
      const size = Number.parseInt(line, 16);
      if (size === 0) break;
      yield* this.#exactly(size);
      await this.#until("\r\n");
    }
    this.trailers = [];
    for (;;) {
      const line = await this.#until("\r\n");
      if (line === null) throw new Broken("the end of the trailers was due");
      if (line === "") return;
      this.trailers.push(headerOf(line));
    }
  }

  async *#exactly(count: number): AsyncGenerator<Buffer> {
    for (let left = count; left > 0; ) {
      const piece = await this.#some(left);
      if (piece === null) throw new Broken(`${left} bytes of ${count} were due`);
      left -= piece.length;
      yield piece;
    }
  }

  /** Some bytes, at most `most`; null at the end. */
  async #some(most = Number.POSITIVE_INFINITY): Promise<Buffer | null> {
    while (this.#unread.length === 0) {
      if (this.#over) return null;
      await this.#more();
    }
    const piece = this.#unread.subarray(0, Math.min(most, this.#unread.length));
    this.#unread = this.#unread.subarray(piece.length);
    return piece;
  }

  async #until(mark: string): Promise<string | null> {
    for (;;) {
      const at = this.#unread.indexOf(mark);
      if (at >= 0) {
        const text = this.#unread.subarray(0, at).toString("latin1");
        this.#unread = this.#unread.subarray(at + mark.length);
        return text;
      }
      if (this.#over) return null;
      await this.#more();
    }
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

function headerOf(line: string): readonly [string, string] {
  const colon = line.indexOf(":");
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}

function hasNone(method: string, status: number): boolean {
  return method === "HEAD" || status < 200 || status === 204 || status === 304;
}

/** What a service at home does with one request, once its head has come. */
export type Behaviour = (wire: Wire, head: Head) => Promise<void> | void;

/** A service at home, by hand: a path says what it does. */
export class RawHome {
  readonly #server: Server;
  readonly #behaviours = new Map<string, Behaviour>();
  readonly #wires = new Set<Wire>();

  private constructor() {
    this.#server = createServer((socket) => {
      const wire = new Wire(socket);
      this.#wires.add(wire);
      socket.on("close", () => this.#wires.delete(wire));
      void this.#serve(wire).catch(() => wire.close());
    });
  }

  static async start(): Promise<RawHome> {
    const home = new RawHome();
    home.#server.listen(0, "127.0.0.1");
    await once(home.#server, "listening");
    return home;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Says what a path does, until it is said anew. */
  at(path: string, behaviour: Behaviour): void {
    this.#behaviours.set(path, behaviour);
  }

  close(): void {
    for (const wire of this.#wires) wire.close();
    this.#server.close();
  }

  async #serve(wire: Wire): Promise<void> {
    for (let head = await wire.head(); head !== null; head = await wire.head()) {
      const path = head.start.split(" ")[1]?.split("?")[0] ?? "";
      const behaviour = this.#behaviours.get(path);
      if (behaviour === undefined) throw new Error(`nothing at ${path}`);
      await behaviour(wire, head);
    }
  }
}
