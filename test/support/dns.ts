/** Questions to a DNS server by an independent implementation of the protocol, over UDP or TCP. */

import { createSocket } from "node:dgram";
import { connect } from "node:net";
import packet from "dns-packet";

export type Kind = "A" | "AAAA" | "TXT" | "SOA" | "NS" | "ANY" | "DNSKEY" | "NSEC";

export interface Looked {
  readonly rcode: string;
  readonly truncated: boolean;
  readonly authoritative: boolean;
  /** `name type data`, in order. */
  readonly answers: readonly string[];
  readonly authorities: readonly string[];
}

let serial = 1;

/** A question as octets. */
export function question(name: string, type: Kind = "A", dnssecOk: boolean | null = null): Buffer {
  const additionals =
    dnssecOk === null
      ? []
      : [
          {
            ...{ type: "OPT" as const, name: ".", udpPayloadSize: 1232, extendedRcode: 0 },
            ...{ ednsVersion: 0, flags: dnssecOk ? packet.DNSSEC_OK : 0, options: [] },
            flag_do: dnssecOk,
          },
        ];
  return packet.encode({
    type: "query",
    id: serial++ % 65536,
    flags: packet.RECURSION_DESIRED,
    questions: [{ name, type: type as "A" }],
    additionals,
  });
}

/** An answer as an independent parser reads it. */
export function readAnswer(message: Buffer): Looked {
  const read = packet.decode(message) as packet.DecodedPacket & { rcode: string };
  const section = (records: packet.Answer[] | undefined) =>
    (records ?? []).map((record) => {
      const data = "data" in record ? record.data : "";
      return `${record.name} ${record.type} ${typeof data === "string" ? data : JSON.stringify(data)}`;
    });
  return {
    rcode: read.rcode,
    truncated: read.flag_tc,
    authoritative: read.flag_aa,
    answers: section(read.answers),
    authorities: section(read.authorities),
  };
}

/** Asks over UDP, again and again while nobody answers. */
export function exchange(port: number, message: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket("udp4");
    const again = setInterval(() => socket.send(message, port, "127.0.0.1"), 2000);
    const giveUp = setTimeout(() => end(() => reject(new Error("no answer"))), 20_000);
    const end = (done: () => void) => {
      clearInterval(again);
      clearTimeout(giveUp);
      socket.close();
      done();
    };
    socket.once("message", (answer) => end(() => resolve(answer)));
    socket.send(message, port, "127.0.0.1");
  });
}

/** Asks over TCP. */
export async function exchangeTcp(port: number, message: Buffer): Promise<Buffer> {
  const socket = connect(port, "127.0.0.1");
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  socket.end(Buffer.concat([length, message]));
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).subarray(2);
}

/** What `name` resolves to over UDP. */
export async function look(port: number, name: string, type: Kind = "A"): Promise<Looked> {
  return readAnswer(await exchange(port, question(name, type)));
}
