/**
 * `npm run dns`: speaks DNS over UDP and TCP and asks the edge over HTTPS (RFC 8484). It holds no
 * zone and keeps nothing: with the edge away it answers SERVFAIL. Runs on Node and on Deno.
 */

import { createSocket } from "node:dgram";
import { createServer, isIPv6, type Server, type Socket } from "node:net";
import { setTimeout as after } from "node:timers";
import { parseArgs } from "node:util";
import {
  empty,
  type Query,
  rcodes,
  readQuery,
  udpBytes,
  writeAnswer,
  writeError,
  writeTruncated,
} from "../protocol/dns/message.ts";
import { limits } from "../protocol/limits.ts";
import { Sentence } from "./local/options.ts";

const MEDIA_TYPE = "application/dns-message";
const HEADER_BYTES = 12;

export interface FrontOptions {
  /** The edge's origin, e.g. `https://latchkey.example`. */
  readonly edge: string;
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
}

export interface Front {
  readonly port: number;
  close(): Promise<void>;
}

/** Answers one message; null when it deserves no answer. */
type Answerer = (
  message: Uint8Array,
) => Promise<{ query: Query | null; answer: Uint8Array } | null>;

/** Starts the front; the promise resolves when both transports listen on the same port. */
export async function startFront(options: FrontOptions): Promise<Front> {
  const answer = answererOf(options.edge);
  if (options.port !== 0) return await startBoth(options, answer);
  // A port that is free for UDP may be in use for TCP: then any other will do.
  for (let left = limits.dnsFrontPortTries; ; left--) {
    try {
      return await startBoth(options, answer);
    } catch (error) {
      if (left <= 1) throw error;
    }
  }
}

async function startBoth(options: FrontOptions, answer: Answerer): Promise<Front> {
  const udp = await startUdp(options, answer);
  try {
    const tcp = await startTcp({ ...options, port: udp.port }, answer);
    return {
      port: udp.port,
      close: async () => void (await Promise.all([udp.close(), tcp.close()])),
    };
  } catch (error) {
    await udp.close();
    throw error;
  }
}

function answererOf(edge: string): Answerer {
  const url = new URL("/dns-query", edge);
  return async (message) => {
    const read = readQuery(message);
    if (read.kind === "unanswerable") return null;
    if (read.kind === "malformed") {
      return { query: null, answer: writeError(read.head, rcodes.formatError) };
    }
    const answer = await askEdge(url, message).catch(() => null);
    const { query } = read;
    return { query, answer: answer ?? writeAnswer(query, empty(rcodes.serverFailure)) };
  };
}

/** The edge's answer; null when it gave none that belongs to this question. */
async function askEdge(url: URL, message: Uint8Array): Promise<Uint8Array | null> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": MEDIA_TYPE, accept: MEDIA_TYPE },
    body: Uint8Array.from(message),
    redirect: "error",
    signal: AbortSignal.timeout(limits.dnsFrontEdgeMs),
  });
  const answer = new Uint8Array(await response.arrayBuffer());
  const belongs =
    response.status === 200 &&
    answer.length >= HEADER_BYTES &&
    answer.length <= 0xffff &&
    answer[0] === message[0] &&
    answer[1] === message[1];
  return belongs ? answer : null;
}

async function startUdp({ host, port }: FrontOptions, answerer: Answerer): Promise<Front> {
  const socket = createSocket(isIPv6(host) ? "udp6" : "udp4");
  let inFlight = 0;
  socket.on("message", (message, client) => {
    // Over its limit it is silent, as a full queue would be; clients ask again.
    if (inFlight >= limits.dnsFrontInFlight) return;
    inFlight++;
    void answerer(message)
      .then((reply) => {
        if (reply === null) return;
        const { query, answer } = reply;
        const fits = query === null || answer.length <= udpBytes(query);
        socket.send(fits ? answer : writeTruncated(query, answer), client.port, client.address);
      })
      .catch(() => undefined) // closed while the edge was thinking
      .finally(() => inFlight--);
  });
  await listening(socket, host, port, () => socket.bind(port, host));
  return {
    port: socket.address().port,
    close: () => new Promise((done) => socket.close(() => done())),
  };
}

async function startTcp({ host, port }: FrontOptions, answerer: Answerer): Promise<Front> {
  const open = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    converse(socket, answerer);
  });
  server.maxConnections = limits.dnsTcpConnections;
  await listening(server, host, port, () => server.listen(port, host));
  return {
    port,
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
function converse(socket: Socket, answerer: Answerer): void {
  const idle = after(() => socket.destroy(), limits.dnsTcpIdleMs);
  let buffered = Buffer.alloc(0);
  let inFlight = 0;
  let ended = false;

  const read = () => {
    while (buffered.length >= 2 && inFlight < limits.dnsTcpPipelined && !socket.writableNeedDrain) {
      const length = buffered.readUInt16BE(0);
      if (length < HEADER_BYTES || length > limits.dnsMessageBytes) return void socket.destroy();
      if (buffered.length < 2 + length) break;
      const message = Uint8Array.from(buffered.subarray(2, 2 + length));
      buffered = buffered.subarray(2 + length);
      inFlight++;
      idle.refresh();
      void answerer(message)
        .then((reply) => {
          inFlight--;
          if (socket.destroyed) return;
          if (reply === null) return void socket.destroy();
          socket.write(framed(reply.answer));
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

function framed(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(2 + message.length);
  frame.writeUInt16BE(message.length, 0);
  frame.set(message, 2);
  return frame;
}

interface Listener {
  once(event: "listening", handler: () => void): unknown;
  once(event: "error", handler: (error: NodeJS.ErrnoException) => void): unknown;
  on(event: "error", handler: () => void): unknown;
}

/** Waits until it listens; what cannot work becomes a sentence. */
function listening(
  listener: Listener,
  host: string,
  port: number,
  listen: () => void,
): Promise<void> {
  return new Promise((ready, refuse) => {
    listener.once("listening", () => {
      // A datagram that could not be sent is the network's loss, not ours.
      listener.on("error", () => undefined);
      ready();
    });
    listener.once("error", (error) => refuse(new Sentence(whyNot(error, host, port))));
    listen();
  });
}

function whyNot(error: NodeJS.ErrnoException, host: string, port: number): string {
  switch (error.code) {
    case "EADDRINUSE":
      return `Port ${port} on ${host} is taken. Choose another: npm run dns -- --port ${port + 1}`;
    case "EACCES":
      return `Port ${port} needs more rights than you have. Choose another: npm run dns -- --port 5353`;
    default:
      return `${host}:${port} cannot be listened on (${error.code ?? error.message}).`;
  }
}

const usage = `Usage: npm run dns -- [options]

  --edge <url>   the edge to ask (http://localhost:8787)
  --host <ip>    the address to listen on (127.0.0.1)
  --port <n>     the port to listen on, UDP and TCP (5353)
  --help         this text
`;

/** Reads the command line; null when only the usage was asked for. */
export function readFrontOptions(args: readonly string[]): FrontOptions | null {
  let values: { edge?: string; host?: string; port?: string; help?: boolean };
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        edge: { type: "string" },
        host: { type: "string" },
        port: { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    }));
  } catch (error) {
    throw new Sentence(`${error instanceof Error ? error.message : error}\n\n${usage}`);
  }
  if (values.help) return null;
  const edge = values.edge ?? "http://localhost:8787";
  if (!URL.canParse(edge) || !/^https?:$/.test(new URL(edge).protocol)) {
    throw new Sentence(
      `--edge takes the edge's address, like http://localhost:8787, not "${edge}".`,
    );
  }
  const port = Number(values.port ?? "5353");
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new Sentence(`--port takes a number from 0 to 65535, not "${values.port}".`);
  }
  return { edge, host: values.host ?? "127.0.0.1", port };
}

async function main(args: readonly string[]): Promise<void> {
  const options = readFrontOptions(args);
  if (options === null) {
    console.log(usage);
    return;
  }
  const front = await startFront(options);
  console.log(
    `Answering DNS on ${options.host} port ${front.port}, UDP and TCP, from ${options.edge}\n` +
      `Try: dig @${options.host} -p ${front.port} <name>   (Ctrl-C stops)`,
  );
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => void front.close().then(() => process.exit(0)));
  }
}

if (import.meta.main) {
  await main(process.argv.slice(2)).catch((error) => {
    console.error(error instanceof Sentence ? error.message : error);
    process.exit(1);
  });
}
