/**
 * A pipe between two ends, whatever carries it: a seeded simulation in which carriers break at any
 * moment, half of what was on its way is lost, and both ends read as they like.
 */

import { describe, expect, it } from "vitest";
import { limits } from "../../../protocol/limits.ts";
import { encodeMessage, frameType, resetCode, u32 } from "../../../protocol/link/frames.ts";
import { Pipe } from "../../../protocol/link/pipe.ts";

const HISTORIES = 1000;
const WINDOW = limits.tunnelWindowBytes;

/** Numbers that look random and are the same for a seed (mulberry32). */
function chance(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** What the two ends say: no piece looks like another of the same place. */
const words = [3, 7].map((salt) =>
  Uint8Array.from({ length: 3 * WINDOW }, (_, at) => (at * 31 + (at >>> 8) + salt) & 0xff),
) as [Uint8Array, Uint8Array];

/** One end, its consumer and what it has to say. */
class End {
  readonly pipe: Pipe;
  readonly say: number;
  readonly #words: Uint8Array;
  said = 0;
  heard = 0;
  ended = false;
  over = 0;
  fault: string | null = null;
  #untaken = 0;
  readonly work: (() => void)[] = [];

  constructor(say: number, mine: Uint8Array, theirs: Uint8Array) {
    this.say = say;
    this.#words = mine;
    this.pipe = new Pipe((work) => this.work.push(work), {
      data: (bytes) => {
        const due = theirs.subarray(this.heard, this.heard + bytes.byteLength);
        if (Buffer.compare(bytes, due) !== 0) this.fault = `other bytes after ${this.heard}`;
        this.heard += bytes.byteLength;
        this.#untaken += bytes.byteLength;
      },
      end: () => {
        if (this.ended) this.fault = "two ends";
        this.ended = true;
      },
      reset: (code) => {
        this.fault = `reset ${code}`;
      },
      drain: () => undefined,
      over: () => void this.over++,
    });
  }

  /** Says a piece, or the end. */
  write(bytes: number): void {
    const count = Math.min(bytes, this.say - this.said);
    if (count > 0) {
      this.pipe.write(this.#words.subarray(this.said, this.said + count));
      this.said += count;
    } else this.pipe.end();
  }

  take(bytes: number): void {
    const count = Math.min(bytes, this.#untaken);
    this.#untaken -= count;
    this.pipe.consumed(count);
  }

  run(): void {
    for (const work of this.work.splice(0)) work();
  }
}

function history(seed: number): void {
  const below = chance(seed);
  const [one, other] = words;
  const left = new End(below(3 * WINDOW), one, other);
  const right = new End(below(2) * below(3 * WINDOW), other, one);
  const ends = [left, right];
  let wires: Uint8Array[][] = [[], []];
  let losses = below(8);
  const connect = () => {
    wires = [[], []];
    const [toRight, toLeft] = wires as [Uint8Array[], Uint8Array[]];
    // As it is: the visitor says how far it got, then the box; each attaches when it heard.
    const [there, here] = [left.pipe.position(), right.pipe.position()];
    expect(right.pipe.attach((message) => void toLeft.push(message), there)).toBe(true);
    expect(left.pipe.attach((message) => void toRight.push(message), here)).toBe(true);
  };
  connect();
  const isDone = () => ends.every(({ over, ended }) => over > 0 && ended);
  for (let step = 0; step < 40_000 && !isDone(); step++) {
    const side = below(2);
    const end = ends[side] as End;
    switch (below(6)) {
      case 0:
        end.write(1 + below(200_000));
        break;
      case 1:
        end.take(1 + below(400_000));
        break;
      case 2:
      case 3:
        end.run();
        break;
      case 4: {
        const message = wires[side]?.shift();
        const hearer = ends[1 - side] as End;
        const reason = message === undefined ? null : hearer.pipe.receive(message);
        if (reason !== null) hearer.fault = reason;
        break;
      }
      case 5:
        // Once an end is done it keeps nothing to go on with.
        if (losses === 0 || below(30) > 0 || ends.some(({ over }) => over > 0)) break;
        losses--;
        for (const { pipe } of ends) pipe.detach();
        connect();
    }
    const fault = left.fault ?? right.fault;
    if (fault !== null) throw new Error(fault);
  }
  expect(isDone()).toBe(true);
  expect([left.heard, right.heard]).toEqual([right.say, left.say]);
  expect([left.over, right.over]).toEqual([1, 1]);
}

describe("a pipe whose carrier breaks", () => {
  it(`loses nothing and doubles nothing, in ${HISTORIES} histories`, { timeout: 120_000 }, () => {
    for (let seed = 1; seed <= HISTORIES; seed++) {
      try {
        history(seed);
      } catch (error) {
        throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}`);
      }
    }
  });
});

describe("a pipe", () => {
  const quiet = { data: () => {}, end: () => {}, reset: () => {}, drain: () => {}, over: () => {} };
  const now = (work: () => void) => work();
  const frame = (type: 4 | 5 | 6 | 3, payload: Uint8Array, end = false) =>
    encodeMessage([{ type, end, stream: 1, payload: [payload] }]);

  it("sends a window and no more, each message of a frame's length at most", () => {
    const sent: number[] = [];
    const pipe = new Pipe(now, quiet);
    pipe.attach((message) => sent.push(message.byteLength), { received: 0, taken: 0 });
    for (let at = 0; at < 3; at++) pipe.write(new Uint8Array(WINDOW));
    expect(Math.max(...sent)).toBeLessThanOrEqual(limits.linkFrameBytes - 12);
    expect(sent.reduce((sum, bytes) => sum + bytes - 12, 0)).toBe(WINDOW);
    expect(pipe.receive(frame(frameType.credit, u32(1000)))).toBeNull();
    expect(sent.reduce((sum, bytes) => sum + bytes - 12, 0)).toBe(WINDOW + 1000);
  });

  it("stops after so many small frames, and goes on with a credit for them", () => {
    let sent = 0;
    const pipe = new Pipe(now, quiet);
    pipe.attach(() => sent++, { received: 0, taken: 0 });
    for (let at = 0; at < 2 * limits.tunnelFrames; at++) pipe.write(Uint8Array.of(1));
    expect(sent).toBe(limits.tunnelFrames);
    pipe.receive(frame(frameType.credit, u32(limits.tunnelFrames / 4)));
    expect(sent).toBe(limits.tunnelFrames + 1);
  });

  it.each([
    ["a position beyond what was said", { received: 11, taken: 0 }],
    ["more taken than came", { received: 3, taken: 5 }],
    ["less taken than before", { received: 10, taken: 2 }],
  ])("does not go on with %s", (_name, there) => {
    const pipe = new Pipe(now, quiet);
    pipe.attach(() => {}, { received: 0, taken: 0 });
    pipe.write(new Uint8Array(10));
    pipe.receive(frame(frameType.credit, u32(4)));
    pipe.detach();
    expect(pipe.attach(() => {}, there)).toBe(false);
  });

  it.each([
    [
      "data after the end",
      [frame(frameType.data, Uint8Array.of(1), true), frame(4, Uint8Array.of(1))],
    ],
    ["credit beyond the window", [frame(frameType.credit, u32(1))]],
    ["overrun", Array(40).fill(frame(frameType.data, new Uint8Array(60_000)))],
    ["unexpected frame", [frame(frameType.head, new Uint8Array(2))]],
    ["another stream", [encodeMessage([{ type: 4, end: false, stream: 3, payload: [u32(1)] }])]],
  ])("hears nothing more after %s", (reason, messages) => {
    const pipe = new Pipe(now, quiet);
    pipe.attach(() => {}, { received: 0, taken: 0 });
    const heard = messages.map((message) => pipe.receive(message));
    expect(heard.find((one) => one !== null)).toBe(reason);
    expect([pipe.over, pipe.isCarried]).toEqual([true, false]);
  });

  it("is over for both when one gives up", () => {
    const told: string[] = [];
    const pipe = new Pipe(now, { ...quiet, over: () => told.push("over") });
    const sent: Uint8Array[] = [];
    pipe.attach((message) => sent.push(message), { received: 0, taken: 0 });
    pipe.release(resetCode.cancel);
    pipe.release(resetCode.cancel);
    expect([told, sent.length]).toEqual([["over"], 1]);
    const other = new Pipe(now, { ...quiet, reset: (code) => told.push(`reset ${code}`) });
    other.attach(() => {}, { received: 0, taken: 0 });
    other.receive(sent[0] as Uint8Array);
    expect(told).toEqual(["over", `reset ${resetCode.cancel}`]);
  });
});
