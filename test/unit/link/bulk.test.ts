/** The agent's end of the bulk lane: what goes into which segment, and the way back to frames. */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, vi } from "vitest";
import { BulkBody, bulkLaneTo } from "../../../agent/bulk.ts";
import { limits } from "../../../protocol/limits.ts";

const TOKEN = new Uint8Array(32);

/** A lane that reads when told, and what was told of a body on it. */
function lane() {
  const told: string[] = [];
  const refused: Uint8Array[] = [];
  const others = { ask: false };
  const segments: { bytes: number; offset: number; settle(error?: Error): void }[] = [];
  const body = new BulkBody(
    async (_token, offset, pieces, signal) => {
      let settle: (error?: Error) => void = () => {};
      const answered = new Promise<void>((resolve, reject) => {
        settle = (error) => (error === undefined ? resolve() : reject(error));
        signal.addEventListener("abort", () => reject(new Error("given up")));
      });
      const segment = { bytes: 0, offset, settle };
      segments.push(segment);
      const all = (async () => {
        for await (const piece of pieces) segment.bytes += piece.byteLength;
      })();
      await Promise.race([answered, all.then(() => answered)]);
    },
    TOKEN,
    77,
    {
      othersAsk: () => others.ask,
      drain: () => void told.push("drain"),
      refused: (chunks, ended) => {
        refused.push(...chunks.map(({ bytes }) => bytes));
        told.push(`refused ${ended}`);
      },
      broken: () => void told.push("broken"),
      done: () => void told.push("done"),
    },
  );
  return { body, told, refused, segments, others };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("a body on the bulk lane", () => {
  it("sends one piece until the edge reads, then the rest, then says that it is done", async () => {
    const { body, told, segments } = lane();
    body.write(new Uint8Array(10));
    body.write(new Uint8Array(20));
    body.end();
    await settled();
    expect(segments.map(({ bytes, offset }) => [bytes, offset])).toEqual([[10, 77]]);
    body.granted(TOKEN);
    await settled();
    expect(segments.map(({ bytes }) => bytes)).toEqual([30]);
    expect(told).toEqual([]);
    segments[0]?.settle();
    await settled();
    expect(told).toEqual(["done"]);
    expect(segments).toHaveLength(1);
  });

  it("gives everything back when it is refused before the edge reads", async () => {
    const { body, told, refused, segments } = lane();
    body.write(new Uint8Array(10));
    await settled();
    body.write(new Uint8Array(20));
    body.end();
    segments[0]?.settle(new Error("409"));
    await settled();
    expect(told).toEqual(["refused true"]);
    expect(refused.map(({ byteLength }) => byteLength)).toEqual([10, 20]);
  });

  it("is broken, and never goes back to frames, when it fails after the edge has read", async () => {
    const { body, told, segments } = lane();
    body.write(new Uint8Array(10));
    body.granted(TOKEN);
    await settled();
    segments[0]?.settle(new Error("the line broke"));
    await settled();
    expect(told).toEqual(["broken"]);
  });

  it("begins a new segment at the cap, with the token that the edge sent meanwhile", async () => {
    const { body, told, segments } = lane();
    const half = new Uint8Array(limits.linkBulkSegmentBytes / 2);
    body.write(half);
    body.granted(TOKEN);
    body.write(half);
    body.write(new Uint8Array(5));
    body.end();
    await settled();
    expect(segments.map(({ bytes }) => bytes)).toEqual([limits.linkBulkSegmentBytes]);
    segments[0]?.settle();
    await settled();
    body.granted(TOKEN);
    await settled();
    expect(segments.map(({ bytes }) => bytes)).toEqual([limits.linkBulkSegmentBytes, 5]);
    segments[1]?.settle();
    await settled();
    expect(told.at(-1)).toBe("done");
  });

  it("holds the service back while the edge does not read, and goes on when it does", async () => {
    const { body, told } = lane();
    expect(body.write(new Uint8Array(limits.linkBulkQueueBytes - 1))).toBe(true);
    expect(body.write(new Uint8Array(1))).toBe(false);
    await settled();
    expect(told).toEqual([]);
    body.granted(TOKEN);
    await settled();
    expect(told).toEqual(["drain"]);
  });

  it("gives memory back once what lies in it is sent, and not before", async () => {
    const { body, refused, segments } = lane();
    const freed: string[] = [];
    const free = (name: string) => () => void freed.push(name);
    body.write(new Uint8Array(10), free("first"));
    body.write(new Uint8Array(20), free("second"));
    await settled();
    // Sent, and kept until the edge reads: it may go in frames yet.
    expect(segments[0]?.bytes).toBe(10);
    expect(freed).toEqual([]);
    body.granted(TOKEN);
    await settled();
    expect(freed).toEqual(["first", "second"]);
    body.write(new Uint8Array(30), free("third"));
    body.abort();
    await settled();
    expect(freed).toEqual(["first", "second", "third"]);
    expect(refused).toEqual([]);
  });

  it("pauses after each turn while others ask, and only then", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout"] });
    try {
      const { body, segments, others } = lane();
      const turn = new Uint8Array(limits.linkBulkTurnBytes);
      body.write(new Uint8Array(0));
      body.granted(TOKEN);
      body.write(turn);
      body.write(turn);
      await settled();
      expect(segments[0]?.bytes).toBe(2 * turn.byteLength);
      others.ask = true;
      body.write(turn);
      body.write(turn);
      await settled();
      expect(segments[0]?.bytes).toBe(3 * turn.byteLength);
      await vi.advanceTimersByTimeAsync(limits.linkBulkPauseMs);
      expect(segments[0]?.bytes).toBe(4 * turn.byteLength);
    } finally {
      vi.useRealTimers();
    }
  });

  it("says nothing more once nobody needs it", async () => {
    const { body, told } = lane();
    body.write(new Uint8Array(10));
    body.abort();
    await settled();
    expect(told).toEqual([]);
  });
});

describe("the lane to the cloud", () => {
  it("lets a piece go that waits for a connection when nobody needs it any more", async () => {
    const server = createServer(() => undefined);
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const { port } = server.address() as AddressInfo;
    const lane = bulkLaneTo(`http://127.0.0.1:${port}`, "box");
    const over = { all: new AbortController(), last: new AbortController() };
    const free = Promise.withResolvers<void>();
    async function* piece(onFree: () => void) {
      try {
        yield new Uint8Array(10);
      } finally {
        onFree();
      }
    }
    const sends = Array.from({ length: limits.linkBulkConnections }, () =>
      lane
        .send(
          TOKEN,
          0,
          piece(() => undefined),
          over.all.signal,
        )
        .catch(() => undefined),
    );
    void lane.send(TOKEN, 0, piece(free.resolve), over.last.signal).catch(() => undefined);
    await settled();
    over.last.abort();
    await free.promise;
    over.all.abort();
    await Promise.all(sends);
    lane.close();
    await new Promise((closed) => server.close(closed));
  });
});
