/** One session against a peer that is written by hand: credits, fairness, and what is not forgiven. */

import { describe, expect, it } from "vitest";
import { limits } from "../../../protocol/limits.ts";
import {
  type Frame,
  type FrameType,
  frameType,
  helloPayload,
  resetCode,
  u32,
} from "../../../protocol/link/frames.ts";
import { encodeHead } from "../../../protocol/link/headers.ts";
import { LinkStream, type StreamHost } from "../../../protocol/link/stream.ts";
import { Bench } from "../../support/link-bench.ts";

const head = encodeHead({ status: 200, headers: [] }) as Uint8Array;
const open = encodeHead({ service: "web", method: "GET", path: "/", headers: [] }) as Uint8Array;
const hello = { type: frameType.hello, payload: [helloPayload(7)] };
const hello101 = { type: frameType.hello, payload: [helloPayload(101)] };
const WINDOW = limits.linkStreamWindowBytes;
const piece = (bytes: number) => [new Uint8Array(bytes)];

describe("a stream", () => {
  it("is full of many short pieces long before they are many bytes", () => {
    const stream = new LinkStream(1, { wantsToSend: () => undefined } as unknown as StreamHost);
    let pieces = 1;
    while (stream.write(new Uint8Array(1)) && pieces < limits.linkWriteBufferBytes) pieces++;
    expect(pieces * limits.linkPieceOverheadBytes).toBeLessThanOrEqual(limits.linkWriteBufferBytes);
  });
});

describe("a session", () => {
  it("begins with HELLO, in the message of the first OPEN", () => {
    const edge = new Bench("edge");
    edge.open();
    edge.open();
    expect(edge.flush().map(({ type, stream }) => [type, stream])).toEqual([
      [frameType.hello, 0],
      [frameType.open, 101],
      [frameType.open, 103],
    ]);
  });

  it("is answered with HELLO, once for each", () => {
    const agent = new Bench("agent");
    agent.say(hello);
    agent.say(hello);
    expect(agent.flushAll().map(({ type, value }) => [type, value])).toEqual([
      [frameType.hello, 0x0001_0007],
    ]);
    expect(agent.session.capabilities).toBe(7);
    const edge = new Bench("edge");
    edge.say({ type: frameType.hello, payload: [helloPayload(99)] });
    expect(edge.session.capabilities, "an answer to another session").toBeNull();
    edge.say({ type: frameType.hello, payload: [helloPayload(101, 6)] });
    expect(edge.session.capabilities).toBe(6);
  });

  it("sends no more than the window, and goes on when credit comes", () => {
    const edge = new Bench("edge");
    const stream = edge.open(false);
    stream.write(new Uint8Array(WINDOW + 5));
    stream.end();
    const sent = edge.flush().filter((frame) => frame.type === frameType.data);
    expect(sent.reduce((sum, frame) => sum + frame.bytes, 0)).toBe(WINDOW);
    expect(sent.some((frame) => frame.end)).toBe(false);
    edge.say({ type: frameType.credit, stream: 101, payload: [u32(WINDOW / 2)] });
    const rest = edge.flush();
    expect(rest.map(({ bytes, end }) => [bytes, end])).toEqual([[5, true]]);
  });

  it("gives credit at half a window, and only for bytes that were taken", () => {
    const edge = new Bench("edge");
    const stream = edge.open();
    edge.flush();
    edge.say({ type: frameType.head, stream: 101, payload: [head] });
    for (let sent = 0; sent < WINDOW; sent += limits.linkFrameBytes) {
      edge.say({ type: frameType.data, stream: 101, payload: piece(limits.linkFrameBytes) });
    }
    expect(edge.flush()).toEqual([]);
    stream.consumed(WINDOW / 2 - 1);
    expect(edge.flush()).toEqual([]);
    stream.consumed(1);
    expect(edge.flush().map(({ type, value }) => [type, value])).toEqual([
      [frameType.credit, WINDOW / 2],
    ]);
  });

  it("lets a small answer pass a large one, and control frames pass both", () => {
    const agent = new Bench("agent");
    agent.say(hello, { type: frameType.open, stream: 1, end: true, payload: [open] });
    agent.say({ type: frameType.open, stream: 3, end: true, payload: [open] });
    const [bulk, click] = agent.streams as [LinkStream, LinkStream];
    bulk.write(new Uint8Array(WINDOW));
    click.sendHead(head, false);
    click.write(new Uint8Array(10));
    click.end();
    const order = agent.flush().map(({ type, stream }) => `${type}:${stream}`);
    expect(order.slice(0, 3)).toEqual([
      `${frameType.head}:3`,
      `${frameType.data}:1`,
      `${frameType.data}:3`,
    ]);
  });

  it("sends a stream alone in long frames, and several in turns", () => {
    const agent = new Bench("agent");
    agent.say(hello);
    for (const stream of [1, 3]) {
      agent.say({ type: frameType.open, stream, end: true, payload: [open] });
    }
    const [first, second] = agent.streams as [LinkStream, LinkStream];
    const sent = () =>
      agent
        .flush()
        .filter(({ type }) => type === frameType.data)
        .map(({ stream, bytes }) => [stream, bytes]);
    first.write(new Uint8Array(WINDOW));
    expect(sent()).toEqual([[1, WINDOW]]);
    for (const stream of [1, 3]) {
      agent.say({ type: frameType.credit, stream, payload: [u32(WINDOW / 2)] });
    }
    first.write(new Uint8Array(WINDOW));
    second.write(new Uint8Array(1000));
    expect(sent().slice(0, 2)).toEqual([
      [1, limits.linkFrameBytes],
      [3, 1000],
    ]);
  });

  it("gives memory back when its bytes are in a message, or are needed no more", async () => {
    const agent = new Bench("agent");
    agent.say(hello);
    agent.say({ type: frameType.open, stream: 1, end: true, payload: [open] });
    const [stream] = agent.streams as [LinkStream];
    const memory = new Uint8Array(1000).fill(7);
    const freed: string[] = [];
    stream.write(memory, () => {
      memory.fill(0); // somebody else's from now on
      freed.push("sent");
    });
    expect(freed).toEqual([]);
    expect(agent.flush().at(-1)?.value).toBe(0x0707_0707);
    await Promise.resolve();
    expect(freed).toEqual(["sent"]);
    stream.write(new Uint8Array(WINDOW), () => freed.push("half sent"));
    agent.flush();
    await Promise.resolve();
    expect(freed).toEqual(["sent"]);
    stream.reset(resetCode.cancel);
    stream.write(new Uint8Array(1), () => freed.push("too late"));
    expect(freed).toEqual(["sent", "half sent", "too late"]);
  });

  it("shares between hungry streams by bytes", () => {
    const agent = new Bench("agent");
    agent.say(hello);
    for (const stream of [1, 3, 5]) {
      agent.say({ type: frameType.open, stream, end: true, payload: [open] });
    }
    for (const stream of agent.streams) stream.write(new Uint8Array(WINDOW));
    const first = new Map<number, number>();
    for (const { stream, bytes } of agent.flush().slice(0, 9)) {
      first.set(stream, (first.get(stream) ?? 0) + bytes);
    }
    const shares = [...first.values()];
    expect(shares.length).toBe(3);
    expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(limits.linkFrameBytes);
  });

  it("waits while the socket is full, and goes on when it has drained", () => {
    const agent = new Bench("agent");
    agent.say(hello, { type: frameType.open, stream: 1, end: true, payload: [open] });
    agent.buffered = limits.linkBufferedBytes + 1;
    agent.streams[0]?.write(new Uint8Array(100));
    expect(agent.flush()).toEqual([]);
    agent.buffered = 0;
    agent.drained();
    expect(agent.flush().map(({ bytes }) => bytes)).toEqual([100]);
  });

  it("asks a writer to wait, and tells it once when there is room", () => {
    const agent = new Bench("agent");
    agent.say(hello, { type: frameType.open, stream: 1, end: true, payload: [open] });
    const stream = agent.streams[0] as LinkStream;
    expect(stream.write(new Uint8Array(limits.linkWriteBufferBytes - 1))).toBe(true);
    expect(stream.write(new Uint8Array(1))).toBe(false);
    agent.flush();
    expect(agent.told.filter((event) => event === "1 drain").length).toBe(1);
  });

  it("bounds the whole connection, however many streams there are", () => {
    const agent = new Bench("agent");
    agent.say(hello);
    const count = limits.linkConnectionWindowBytes / WINDOW + 4;
    for (let at = 0; at < count; at++) {
      agent.say({ type: frameType.open, stream: 1 + at * 2, end: true, payload: [open] });
    }
    for (const stream of agent.streams) stream.write(new Uint8Array(WINDOW));
    const sent = agent.flush().reduce((sum, frame) => sum + frame.bytes, 0);
    expect(sent).toBe(limits.linkConnectionWindowBytes);
    agent.say({ type: frameType.credit, stream: 0, payload: [u32(1000)] });
    expect(agent.flush().reduce((sum, frame) => sum + frame.bytes, 0)).toBe(1000);
  });

  it("gives the connection's credit back too, at an eighth of its window", () => {
    const edge = new Bench("edge");
    const eighth = limits.linkConnectionWindowBytes / 8;
    for (let at = 0; at < eighth / WINDOW; at++) {
      const stream = edge.open();
      edge.say({ type: frameType.head, stream: stream.id, payload: [head] });
      for (let sent = 0; sent < WINDOW; sent += limits.linkFrameBytes) {
        edge.say({
          type: frameType.data,
          stream: stream.id,
          payload: piece(limits.linkFrameBytes),
        });
      }
      edge.say({ type: frameType.data, stream: stream.id, end: true });
      stream.consumed(WINDOW);
    }
    const credits = edge.flush().filter((frame) => frame.type === frameType.credit);
    expect(credits.map(({ stream, value }) => [stream, value])).toEqual([[0, eighth]]);
  });

  it("gives back what a stream held when it dies, and takes late data of it without complaint", () => {
    const edge = new Bench("edge");
    const stream = edge.open();
    edge.say({ type: frameType.head, stream: 101, payload: [head] });
    edge.say({ type: frameType.data, stream: 101, payload: piece(1000) });
    expect(edge.session.windows.held).toBe(1000);
    stream.reset(resetCode.cancel);
    edge.say({ type: frameType.data, stream: 101, end: true, payload: piece(500) });
    edge.say({ type: frameType.credit, stream: 101, payload: [u32(5)] });
    edge.say({ type: frameType.reset, stream: 101, payload: [u32(1)] });
    expect(edge.session.windows).toEqual({
      send: limits.linkConnectionWindowBytes,
      held: 0,
      owed: 1500,
    });
    expect(edge.errors).toEqual([]);
  });

  it("forgets at a new HELLO, with full windows", () => {
    const agent = new Bench("agent");
    agent.say(hello, { type: frameType.open, stream: 11, end: true, payload: [open] });
    agent.streams[0]?.write(new Uint8Array(1000));
    agent.flush();
    agent.say(hello);
    expect(agent.told).toContain("11 reset null");
    expect(agent.session.windows.send).toBe(limits.linkConnectionWindowBytes);
    agent.say({ type: frameType.open, stream: 1, end: true, payload: [open] });
    expect(agent.errors).toEqual([]);
    expect(agent.session.size).toBe(1);
  });

  it("refuses more streams than it serves, and opens none when it is full or the other end leaves", () => {
    const agent = new Bench("agent");
    agent.say(hello);
    for (let at = 0; at <= limits.linkStreams; at++) {
      agent.say({ type: frameType.open, stream: 1 + at * 2, end: true, payload: [open] });
    }
    expect(agent.flush().map(({ type, value }) => [type, value])).toEqual([
      [frameType.reset, resetCode.refused],
    ]);
    const edge = new Bench("edge");
    for (let at = 0; at < limits.linkStreams; at++) edge.open();
    expect(edge.session.isFull).toBe(true);
    const other = new Bench("edge");
    other.say({ type: frameType.goaway });
    expect(other.session.isFull).toBe(true);
  });

  it("answers PING", () => {
    const edge = new Bench("edge");
    edge.say({ type: frameType.ping, payload: [Uint8Array.of(1, 2, 3, 4)] });
    expect(edge.flush().at(-1)).toMatchObject({ type: frameType.pong, value: 0x01020304 });
  });

  it("tells every stream when the connection goes, and says nothing more", () => {
    const edge = new Bench("edge");
    const stream = edge.open(false);
    edge.flush();
    edge.session.close();
    stream.write(new Uint8Array(5));
    stream.end();
    stream.reset(1);
    expect(edge.told).toEqual(["s reset null"]);
    expect(edge.flush()).toEqual([]);
  });
});

describe("a hostile device", () => {
  const data = (bytes: number, more: Partial<Frame> = {}) => ({
    type: frameType.data,
    stream: 101,
    payload: piece(bytes),
    ...more,
  });
  const headed = { type: frameType.head, stream: 101, payload: [head] };

  it.each<[string, (Partial<Frame> & { type: FrameType })[], string]>([
    ["data before the head", [data(1)], "data before the head"],
    ["two heads", [headed, headed], "second head"],
    ["data after the end", [headed, data(1, { end: true }), data(1)], "data after the end"],
    ["an even stream", [data(1, { stream: 2 })], "stream of a wrong parity"],
    [
      "OPEN",
      [{ type: frameType.open, stream: 102, payload: [open] }],
      "only the edge opens streams",
    ],
    ["a second HELLO", [hello101, hello101], "second hello"],
    [
      "another version",
      [{ type: frameType.hello, payload: [Uint8Array.of(0, 2, 0, 0, 0, 0, 0, 101)] }],
      "unknown protocol version",
    ],
    [
      "credit beyond the window",
      [{ type: frameType.credit, stream: 101, payload: [u32(0xffff_ffff)] }],
      "credit beyond the window",
    ],
  ])("is cut off for %s", (_name, frames, reason) => {
    const edge = new Bench("edge");
    edge.open(false);
    edge.say(...frames);
    expect(edge.errors).toEqual([reason]);
    expect(edge.session.size).toBe(0);
    expect(edge.told.at(-1)).toBe("s reset null");
  });

  it("is cut off for more than its window", () => {
    const edge = new Bench("edge");
    edge.open();
    edge.say(headed);
    for (let at = 0; at < 4; at++) edge.say(data(limits.linkFrameBytes));
    expect(edge.errors).toEqual([]);
    edge.say(data(1));
    expect(edge.errors).toEqual(["stream overrun"]);
  });

  it("is cut off for more than the connection's window on streams that nobody reads", () => {
    const edge = new Bench("edge");
    const count = limits.linkConnectionWindowBytes / WINDOW + 1;
    for (let at = 0; at < count; at++) {
      edge.open();
      const stream = 101 + at * 2;
      edge.say({ ...headed, stream });
      for (let frame = 0; frame < 4; frame++) edge.say(data(limits.linkFrameBytes, { stream }));
    }
    expect(edge.errors).toEqual(["connection overrun"]);
  });

  it("is cut off for a head that is not HTTP", () => {
    const edge = new Bench("edge");
    edge.session.open(new Uint8Array(2), true, { ...edge.handler("x"), head: () => false });
    edge.say(headed);
    expect(edge.errors).toEqual(["head that is not HTTP"]);
  });
});

describe("a strange edge", () => {
  const opening = (stream: number) => ({
    type: frameType.open,
    stream,
    end: true,
    payload: [open],
  });

  it.each<[string, (Partial<Frame> & { type: FrameType })[], string]>([
    [
      "another version",
      [{ type: frameType.hello, payload: [Uint8Array.of(0, 2, 0, 0, 0, 0, 0, 101)] }],
      "unknown protocol version",
    ],
    ["an even stream", [hello, opening(2)], "stream identifier used before"],
    ["a stream opened twice", [hello, opening(5), opening(5)], "stream identifier used before"],
    [
      "a head",
      [hello, { type: frameType.head, stream: 1, payload: [head] }],
      "only the agent sends heads",
    ],
    [
      "data on a stream that never was",
      [hello, { type: frameType.data, stream: 9 }],
      "stream that was never opened",
    ],
  ])("is cut off for %s", (_name, frames, reason) => {
    const agent = new Bench("agent");
    agent.say(...frames);
    expect(agent.errors).toEqual([reason]);
  });
});
