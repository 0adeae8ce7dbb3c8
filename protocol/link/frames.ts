/**
 * The frames of Link, protocol version 1: what the device's object and the agent say to each other
 * in binary messages. A message is one or more frames; a frame never spans messages.
 *
 *     type u8 | flags u8 | reserved u16 = 0 | stream u32 | length u32 | payload
 *
 * Numbers are big-endian. Only bytes here: what frames mean is session.ts. Types 10–12 (WSMSG,
 * WSCLOSE, RESUME) are spoken for and refused until a WebSocket can pass the door.
 */

import { limits } from "../limits.ts";

export const frameHeaderBytes = 12;
export const protocolVersion = 1;

export const frameType = {
  /** version u16, capabilities u16: a fresh session, nothing of an earlier one is remembered. */
  hello: 1,
  /** A visitor's request head, see headers.ts. */
  open: 2,
  /** The response head. */
  head: 3,
  data: 4,
  /** Bytes u32 that the receiver took; stream 0 is the whole connection. */
  credit: 5,
  /** Code u32: both directions of the stream are dead. */
  reset: 6,
  /** Up to 64 bytes that come back in a PONG. */
  ping: 7,
  pong: 8,
  /** No new streams on this connection; those that live may finish. */
  goaway: 9,
} as const;

export type FrameType = (typeof frameType)[keyof typeof frameType];

/** The only flag: the sender's direction of the stream ends with this frame. */
export const endFlag = 1;

/** Why a stream was reset. Unknown codes are taken as `internal`. */
export const resetCode = {
  cancel: 1, // the visitor left, or nobody needs the rest
  refused: 2, // too many streams, or this service is not served
  unreachable: 3, // the local service does not answer
  badMessage: 4, // a head that is not HTTP, a body of the wrong length
  timeout: 5,
  internal: 6,
} as const;

export interface Frame {
  readonly type: FrameType;
  readonly end: boolean;
  readonly stream: number;
  /** The payload, possibly in pieces; copied when the message is made. */
  readonly payload: readonly Uint8Array[];
}

/** Takes one frame; a returned sentence stops the reading and is the reason. */
export type FrameVisitor = (
  type: FrameType,
  end: boolean,
  stream: number,
  payload: Uint8Array,
) => string | null;

/** Whether a frame of this type is about a stream, may end it, and how long its payload may be. */
interface Shape {
  readonly stream: "none" | "some" | "either";
  readonly mayEnd: boolean;
  readonly min: number;
  readonly max: number;
}

const MAX_PING_BYTES = 64;

const shapes: { readonly [type: number]: Shape } = {
  [frameType.hello]: { stream: "none", mayEnd: false, min: 4, max: 4 },
  [frameType.open]: { stream: "some", mayEnd: true, min: 2, max: limits.linkHeadBytes },
  [frameType.head]: { stream: "some", mayEnd: true, min: 2, max: limits.linkHeadBytes },
  [frameType.data]: { stream: "some", mayEnd: true, min: 0, max: limits.linkFrameBytes },
  [frameType.credit]: { stream: "either", mayEnd: false, min: 4, max: 4 },
  [frameType.reset]: { stream: "some", mayEnd: false, min: 4, max: 4 },
  [frameType.ping]: { stream: "none", mayEnd: false, min: 0, max: MAX_PING_BYTES },
  [frameType.pong]: { stream: "none", mayEnd: false, min: 0, max: MAX_PING_BYTES },
  [frameType.goaway]: { stream: "none", mayEnd: false, min: 0, max: 0 },
};

/** The length of a frame's payload in bytes. */
export function payloadBytes(frame: Frame): number {
  let bytes = 0;
  for (const piece of frame.payload) bytes += piece.byteLength;
  return bytes;
}

/** One message of `frames`, in order. The caller keeps it within `limits.linkMessageBytes`. */
export function encodeMessage(frames: readonly Frame[]): Uint8Array<ArrayBuffer> {
  let total = 0;
  for (const frame of frames) total += frameHeaderBytes + payloadBytes(frame);
  const message = new Uint8Array(total);
  const view = new DataView(message.buffer);
  let at = 0;
  for (const frame of frames) {
    const start = at;
    at += frameHeaderBytes;
    for (const piece of frame.payload) {
      message.set(piece, at);
      at += piece.byteLength;
    }
    view.setUint8(start, frame.type);
    view.setUint8(start + 1, frame.end ? endFlag : 0);
    view.setUint32(start + 4, frame.stream);
    view.setUint32(start + 8, at - start - frameHeaderBytes);
  }
  return message;
}

/**
 * Reads the frames of one message in order. Payloads are views into `message`, not copies.
 * @returns null, or why this message is not ours: the connection should be closed with that reason
 */
export function decodeMessage(message: Uint8Array, visit: FrameVisitor): string | null {
  if (message.byteLength === 0) return "empty message";
  if (message.byteLength > limits.linkMessageBytes) return "message too long";
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  let at = 0;
  while (at < message.byteLength) {
    if (message.byteLength - at < frameHeaderBytes) return "truncated frame header";
    const type = view.getUint8(at);
    const flags = view.getUint8(at + 1);
    const stream = view.getUint32(at + 4);
    const length = view.getUint32(at + 8);
    const shape = shapes[type];
    if (shape === undefined) return "unknown frame type";
    if (view.getUint16(at + 2) !== 0) return "reserved bits set";
    if (flags > (shape.mayEnd ? endFlag : 0)) return "unknown flag";
    if (shape.stream !== "either" && (stream !== 0) !== (shape.stream === "some")) {
      return "frame on a wrong stream";
    }
    if (length < shape.min || length > shape.max) return "frame of a wrong length";
    const start = at + frameHeaderBytes;
    if (length > message.byteLength - start) return "truncated frame";
    at = start + length;
    const payload = message.subarray(start, at);
    const reason = visit(type as FrameType, flags === endFlag, stream, payload);
    if (reason !== null) return reason;
  }
  return null;
}

/** Four bytes, big-endian: the payload of CREDIT and RESET. */
export function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

/** Reads what `u32` wrote. */
export function readU32(payload: Uint8Array): number {
  const [a = 0, b = 0, c = 0, d = 0] = payload;
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

/** The payload of HELLO. */
export function helloPayload(): Uint8Array {
  return u32(protocolVersion << 16);
}

/** The version in a HELLO's payload. */
export function helloVersion(payload: Uint8Array): number {
  return readU32(payload) >>> 16;
}
