/**
 * A local service that hangs up at the worst moment, and a box that asks it for a visitor who waits. Runs
 * on Node and on Deno.
 */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { Pool } from "undici";
import { LinkServer } from "../../agent/link.ts";
import { connectPatiently } from "../../agent/patient-socket.ts";
import { limits } from "../../protocol/limits.ts";
import { encodeHead } from "../../protocol/link/headers.ts";
import { Session } from "../../protocol/link/session.ts";

export const WINDOW = limits.linkStreamWindowBytes;
/** What the window holds, and then just as much as makes the agent wait. */
export const FULL = WINDOW + limits.linkWriteBufferBytes;
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** `http as on Deno`: with the connections that a box on Deno has, wherever this runs. */
export const ways = ["http", "https", "http as on Deno"] as const;
export type Way = (typeof ways)[number];

let made: { readonly key: string; readonly cert: string } | null = null;

/** What the service shows over https. */
function tls(): { readonly key: string; readonly cert: string } {
  if (made !== null) return made;
  const folder = mkdtempSync(join(tmpdir(), "latchkey-responses-"));
  const line =
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost";
  execFileSync("openssl", line.split(" "), { cwd: folder, stdio: "pipe" });
  const read = (name: string) => readFileSync(join(folder, name), "utf8");
  made = { key: read("key.pem"), cert: read("cert.pem") };
  rmSync(folder, { recursive: true });
  return made;
}

/** How a service says how long its answer is. */
export const framings = {
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
export type Framing = keyof typeof framings;

interface Box {
  readonly edge: Session;
  readonly server: LinkServer;
  readonly faults: string[];
}

function box(way: Way, port: number): Box {
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
  const server = new LinkServer({
    origin,
    ...(way === "http"
      ? {}
      : {
          dispatcher: new Pool(origin, {
            connect: connectPatiently(way === "https" ? { ca: tls().cert } : {}),
          }),
        }),
    send: (message, sent) => {
      edge.receive(message.slice());
      sent();
    },
    bufferedAmount: () => 0,
    onProtocolError: session.onProtocolError,
  });
  return { edge, server, faults };
}

export interface Asked {
  readonly way: Way;
  /** What the service does with whom it has heard. */
  readonly serve: (socket: Socket, reset: () => void) => void;
  /** An upload that never ends. */
  readonly uploads?: boolean;
}

/** Asks and reads nothing until the service has hung up and everybody noticed; then everything. */
export async function ask({ way, serve, uploads = false }: Asked) {
  const hungUp = Promise.withResolvers<void>();
  let raw: Socket | null = null;
  const serveOnce = (socket: Socket) => {
    socket.once("data", () => serve(socket, () => raw?.resetAndDestroy()));
    for (const over of ["finish", "close"]) socket.once(over, () => hungUp.resolve());
    socket.on("error", () => undefined);
  };
  const service: Server =
    way === "https" ? createTlsServer(tls(), serveOnce) : createServer(serveOnce);
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
  if (faults.length > 0) throw new Error(`the protocol was broken: ${faults.join()}`);
  server.close();
  edge.close();
  await new Promise((closed) => service.close(closed));
  return got;
}

const head = Buffer.from("HTTP/1.1 200 OK\r\n");
export const answer = (framing: Framing, bytes: number): Buffer[] => [
  head,
  ...framings[framing](Buffer.alloc(bytes, 7)),
];
