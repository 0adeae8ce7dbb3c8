/**
 * Histories of WebSockets under chance: messages of every size both ways, readers who pause, closes, an
 * object that sleeps whenever it may, devices that drop. Whatever happens, each side gets a beginning of
 * what the other said, and all of it where the other closed.
 */

import { describe, expect, it } from "vitest";
import type { Socket, Sockets } from "../../../durable-objects/device/context.ts";
import { Link } from "../../../durable-objects/device/link/link.ts";
import { limits } from "../../../protocol/limits.ts";
import type { Close } from "../../../protocol/link/frames.ts";
import { encodeHead } from "../../../protocol/link/headers.ts";
import { messageCost, type SocketHandler } from "../../../protocol/link/messages.ts";
import { Session } from "../../../protocol/link/session.ts";
import type { LinkStream, StreamHandler } from "../../../protocol/link/stream.ts";
import { Chance, content } from "../../support/link-world.ts";

const HISTORIES = Number(process.env.LINK_HISTORIES ?? 1500);
const FIRST_SEED = Number(process.env.LINK_SEED ?? 1);
const STEPS = 120;
const head = encodeHead({ status: 101, headers: [] }) as Uint8Array;

type Message = string | Uint8Array;
const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
const same = (a: Message | undefined, b: Message | undefined) =>
  typeof a === "string" || typeof b === "string"
    ? a === b
    : Buffer.from(a ?? []).equals(Buffer.from(b ?? []));

function someMessage(chance: Chance): Message {
  const size = chance.is(0.1) ? chance.below(300_000) : chance.below(2000);
  const bytes = content(chance.below(700_000), size).slice();
  return chance.is(0.5) ? textOf(bytes) : bytes;
}

/** The device's end of one WebSocket. */
class Local implements StreamHandler, SocketHandler {
  readonly said: Message[] = [];
  readonly heard: Message[] = [];
  ended: Close | "reset" | null = null;
  closing: Close | null = null;
  #pieces: Uint8Array[] = [];
  #untaken: number[] = [];
  readonly stream: LinkStream;

  constructor(stream: LinkStream) {
    this.stream = stream;
  }
  get open(): boolean {
    return this.ended === null && this.closing === null && this.stream.socket !== null;
  }
  say(message: Message): void {
    this.said.push(message);
    const text = typeof message === "string";
    this.stream.send(text ? new TextEncoder().encode(message) : message, text);
  }
  close(close: Close): void {
    this.closing = close;
    this.stream.close(close);
  }
  /** Takes one piece of what has come. */
  take(): void {
    const cost = this.#untaken.shift();
    if (cost !== undefined) this.stream.consumed(cost);
  }
  message(bytes: Uint8Array, text: boolean, last: boolean): boolean {
    this.#untaken.push(messageCost(bytes.byteLength));
    this.#pieces.push(bytes.slice());
    if (!last) return true;
    const whole = Buffer.concat(this.#pieces.splice(0));
    this.heard.push(text ? whole.toString() : whole);
    return true;
  }
  closed(close: Close): void {
    this.ended = close;
  }
  reset(): void {
    this.ended = "reset";
  }
  head(): boolean {
    return false;
  }
  end(): void {
    // Nor does its end say anything.
  }
  data(): void {
    // A handshake has no body.
  }
  drain(): void {
    // What waits is bounded by the history's length.
  }
}

/** The visitor's end. */
class Guest {
  readonly said: Message[] = [];
  readonly heard: Message[] = [];
  socket: Socket | null = null;
  local: Local | null = null;
  /** How the visitor closed. */
  closing: Close | null = null;
  /** How it was closed for the visitor. */
  end: Close | null = null;
  unread = 0;

  get open(): boolean {
    return this.socket !== null && this.closing === null && this.end === null;
  }
}

class History {
  readonly #chance: Chance;
  readonly guests: Guest[] = [];
  readonly locals = new Map<string, Local>();
  readonly errors: string[] = [];
  now = 1_800_000_000_000;
  sleeps = 0;
  #timers = new Set<{ at: number; work: () => void }>();
  #link: Link;
  #agent: Socket | null = null;
  #session: Session | null = null;
  #connections = 0;
  readonly #toAgent: Uint8Array[] = [];
  readonly #toEdge: Uint8Array[] = [];
  readonly #tells: boolean;

  constructor(chance: Chance) {
    this.#chance = chance;
    this.#tells = chance.is(0.5);
    this.#link = this.#newLink();
    this.connect();
  }

  get link(): Link {
    return this.#link;
  }

  #newLink(): Link {
    const sockets: Sockets = {
      accept: () => new Response(null, { status: 501 }),
      acceptSocket: (_request, _tags, attachment) => {
        const guest = this.guests.at(-1) as Guest;
        guest.socket = this.#guestSocket(guest, attachment);
        return [{ status: 101, headers: new Headers() } as Response, guest.socket];
      },
      tagged: (tag) =>
        tag === "agent"
          ? [this.#agent].filter((socket) => socket !== null)
          : this.guests.filter((guest) => guest.open).map((guest) => guest.socket as Socket),
    };
    const agents = {
      ready: () => [this.#agent].filter((socket) => socket !== null),
      leaving: () => [],
      isLeaving: () => false,
      stands: () => true,
      leave: () => undefined,
      told: () => false,
    };
    const traffic = {
      count: () => undefined,
      turnedAway: () => undefined,
      bytesToday: 0,
      isKnown: true,
      learn: async () => undefined,
    };
    const [clock, onTick] = [{ now: () => this.now }, () => undefined];
    const context = { clock, random: this.#chance, sockets, agents, traffic, onTick };
    return new Link(context, (ms, work) => {
      const timer = { at: this.now + ms, work };
      this.#timers.add(timer);
      return () => void this.#timers.delete(timer);
    });
  }

  #guestSocket(guest: Guest, first: unknown): Socket {
    let attachment = first;
    return {
      send: (data) => {
        if (!guest.open) throw new Error("closed");
        guest.heard.push(typeof data === "string" ? data : data.slice());
        guest.unread += data.length;
      },
      close: (code, reason) => {
        if (guest.open) guest.end = { code, reason };
      },
      attachment: () => attachment,
      attach: (value) => {
        attachment = structuredClone(value);
      },
      heardAt: () => null,
      bufferedBytes: () => (this.#tells ? guest.unread : null),
    };
  }

  connect(): void {
    const attachment = { kind: "agent", jti: `${++this.#connections}` };
    const socket: Socket = {
      send: (data) => {
        if (this.#agent === socket) this.#toAgent.push((data as Uint8Array).slice());
      },
      close: (_code, reason) => void this.errors.push(`edge: ${reason}`),
      attachment: () => attachment,
      attach: () => undefined,
      heardAt: () => null,
      bufferedBytes: () => null,
    };
    this.#agent = socket;
    this.#session = new Session(
      {
        send: (message, sent) => {
          if (this.#agent === socket) this.#toEdge.push(message.slice());
          sent();
        },
        bufferedBytes: () => 0,
        soon: (work) => void setImmediate(work),
        later: (work) => void setImmediate(work),
        onProtocolError: (reason) => void this.errors.push(`agent: ${reason}`),
      },
      {
        accept: (stream, payload) => {
          const { path } = JSON.parse(Buffer.from(payload).toString()) as { path: string };
          const local = new Local(stream);
          this.locals.set(path, local);
          setImmediate(() => {
            if (stream.dead) return;
            stream.sendHead(head, false);
            stream.upgrade(local);
          });
          return local;
        },
      },
    );
  }

  drop(): void {
    const agent = this.#agent;
    if (agent === null) return;
    this.#agent = null;
    this.#toAgent.length = 0;
    this.#toEdge.length = 0;
    this.#session?.close();
    this.#link.onAgentGone(agent);
  }

  async knock(): Promise<void> {
    const guest = new Guest();
    this.guests.push(guest);
    const path = `/${this.guests.length}`;
    const request = new Request(`http://nas.link.test${path}`, {
      headers: { upgrade: "websocket" },
    });
    const asked = this.#link.relay(request, null);
    for (let turn = 0; turn < 20 && guest.socket === null; turn++) {
      this.toAgent();
      await this.settle();
      this.toEdge();
      await this.settle();
      this.advance(limits.linkGatherMs); // it may wait for company
    }
    await asked;
    guest.local = this.locals.get(path) ?? null;
  }

  toAgent(): void {
    const message = this.#toAgent.shift();
    if (message !== undefined) this.#session?.receive(message);
  }
  toEdge(): void {
    const message = this.#toEdge.shift();
    if (message !== undefined && this.#agent !== null) {
      this.#link.onMessage(this.#agent, message.slice().buffer);
    }
  }
  get quiet(): boolean {
    return this.#toAgent.length + this.#toEdge.length === 0;
  }

  /** The object sleeps, if nothing keeps it awake. */
  sleep(): void {
    const { exchanges, waiting } = this.#link.load;
    if (exchanges + waiting + this.#timers.size > 0 || this.#link.passages.busy) return;
    this.sleeps++;
    this.#link = this.#newLink();
  }

  say(guest: Guest): void {
    if (!guest.open || guest.socket === null) return;
    const message = someMessage(this.#chance);
    guest.said.push(message);
    const data = typeof message === "string" ? message : (message.slice().buffer as ArrayBuffer);
    this.#link.passages.hear(guest.socket, data);
  }
  close(guest: Guest, close: Close): void {
    if (!guest.open || guest.socket === null) return;
    guest.closing = close;
    this.#link.passages.left(guest.socket, close.code ?? 1005, close.reason);
  }

  advance(ms: number): void {
    this.now += ms;
    for (const timer of [...this.#timers]) {
      if (timer.at > this.now) continue;
      this.#timers.delete(timer);
      timer.work();
    }
  }
  settle(): Promise<void> {
    return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  }
}

async function step(world: History, chance: Chance): Promise<void> {
  const guest = world.guests.length > 0 ? chance.pick(world.guests) : null;
  const local = guest?.local ?? null;
  const what = chance.next();
  const close = { code: chance.pick([1000, 1001, 3000, 4999]), reason: "enough" };
  if (what < 0.04 && world.guests.length < 5) await world.knock();
  else if (what < 0.24) world.toAgent();
  else if (what < 0.44) world.toEdge();
  else if (what < 0.58) {
    if (guest !== null) world.say(guest);
  } else if (what < 0.7) {
    if (local?.open) local.say(someMessage(chance));
  } else if (what < 0.8) local?.take();
  else if (what < 0.86 && guest !== null) guest.unread = 0;
  else if (what < 0.87 && guest !== null) world.close(guest, close);
  else if (what < 0.88) {
    if (local?.open) local.close(close);
  } else if (what < 0.885) {
    world.drop();
    world.connect();
  } else if (what < 0.94) world.sleep();
  else world.advance(chance.below(2000));
}

async function quiesce(world: History): Promise<void> {
  for (let round = 0; round < 3000; round++) {
    for (const { local } of world.guests) local?.take();
    for (const guest of world.guests) guest.unread = 0;
    const quiet = world.quiet;
    world.toAgent();
    world.toEdge();
    await world.settle();
    if (round % 10 === 9) world.advance(limits.linkTickMs);
    if (quiet && world.quiet && !world.link.passages.busy && round > 60) return;
  }
  throw new Error("it never came to rest");
}

function judge({ said, heard, local, closing, end }: Guest): void {
  if (local === null) return;
  const from = (name: string, whole: Message[], part: Message[]) => {
    expect(part.length, name).toBeLessThanOrEqual(whole.length);
    part.forEach(
      (message, at) => void expect(same(message, whole[at]), `${name} ${at}`).toBe(true),
    );
  };
  from("to the device", said, local.heard);
  from("to the visitor", local.said, heard);
  const standing = closing === null && end === null;
  if (standing) {
    expect([local.heard.length, heard.length]).toEqual([said.length, local.said.length]);
    expect(local.ended, "open for both").toBeNull();
  }
  // Whoever closed was heard to the end, unless the connection went or the other closed too.
  if (closing !== null && local.ended !== "reset" && local.closing === null) {
    expect([local.heard.length, local.ended]).toEqual([said.length, closing]);
  }
  if (local.closing !== null && end?.code === local.closing.code) {
    expect(heard.length).toBe(local.said.length);
  }
}

describe("WebSockets under chance", () => {
  it(`lose, double and reorder nothing in ${HISTORIES} histories`, async () => {
    const seen = { sleeps: 0, standing: 0, closed: 0, messages: 0 };
    for (let seed = FIRST_SEED; seed < FIRST_SEED + HISTORIES; seed++) {
      const chance = new Chance(seed);
      const world = new History(chance);
      try {
        for (let count = 0; count < STEPS; count++) {
          await step(world, chance);
          if (chance.is(0.4)) await world.settle();
        }
        await quiesce(world);
        expect(world.errors).toEqual([]);
        for (const guest of world.guests) judge(guest);
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
      seen.sleeps += world.sleeps;
      for (const guest of world.guests) {
        seen.messages += guest.heard.length + (guest.local?.heard.length ?? 0);
        if (guest.open) seen.standing++;
        else seen.closed++;
      }
    }
    // The histories must have been eventful, or they prove nothing.
    expect(seen.sleeps).toBeGreaterThan(HISTORIES);
    expect(seen.standing).toBeGreaterThan(HISTORIES / 2);
    expect(seen.closed).toBeGreaterThan(HISTORIES / 2);
    expect(seen.messages).toBeGreaterThan(HISTORIES * 10);
  }, 300_000);
});
