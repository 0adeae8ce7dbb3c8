/**
 * Messages that nobody should send, by the million: generated questions, whole and mutated, answered as
 * the edge and as a front that holds the zone would, each answer read by an independent parser. The same
 * seed makes the same messages.
 */

import packet from "dns-packet";
import { Answerer, type Manner } from "../../front/answerer.ts";
import type { Edge } from "../../front/edge.ts";
import {
  rcodes,
  readQuery,
  udpBytes,
  writeAnswer,
  writeError,
  writeTruncated,
} from "../../protocol/dns/message.ts";
import type { RecordSet } from "../../protocol/dns/sets.ts";
import { memoryZone, newKey } from "./zone.ts";

const APEX = "ddns.test";
const NOW = 1_800_000_000_000;
const UPDATE = 5;

/** Everything that a device may publish. */
const sets: readonly RecordSet[] = [
  { owner: "", type: "A", ttl: 60, data: [{ type: "A", address: "192.0.2.1" }] },
  { owner: "", type: "AAAA", ttl: 60, data: [{ type: "AAAA", address: "2001:db8::1" }] },
  {
    owner: "",
    type: "CAA",
    ttl: 60,
    data: [{ type: "CAA", flags: 0, tag: "issue", value: "ca.example; accounturi=x" }],
  },
  {
    owner: "",
    type: "HTTPS",
    ttl: 60,
    data: [{ type: "HTTPS", priority: 1, target: [], params: { alpn: ["h2"], port: 8443 } }],
  },
  { owner: "*", type: "A", ttl: 60, data: [{ type: "A", address: "192.0.2.2" }] },
  {
    owner: "_acme-challenge",
    type: "TXT",
    ttl: 60,
    data: ["one", "two"].map((text) => ({ type: "TXT" as const, texts: [text.repeat(40)] })),
  },
];

export interface Fuzzed {
  readonly messages: number;
  readonly answered: number;
  /** How many answers had each code. */
  readonly rcodes: Readonly<Record<string, number>>;
}

/** @throws Error that shows the message which was answered wrongly, and by whom */
export async function fuzz(
  messages: number,
  seed: number,
  tell: (done: number) => void = () => {},
): Promise<Fuzzed> {
  const zone = await memoryZone(await newKey(), NOW);
  const asEdge = async (message: Uint8Array): Promise<Uint8Array | null> => {
    const read = readQuery(message);
    if (read.kind === "unanswerable") return null;
    if (read.kind === "malformed") return writeError(read.head, rcodes.formatError);
    const answer = await zone.answer(read.query, (label) => (label === "nas" ? sets : null));
    const whole = writeAnswer(read.query, answer);
    return whole.length <= udpBytes(read.query) ? whole : writeTruncated(read.query, whole);
  };
  const edge = { ask: async (message: Uint8Array) => bufferOf(await asEdge(message)) };
  const front = new Answerer({ edge: edge as unknown as Edge, zone: APEX, now: () => NOW });
  const held = sets.map((set) => ({ ...set, signatures: [] }));
  const name = { id: "nas", names: [{ label: "nas", sets: held }] };
  front.hear({ kind: "page", whole: true, names: [name], to: { epoch: "e", seq: 1 }, end: true });
  await front.refresh();
  const manner: Manner = { udp: true, mayAsk: () => true, mayInvent: () => true };
  const random = generator(seed);
  const seen: Record<string, number> = {};
  let answered = 0;
  for (let at = 0; at < messages; at++) {
    const message = random.message();
    for (const [who, answer] of [
      ["edge", bufferOf(await asEdge(message))],
      ["front", await front.answer(Buffer.from(message), manner)],
    ] as const) {
      try {
        const rcode = judge(message, answer);
        if (rcode === null) continue;
        answered++;
        seen[rcode] = (seen[rcode] ?? 0) + 1;
      } catch (error) {
        const hex = Buffer.from(message).toString("hex");
        throw new Error(`message ${at} of seed ${seed}, by the ${who}: ${hex}`, { cause: error });
      }
    }
    if ((at + 1) % 100_000 === 0) tell(at + 1);
  }
  return { messages, answered, rcodes: seen };
}

function bufferOf(octets: Uint8Array | null): Buffer | null {
  return octets === null ? null : Buffer.from(octets);
}

/** The answer's code; null where none is due. @throws Error for an answer that is none */
function judge(message: Uint8Array, answer: Buffer | null): string | null {
  const isQuery = message.length >= 12 && ((message[2] as number) & 0x80) === 0;
  if (answer === null) {
    if (isQuery) throw new Error("a question got no answer");
    return null;
  }
  if (!isQuery) throw new Error("what is no question got an answer");
  const read = packet.decode(answer) as packet.DecodedPacket & { rcode: string };
  if (packet.decode.bytes !== answer.length) throw new Error("octets after the answer's end");
  if (read.type !== "response") throw new Error("an answer that says it is a question");
  if (read.id !== (((message[0] as number) << 8) | (message[1] as number))) throw new Error("id");
  if (answer.length > 1232) throw new Error("longer than UDP carries");
  const opcode = ((message[2] as number) >> 3) & 0x0f;
  const records = (read.answers?.length ?? 0) + (read.authorities?.length ?? 0);
  if (records > 0 && (!read.flag_aa || opcode !== 0)) throw new Error("records of no authority");
  if (opcode === UPDATE && read.rcode === "NOERROR") throw new Error("an update was taken");
  return read.rcode;
}

/** Mulberry32, and what is made with it. */
function generator(seed: number) {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (end: number) => Math.floor(next() * end);
  const one = <T>(of: readonly T[]): T => of[below(of.length)] as T;
  const octets = (count: number) => Array.from({ length: count }, () => below(256));
  const words = ["nas", "NAS", "ns1", "www", "*", "_acme-challenge", "a", "ddns", "test", "x--y"];
  const label = () =>
    next() < 0.8 ? [...Buffer.from(one(words))] : octets(1 + (next() < 0.1 ? below(63) : below(8)));
  const suffixes = [["ddns", "test"], ["nas", "ddns", "test"], ["DDNS", "Test"], ["test"], []];
  const name = () => {
    const labels = Array.from({ length: below(4) }, label);
    const suffix = one(suffixes).map((word) => [...Buffer.from(word)]);
    return [...[...labels, ...suffix].flatMap((each) => [each.length, ...each]), 0];
  };
  const types = [1, 2, 6, 12, 16, 28, 41, 43, 46, 47, 48, 59, 60, 65, 128, 251, 252, 255, 257];
  const two = (value: number) => [value >> 8, value & 0xff];
  const question = () => [
    ...name(),
    ...two(next() < 0.9 ? one(types) : below(65_536)),
    ...two(next() < 0.95 ? 1 : below(65_536)),
  ];
  const opt = () => {
    const option = next() < 0.2 ? [...two(below(20)), 0, 4, ...octets(4)] : [];
    const flags = one([0, 0x8000, 0xc000, 0x4000]);
    const version = next() < 0.95 ? 0 : below(256);
    const size = one([0, 512, 1232, 4096, 65_535]);
    return [0, 0, 41, ...two(size), 0, version, ...two(flags), ...two(option.length), ...option];
  };
  const whole = () => {
    const opcode = next() < 0.95 ? 0 : below(16);
    const flags = (opcode << 11) | (next() < 0.5 ? 0x0100 : 0) | (next() < 0.2 ? 0x0010 : 0);
    const questions = next() < 0.97 ? 1 : below(4);
    const edns = next() < 0.6 ? 1 : 0;
    return [
      ...[...octets(2), ...two(flags), ...two(questions), 0, 0, 0, 0, ...two(edns)],
      ...Array.from({ length: questions }, question).flat(),
      ...(edns === 1 ? opt() : []),
    ];
  };
  const mutate = (message: number[]) => {
    const where = below(message.length + 1);
    switch (below(6)) {
      case 0:
        return message.with(Math.min(where, message.length - 1), below(256));
      case 1:
        return message.toSpliced(where, 0, ...octets(1 + below(4)));
      case 2:
        return message.slice(0, where);
      case 3:
        return message.toSpliced(where, 2, 0xc0, below(64)); // a pointer to somewhere
      case 4:
        return [...message, ...message.slice(where)];
      default:
        return message.toSpliced(where, 1 + below(8));
    }
  };
  return {
    message(): Uint8Array {
      if (next() < 0.02) return Uint8Array.from(octets(below(600)));
      let message = whole();
      if (next() < 0.5) return Uint8Array.from(message);
      for (let left = 1 + below(4); left > 0 && message.length > 0; left--) {
        message = mutate(message);
      }
      return Uint8Array.from(message);
    },
  };
}
