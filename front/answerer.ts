/**
 * What a message deserves: from memory where the zone is held, else from the edge, whose answers are
 * kept. It signs nothing. While the edge is away it says what it has.
 */

import { empty, rcodes, readQuery, writeAnswer, writeError } from "../protocol/dns/message.ts";
import { readName, writeWholeName } from "../protocol/dns/names.ts";
import { types } from "../protocol/dns/rdata.ts";
import type { FeedAnswer } from "../protocol/feed.ts";
import { limits } from "../protocol/limits.ts";
import type { Source, Wanted } from "./edge.ts";
import { Kept } from "./kept.ts";
import { type Ask, Memory } from "./memory.ts";
import {
  Asked,
  compose,
  type Part,
  readAsked,
  recordsOf,
  truncated,
  verdict,
  writeAsk,
} from "./wire.ts";

const HEADER_BYTES = 12;
const OPCODE_UPDATE = 5;
const TCP_BYTES = 0xffff;
/** What the zone itself has, for which the edge is asked before anybody else asks. */
const OWN_TYPES = [types.SOA, types.NS, types.DNSKEY, types.CDS, types.CDNSKEY];

/** In a key: what is kept is the same for every type. No question has it (RFC 6895 §3.1). */
const ANY_TYPE = 0;
/** Where nothing is held. */
const unheld: Ask = { ask: true, otherwise: null, invented: false, anyType: false };

export interface AnswererOptions {
  readonly edge: Source;
  /** The apex, `name.example`; null: nothing is held, and the edge is asked for everything. */
  readonly zone: string | null;
  readonly now: () => number;
  /** Told of each answer of the edge that is kept. */
  readonly onKept?: (wanted: Wanted, answer: Buffer) => void;
}

/** What the edge said. */
interface Said {
  readonly answer: Buffer;
  /** null when it is not whole */
  readonly part: Part | null;
}

/** How a message came. */
export interface Manner {
  readonly udp: boolean;
  /** False when its network has asked enough that costs the edge something. */
  mayAsk(): boolean;
  /**
   * The same of what anybody can make up without end, for which there is a bound for all networks together.
   * @param again true for what was asked before, which is not made up for this one question
   */
  mayInvent(again: boolean): boolean;
}

export class Answerer {
  readonly #edge: Source;
  readonly #memory: Memory | null;
  readonly #kept = new Kept(limits.dnsFrontKept);
  readonly #now: () => number;
  readonly #asked = new Asked();
  /** Questions that the edge is being asked, so that many who ask the same wait for one answer. */
  readonly #asking = new Map<string, Promise<Said | null>>();
  readonly #onKept: NonNullable<AnswererOptions["onKept"]>;

  constructor({ edge, zone, now, onKept = () => undefined }: AnswererOptions) {
    this.#edge = edge;
    this.#memory = zone === null ? null : new Memory(zone);
    this.#now = now;
    this.#onKept = onKept;
  }

  /** How many names are held. */
  get names(): number {
    return this.#memory?.size ?? 0;
  }

  /** True once everything was read. */
  get isWhole(): boolean {
    return this.#memory?.isWhole ?? false;
  }

  /** Takes what the feed says; what was kept of a name that changes is forgotten. */
  hear(answer: FeedAnswer): void {
    const memory = this.#memory;
    if (memory === null) return;
    if (answer.kind === "page" && answer.whole) memory.begin();
    for (const name of answer.kind === "page" ? answer.names : [answer.name]) {
      for (const label of memory.labelsOf(name.id)) this.#kept.forget(label);
      memory.put(name);
      for (const { label } of name.names) this.#kept.forget(label);
    }
    if (answer.kind !== "page" || !answer.end) return;
    memory.finish();
    // What was said of names that went while nobody told us.
    this.#kept.forgetLabels();
  }

  /** Asks for what stands at the apex, so that it is here when the edge is away. Never rejects. */
  async refresh(): Promise<void> {
    const memory = this.#memory;
    if (memory === null) return;
    for (const type of OWN_TYPES) {
      for (const dnssecOk of [false, true]) {
        const key = keyOf(memory.apex, type, dnssecOk);
        await this.look({ key, name: memory.apex, type, dnssecOk, label: null });
      }
    }
  }

  /** The answer to a message; null when it deserves none. */
  answer(message: Buffer, manner: Manner): Buffer | null | Promise<Buffer | null> {
    const asked = this.#asked;
    if (!readAsked(message, asked)) return this.#uncommon(message, manner);
    const room = manner.udp ? asked.udpBytes : TCP_BYTES;
    const memory = this.#memory;
    const found = memory === null ? unheld : memory.find(asked);
    if (!("ask" in found)) return compose(message, asked, found, room);
    const { name, type, dnssecOk } = asked;
    const key = keyOf(name, found.anyType ? ANY_TYPE : type, dnssecOk);
    const kept = this.#kept.get(key);
    if (kept !== undefined && kept.freshUntil > this.#now()) {
      return compose(message, asked, kept.part, room);
    }
    if (!(found.invented ? manner.mayInvent(kept !== undefined) : manner.mayAsk())) {
      return manner.udp
        ? truncated(message, asked)
        : compose(message, asked, verdict(rcodes.refused), room);
    }
    const label = memory?.labelOf(asked) ?? null;
    const { otherwise } = found;
    return this.look({ key, name, type, dnssecOk, label }).then((said) => {
      const stale = kept !== undefined && kept.staleUntil > this.#now() ? kept.part : null;
      const part = said?.part ?? stale ?? otherwise ?? verdict(rcodes.serverFailure);
      const again = new Asked();
      return readAsked(message, again) ? compose(message, again, part, room) : null;
    });
  }

  /** The least there is to say over UDP to a network that asks too much: come by TCP. */
  curt(message: Buffer): Buffer | null {
    return readAsked(message, this.#asked) ? truncated(message, this.#asked) : null;
  }

  /** A message of another form than the common one. */
  #uncommon(message: Buffer, manner: Manner): Buffer | null | Promise<Buffer | null> {
    const read = readQuery(message);
    if (read.kind === "unanswerable") return null;
    const head = read.kind === "query" ? read.query : read.head;
    // RFC 2136: whoever may change what is decided at the edge, by the signature on the message.
    if (head.opcode === OPCODE_UPDATE) return this.#pass(message, head, manner);
    if (read.kind === "malformed") return Buffer.from(writeError(head, rcodes.formatError));
    const { query } = read;
    if (query.opcode !== 0) return Buffer.from(writeError(query, rcodes.notImplemented));
    const unlikeAny = query.questions.length !== 1 || (query.edns?.version ?? 0) > 0;
    if (unlikeAny || query.questions[0]?.class !== 1) {
      const rcode =
        query.questions.length !== 1
          ? rcodes.formatError
          : (query.edns?.version ?? 0) > 0
            ? rcodes.badVersion
            : rcodes.refused;
      return Buffer.from(writeAnswer(query, empty(rcode)));
    }
    return this.#pass(message, query, manner);
  }

  /** Hands the message to the edge as it is, and its answer back. */
  async #pass(
    message: Buffer,
    head: Parameters<typeof writeError>[0],
    manner: Manner,
  ): Promise<Buffer> {
    const isQuestion = head.opcode === 0 && this.#memory !== null;
    const may = isQuestion ? manner.mayInvent(false) : manner.mayAsk();
    if (!may && isQuestion && manner.udp) return cutShort(head, rcodes.noError);
    const answer = may ? await this.#edge.ask(message) : null;
    if (answer === null) return Buffer.from(writeError(head, rcodes.serverFailure));
    if (!manner.udp || answer.length <= limits.dnsUdpBytes) return answer;
    return cutShort(head, (answer[3] as number) & 0x0f);
  }

  /** Asks the edge once for all who ask the same, and keeps its answer. Never rejects; null when it is away. */
  look(wanted: Wanted): Promise<Said | null> {
    const { key, name, type, dnssecOk } = wanted;
    const running = this.#asking.get(key);
    if (running !== undefined) return running;
    const asking = this.#edge
      .ask(writeAsk(name, type, dnssecOk), wanted)
      .then((answer) => (answer === null ? null : { answer, part: this.keep(wanted, answer) }))
      .finally(() => this.#asking.delete(key));
    this.#asking.set(key, asking);
    return asking;
  }

  /** Keeps an answer of the edge for as long as its records may be. */
  keep(wanted: Wanted, answer: Buffer): Part | null {
    const { key, name, label } = wanted;
    const read = readPart(answer, HEADER_BYTES + name.length + 5);
    if (read === null) return null;
    const { part, ttl } = read;
    const memory = this.#memory;
    const isStart = key === keyOf(memory?.apex ?? "", types.SOA, true);
    if (isStart) this.#noteStart(answer, HEADER_BYTES + name.length + 5);
    if (ttl === null) return part;
    const now = this.#now();
    const most = memory === null ? limits.dnsFrontKeptAloneMs : limits.dnsFrontKeptMs;
    const freshUntil = now + Math.min(ttl * 1000, most);
    const isOwn = label === null && memory !== null;
    const staleUntil = isOwn ? now + limits.dnsFrontStaleMs : freshUntil;
    this.#kept.set(key, { part, label, freshUntil, staleUntil });
    this.#onKept(wanted, answer);
    return part;
  }

  /** The SOA that denials bring along, with its signatures where the edge gave them. */
  #noteStart(answer: Buffer, questionEnd: number): void {
    const records = (recordsOf(answer, questionEnd) ?? []).filter(({ section }) => section === 0);
    const soa = records.find(({ type }) => type === types.SOA);
    const record = soa === undefined ? null : wholeSoa(answer, soa.typeAt);
    if (record === null) return;
    const signatures = records
      .filter(({ type }) => type === types.RRSIG)
      .map(({ typeAt, end }) => Buffer.from(answer.subarray(typeAt, end)));
    // RFC 2308 §3: the TTL of a denial is the SOA's own or its minimum, whichever is less.
    for (const one of [record, ...signatures]) {
      one.writeUInt32BE(Math.min(one.readUInt32BE(4), limits.negativeTtlSeconds), 4);
    }
    this.#memory?.setStart({ record, signatures });
  }
}

/** A verdict alone, and TC. */
function cutShort(head: Parameters<typeof writeError>[0], rcode: number): Buffer {
  const cut = Buffer.from(writeError(head, rcode));
  cut[2] = (cut[2] as number) | 0x02;
  return cut;
}

function keyOf(name: string, type: number, dnssecOk: boolean): string {
  return `${dnssecOk ? "+" : "-"}${type} ${name}`;
}

/** The answer without question and OPT, and the least TTL in it; null when it is not whole. */
function readPart(answer: Buffer, questionEnd: number): { part: Part; ttl: number | null } | null {
  if (answer.length < questionEnd || answer.readUInt16BE(4) !== 1) return null;
  const records = recordsOf(answer, questionEnd);
  if (records === null) return null;
  const plain = records.filter(({ type }) => type !== types.OPT);
  const opt = records.find(({ type }) => type === types.OPT);
  // Pointers stay right only when nothing before them is taken out.
  if (opt !== undefined && opt !== records.at(-1)) return null;
  const count = (section: number) => plain.filter((record) => record.section === section).length;
  const extended = opt === undefined ? 0 : (answer[opt.typeAt + 4] as number) << 4;
  const rcode = ((answer[3] as number) & 0x0f) | extended;
  const ttls = plain.map(({ ttl }) => ttl);
  return {
    part: {
      rcode,
      authoritative: ((answer[2] as number) & 0x04) !== 0,
      answers: count(0),
      authorities: count(1),
      additionals: count(2),
      body: answer.toString("latin1", questionEnd, opt?.start ?? answer.length),
    },
    ttl: ttls.length === 0 || rcode === rcodes.serverFailure ? null : Math.min(...ttls),
  };
}

/** The SOA record from its type on, its names written out: they point into one question only. */
function wholeSoa(message: Buffer, typeAt: number): Buffer | null {
  const primary = readName(message, typeAt + 10);
  const mailbox = primary === null ? null : readName(message, primary.next);
  if (primary === null || mailbox === null || mailbox.next + 20 > message.length) return null;
  const data = Buffer.from([
    ...writeWholeName(primary.name),
    ...writeWholeName(mailbox.name),
    ...message.subarray(mailbox.next, mailbox.next + 20),
  ]);
  const record = Buffer.concat([message.subarray(typeAt, typeAt + 10), data]);
  record.writeUInt16BE(data.length, 8);
  return record;
}
