/** DNS over UDP. What floods is answered TC, which sends whoever means it to TCP. */

import { createSocket, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import { limits } from "../protocol/limits.ts";
import type { Answerer } from "./answerer.ts";
import type { Budgets } from "./budgets.ts";
import { listening } from "./listen.ts";
import type { Transport } from "./tcp.ts";

/** The answer to a datagram of `peer`; null when it deserves none. */
export type AnswerUdp = (message: Buffer, peer: string) => Buffer | null | Promise<Buffer | null>;

/** Answers what comes over UDP: in full, as long as the budgets let it. */
export function overUdp(answerer: Answerer, budgets: Budgets): AnswerUdp {
  return (message, peer) => {
    if (!budgets.take(peer)) return answerer.curt(message);
    const said = answerer.answer(message, budgets.of(peer, true));
    // What is in memory is said also while an edge that hangs keeps many waiting.
    return said instanceof Promise ? budgets.wait(said) : said;
  };
}

/**
 * @param isShared the port is shared with sockets of the same user that say so too: the system hands each
 * client's datagrams to one of them
 * @throws Sentence when it cannot listen
 */
export async function startUdp(
  host: string,
  port: number,
  answer: AnswerUdp,
  isShared = false,
): Promise<Transport> {
  const socket = newSocket(host, isShared);
  const send = (octets: Buffer | null, to: number, address: string) => {
    if (octets !== null) socket.send(octets, to, address);
  };
  socket.on("message", (message, client) => {
    const said = answer(message, client.address);
    if (!(said instanceof Promise)) return send(said, client.port, client.address);
    void said.then((octets) => send(octets, client.port, client.address)).catch(() => undefined); // closed while the edge was thinking
  });
  await listening(socket, host, port, () => socket.bind(port, host));
  // Bursts wait here; where the system allows less, it gives less.
  try {
    socket.setRecvBufferSize(limits.dnsSocketBytes);
    socket.setSendBufferSize(limits.dnsSocketBytes);
  } catch {
    // Not every runtime lets it be set.
  }
  return { port: socket.address().port, close: () => closed(socket) };
}

/**
 * Whether several sockets may have the same port here, each with its share of the datagrams. macOS and
 * Windows know no such thing, and Deno does not ask for it.
 */
export async function canSharePorts(host: string): Promise<boolean> {
  const sockets = [newSocket(host, true), newSocket(host, true)] as const;
  const [first, second] = sockets;
  try {
    await listening(first, host, 0, () => first.bind(0, host));
    const { port } = first.address();
    await listening(second, host, port, () => second.bind(port, host));
    return true;
  } catch {
    return false;
  } finally {
    for (const socket of sockets) socket.close();
  }
}

/** Finds out whether anybody has the port: who shares it is let in beside others of the same user. */
export async function findFree(host: string, port: number): Promise<void> {
  const socket = newSocket(host, false);
  await listening(socket, host, port, () => socket.bind(port, host));
  await closed(socket);
}

function newSocket(host: string, reusePort: boolean): Socket {
  const family = isIPv6(host) ? 6 : 4;
  return createSocket({
    type: `udp${family}`,
    // What is sent goes to an address always; nothing is looked up.
    lookup: (name, _options, done) => done(null, name, family),
    reusePort,
  });
}

function closed(socket: Socket): Promise<void> {
  return new Promise((done) => socket.close(() => done()));
}
