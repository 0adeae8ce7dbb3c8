/** The codec of Link's frames: what was written is read, and nothing else is. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../../../protocol/limits.ts";
import {
  closePayload,
  decodeMessage,
  encodeMessage,
  type Frame,
  type FrameType,
  frameHeaderBytes,
  frameType,
  helloPayload,
  isCloseCode,
  leaveRoom,
  messageFlag,
  readClose,
  readHello,
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
    type: fc.constant(frameType.wsMessage),
    end: fc.constant(false),
    flags: fc.nat(7).map((bits) => bits << 1),
    stream: streamId,
    payload: fc.array(bytes(0, 300), { maxLength: 3 }),
  }),
  fc.record({
    type: fc.constant(frameType.wsClose),
    end: fc.constant(false),
    stream: streamId,
    payload: fc.tuple(bytes(0, 125)),
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
  flags: number;
  payload: number[];
}

function read(message: Uint8Array): { frames: Read[]; reason: string | null } {
  const frames: Read[] = [];
  const reason = decodeMessage(message, (type, end, stream, payload, flags) => {
    frames.push({ type, end, stream, flags, payload: [...payload] });
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
            flags: (frame.flags ?? 0) | (frame.end ? 1 : 0),
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

  it("are written around a payload that has room before it, and nowhere else", () => {
    const memory = new Uint8Array(frameHeaderBytes + 100).fill(7);
    const payload = memory.subarray(frameHeaderBytes);
    const frame = { type: frameType.data, end: true, stream: 5, payload: [payload] };
    const copied = encodeMessage([frame]);
    expect(memory.every((byte) => byte === 7)).toBe(true);
    leaveRoom(payload);
    // In company, in pieces or further on it is copied, and the room before it stays as it was.
    const ping = { type: frameType.ping, end: false, stream: 0, payload: [] };
    expect(encodeMessage([ping, frame]).subarray(frameHeaderBytes)).toEqual(copied);
    const halves = [payload.subarray(0, 40), payload.subarray(40)];
    expect(encodeMessage([{ ...frame, payload: halves }])).toEqual(copied);
    encodeMessage([{ ...frame, payload: [payload.subarray(1)] }]);
    expect(memory.every((byte) => byte === 7)).toBe(true);
    const message = encodeMessage([frame], new Uint8Array(1000));
    expect(message).toEqual(copied);
    expect(message.buffer).toBe(memory.buffer);
    const first = encodeMessage([{ ...frame, end: false, payload: [payload.subarray(0, 40)] }]);
    expect(first.byteLength).toBe(frameHeaderBytes + 40);
    expect(memory.subarray(frameHeaderBytes).every((byte) => byte === 7)).toBe(true);
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
    ["type 15", raw(15), "unknown frame type"],
    ["END on WSMSG", raw(frameType.wsMessage, { flags: 1 }), "unknown flag"],
    ["an unknown flag on WSMSG", raw(frameType.wsMessage, { flags: 16 }), "unknown flag"],
    ["TEXT on DATA", raw(frameType.data, { flags: messageFlag.text }), "unknown flag"],
    ["WSMSG on stream 0", raw(frameType.wsMessage, { stream: 0 }), "frame on a wrong stream"],
    [
      "a long WSMSG",
      raw(frameType.wsMessage, { length: limits.linkFrameBytes + 1 }),
      "frame of a wrong length",
    ],
    ["a flag on WSCLOSE", raw(frameType.wsClose, { flags: 1 }), "unknown flag"],
    ["WSCLOSE on stream 0", raw(frameType.wsClose, { stream: 0 }), "frame on a wrong stream"],
    ["a long WSCLOSE", raw(frameType.wsClose, { length: 126 }), "frame of a wrong length"],
    ["RESUME on stream 0", raw(frameType.resume, { stream: 0 }), "frame on a wrong stream"],
    ["a short RESUME", raw(frameType.resume, { length: 3 }), "frame of a wrong length"],
    ["a short HELLO", raw(frameType.hello, { stream: 0, length: 4 }), "frame of a wrong length"],
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
      raw(frameType.data, { length: limits.linkDataBytes + 1 }),
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
    expect(readHello(helloPayload(0x8000_0001, 5))).toEqual({
      version: 1,
      capabilities: 5,
      session: 0x8000_0001,
    });
  });

  it("say a close as it was, cut to what a close can hold", () => {
    for (const close of [
      { code: null, reason: "" },
      { code: 1000, reason: "" },
      { code: 4999, reason: "bis später" },
      { code: 1012, reason: "x".repeat(123) },
    ]) {
      expect(readClose(closePayload(close))).toEqual(close);
    }
    const long = readClose(closePayload({ code: 3000, reason: "ä".repeat(100) }));
    expect(long).toEqual({ code: 3000, reason: "ä".repeat(61) });
    expect(readClose(closePayload({ code: 1006, reason: "x" }))).toEqual({
      code: null,
      reason: "",
    });
  });

  it("know the codes that may be said (RFC 6455 §7.4)", () => {
    const said = Array.from({ length: 6000 }, (_, code) => code).filter(isCloseCode);
    expect(said.slice(0, 12)).toEqual([
      1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014,
    ]);
    expect([said[12], said.at(-1), said.length]).toEqual([3000, 4999, 12 + 2000]);
  });

  it.each<[string, number[]]>([
    ["one byte", [3]],
    ["a code that is never said", [0x03, 0xed]],
    ["a code of nobody", [0x07, 0xd0]],
    ["a reason that is no UTF-8", [0x03, 0xe8, 0xc3]],
  ])("refuse a close with %s", (_name, payload) => {
    expect(readClose(Uint8Array.from(payload))).toBeNull();
  });
});
