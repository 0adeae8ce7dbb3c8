/** Memory that is lent for long bodies: every byte is what was sent, and all of it comes back. */

import { createHash, randomBytes } from "node:crypto";
import type { AddressInfo } from "node:net";
import { createServer, type Server, type Socket } from "node:net";
import { type Dispatcher, Pool } from "undici";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { connectLending, type Lender, lendRest, memoryLent } from "../../agent/lending-socket.ts";
import { limits } from "../../protocol/limits.ts";

let server: Server;
let pool: Pool;
let answer: (socket: Socket) => void;

beforeEach(async () => {
  server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", () => answer(socket));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  pool = new Pool(`http://127.0.0.1:${port}`, {
    connections: 1,
    connect: connectLending,
    maxHeaderSize: limits.linkHeadBytes,
  });
});

afterEach(async () => {
  await pool.destroy();
  await new Promise((closed) => server.close(closed));
});

interface Got {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly digest: string;
  /** How many pieces lay in memory that was lent. */
  readonly lent: number;
}

/**
 * Asks, and looks at each piece only when `keep` others came after it.
 * @param pauseEvery stops reading after so many pieces, until all that is kept was looked at
 */
function ask(keep: number, pauseEvery = 0): Promise<Got> {
  const hash = createHash("sha256");
  const kept: { chunk: Buffer; free: (() => void) | null }[] = [];
  let lender: Lender | null = null;
  let lent = 0;
  let pieces = 0;
  let head: Pick<Got, "status" | "headers"> = { status: 0, headers: {} };
  const look = (left: number) => {
    while (kept.length > left) {
      const first = kept.shift();
      if (first === undefined) return;
      hash.update(first.chunk);
      first.free?.();
    }
  };
  return new Promise((resolve, reject) => {
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart: () => undefined,
      onResponseStart(_controller, status, headers) {
        head = { status, headers };
        if (headers["content-length"] !== undefined) lender = lendRest();
      },
      onResponseData(controller, chunk) {
        const free = lender?.hold(chunk) ?? null;
        if (free !== null) lent++;
        kept.push({ chunk, free });
        look(keep);
        if (pauseEvery === 0 || ++pieces % pauseEvery !== 0) return;
        controller.pause();
        setImmediate(() => {
          look(0);
          controller.resume();
        });
      },
      onResponseEnd() {
        lender?.stop();
        look(0);
        resolve({ ...head, digest: hash.digest("hex"), lent });
      },
      onResponseError: (_controller, error) => {
        look(0);
        reject(error);
      },
    };
    pool.dispatch({ method: "GET", path: "/" }, handler);
  });
}

const digestOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const body = randomBytes(24 * 1024 * 1024);

/** As long as the loop takes to see what has arrived. */
async function turns(): Promise<void> {
  for (let left = 20; left > 0; left--) await new Promise((next) => setImmediate(next));
}

/** Sends `bytes` in pieces of changing length. */
function sendAll(socket: Socket, head: string, bytes: Uint8Array): void {
  socket.write(head);
  for (let at = 0, step = 1; at < bytes.byteLength; step = (step * 7 + 13) % 400_000) {
    socket.write(bytes.subarray(at, at + step + 1));
    at += step + 1;
  }
}

describe("memory that is lent", () => {
  it.each([
    ["looked at when it comes", 0, 0],
    ["kept for a while", 5, 0],
    ["kept beyond all that may be lent", 1000, 0],
    ["read in pauses", 3, 2],
    ["read with a pause after each piece", 0, 1],
  ])("holds every byte of a long body %s, and comes back", async (_what, keep, pauseEvery) => {
    const long = `HTTP/1.1 200 OK\r\ncontent-length: ${body.byteLength}\r\n\r\n`;
    answer = (socket) => sendAll(socket, long, body);
    for (let round = 0; round < 3; round++) {
      const got = await ask(keep, pauseEvery);
      expect(got.digest).toBe(digestOf(body));
      expect(got.lent).toBeGreaterThan(0);
    }
    await pool.destroy();
    expect(memoryLent().held).toBe(0);
    expect(memoryLent().bytes).toBeLessThanOrEqual(limits.agentLentBuffers * limits.agentReadBytes);
  });

  it("is not lent for a head, however it comes, nor for a body without a length", async () => {
    const value = "v".repeat(30_000);
    const pieces = [
      "HTTP/1.1 200 OK\r\nfirst: ",
      value.slice(0, 11_000),
      value.slice(11_000),
      "\r\nsec",
      `ond: ${value}\r\ntransfer-encoding: chunked\r\n\r\n`,
      `${body.byteLength.toString(16)}\r\n`,
    ];
    const long = `HTTP/1.1 200 OK\r\ncontent-length: ${body.byteLength}\r\n\r\n`;
    answer = (socket) => sendAll(socket, long, body);
    expect((await ask(3)).digest).toBe(digestOf(body));
    answer = (socket) => {
      const next = () => {
        const piece = pieces.shift();
        if (piece !== undefined) socket.write(piece, () => setImmediate(next));
        else socket.end(Buffer.concat([body, Buffer.from("\r\n0\r\n\r\n")]));
      };
      next();
    };
    const got = await ask(3);
    expect(got.headers.first).toBe(value);
    expect(got.headers.second).toBe(value);
    expect(got.digest).toBe(digestOf(body));
    expect(got.lent).toBe(0);
  });

  it.each(["keep-alive", "close"])(
    "ends as a whole body for a reader that waits longer than the service does (%s)",
    async (connection) => {
      const short = body.subarray(0, 200_000);
      const head = `HTTP/1.1 200 OK\r\nconnection: ${connection}\r\ncontent-length: ${short.byteLength}\r\n\r\n`;
      const sent = Promise.withResolvers<void>();
      answer = (socket) => {
        socket.once("finish", sent.resolve);
        socket.write(head);
        socket.end(short);
      };
      const hash = createHash("sha256");
      await new Promise<void>((resolve, reject) => {
        pool.dispatch(
          { method: "GET", path: "/" },
          {
            onRequestStart: () => undefined,
            onResponseStart: () => undefined,
            onResponseData(controller, chunk) {
              hash.update(chunk);
              controller.pause();
              void sent.promise.then(turns).then(() => controller.resume());
            },
            onResponseEnd: () => resolve(),
            onResponseError: (_controller, error) => reject(error),
          },
        );
      });
      expect(hash.digest("hex")).toBe(digestOf(short));
    },
  );

  it("comes back when its reader wants none of it", async () => {
    answer = (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.byteLength}\r\n\r\n`);
    };
    await new Promise<void>((resolve) => {
      pool.dispatch(
        { method: "GET", path: "/" },
        {
          onRequestStart: () => undefined,
          onResponseStart(controller) {
            expect(lendRest()).not.toBeNull();
            controller.abort(new Error("not wanted"));
          },
          onResponseData: () => undefined,
          onResponseEnd: () => resolve(),
          onResponseError: () => resolve(),
        },
      );
    });
    await turns();
    expect(memoryLent().held).toBe(0);
  });

  it("comes back when the service breaks off, and when nobody reads on", async () => {
    const long = `HTTP/1.1 200 OK\r\ncontent-length: ${body.byteLength}\r\n\r\n`;
    answer = (socket) => {
      socket.write(long);
      socket.write(body.subarray(0, body.byteLength / 2), () => socket.destroy());
    };
    await expect(ask(5)).rejects.toThrow();
    await expect(ask(5, 2)).rejects.toThrow();
    await pool.destroy();
    expect(memoryLent().held).toBe(0);
  });
});
