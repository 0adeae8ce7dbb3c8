/**
 * Responses of local services that hang up at the worst moment, over http as a box reads it, over https,
 * and over http as Deno reads it. What came whole is whole for a visitor who waits; what did not is
 * broken; and an error that nobody catches, which would end the box's program, fails this file.
 */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { Pool } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LinkServer } from "../../agent/link.ts";
import { connectPatiently } from "../../agent/patient-socket.ts";
import { limits } from "../../protocol/limits.ts";
import { encodeHead } from "../../protocol/link/headers.ts";
import { Session } from "../../protocol/link/session.ts";

const WINDOW = limits.linkStreamWindowBytes;
/** What the window holds, and then just as much as makes the agent wait. */
const FULL = WINDOW + limits.linkWriteBufferBytes;
const turn = () => new Promise((resolve) => setImmediate(resolve));

const folder = mkdtempSync(join(tmpdir(), "latchkey-responses-"));
let tls: { readonly key: string; readonly cert: string };

beforeAll(() => {
  const line =
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost";
  execFileSync("openssl", line.split(" "), { cwd: folder, stdio: "pipe" });
  const read = (name: string) => readFileSync(join(folder, name), "utf8");
  tls = { key: read("key.pem"), cert: read("cert.pem") };
});
afterAll(() => rmSync(folder, { recursive: true }));

const ways = ["http", "https", "http as on Deno"] as const;

/** How a service says how long its answer is. */
const framings = {
  length: (body: Buffer) => [
    Buffer.from(`connection: close\r\ncontent-length: ${body.length}\r\n\r\n`),
    body,
  ],
  chunks: (body: Buffer) => [
    Buffer.from(
      `connection: close\r\ntransfer-encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n`,
    ),
    body,
    Buffer.from("\r\n0\r\n\r\n"),
  ],
  "its end": (body: Buffer) => [Buffer.from("connection: close\r\n\r\n"), body],
} as const;
type Framing = keyof typeof framings;

interface Box {
  readonly edge: Session;
  readonly server: LinkServer;
  readonly faults: string[];
}

function box(way: (typeof ways)[number], port: number): Box {
  const origin = `${way === "https" ? "https" : "http"}://localhost:${port}`;
  const faults: string[] = [];
  const session = {
    bufferedBytes: () => 0,
    soon: (work: () => void) => queueMicrotask(work),
    later: (work: () => void) => void setImmediate(work),
    onProtocolError: (reason: string) => void faults.push(reason),
  };
  const edge: Session = new Session(
    { ...session, send: (message) => server.onMessage(message.slice()) },
    { firstId: 101 },
  );
  const connect = connectPatiently({ ca: tls.cert });
  const server = new LinkServer({
    origin,
    ...(way === "http" ? {} : { dispatcher: new Pool(origin, { connect }) }),
    send: (message, sent) => {
      edge.receive(message.slice());
      sent();
    },
    bufferedAmount: () => 0,
    onProtocolError: session.onProtocolError,
  });
  return { edge, server, faults };
}

interface Asked {
  readonly way: (typeof ways)[number];
  /** What the service does with whom it has heard. */
  readonly serve: (socket: Socket, reset: () => void) => void;
  /** An upload that never ends. */
  readonly uploads?: boolean;
}

/** Asks and reads nothing until the service has hung up and everybody noticed; then everything. */
async function ask({ way, serve, uploads = false }: Asked) {
  const hungUp = Promise.withResolvers<void>();
  let raw: Socket | null = null;
  const serveOnce = (socket: Socket) => {
    socket.once("data", () => serve(socket, () => raw?.resetAndDestroy()));
    for (const over of ["finish", "close"]) socket.once(over, () => hungUp.resolve());
    socket.on("error", () => undefined);
  };
  const service: Server =
    way === "https" ? createTlsServer(tls, serveOnce) : createServer(serveOnce);
  service.on("connection", (socket) => {
    raw = socket;
    socket.on("error", () => undefined);
    socket.once("close", () => hungUp.resolve());
  });
  await new Promise<void>((listening) => service.listen(0, "localhost", listening));
  const { edge, server, faults } = box(way, (service.address() as AddressInfo).port);
  const got = { bytes: 0, held: 0, ended: false, reset: false };
  const method = uploads ? "POST" : "GET";
  const open = encodeHead({ service: "web", method, path: "/", headers: [] }) as Uint8Array;
  const stream = edge.open(open, !uploads, {
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
  if (uploads) stream.write(Buffer.alloc(1000));
  await hungUp.promise;
  for (let turns = 0; turns < 20; turns++) {
    if (uploads && !got.reset && !got.ended) stream.write(Buffer.alloc(1000));
    await turn();
  }
  while (!got.ended && !got.reset) {
    stream.consumed(got.held);
    got.held = 0;
    await turn();
  }
  expect(faults).toEqual([]);
  server.close();
  edge.close();
  await new Promise((closed) => service.close(closed));
  return got;
}

const head = Buffer.from("HTTP/1.1 200 OK\r\n");
const answer = (framing: Framing, bytes: number): Buffer[] => [
  head,
  ...framings[framing](Buffer.alloc(bytes, 7)),
];

describe.each(ways)("over %s, a response", (way) => {
  // Around each size at which somebody begins to wait.
  const sizes = [0, 1, WINDOW - 1, WINDOW, WINDOW + 1, FULL - 1, FULL, FULL + 1, FULL + 65536];
  const kinds = Object.keys(framings) as Framing[];
  it.each(kinds.flatMap((framing) => sizes.map((size) => [framing, size] as const)))(
    "told by %s, of %i bytes, is whole though its service hangs up with the last",
    async (framing, bytes) => {
      const got = await ask({
        way,
        serve: (socket) => void socket.end(Buffer.concat(answer(framing, bytes))),
      });
      expect(got).toMatchObject({ bytes, ended: true, reset: false });
    },
  );

  it.each(kinds)("told by %s is whole though its end comes alone and late", async (framing) => {
    const got = await ask({
      way,
      serve: (socket) => {
        socket.setNoDelay(true);
        socket.write(Buffer.concat(answer(framing, FULL)), () =>
          setTimeout(() => socket.end(), 20),
        );
      },
    });
    expect(got).toMatchObject({ bytes: FULL, ended: true, reset: false });
  });

  it.each(["length", "chunks"] as const)(
    "told by %s is broken where it breaks off",
    async (framing) => {
      for (const lacking of [1, 2, 3, 5, 8]) {
        const whole = Buffer.concat(answer(framing, FULL));
        const got = await ask({
          way,
          serve: (socket) => void socket.end(whole.subarray(0, whole.length - lacking)),
        });
        expect(got, `without ${lacking} bytes`).toMatchObject({ ended: false, reset: true });
      }
    },
  );

  it.each(kinds)("told by %s, reset by its service, ends no program", async (framing) => {
    for (const bytes of [WINDOW, FULL, FULL + 65536]) {
      const got = await ask({
        way,
        serve: (socket, reset) => {
          socket.write(Buffer.concat(answer(framing, bytes)), reset);
        },
      });
      expect(got).toMatchObject(got.reset ? { ended: false } : { ended: true, bytes });
    }
  });

  it.each(kinds)("told by %s ends no program while an upload goes on", async (framing) => {
    for (const bytes of [WINDOW, FULL, FULL + 65536]) {
      for (const leave of ["end", "destroySoon", "reset"] as const) {
        const got = await ask({
          way,
          uploads: true,
          serve: (socket, reset) => {
            const go = leave === "reset" ? reset : () => socket[leave]();
            socket.write(Buffer.concat(answer(framing, bytes)), go);
          },
        });
        // An answer that came first is whole; only the upload is given up then.
        expect(got).toMatchObject(got.ended ? { bytes } : { reset: true });
      }
    }
  });
});
