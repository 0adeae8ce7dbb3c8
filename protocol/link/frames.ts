/**
 * The frames of Link, protocol version 1: what the device's object and the agent say to each other
 * in binary messages. A message is one or more frames; a frame never spans messages.
 *
 *     type u8 | flags u8 | reserved u16 = 0 | stream u32 | length u32 | payload
 *
 * Numbers are big-endian. Only bytes here: what frames mean is session.ts.
 */

import { limits } from "../limits.ts";

export const frameHeaderBytes = 12;
export const protocolVersion = 1;
/** 256 bits that only the two ends of one session know, good for one segment of one body. */
export const bulkTokenBytes = 32;

export const frameType = {
  /**
   * version u16, capabilities u16, session u32. The edge begins a session with it, of which only what
   * RESUME names is older; the agent answers with its own before it says anything else.
   */
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
  /** A message of a WebSocket, or a piece of one: see `messageFlag`. */
  wsMessage: 10,
  /** Nothing, or code u16 and a reason: the WebSocket is closed, the stream over both ways. */
  wsClose: 11,
  /** Bytes u32 that may be sent to me on this WebSocket, which goes on in a new session. */
  resume: 12,
  /** Nothing, from the agent: may the rest of this body come by the bulk lane? From the edge a token: it may. */
  bulk: 13,
  /**
   * From the edge: a token, with which the rest of this request may be fetched; and, when it was, how
   * many bytes went so, in 8 bytes, before END.
   */
  upload: 14,
} as const;

export type FrameType = (typeof frameType)[keyof typeof frameType];

/** The sender's direction of the stream ends with this frame. */
export const endFlag = 1;

/** The flags of a WSMSG. */
export const messageFlag = {
  text: 2,
  /** Another piece of the same message follows. */
  more: 4,
  /** This piece is not the first of its message. */
  continues: 8,
} as const;

/** What an end can do beyond version 1, as bits of HELLO's capabilities. */
export const capability = { webSocket: 1, bulk: 2, upload: 4 } as const;

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
  /** `messageFlag`s of a WSMSG. */
  readonly flags?: number;
  /** The payload, possibly in pieces; copied when the message is made. */
  readonly payload: readonly Uint8Array[];
}

/** Takes one frame; a returned sentence stops the reading and is the reason. */
export type FrameVisitor = (
  type: FrameType,
  end: boolean,
  stream: number,
  payload: Uint8Array,
  flags: number,
) => string | null;

/** Whether a frame of this type is about a stream, its flags, and how long its payload may be. */
interface Shape {
  readonly stream: "none" | "some" | "either";
  readonly flags: number;
  readonly min: number;
  readonly max: number;
}

const MAX_PING_BYTES = 64;

const shapes: { readonly [type: number]: Shape } = {
  [frameType.hello]: { stream: "none", flags: 0, min: 8, max: 8 },
  [frameType.open]: { stream: "some", flags: endFlag, min: 2, max: limits.linkHeadBytes },
  [frameType.head]: { stream: "some", flags: endFlag, min: 2, max: limits.linkHeadBytes },
  [frameType.data]: { stream: "some", flags: endFlag, min: 0, max: limits.linkDataBytes },
  [frameType.credit]: { stream: "either", flags: 0, min: 4, max: 4 },
  [frameType.reset]: { stream: "some", flags: 0, min: 4, max: 4 },
  [frameType.ping]: { stream: "none", flags: 0, min: 0, max: MAX_PING_BYTES },
  [frameType.pong]: { stream: "none", flags: 0, min: 0, max: MAX_PING_BYTES },
  [frameType.goaway]: { stream: "none", flags: 0, min: 0, max: 0 },
  [frameType.wsMessage]: {
    stream: "some",
    flags: messageFlag.text | messageFlag.more | messageFlag.continues,
    min: 0,
    max: limits.linkFrameBytes,
  },
  [frameType.wsClose]: {
    stream: "some",
    flags: 0,
    min: 0,
    max: 2 + limits.linkSocketReasonBytes,
  },
  [frameType.resume]: { stream: "some", flags: 0, min: 4, max: 4 },
  [frameType.bulk]: { stream: "some", flags: 0, min: 0, max: bulkTokenBytes },
  [frameType.upload]: { stream: "some", flags: 0, min: 8, max: bulkTokenBytes },
};

/** The length of a frame's payload in bytes. */
export function payloadBytes(frame: Frame): number {
  let bytes = 0;
  for (const piece of frame.payload) bytes += piece.byteLength;
  return bytes;
}

/** Memory whose bytes before a payload are free for the frame's header. */
const roomBefore = new WeakSet<ArrayBufferLike>();

/**
 * Says that the first `frameHeaderBytes` of the memory in which `payload` lies, right before it, are
 * nobody's: a message of this frame alone needs no copy.
 */
export function leaveRoom(payload: Uint8Array): void {
  if (payload.byteOffset === frameHeaderBytes) roomBefore.add(payload.buffer);
}

/**
 * One message of `frames`, in order. The caller keeps it within `limits.linkMessageBytes`.
 * @param into at least as long as the message, which then is its beginning; a new buffer when absent. A
 * payload that has room before it (`leaveRoom`) is not copied
 */
export function encodeMessage(
  frames: readonly Frame[],
  into?: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  let total = 0;
  for (const frame of frames) total += frameHeaderBytes + payloadBytes(frame);
  const inPlace = frames.length === 1 ? messageAround(frames[0] as Frame) : null;
  const message = inPlace ?? into?.subarray(0, total) ?? new Uint8Array(total);
  const view = new DataView(message.buffer, message.byteOffset, total);
  let at = 0;
  for (const frame of frames) {
    const start = at;
    at += frameHeaderBytes;
    for (const piece of frame.payload) {
      if (inPlace === null) message.set(piece, at);
      at += piece.byteLength;
    }
    view.setUint8(start, frame.type);
    view.setUint8(start + 1, (frame.flags ?? 0) | (frame.end ? endFlag : 0));
    view.setUint16(start + 2, 0);
    view.setUint32(start + 4, frame.stream);
    view.setUint32(start + 8, at - start - frameHeaderBytes);
  }
  return message;
}

/** The memory of the payload with the room before it; null when there is none. */
function messageAround({ payload }: Frame): Uint8Array<ArrayBuffer> | null {
  const [piece] = payload;
  if (piece === undefined || payload.length > 1) return null;
  if (piece.byteOffset !== frameHeaderBytes || !roomBefore.has(piece.buffer)) return null;
  return new Uint8Array(piece.buffer as ArrayBuffer, 0, frameHeaderBytes + piece.byteLength);
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
    if ((flags & ~shape.flags) !== 0) return "unknown flag";
    if (shape.stream !== "either" && (stream !== 0) !== (shape.stream === "some")) {
      return "frame on a wrong stream";
    }
    if (length < shape.min || length > shape.max) return "frame of a wrong length";
    const start = at + frameHeaderBytes;
    if (length > message.byteLength - start) return "truncated frame";
    at = start + length;
    const payload = message.subarray(start, at);
    const reason = visit(type as FrameType, (flags & endFlag) !== 0, stream, payload, flags);
    if (reason !== null) return reason;
  }
  return null;
}

/** Four bytes, big-endian: the payload of CREDIT, RESET and RESUME. */
export function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

/** Reads what `u32` wrote. */
export function readU32(payload: Uint8Array): number {
  const [a = 0, b = 0, c = 0, d = 0] = payload;
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

/** Eight bytes, big-endian: how much went beside the frames. */
export function u64(value: number): Uint8Array {
  const payload = new Uint8Array(8);
  payload.set(u32(Math.floor(value / 2 ** 32)));
  payload.set(u32(value % 2 ** 32), 4);
  return payload;
}

/** Reads what `u64` wrote. */
export function readU64(payload: Uint8Array): number {
  return readU32(payload) * 2 ** 32 + readU32(payload.subarray(4));
}

export interface Hello {
  readonly version: number;
  /** Bits of `capability`. */
  readonly capabilities: number;
  /** Which session the edge begins; the agent says it back. */
  readonly session: number;
}

/** The payload of HELLO. */
export function helloPayload(
  session: number,
  capabilities: number = capability.webSocket | capability.bulk | capability.upload,
): Uint8Array {
  const payload = new Uint8Array(8);
  payload.set(u32((protocolVersion << 16) | capabilities));
  payload.set(u32(session), 4);
  return payload;
}

/** Reads the payload of HELLO. */
export function readHello(payload: Uint8Array): Hello {
  const first = readU32(payload);
  const session = readU32(payload.subarray(4));
  return { version: first >>> 16, capabilities: first & 0xffff, session };
}

/** How a WebSocket was closed; `code` is null when whoever closed it gave none. */
export interface Close {
  readonly code: number | null;
  readonly reason: string;
}

/** True for codes that may stand in a Close frame (RFC 6455 §7.4 and the registry of codes). */
export function isCloseCode(code: number): boolean {
  if (code >= 3000) return code <= 4999;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The payload of WSCLOSE: no code where it may not be said, the reason cut to what fits. */
export function closePayload({ code, reason }: Close): Uint8Array {
  if (code === null || !isCloseCode(code)) return new Uint8Array(0);
  const payload = new Uint8Array(2 + limits.linkSocketReasonBytes);
  const { written } = encoder.encodeInto(reason, payload.subarray(2));
  payload[0] = code >>> 8;
  payload[1] = code;
  return payload.subarray(0, 2 + written);
}

/** Reads the payload of WSCLOSE; null when it is no close that a WebSocket could carry. */
export function readClose(payload: Uint8Array): Close | null {
  if (payload.byteLength === 0) return { code: null, reason: "" };
  if (payload.byteLength === 1) return null;
  const code = ((payload[0] as number) << 8) | (payload[1] as number);
  if (!isCloseCode(code)) return null;
  try {
    return { code, reason: decoder.decode(payload.subarray(2)) };
  } catch {
    return null;
  }
}
