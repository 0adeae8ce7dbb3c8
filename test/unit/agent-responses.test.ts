/** Responses of the local service over undici's own connections, as those of https are, and all on Deno. */

import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { Pool } from "undici";
import { expect, it } from "vitest";
import { LinkServer } from "../../agent/link.ts";
import { limits } from "../../protocol/limits.ts";
import { encodeHead } from "../../protocol/link/headers.ts";
import { Session } from "../../protocol/link/session.ts";

const open = encodeHead({ service: "web", method: "GET", path: "/", headers: [] }) as Uint8Array;
const turn = () => new Promise((resolve) => setImmediate(resolve));

it("are whole for a visitor who waits at the last byte, though the service has hung up", async () => {
  // What the window holds, and then just as much as makes the agent wait.
  const length = limits.linkStreamWindowBytes + limits.linkWriteBufferBytes;
  const hungUp = Promise.withResolvers<void>();
  const service = createServer((socket) => {
    socket.once("data", () => {
      socket.write(`HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: ${length}\r\n\r\n`);
      socket.end(Buffer.alloc(length, 7));
    });
    socket.once("close", () => hungUp.resolve());
    socket.once("error", () => undefined);
  });
  await new Promise<void>((listening) => service.listen(0, "127.0.0.1", listening));
  const origin = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
  const faults: string[] = [];
  const port = {
    bufferedBytes: () => 0,
    soon: (work: () => void) => queueMicrotask(work),
    later: (work: () => void) => void setImmediate(work),
    onProtocolError: (reason: string) => void faults.push(reason),
  };
  const edge: Session = new Session(
    { ...port, send: (message) => server.onMessage(message.slice()) },
    { firstId: 101 },
  );
  const server = new LinkServer({
    origin,
    dispatcher: new Pool(origin),
    send: (message, sent) => {
      edge.receive(message.slice());
      sent();
    },
    bufferedAmount: () => 0,
    onProtocolError: port.onProtocolError,
  });
  const got = { bytes: 0, held: 0, ended: false, reset: false };
  const stream = edge.open(open, true, {
    head: () => true,
    data: (bytes) => {
      got.bytes += bytes.byteLength;
      got.held += bytes.byteLength;
    },
    end: () => {
      got.ended = true;
    },
    reset: () => {
      got.reset = true;
    },
    drain: () => undefined,
  });
  while (got.bytes < limits.linkStreamWindowBytes) await turn();
  await hungUp.promise;
  for (let turns = 0; turns < 20; turns++) await turn();
  expect(got).toMatchObject({ bytes: limits.linkStreamWindowBytes, ended: false, reset: false });
  while (!got.ended && !got.reset) {
    stream.consumed(got.held);
    got.held = 0;
    await turn();
  }
  expect(got).toMatchObject({ bytes: length, ended: true, reset: false });
  expect(faults).toEqual([]);
  server.close();
  edge.close();
  await new Promise((closed) => service.close(closed));
});
