/**
 * Asks for names that nobody has, each another one, with signatures, at a steady pace.
 * `node flooder.ts udp PORT ZONE RATE` does so from sixty-four networks, `node flooder.ts doh ORIGIN ZONE
 * RATE` from one. `node flooder.ts bare ORIGIN ZONE RATE` does the same work for a worker that has none. Says
 * `true` when it has begun; whoever asks is told how many it has sent.
 */

import { createSocket } from "node:dgram";
import { Pool } from "undici";
import { writeAsk } from "../front/wire.ts";
import { nameOf } from "../protocol/dns/names.ts";
import { types } from "../protocol/dns/rdata.ts";

const NETWORKS = 64;
const CONNECTIONS = 32;
/** As short as Node allows: a flood comes evenly, and each of its questions meets another honest one. */
const TICK_MS = 1;
const [kind, target = "", zone = "", rate = "0"] = process.argv.slice(2);

const wire = (name: string) =>
  nameOf(name)
    .map((label) => String.fromCharCode(label.length) + label)
    .join("");
let sent = 0;
const next = () => writeAsk(wire(`random${sent++}.${zone}`), types.A, true);
const send = kind === "udp" ? await byUdp(Number(target)) : byHttp(target, kind === "bare");

const begun = performance.now();
setInterval(() => {
  const due = ((performance.now() - begun) / 1000) * Number(rate);
  while (sent < due) send(next());
}, TICK_MS);
process.on("message", () => process.send?.(sent));
process.send?.(true);

async function byUdp(port: number): Promise<(message: Buffer) => void> {
  const sockets = Array.from({ length: NETWORKS }, () => createSocket("udp4"));
  for (const [at, socket] of sockets.entries()) {
    await new Promise<void>((bound) => socket.bind(0, `127.77.${at}.1`, bound));
  }
  return (message) => sockets[sent % NETWORKS]?.send(message, port, "127.0.0.1");
}

function byHttp(origin: string, isBare: boolean): (message: Buffer) => void {
  const pool = new Pool(origin, { connections: CONNECTIONS, pipelining: 1 });
  return (message) => {
    const asked = `/dns-query?dns=${message.toString("base64url")}`;
    const path = isBare ? "/plain" : asked;
    void pool.request({ path, method: "GET" }).then(({ body }) => body.dump());
  };
}
