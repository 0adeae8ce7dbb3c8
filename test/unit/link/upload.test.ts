/** The agent's end of a long upload: frames first, then the rest that it fetches; whole, or broken. */

import { describe, expect, it, vi } from "vitest";
import type { FetchRest, RestEvents } from "../../../agent/bulk.ts";
import { RequestBody } from "../../../agent/upload.ts";
import { limits } from "../../../protocol/limits.ts";

const TOKEN = new Uint8Array(32);
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A request's body, who reads it, and the lane that its rest comes by. */
function upload() {
  const lane: { events: RestEvents | null; resumed: number; aborted: boolean; asked: number } = {
    events: null,
    resumed: 0,
    aborted: false,
    asked: 0,
  };
  const from: FetchRest = (_token, events) => {
    lane.asked++;
    lane.events = events;
    return {
      resume: () => void lane.resumed++,
      abort: () => {
        lane.aborted = true;
      },
    };
  };
  let consumed = 0;
  const taken: number[] = [];
  const body = new RequestBody({
    consumed: (count) => {
      consumed += count;
    },
    restTaken: (count) => void taken.push(count),
  });
  const got = { text: "", end: null as "whole" | "broken" | null };
  const read = async () => {
    try {
      for await (const chunk of body) got.text += new TextDecoder().decode(chunk);
      got.end = "whole";
    } catch {
      got.end = "broken";
    }
  };
  return { body, lane, from, got, read, taken, consumed: () => consumed };
}

const bytes = (text: string) => new TextEncoder().encode(text);

describe("a long request at the device", () => {
  it("is its frames and then its rest, in order, whichever comes first", async () => {
    for (const early of [true, false]) {
      const { body, lane, from, got, read, consumed } = upload();
      void read();
      body.push(bytes("one "));
      body.fetch(from, TOKEN);
      const rest = () => {
        lane.events?.begun(8);
        lane.events?.data(bytes("three "));
      };
      if (early) rest();
      await settled();
      expect(got.text).toBe("one ");
      body.push(bytes("two "));
      if (!early) rest();
      await settled();
      expect(got.text).toBe("one two three ");
      body.expect(10);
      body.finish();
      await settled();
      expect(got.end).toBeNull();
      lane.events?.data(bytes("four"));
      lane.events?.ended();
      await settled();
      expect(got).toEqual({ text: "one two three four", end: "whole" });
      expect(consumed()).toBe(8);
    }
  });

  it("tells the edge what its service took of the rest: by bytes, and by time while it keeps some", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    try {
      const { body, lane, from, taken } = upload();
      const reader = body[Symbol.asyncIterator]();
      body.fetch(from, TOKEN);
      lane.events?.begun(0);
      vi.advanceTimersByTime(2 * limits.linkBulkTakenMs);
      expect(taken, "the visitor sends nothing").toEqual([]);
      lane.events?.data(new Uint8Array(5));
      vi.advanceTimersByTime(limits.linkBulkTakenMs);
      expect(taken, "it is kept").toEqual([0]);
      await reader.next();
      vi.advanceTimersByTime(2 * limits.linkBulkTakenMs);
      expect(taken, "once for all that was taken").toEqual([0, 5]);
      const half = limits.linkBulkTakenBytes / 2;
      for (let nth = 0; nth < 4; nth++) {
        lane.events?.data(new Uint8Array(half));
        await reader.next();
      }
      expect(taken).toEqual([0, 5, 5 + 2 * half, 5 + 4 * half]);
      lane.events?.data(new Uint8Array(5));
      body.fail();
      vi.advanceTimersByTime(5 * limits.linkBulkTakenMs);
      expect(taken.length, "nobody asks any more").toBe(4);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it("goes on in frames where the rest is refused, or was never read", async () => {
    for (const status of [true, false]) {
      const { body, lane, from, got, read } = upload();
      void read();
      body.fetch(from, TOKEN);
      body.push(bytes("one "));
      lane.events?.failed(status);
      body.push(bytes("two"));
      body.finish();
      await settled();
      expect(got).toEqual({ text: "one two", end: "whole" });
    }
  });

  const torn: [string, (lane: RestEvents, body: RequestBody) => void][] = [
    ["its rest breaks off", (lane) => lane.failed(false)],
    [
      "its rest is shorter than the edge sent, whatever HTTP says",
      (lane, body) => {
        body.expect(7);
        body.finish();
        lane.ended();
      },
    ],
    [
      "its rest is longer",
      (lane, body) => {
        lane.data(bytes("more than"));
        body.expect(6);
        body.finish();
        lane.ended();
      },
    ],
    ["it ends and nobody says how long its rest was", (_lane, body) => body.finish()],
    ["more comes in frames than before the rest", (_lane, body) => body.push(bytes("late"))],
  ];
  it.each(torn)("is broken, never short, when %s", async (_what, then) => {
    const { body, lane, from, got, read } = upload();
    void read();
    body.push(bytes("one "));
    body.fetch(from, TOKEN);
    lane.events?.begun(4);
    lane.events?.data(bytes("three "));
    await settled();
    then(lane.events as RestEvents, body);
    await settled();
    expect(got.end).toBe("broken");
  });

  it("is broken when a rest is announced that was not fetched, or could not be", async () => {
    for (const asked of [true, false]) {
      const { body, lane, from, got, read } = upload();
      void read();
      body.push(bytes("one "));
      if (asked) body.fetch(from, TOKEN);
      lane.events?.failed(false);
      body.expect(5);
      body.finish();
      await settled();
      expect(got.end).toBe("broken");
    }
  });

  it("is fetched once, as fast as the service takes it, and no more once nobody needs it", async () => {
    const { body, lane, from, read } = upload();
    body.fetch(from, TOKEN);
    body.fetch(from, TOKEN);
    expect(lane.asked).toBe(1);
    lane.events?.begun(0);
    const half = new Uint8Array(limits.linkBulkQueueBytes / 2);
    expect(lane.events?.data(half)).toBe(true);
    expect(lane.events?.data(half)).toBe(false);
    expect(lane.resumed).toBe(0);
    void read();
    await settled();
    expect(lane.resumed).toBe(1);
    body.fail();
    expect(lane.aborted).toBe(true);
    body.fetch(from, TOKEN);
    expect(lane.asked).toBe(1);
  });

  it.each([1, 3, 100, 255, 256, 5000])(
    "waits in few pieces when it comes in frames of %i bytes, and is in order",
    async (size) => {
      const { body, consumed } = upload();
      const whole = new Uint8Array(limits.linkStreamWindowBytes).map((_, at) => at % 251);
      for (let at = 0; at < whole.length; at += size) {
        const frame = whole.slice(at, at + size);
        body.push(frame);
        frame.fill(255); // a short one is a copy: its message may go
        if (size >= limits.linkPieceOverheadBytes) frame.set(whole.subarray(at, at + size));
      }
      body.finish();
      const got: Uint8Array[] = [];
      const memory = new Set<ArrayBufferLike>();
      for await (const piece of body) {
        got.push(piece);
        memory.add(piece.buffer);
      }
      expect(Buffer.concat(got).equals(whole)).toBe(true);
      expect(consumed()).toBe(whole.length);
      const held = [...memory].reduce((sum, { byteLength }) => sum + byteLength, 0);
      expect(held).toBeLessThanOrEqual(2 * whole.length + limits.linkFrameBytes);
      expect(got.length).toBeLessThanOrEqual(whole.length / limits.linkPieceOverheadBytes);
    },
  );

  it("keeps whatever sizes follow each other, as they came", async () => {
    const sizes = [0, 1, 100, 127, 128, 129, 200, 255, 256, 257, 511, 600];
    const turns = sizes.flatMap((one) =>
      sizes.flatMap((two) => sizes.map((three) => [one, two, three])),
    );
    for (const turn of turns) {
      const { body } = upload();
      const pieces = turn.map((size, at) => new Uint8Array(size).fill(at + 1));
      for (const piece of pieces) body.push(piece);
      body.finish();
      const got: Uint8Array[] = [];
      for await (const piece of body) got.push(piece);
      expect(Buffer.concat(got).equals(Buffer.concat(pieces)), turn.join()).toBe(true);
    }
  });

  it("takes short pieces and long ones in turn, while its reader takes some", async () => {
    const { body, got, read, consumed } = upload();
    let said = "";
    for (let turn = 0; turn < 300; turn++) {
      const text = String(turn % 10).repeat(turn % 7 === 0 ? 300 : turn % 5);
      said += text;
      body.push(bytes(text));
      if (turn === 100) void read();
      if (turn % 13 === 0) await settled();
    }
    body.finish();
    await settled();
    expect([got.text === said, got.end]).toEqual([true, "whole"]);
    expect(consumed()).toBe(said.length);
  });
});
