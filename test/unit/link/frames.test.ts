/** The codec of Link's frames: what was written is read, and nothing else is. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../../../protocol/limits.ts";
import {
  decodeMessage,
  encodeMessage,
  type Frame,
  type FrameType,
  frameHeaderBytes,
  frameType,
  helloPayload,
  helloVersion,
  readU32,
  u32,
} from "../../../protocol/link/frames.ts";

const bytes = (min: number, max: number) => fc.uint8Array({ minLength: min, maxLength: max });
const streamId = fc.integer({ min: 1, max: 0xffff_ffff });

const someFrame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    type: fc.constantFrom(frameType.open, frameType.head),
    end: fc.boolean(),
    stream: streamId,
    payload: fc.tuple(bytes(2, 200)),
  }),
  fc.record({
    type: fc.constant(frameType.data),
    end: fc.boolean(),
    stream: streamId,
    payload: fc.array(bytes(0, 300), { maxLength: 4 }),
  }),
  fc.record({
    type: fc.constant(frameType.credit),
    end: fc.constant(false),
    stream: fc.oneof(fc.constant(0), streamId),
    payload: fc.nat(0xffff_ffff).map((value) => [u32(value)]),
  }),
  fc.record({
    type: fc.constant(frameType.reset),
    end: fc.constant(false),
    stream: streamId,
    payload: fc.nat(0xffff_ffff).map((value) => [u32(value)]),
  }),
  fc.record({
    type: fc.constantFrom(frameType.ping, frameType.pong),
    end: fc.constant(false),
    stream: fc.constant(0),
    payload: fc.tuple(bytes(0, 64)),
  }),
);

interface Read {
  type: FrameType;
  end: boolean;
  stream: number;
  payload: number[];
}

function read(message: Uint8Array): { frames: Read[]; reason: string | null } {
  const frames: Read[] = [];
  const reason = decodeMessage(message, (type, end, stream, payload) => {
    frames.push({ type, end, stream, payload: [...payload] });
    return null;
  });
  return { frames, reason };
}

/** A frame written by hand, so that it may be wrong. */
function raw(
  type: number,
  options: {
    flags?: number;
    reserved?: number;
    stream?: number;
    length?: number;
    payload?: number;
  } = {},
): Uint8Array {
  const { flags = 0, reserved = 0, stream = 1, length = 4 } = options;
  const message = new Uint8Array(frameHeaderBytes + (options.payload ?? length));
  const view = new DataView(message.buffer);
  view.setUint8(0, type);
  view.setUint8(1, flags);
  view.setUint16(2, reserved);
  view.setUint32(4, stream);
  view.setUint32(8, length);
  return message;
}

describe("frames", () => {
  it("are read as they were written, several to a message", () => {
    fc.assert(
      fc.property(fc.array(someFrame, { minLength: 1, maxLength: 8 }), (frames) => {
        const { frames: got, reason } = read(encodeMessage(frames));
        expect(reason).toBeNull();
        expect(got).toEqual(
          frames.map((frame) => ({
            ...frame,
            payload: frame.payload.flatMap((piece) => [...piece]),
          })),
        );
      }),
    );
  });

  it("are read the same when the message is a view into a larger buffer", () => {
    const message = encodeMessage([
      { type: frameType.data, end: true, stream: 7, payload: [Uint8Array.of(1, 2, 3)] },
    ]);
    const large = new Uint8Array(message.byteLength + 20);
    large.set(message, 9);
    expect(read(large.subarray(9, 9 + message.byteLength))).toEqual(read(message));
  });

  it("never throw, whatever bytes come", () => {
    fc.assert(
      fc.property(bytes(0, 400), (message) => {
        const { reason } = read(message);
        expect(reason === null || reason.length > 0).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it.each<[string, Uint8Array, string]>([
    ["nothing", new Uint8Array(0), "empty message"],
    ["half a header", new Uint8Array(11), "truncated frame header"],
    ["type 0", raw(0), "unknown frame type"],
    ["WSMSG, not yet spoken", raw(10), "unknown frame type"],
    ["type 255", raw(255), "unknown frame type"],
    ["a reserved bit", raw(frameType.data, { reserved: 1 }), "reserved bits set"],
    ["an unknown flag", raw(frameType.data, { flags: 2 }), "unknown flag"],
    ["END on CREDIT", raw(frameType.credit, { flags: 1 }), "unknown flag"],
    ["DATA on stream 0", raw(frameType.data, { stream: 0 }), "frame on a wrong stream"],
    ["PING on a stream", raw(frameType.ping, { stream: 3 }), "frame on a wrong stream"],
    ["a short CREDIT", raw(frameType.credit, { length: 3 }), "frame of a wrong length"],
    ["a long RESET", raw(frameType.reset, { length: 5 }), "frame of a wrong length"],
    [
      "a long DATA",
      raw(frameType.data, { length: limits.linkFrameBytes + 1 }),
      "frame of a wrong length",
    ],
    [
      "a huge head",
      raw(frameType.head, { length: limits.linkHeadBytes + 1 }),
      "frame of a wrong length",
    ],
    [
      "a length beyond the message",
      raw(frameType.data, { length: 100, payload: 99 }),
      "truncated frame",
    ],
    ["4 GiB", raw(frameType.data, { length: 0xffff_ffff, payload: 0 }), "frame of a wrong length"],
    ["a huge message", new Uint8Array(limits.linkMessageBytes + 1), "message too long"],
  ])("refuses %s", (_name, message, expected) => {
    expect(read(message).reason).toBe(expected);
  });

  it("stops at the frame whose reader says why", () => {
    const one = { type: frameType.data, end: false, stream: 1, payload: [] } as const;
    let count = 0;
    const reason = decodeMessage(encodeMessage([one, one, one]), () =>
      ++count === 2 ? "enough" : null,
    );
    expect([reason, count]).toEqual(["enough", 2]);
  });

  it("carries numbers up to 2^32 - 1", () => {
    for (const value of [0, 1, 255, 256, 65_535, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
      expect(readU32(u32(value))).toBe(value);
    }
    expect(helloVersion(helloPayload())).toBe(1);
  });
});
