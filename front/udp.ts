/** DNS over UDP. What floods is answered TC, which sends whoever means it to TCP. */

import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";
import { limits } from "../protocol/limits.ts";
import { listening } from "./listen.ts";
import type { Transport } from "./tcp.ts";

/**
 * The answer to a datagram of `peer`; null when it deserves none.
 * @param mayWait false while as many wait for the edge as may: who would have to is sent to TCP
 */
export type AnswerUdp = (
  message: Buffer,
  peer: string,
  mayWait: boolean,
) => Buffer | null | Promise<Buffer | null>;

/** @throws Sentence when it cannot listen */
export async function startUdp(host: string, port: number, answer: AnswerUdp): Promise<Transport> {
  const socket = createSocket({
    type: isIPv6(host) ? "udp6" : "udp4",
    // What is sent goes to an address always; nothing is looked up.
    lookup: (name, _options, done) => done(null, name, isIPv6(name) ? 6 : 4),
  });
  let inFlight = 0;
  const send = (octets: Buffer | null, to: number, address: string) => {
    if (octets !== null) socket.send(octets, to, address);
  };
  socket.on("message", (message, client) => {
    // What is in memory is said also while an edge that hangs keeps many waiting.
    const said = answer(message, client.address, inFlight < limits.dnsFrontInFlight);
    if (!(said instanceof Promise)) return send(said, client.port, client.address);
    inFlight++;
    void said
      .then((octets) => send(octets, client.port, client.address))
      .catch(() => undefined) // closed while the edge was thinking
      .finally(() => inFlight--);
  });
  await listening(socket, host, port, () => socket.bind(port, host));
  // Bursts wait here; where the system allows less, it gives less.
  try {
    socket.setRecvBufferSize(limits.dnsSocketBytes);
    socket.setSendBufferSize(limits.dnsSocketBytes);
  } catch {
    // Not every runtime lets it be set.
  }
  return {
    port: socket.address().port,
    close: () => new Promise((done) => socket.close(() => done())),
  };
}
