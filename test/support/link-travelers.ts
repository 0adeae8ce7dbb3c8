/**
 * Tunnels in a simulated world: visitors who come back with what breaks, and the box's programs that keep
 * their ends. Both speak through the pipe of the real ends; the box's is the real one to its last line.
 */

import { LastingTunnel } from "../../agent/tunnel/lasting.ts";
import { tunnelPass } from "../../durable-objects/device/link/tunnel.ts";
import { decodeMessage } from "../../protocol/link/frames.ts";
import { encodeHead, headerOf, type OpenHead } from "../../protocol/link/headers.ts";
import { Pipe, type Position } from "../../protocol/link/pipe.ts";
import type { LinkStream, StreamHandler } from "../../protocol/link/stream.ts";
import {
  positionText,
  readPosition,
  tunnelAtHeader,
  tunnelCloseCodes,
  tunnelIdHeader,
  tunnelStatuses,
  tunnelSubprotocol,
} from "../../protocol/tunnel.ts";
import { type Chance, content, type GuestLine, MAX_START, type World } from "./link-world.ts";

/** What one end says: `length` bytes that no other `start` has. */
class Speech {
  readonly start: number;
  readonly length: number;
  said = 0;

  constructor(chance: Chance) {
    this.start = chance.below(MAX_START);
    this.length = chance.is(0.3) ? chance.below(300_000) : chance.below(4000);
  }

  get over(): boolean {
    return this.said >= this.length;
  }
  next(chance: Chance): Uint8Array {
    const size = Math.min(this.length - this.said, 1 + chance.below(40_000));
    const bytes = content(this.start + this.said, size);
    this.said += size;
    return bytes.slice();
  }
  get all(): Uint8Array {
    return content(this.start, this.length);
  }
}

const quiet: StreamHandler = {
  head: () => false,
  data: () => undefined,
  end: () => undefined,
  reset: () => undefined,
  drain: () => undefined,
};

/** The box's end of one tunnel. */
export class BoxEnd {
  readonly tunnel: LastingTunnel;
  readonly speech: Speech;
  readonly heard: Buffer[] = [];
  /** It heard the end of what the visitor said. */
  ended = false;
  over = false;
  crashed = false;

  constructor(chance: Chance) {
    this.speech = new Speech(chance);
    this.tunnel = new LastingTunnel(() => {
      this.over = true;
    });
    this.tunnel.duplex.on("data", (bytes: Buffer) => this.heard.push(Buffer.from(bytes)));
    this.tunnel.duplex.on("end", () => {
      this.ended = true;
    });
  }

  speak(chance: Chance): void {
    const { duplex } = this.tunnel;
    if (this.over || duplex.writableEnded || duplex.writableNeedDrain) return;
    if (this.speech.over) duplex.end();
    else duplex.write(this.speech.next(chance));
  }
}

/** The programs of the box, each with the tunnels that it keeps. */
export class Programs {
  readonly #chance: Chance;
  readonly #known = new Map<number, Map<string, BoxEnd>>();
  readonly all = new Map<string, BoxEnd>();
  /** How often one said that it has no such tunnel. */
  denials = 0;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  of(program: number) {
    return {
      serve: (stream: LinkStream, head: OpenHead) => this.#serve(program, stream, head),
    };
  }

  /** Those that keep a tunnel which is not over. */
  get keeping(): number[] {
    return [...this.#known]
      .filter(([, ends]) => [...ends.values()].some(({ over }) => !over))
      .map(([program]) => program);
  }

  /** A program is killed, and started again without what it kept. */
  crash(program: number): void {
    for (const end of this.#known.get(program)?.values() ?? []) {
      end.crashed = true;
      end.tunnel.duplex.fail(null);
    }
    this.#known.delete(program);
  }

  #serve(program: number, stream: LinkStream, { headers }: OpenHead): StreamHandler {
    const id = headerOf(headers, tunnelIdHeader) ?? "";
    const at = headerOf(headers, tunnelAtHeader);
    const ends = this.#known.get(program) ?? new Map<string, BoxEnd>();
    this.#known.set(program, ends);
    let end = ends.get(id);
    let there: Position | null = { received: 0, taken: 0 };
    if (at === null) {
      end?.tunnel.duplex.fail(null);
      end = new BoxEnd(this.#chance);
      ends.set(id, end);
      this.all.set(id, end);
    } else there = readPosition(at);
    const isNew = at === null;
    if (end === undefined || end.over || (!isNew && !end.tunnel.met) || there === null) {
      this.denials++;
      const payload = encodeHead({ status: tunnelStatuses.gone, headers: [] });
      stream.sendHead(payload as Uint8Array, true);
    } else end.tunnel.carry(stream, there);
    return quiet;
  }
}

const FINAL: ReadonlySet<number | null> = new Set([1000, tunnelCloseCodes.protocolError]);
let count = 0;

/** The visitor's end of one tunnel. */
export class Traveler {
  readonly id = `${count++}`.padStart(32, "t");
  readonly speech: Speech;
  readonly heard: Uint8Array[] = [];
  readonly faults: string[] = [];
  readonly pipe: Pipe;
  state: "away" | "asking" | "carried" | "over" = "away";
  /** It heard the end of what the box said. */
  ended = false;
  /** How often it went on. */
  resumed = 0;
  /** It was never begun, or the box gave it up. */
  lost = false;
  #begun = false;
  #guest: GuestLine | null = null;
  #untaken = 0;
  #full = false;

  constructor(chance: Chance) {
    this.speech = new Speech(chance);
    this.pipe = new Pipe((work) => void setImmediate(work), {
      data: (bytes) => {
        this.heard.push(bytes.slice());
        this.#untaken += bytes.byteLength;
      },
      end: () => {
        this.ended = true;
      },
      reset: () => this.giveUp(),
      drain: () => {
        this.#full = false;
      },
      over: () => {
        if (this.state !== "carried") this.state = "over";
      },
    });
  }

  async ask(world: World): Promise<void> {
    if (this.state !== "away") return;
    this.state = "asking";
    const headers: Record<string, string> = {
      upgrade: "websocket",
      "sec-websocket-protocol": tunnelSubprotocol,
      [tunnelIdHeader]: this.id,
    };
    if (this.#begun) headers[tunnelAtHeader] = positionText(this.pipe.position());
    const request = new Request("http://nas.link.test/tunnel", { headers });
    const account = { account: "acc", token: "pat", until: 9e15, contact: false };
    const pass = tunnelPass({ ...account, service: "ssh" });
    const response = await world.link.relay(request, pass);
    this.#guest = world.guests.get(response) ?? null;
    if (this.#guest !== null) this.state = "carried";
    else if (this.#begun) this.state = "away";
    else this.giveUp();
  }

  /** One message of the edge comes over. */
  take(): void {
    const message = this.#guest?.toGuest.shift();
    if (message === undefined || this.#guest === null) return;
    if (!(message instanceof Uint8Array)) {
      this.#closed(message.code);
      return;
    }
    if (this.pipe.isCarried || this.pipe.over) {
      const reason = this.pipe.over ? null : this.pipe.receive(message);
      if (reason !== null) this.faults.push(reason);
      return;
    }
    const guest = this.#guest;
    let there: Position | null = null;
    decodeMessage(message, (_type, _end, _stream, payload) => {
      there = readPosition(new TextDecoder().decode(payload));
      return null;
    });
    const send = (bytes: Uint8Array) => void guest.toEdge.push(bytes.slice());
    if (there === null || !this.pipe.attach(send, there)) this.faults.push("no position");
    if (this.#begun) this.resumed++;
    this.#begun = true;
  }

  /** One message to the edge comes over; and the close, once both have said all. */
  give(world: World): void {
    const guest = this.#guest;
    if (guest === null || !guest.open) return;
    const message = guest.toEdge.shift();
    if (message !== undefined) {
      world.link.passages.hear(guest.socket, message.slice().buffer as ArrayBuffer);
    } else if (this.pipe.over) {
      guest.open = false;
      world.link.passages.left(guest.socket, 1000, "");
      this.#away();
      this.state = "over";
    }
  }

  /** The visitor's network breaks. */
  drop(world: World): void {
    const guest = this.#guest;
    if (guest === null) return;
    this.#away();
    if (!guest.open) return;
    guest.open = false;
    world.link.passages.left(guest.socket, 1006, "");
  }

  speak(chance: Chance): void {
    if (this.pipe.over || this.#full) return;
    if (this.speech.over) this.pipe.end();
    else this.#full = !this.pipe.write(this.speech.next(chance));
  }

  /** Its program takes what came. */
  read(): void {
    this.pipe.consumed(this.#untaken);
    this.#untaken = 0;
  }

  giveUp(): void {
    this.lost = !this.ended;
    this.pipe.kill();
    if (this.#guest === null) this.state = "over";
  }

  #closed(code: number | null): void {
    if (code === tunnelCloseCodes.protocolError) this.faults.push("closed as a fault");
    this.#away();
    if (!this.#begun || FINAL.has(code)) this.giveUp();
  }

  #away(): void {
    this.#guest = null;
    this.pipe.detach();
    this.state = this.pipe.over ? "over" : "away";
  }
}
