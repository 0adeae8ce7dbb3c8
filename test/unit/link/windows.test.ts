/**
 * Windows that grow: two sessions with a way of some length between them, on a clock of the test's own.
 * What grows is bounded, holds up nobody else, and stands in a new session as in the old.
 */

import { describe, expect, it } from "vitest";
import { limits } from "../../../protocol/limits.ts";
import { encodeHead } from "../../../protocol/link/headers.ts";
import type { SocketHandler } from "../../../protocol/link/messages.ts";
import { messageCost } from "../../../protocol/link/messages.ts";
import { Session } from "../../../protocol/link/session.ts";
import type { LinkStream, StreamHandler } from "../../../protocol/link/stream.ts";

const FIRST = limits.linkStreamWindowBytes;
const open = encodeHead({ service: "web", method: "GET", path: "/", headers: [] }) as Uint8Array;
const head = encodeHead({ status: 200, headers: [] }) as Uint8Array;
const chunk = new Uint8Array(64 * 1024);

const idle: StreamHandler = {
  head: () => true,
  data: () => undefined,
  end: () => undefined,
  reset: () => undefined,
  drain: () => undefined,
};

/** An edge and an agent, and the way between them. */
class Way {
  now = 0;
  readonly faults: string[] = [];
  edge: Session;
  readonly agent: Session;
  /** The agent's end of each stream, in their order. */
  readonly served: LinkStream[] = [];
  readonly #oneWayMs: number;
  #flying: { at: number; message: Uint8Array; to: () => Session }[] = [];

  constructor(roundTripMs: number) {
    this.#oneWayMs = roundTripMs / 2;
    this.agent = new Session(
      this.#port(() => this.edge),
      {
        accept: (stream) => {
          this.served.push(stream);
          stream.sendHead(head, false);
          return { ...idle, drain: () => this.#fill(stream) };
        },
      },
    );
    this.edge = this.newEdge(101);
  }

  newEdge(
    firstId: number,
    resume: { id: number; serve(stream: LinkStream): SocketHandler }[] = [],
  ) {
    this.#flying = [];
    this.edge = new Session(
      this.#port(() => this.agent),
      { firstId, resume },
    );
    return this.edge;
  }

  #port(to: () => Session) {
    return {
      send: (message: Uint8Array, sent: () => void) => {
        this.#flying.push({ at: this.now + this.#oneWayMs, message: message.slice(), to });
        sent();
      },
      bufferedBytes: () => 0,
      now: () => this.now,
      soon: (work: () => void) => void this.#soon.push(work),
      later: (work: () => void) => void this.#soon.push(work),
      onProtocolError: (reason: string) => void this.faults.push(reason),
    };
  }
  readonly #soon: (() => void)[] = [];

  #fill(stream: LinkStream): void {
    while (stream.write(chunk));
  }

  /** The agent begins to send without end on its `index`th stream. */
  pour(index: number): void {
    this.#fill(this.served[index] as LinkStream);
  }

  /** Lets `ms` pass; `each` is told of every millisecond. */
  pass(ms: number, each: () => void = () => undefined): void {
    for (const until = this.now + ms; this.now < until; this.now++) {
      const due = this.#flying.filter(({ at }) => at <= this.now);
      this.#flying = this.#flying.filter(({ at }) => at > this.now);
      for (const { message, to } of due) to().receive(message);
      each();
      for (let work = this.#soon.shift(); work !== undefined; work = this.#soon.shift()) work();
    }
  }
}

/** A visitor who takes `atOnce` bytes a millisecond of what came. */
function reader(way: Way, atOnce: () => number) {
  const state = { held: 0, most: 0, taken: 0, arrivedAt: [] as number[] };
  const stream = way.edge.open(open, true, {
    ...idle,
    data: (bytes) => {
      state.held += bytes.byteLength;
      state.most = Math.max(state.most, state.held);
      state.arrivedAt.push(way.now);
    },
  });
  const take = () => {
    const bytes = Math.min(state.held, atOnce());
    state.held -= bytes;
    state.taken += bytes;
    if (bytes > 0) stream.consumed(bytes);
  };
  return { state, stream, take };
}

const ALL = () => Number.POSITIVE_INFINITY;

describe("a stream's window", () => {
  it("grows while its consumer is faster than credit comes back, up to its bound", () => {
    const way = new Way(50);
    const { state, stream, take } = reader(way, ALL);
    way.pass(60, take);
    way.pour(0);
    way.pass(2000, take);
    expect(stream.receiveWindow.size).toBe(limits.linkStreamWindowMaxBytes);
    // With the first window it would have been one window each round trip.
    expect(state.taken).toBeGreaterThan(8 * FIRST * (2000 / 50));
    expect(way.faults).toEqual([]);
  });

  it.each([
    ["near by, with a consumer that is no faster than it", 2, () => 50_000],
    ["with a consumer that is slower than the way", 50, () => 2000],
  ])("stays as it was %s", (_what, roundTrip, speed) => {
    const way = new Way(roundTrip);
    const { stream, take } = reader(way, speed);
    way.pass(60, take);
    way.pour(0);
    way.pass(3000, take);
    expect(stream.receiveWindow.size).toBe(FIRST);
    expect(way.faults).toEqual([]);
  });

  it("grows near by while nobody else asks, shrinks when somebody does, and grows again", () => {
    const way = new Way(2);
    const { state, stream, take } = reader(way, ALL);
    way.pass(60, take);
    way.pour(0);
    way.pass(500, take);
    expect(stream.receiveWindow.size).toBe(limits.linkNearWindowBytes);
    way.pass(500, take);
    const click = reader(way, ALL);
    const both = () => {
      take();
      click.take();
    };
    way.pass(20, both);
    expect(stream.receiveWindow.size).toBe(FIRST);
    state.most = 0;
    way.pass(limits.linkAloneMs - 30, both);
    expect(state.most).toBeLessThanOrEqual(FIRST);
    expect(state.most).toBeGreaterThan(0);
    way.pass(100, both);
    expect(stream.receiveWindow.size).toBe(limits.linkNearWindowBytes);
    // What was not given back while it shrank is not lost to the sender.
    way.pass(100, () => click.take());
    expect(state.held).toBe(limits.linkNearWindowBytes);
    expect(way.faults).toEqual([]);
  });

  it("holds no more than it is when its consumer stops, and a sender that goes on is cut off", () => {
    const way = new Way(50);
    let speed = Number.POSITIVE_INFINITY;
    const { state, stream, take } = reader(way, () => speed);
    way.pass(60, take);
    way.pour(0);
    way.pass(2000, take);
    speed = 0;
    way.pass(1000, take);
    expect(state.held).toBeGreaterThan(FIRST);
    expect(state.most).toBeLessThanOrEqual(limits.linkStreamWindowMaxBytes);
    expect(way.faults).toEqual([]);
    (way.served[0] as LinkStream).sendWindow.grant(chunk.byteLength);
    way.pour(0);
    way.pass(1000, take);
    expect(way.faults).toEqual(["stream overrun"]);
    expect(state.most).toBeLessThanOrEqual(stream.receiveWindow.size);
  });

  it("leaves room for a click, however many have grown and then stall", () => {
    const way = new Way(50);
    let speed = Number.POSITIVE_INFINITY;
    const readers = [0, 1, 2, 3].map(() => reader(way, () => speed));
    const each = () => readers.forEach(({ take }) => void take());
    way.pass(60, each);
    for (const index of readers.keys()) way.pour(index);
    way.pass(3000, each);
    const grown = readers.reduce((sum, { stream }) => sum + stream.receiveWindow.grown, 0);
    expect(grown).toBeGreaterThan(0);
    expect(grown).toBeLessThanOrEqual(limits.linkGrownWindowsBytes);
    // While all of them are moving, a click takes its turn; when all stall, there is room for it.
    for (const stalled of [false, true]) {
      speed = stalled ? 0 : Number.POSITIVE_INFINITY;
      if (stalled) way.pass(1000, each);
      const click = reader(way, ALL);
      const asked = way.now;
      const both = () => {
        each();
        click.take();
      };
      way.pass(26, both);
      way.served.at(-1)?.write(new Uint8Array(1000));
      way.pass(100, both);
      expect(click.state.taken).toBe(1000);
      expect((click.state.arrivedAt[0] as number) - asked).toBeLessThanOrEqual(60);
    }
    expect(way.faults).toEqual([]);
  });

  it("is measured by answers to its own questions alone", () => {
    const way = new Way(2);
    const { stream, take } = reader(way, ALL);
    way.pass(60, take);
    way.pour(0);
    way.pass(1000, take);
    // An answer that nobody waits for, long after: it makes no long way of a short one.
    way.agent.ping();
    way.pass(5000, take);
    expect(stream.receiveWindow.size).toBe(limits.linkNearWindowBytes);
  });
});

describe("a WebSocket's window, once it grew", () => {
  it("stands when the object slept: both go on, lose nothing, and neither waits for ever", () => {
    const way = new Way(50);
    const got = { bytes: 0 };
    const visitor =
      (session: () => Session) =>
      (stream: LinkStream): SocketHandler => ({
        message: (bytes) => {
          got.bytes += bytes.byteLength;
          session().consumed(stream, messageCost(bytes.byteLength));
          return true;
        },
        closed: () => undefined,
        reset: () => void way.faults.push("reset"),
        drain: () => undefined,
      });
    let atDevice = 0;
    let waits = 0;
    const take = () => {
      if (waits > 0) device.consumed(waits);
      waits = 0;
    };
    const stream = way.edge.open(open, true, idle);
    way.pass(60);
    const device = way.served[0] as LinkStream;
    stream.upgrade(visitor(() => way.edge)(stream));
    device.upgrade({
      message: (bytes) => {
        atDevice += bytes.byteLength;
        waits += messageCost(bytes.byteLength);
        return true;
      },
      closed: () => undefined,
      reset: () => void way.faults.push("reset"),
      drain: () => undefined,
    });
    const say = () => {
      take();
      for (const end of [device, stream]) if (end.pendingMessages < 20) end.send(chunk, false);
    };
    way.pass(1500, say);
    expect(device.receiveWindow.size).toBeGreaterThan(FIRST);
    way.pass(500, take); // everything arrives
    const [toVisitor, toDevice] = [got.bytes, atDevice];
    // Eleven seconds of nothing, then an object that knows nothing of what grew.
    way.pass(11_000, take);
    let again: LinkStream | null = null;
    way.newEdge(201, [
      {
        id: stream.id,
        serve: (resumed) => {
          again = resumed;
          return visitor(() => way.edge)(resumed);
        },
      },
    ]);
    way.pass(200, take);
    const woken = again as LinkStream | null;
    for (let count = 0; count < 200; count++) {
      woken?.send(chunk, false);
      device.send(chunk, false);
    }
    way.pass(6000, take);
    expect(way.faults).toEqual([]);
    expect(got.bytes - toVisitor).toBe(200 * chunk.byteLength);
    expect(atDevice - toDevice).toBe(200 * chunk.byteLength);
  });
});
