/**
 * WebSockets within a session: whole messages as far as credit goes, closes in their order, a new session
 * that goes on where the last one was; and what is not forgiven.
 */

import { describe, expect, it } from "vitest";
import { limits } from "../../../protocol/limits.ts";
import {
  closePayload,
  type Frame,
  type FrameType,
  frameHeaderBytes,
  frameType,
  helloPayload,
  messageFlag,
  resetCode,
  u32,
} from "../../../protocol/link/frames.ts";
import { encodeHead } from "../../../protocol/link/headers.ts";
import { messageCost } from "../../../protocol/link/messages.ts";
import type { LinkStream } from "../../../protocol/link/stream.ts";
import { Bench } from "../../support/link-bench.ts";

const { text, more, continues } = messageFlag;
const WINDOW = limits.linkStreamWindowBytes;
const head = encodeHead({ status: 101, headers: [] }) as Uint8Array;
const headed = { type: frameType.head, stream: 101, payload: [head] };
const hello = (session: number) => ({ type: frameType.hello, payload: [helloPayload(session)] });
const opening = { type: frameType.open, stream: 1, end: true, payload: [head] };
const message = (bytes: number, flags = 0, stream = 101) => ({
  type: frameType.wsMessage,
  stream,
  flags,
  payload: [new Uint8Array(bytes)],
});
const closing = (code: number | null, reason = "", stream = 101) => ({
  type: frameType.wsClose,
  stream,
  payload: [closePayload({ code, reason })],
});
const resume = (bytes: number, stream = 1) => ({
  type: frameType.resume,
  stream,
  payload: [u32(bytes)],
});

/** The edge's end of a WebSocket that the device accepted. */
function openEdge(): { edge: Bench; stream: LinkStream } {
  const edge = new Bench("edge");
  const handler = edge.handler("s");
  const stream = edge.session.open(new Uint8Array(2), true, {
    ...handler,
    head: () => {
      stream.upgrade(edge.socketHandler("s"));
      return true;
    },
  });
  edge.say(hello(101), headed);
  edge.flush();
  return { edge, stream };
}

/** The agent's end of a WebSocket that its service accepted. */
function openAgent(): { agent: Bench; stream: LinkStream } {
  const agent = new Bench("agent");
  agent.say(hello(7), opening);
  const stream = agent.streams[0] as LinkStream;
  stream.sendHead(head, false);
  stream.upgrade(agent.socketHandler("1"));
  agent.flush();
  return { agent, stream };
}

describe("a WebSocket", () => {
  it("carries whole messages of both kinds, cut into frames", () => {
    const { edge, stream } = openEdge();
    stream.send(new Uint8Array(3), true);
    stream.send(new Uint8Array(0), false);
    stream.send(new Uint8Array(2 * limits.linkFrameBytes + 5), false);
    expect(edge.flush().map(({ flags, bytes }) => [flags, bytes])).toEqual([
      [text, 3],
      [0, 0],
      [more, limits.linkFrameBytes - frameHeaderBytes],
      [more | continues, limits.linkFrameBytes - frameHeaderBytes],
      [continues, 5 + 2 * frameHeaderBytes],
    ]);
    edge.say(
      message(1, text | more),
      message(2, text | more | continues),
      message(0, text | continues),
    );
    expect(edge.told.slice(1)).toEqual(["s text… 1", "s text… 2", "s text 0"]);
  });

  it("sends no more than the window, headers and all, and goes on when credit comes", () => {
    const { edge, stream } = openEdge();
    for (let at = 0; at < WINDOW; at++) stream.send(new Uint8Array(0), false);
    expect(edge.flush().length).toBe(Math.floor(WINDOW / frameHeaderBytes));
    edge.say({ type: frameType.credit, stream: 101, payload: [u32(frameHeaderBytes)] });
    expect(edge.flush().length).toBe(1);
    expect(stream.pendingMessages).toBe(WINDOW - Math.floor(WINDOW / frameHeaderBytes) - 1);
  });

  it("gives credit only for what was taken", () => {
    const { edge, stream } = openEdge();
    const bytes = limits.linkFrameBytes - frameHeaderBytes;
    for (let at = 0; at < 4; at++) edge.say(message(bytes));
    expect(edge.flush()).toEqual([]);
    stream.consumed(messageCost(bytes));
    expect(edge.flush()).toEqual([]);
    stream.consumed(messageCost(bytes));
    expect(edge.flush().map(({ type, value }) => [type, value])).toEqual([
      [frameType.credit, WINDOW / 2],
    ]);
  });

  it("shares with the other streams of its connection", () => {
    const { edge, stream } = openEdge();
    const other = edge.open(false);
    stream.send(new Uint8Array(WINDOW), false);
    other.write(new Uint8Array(WINDOW));
    const turns = edge.flush().filter(({ type }) => type !== frameType.open);
    expect(turns.slice(0, 4).map((frame) => frame.stream)).toEqual([101, 103, 101, 103]);
  });

  it("is closed after its messages, and then gone at both ends", () => {
    const { edge, stream } = openEdge();
    stream.send(new Uint8Array(WINDOW), false);
    stream.close({ code: 4000, reason: "enough" });
    expect(edge.flush().map(({ type }) => type)).not.toContain(frameType.wsClose);
    expect([stream.closing, edge.session.size]).toEqual([true, 1]);
    edge.say(
      { type: frameType.credit, stream: 101, payload: [u32(WINDOW)] },
      message(9),
      closing(1000),
    );
    expect(edge.told, "nobody is there to be told").toEqual(["s drain"]);
    expect(edge.session.size).toBe(0);
  });

  it("tells how it was closed at the other end, or that it broke", () => {
    const first = openEdge();
    first.edge.say(message(1), closing(4999, "bye"), message(1), closing(1000));
    expect(first.edge.told).toEqual(["s binary 1", "s closed 4999 bye"]);
    expect([first.edge.session.size, first.edge.errors]).toEqual([0, []]);
    const second = openEdge();
    second.edge.say(closing(null));
    expect(second.edge.told).toEqual(["s closed null "]);
    const third = openEdge();
    third.edge.say({ type: frameType.reset, stream: 101, payload: [u32(resetCode.unreachable)] });
    expect(third.edge.told).toEqual(["s socket reset 3"]);
    const fourth = openEdge();
    fourth.edge.session.close();
    expect(fourth.edge.told).toEqual(["s socket reset null"]);
  });

  it("gives back what a dead one held", () => {
    const { edge, stream } = openEdge();
    edge.say(message(1000));
    stream.reset(resetCode.cancel);
    edge.say(message(500));
    expect(edge.session.windows).toMatchObject({
      held: 0,
      owed: messageCost(1000) + messageCost(500),
    });
  });

  it("asks a writer to wait, and tells it once when there is room", () => {
    const { agent, stream } = openAgent();
    expect(stream.send(new Uint8Array(limits.linkWriteBufferBytes), false)).toBe(false);
    agent.flush();
    expect(agent.told).toEqual(["1 drain"]);
  });

  it("keeps within a message's size, a close at its very end too", () => {
    const { agent } = openAgent();
    // Fills the first message but for one byte, so that the close comes where there is no room.
    for (const [at, filler] of [1, 14, 100].entries()) {
      agent.say({ ...opening, stream: 3 + at * 2 });
      const stream = agent.streams.at(-1) as LinkStream;
      stream.sendHead(head, false);
      stream.upgrade(agent.socketHandler("x"));
      agent.flush();
      stream.send(new Uint8Array(limits.linkMessageBytes - 5 * frameHeaderBytes - filler), false);
      stream.close({ code: 1000, reason: "r".repeat(123) });
      for (const work of [agent.flushAll()]) expect(work.length).toBeGreaterThan(0);
    }
    expect(agent.longest).toBeLessThanOrEqual(limits.linkMessageBytes);
  });
});

describe("a hostile device", () => {
  it.each<[string, (Partial<Frame> & { type: FrameType })[], string]>([
    ["data on a WebSocket", [{ type: frameType.data, stream: 101 }], "data on a WebSocket"],
    ["a message that goes on before it began", [message(1, continues)], "message out of order"],
    ["a message within a message", [message(1, more), message(1)], "message out of order"],
    [
      "a message of two kinds",
      [message(1, more), message(1, text | continues)],
      "message of two kinds",
    ],
    ["a close within a message", [message(1, more), closing(1000)], "close within a message"],
    [
      "a close that cannot be",
      [{ type: frameType.wsClose, stream: 101, payload: [Uint8Array.of(3, 0xed)] }],
      "close that no WebSocket could carry",
    ],
    [
      "text that is none",
      [{ ...message(1, text), payload: [Uint8Array.of(0xff)] }],
      "text that is not UTF-8",
    ],
    ["a stream of a wrong parity", [message(1, 0, 2)], "stream of a wrong parity"],
  ])("is cut off for %s", (_name, frames, reason) => {
    const { edge } = openEdge();
    edge.say(...frames);
    expect(edge.errors).toEqual([reason]);
    expect(edge.told.at(-1)).toBe("s socket reset null");
  });

  it("is cut off for more than its window", () => {
    const { edge } = openEdge();
    for (let at = 0; at < 4; at++) edge.say(message(limits.linkFrameBytes - frameHeaderBytes));
    expect(edge.errors).toEqual([]);
    edge.say(message(0));
    expect(edge.errors).toEqual(["stream overrun"]);
  });

  it("is cut off for a message without an end", () => {
    const { edge, stream } = openEdge();
    const bytes = limits.linkFrameBytes;
    edge.say(message(bytes, more));
    stream.consumed(messageCost(bytes));
    for (let at = bytes; at < limits.linkSocketMessageBytes; at += bytes) {
      edge.say(message(bytes, more | continues));
      stream.consumed(messageCost(bytes));
    }
    expect(edge.errors).toEqual([]);
    edge.say(message(1, continues));
    expect(edge.errors).toEqual(["WebSocket message too long"]);
  });

  it.each([
    ["a message", message(1), "message on a stream that is no WebSocket"],
    ["a close", closing(1000), "close of a stream that is no WebSocket"],
  ])("is cut off for %s where a response belongs", (_name, frame, reason) => {
    const edge = new Bench("edge");
    edge.open();
    edge.say(
      { ...headed, payload: [encodeHead({ status: 200, headers: [] }) as Uint8Array] },
      frame,
    );
    expect(edge.errors).toEqual([reason]);
  });

  it("is cut off for a 101 that ends", () => {
    const edge = new Bench("edge");
    const stream = edge.session.open(new Uint8Array(2), true, {
      ...edge.handler("s"),
      head: () => {
        stream.upgrade(edge.socketHandler("s"));
        return true;
      },
    });
    edge.say({ ...headed, end: true });
    expect(edge.errors).toEqual(["end of a WebSocket"]);
  });
});

describe("a WebSocket in a new session", () => {
  it("is named right after HELLO, and waits for the device's word", () => {
    const edge = new Bench("edge", [1]);
    const [stream] = edge.streams as [LinkStream];
    stream.send(new Uint8Array(5), true);
    expect(edge.flush().map(({ type, stream: id }) => [type, id])).toEqual([
      [frameType.hello, 0],
      [frameType.resume, 1],
    ]);
    edge.say(hello(101), resume(14));
    expect(edge.flush().map(({ flags, bytes }) => [flags, bytes])).toEqual([[text | more, 2]]);
    edge.say({ type: frameType.credit, stream: 1, payload: [u32(1000)] });
    expect(edge.flush().map(({ flags, bytes }) => [flags, bytes])).toEqual([[text | continues, 3]]);
  });

  it("takes what the device said before its answer, against no window", () => {
    const edge = new Bench("edge", [1]);
    edge.say(message(1000, 0, 1), {
      type: frameType.credit,
      stream: 1,
      payload: [u32(0xffff_ffff)],
    });
    expect([edge.told, edge.errors]).toEqual([["1 binary 1000"], []]);
    expect(edge.session.windows).toMatchObject({ held: 0, owed: 0 });
    edge.streams[0]?.consumed(messageCost(1000));
    edge.say(hello(99), resume(4), hello(101), resume(WINDOW), message(10, 0, 1));
    expect(edge.session.windows).toMatchObject({ held: messageCost(10), owed: 0 });
    edge.streams[0]?.consumed(messageCost(10));
    expect(edge.session.windows).toMatchObject({ held: 0, owed: messageCost(10) });
    expect(edge.errors).toEqual([]);
  });

  it("is closed with the code that came before the answer", () => {
    const edge = new Bench("edge", [1]);
    edge.say(closing(4001, "gone", 1), hello(101));
    edge.say({ type: frameType.reset, stream: 1, payload: [u32(resetCode.cancel)] });
    expect([edge.told, edge.errors, edge.session.size]).toEqual([["1 closed 4001 gone"], [], 0]);
  });

  it("is over when its message began in a session that was forgotten", () => {
    const edge = new Bench("edge", [1]);
    edge.say(message(5, continues, 1), message(5, continues, 1));
    expect([edge.told, edge.errors]).toEqual([["1 socket reset null"], []]);
    expect(edge.flush().at(-1)).toMatchObject({ type: frameType.reset, stream: 1 });
  });

  it("goes on at the device with what it still holds, and says how much more it takes", () => {
    const { agent, stream } = openAgent();
    agent.say(message(1000, 0, 1));
    stream.send(new Uint8Array(50), false);
    agent.say(hello(8), resume(WINDOW));
    expect(agent.flushAll().map(({ type, value }) => [type, value])).toEqual([
      [frameType.hello, 0x0001_0007],
      [frameType.resume, WINDOW - messageCost(1000)],
      [frameType.wsMessage, 0],
    ]);
    stream.consumed(messageCost(1000));
    expect(agent.session.windows.owed, "the old window is forgotten").toBe(0);
    agent.say(message(1, 0, 1));
    expect([agent.told, agent.errors]).toEqual([
      ["1 binary 1000", "1 drain", "1 binary 1"].filter((event) => event !== "1 drain"),
      [],
    ]);
  });

  it("is over at the device when it is not named", () => {
    const { agent } = openAgent();
    agent.say(hello(8));
    expect([agent.told, agent.session.size]).toEqual([["1 socket reset null"], 0]);
    agent.say(hello(9), resume(5), message(3, 0, 1), closing(1000, "", 1));
    expect(agent.flush().map(({ type, stream }) => [type, stream])).toEqual([[frameType.reset, 1]]);
    expect(agent.errors).toEqual([]);
  });

  it("is over at the device when the rest of a message is lost", () => {
    const { agent } = openAgent();
    agent.say(message(3, more, 1));
    agent.say(hello(8), resume(WINDOW));
    expect(agent.told).toEqual(["1 binary… 3", "1 socket reset null"]);
    expect(agent.flush().at(-1)).toMatchObject({
      type: frameType.reset,
      value: resetCode.internal,
    });
  });

  it("is named at no other time", () => {
    const { agent } = openAgent();
    agent.say(resume(5));
    expect(agent.errors).toEqual(["resume after the beginning"]);
  });

  it("takes no more than a connection may carry", () => {
    const edge = new Bench("edge", [1]);
    edge.say(hello(101), resume(limits.linkConnectionWindowBytes + 1));
    expect(edge.errors).toEqual(["credit beyond the window"]);
  });
});
