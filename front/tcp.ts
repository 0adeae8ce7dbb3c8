/** DNS over TCP (RFC 7766). */

import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { setTimeout as after } from "node:timers";
import { limits } from "../protocol/limits.ts";
import { listening } from "./listen.ts";

const HEADER_BYTES = 12;

/** The answer to a message of `peer`; null when it deserves none. */
export type AnswerTcp = (message: Buffer, peer: string) => Buffer | null | Promise<Buffer | null>;

export interface Transport {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * @param port 0 picks a free one
 * @throws Sentence when it cannot listen
 */
export async function startTcp(host: string, port: number, answer: AnswerTcp): Promise<Transport> {
  const open = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    converse(socket, answer);
  });
  server.maxConnections = limits.dnsTcpConnections;
  await listening(server, host, port, () => server.listen(port, host));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        for (const socket of open) socket.destroy();
      }),
  };
}

/**
 * One TCP connection (RFC 7766): messages with a length before them, several at once, answered in
 * whatever order they are ready. A connection that completes no message for a while is closed.
 */
function converse(socket: Socket, answer: AnswerTcp): void {
  const idle = after(() => socket.destroy(), limits.dnsTcpIdleMs);
  const peer = socket.remoteAddress ?? "";
  let buffered = Buffer.alloc(0);
  let inFlight = 0;
  let ended = false;

  const read = () => {
    while (buffered.length >= 2 && inFlight < limits.dnsTcpPipelined && !socket.writableNeedDrain) {
      const length = buffered.readUInt16BE(0);
      if (length < HEADER_BYTES || length > limits.dnsMessageBytes) return void socket.destroy();
      if (buffered.length < 2 + length) break;
      const message = Buffer.from(buffered.subarray(2, 2 + length));
      buffered = buffered.subarray(2 + length);
      inFlight++;
      idle.refresh();
      void Promise.resolve(answer(message, peer))
        .then((reply) => {
          inFlight--;
          if (socket.destroyed) return;
          if (reply === null) return void socket.destroy();
          socket.write(framed(reply));
          read();
        })
        .catch(() => socket.destroy());
    }
    if (inFlight >= limits.dnsTcpPipelined || socket.writableNeedDrain) socket.pause();
    else socket.resume();
    if (ended && inFlight === 0) socket.end();
  };

  socket.on("data", (chunk) => {
    buffered = Buffer.concat([buffered, chunk]);
    read();
  });
  socket.on("drain", read);
  socket.on("end", () => {
    ended = true;
    read();
  });
  socket.on("error", () => socket.destroy());
  socket.on("close", () => idle.close());
}

function framed(message: Buffer): Buffer {
  const frame = Buffer.alloc(2 + message.length);
  frame.writeUInt16BE(message.length, 0);
  frame.set(message, 2);
  return frame;
}
