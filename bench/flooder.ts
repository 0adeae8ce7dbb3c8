/**
 * Asks for names that nobody has, each another one, with signatures, at a steady pace, and with as little work
 * as that can be done: who floods from elsewhere takes nothing of this machine.
 * `node flooder.ts udp PORT ZONE RATE` does so from sixty-four networks, `node flooder.ts doh ORIGIN ZONE
 * RATE` from one. `node flooder.ts bare ORIGIN ZONE RATE` does the same work for a worker that has none. Says
 * `true` when it has begun; whoever asks is told how many it has sent, and how many HTTP answers came.
 */

import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import { writeAsk } from "../front/wire.ts";
import { nameOf } from "../protocol/dns/names.ts";
import { types } from "../protocol/dns/rdata.ts";

const NETWORKS = 64;
const CONNECTIONS = 32;
/** A flood comes evenly, and each of its questions meets another honest one: at 500 a second no two come at once. */
const TICK_MS = 2;
/** So far. */
export interface Told {
  readonly sent: number;
  readonly answered: number;
}
const [kind, target = "", zone = "", rate = "0"] = process.argv.slice(2);

const wire = (name: string) =>
  nameOf(name)
    .map((label) => String.fromCharCode(label.length) + label)
    .join("");
let sent = 0;
let answered = 0;
/** Another one in each run too: a name that was denied once is denied from memory. */
const run = randomBytes(4).toString("hex");
const next = () => writeAsk(wire(`${run}-${sent++}.${zone}`), types.A, true);
const send = kind === "udp" ? await byUdp(Number(target)) : await byHttp(target, kind === "bare");

const begun = performance.now();
setInterval(() => {
  const due = ((performance.now() - begun) / 1000) * Number(rate);
  while (sent < due) send(next());
}, TICK_MS);
process.on("message", () => process.send?.({ sent, answered } satisfies Told));
process.send?.(true);

async function byUdp(port: number): Promise<(message: Buffer) => void> {
  const sockets = Array.from({ length: NETWORKS }, () => createSocket("udp4"));
  for (const [at, socket] of sockets.entries()) {
    await new Promise<void>((bound) => socket.bind(0, `127.77.${at}.1`, bound));
  }
  return (message) => sockets[sent % NETWORKS]?.send(message, port, "127.0.0.1");
}

/** Requests go out as they are due, whoever still waits; what comes back is read and left. */
async function byHttp(origin: string, isBare: boolean): Promise<(message: Buffer) => void> {
  const { host, hostname, port } = new URL(origin);
  const count = () => ++answered > 0; // an answer is one piece, for a connection is idle between two
  const into = { buffer: Buffer.alloc(1 << 16), callback: count };
  const sockets = Array.from({ length: CONNECTIONS }, () =>
    connect({ host: hostname, port: Number(port), noDelay: true, onread: into }),
  );
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  for (const socket of sockets) socket.once("close", () => process.exit(1));
  return (message) => {
    const path = isBare ? "/plain" : `/dns-query?dns=${message.toString("base64url")}`;
    sockets[sent % CONNECTIONS]?.write(`GET ${path} HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
  };
}
