/** A WebSocket client by hand (RFC 6455 §5.2): it sends frames that no library would. */

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";

export const opcode = { more: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface RawFrame {
  readonly fin: boolean;
  readonly rsv: number;
  readonly opcode: number;
  readonly payload: Buffer;
}

/** One frame of a client, masked. @param rsv three bits, RSV1 the highest */
export function frame(
  code: number,
  payload: string | Buffer = "",
  { fin = true, rsv = 0 }: { readonly fin?: boolean; readonly rsv?: number } = {},
): Buffer {
  const bytes = Buffer.from(payload as string);
  const { length } = bytes;
  const mask = randomBytes(4);
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | code];
  if (length < 126) head.push(0x80 | length);
  else if (length < 65_536) head.push(0x80 | 126, length >> 8, length & 255);
  else {
    const long = Buffer.alloc(8);
    long.writeBigUInt64BE(BigInt(length));
    head.push(0x80 | 127, ...long);
  }
  const masked = Buffer.alloc(length);
  for (let at = 0; at < length; at++) masked[at] = (bytes[at] as number) ^ (mask[at & 3] as number);
  return Buffer.concat([Buffer.from(head), mask, masked]);
}

/** The payload of a close frame. */
export function closing(code: number, reason: string | Buffer = ""): Buffer {
  return Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason as string)]);
}

export class RawWebSocket {
  readonly socket: Socket;
  /** The response that opened it. */
  head = "";
  #unread = Buffer.alloc(0);
  #over = false;
  #wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#unread = Buffer.concat([this.#unread, chunk]);
      this.#wake();
    });
    socket.on("close", () => {
      this.#over = true;
      this.#wake();
    });
    socket.on("end", () => socket.end());
    socket.on("error", () => undefined); // a close follows
  }

  /** @param headers beside those of the handshake */
  static async open(
    port: number,
    host: string,
    path: string,
    headers: readonly string[] = [],
  ): Promise<RawWebSocket> {
    const raw = new RawWebSocket(connect({ host: "127.0.0.1", port }));
    await once(raw.socket, "connect");
    const lines = [
      `GET ${path} HTTP/1.1`,
      `Host: ${host}`,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
      ...headers,
    ];
    raw.socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    while (!raw.#unread.includes("\r\n\r\n") && !raw.#over) await raw.#more();
    const end = raw.#unread.indexOf("\r\n\r\n");
    raw.head = raw.#unread.subarray(0, end).toString("latin1");
    raw.#unread = raw.#unread.subarray(end + 4);
    if (!raw.head.startsWith("HTTP/1.1 101")) throw new Error(raw.head);
    return raw;
  }

  send(...frames: Buffer[]): void {
    this.socket.write(Buffer.concat(frames));
  }

  /** The next frame; null when the connection ended instead. */
  async next(): Promise<RawFrame | null> {
    for (;;) {
      const found = this.#take();
      if (found !== null) return found;
      if (this.#over) return null;
      await this.#more();
    }
  }

  /** The next whole message or control frame, its pieces put together; null at the end. */
  async message(): Promise<RawFrame | null> {
    const pieces: RawFrame[] = [];
    for (;;) {
      const one = await this.next();
      if (one === null || one.opcode >= 8) return one;
      pieces.push(one);
      if (!one.fin) continue;
      const payload = Buffer.concat(pieces.map((piece) => piece.payload));
      return { ...(pieces[0] as RawFrame), fin: true, payload };
    }
  }

  close(): void {
    this.socket.destroy();
  }

  #take(): RawFrame | null {
    const bytes = this.#unread;
    if (bytes.length < 2) return null;
    const [first, second] = [bytes[0] as number, bytes[1] as number];
    let [at, length] = [2, second & 127];
    if (length === 126) {
      if (bytes.length < 4) return null;
      [at, length] = [4, bytes.readUInt16BE(2)];
    } else if (length === 127) {
      if (bytes.length < 10) return null;
      [at, length] = [10, Number(bytes.readBigUInt64BE(2))];
    }
    if (bytes.length < at + length) return null;
    this.#unread = bytes.subarray(at + length);
    const payload = bytes.subarray(at, at + length);
    return { fin: (first & 0x80) !== 0, rsv: (first >> 4) & 7, opcode: first & 15, payload };
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
