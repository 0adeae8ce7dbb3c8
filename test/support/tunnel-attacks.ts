/** Frames as the ends of a tunnel say them (docs/tunnel.md), and what a hostile end makes of them. */

import { limits } from "../../protocol/limits.ts";
import { encodeMessage, type FrameType, frameType, u32 } from "../../protocol/link/frames.ts";

const WINDOW = limits.tunnelWindowBytes;
/** Bytes of data in one message. */
export const PIECE = 60_000;

export const frame = (type: FrameType, payload: Uint8Array, end = false, stream = 1) =>
  encodeMessage([{ type, end, stream, payload: [payload] }]);
export const data = (bytes: number, end = false) =>
  frame(frameType.data, new Uint8Array(bytes), end);
export const credit = (bytes: number) => frame(frameType.credit, u32(bytes));

/** What a hostile end says, by whatever carries its messages. */
export type TunnelAttack = (say: (message: Uint8Array | string) => void) => void;

/** What neither end may do, to the other or to the relay. */
export const tunnelAttacks: readonly (readonly [string, TunnelAttack])[] = [
  ["text", (say) => say("hello")],
  ["an empty message", (say) => say(new Uint8Array(0))],
  ["half a frame", (say) => say(data(100).subarray(0, 50))],
  ["another stream", (say) => say(frame(frameType.data, new Uint8Array(1), false, 3))],
  ["a frame of a session", (say) => say(frame(frameType.goaway, new Uint8Array(0), false, 0))],
  ["data without a byte", (say) => say(data(0))],
  [
    "data after the end",
    (say) => {
      say(data(1, true));
      say(data(1));
    },
  ],
  [
    "a word after the end of all",
    (say) => {
      say(frame(frameType.reset, u32(1)));
      say(frame(frameType.reset, u32(1)));
    },
  ],
  ["credit that nobody needs", (say) => say(credit(4 * WINDOW))],
  [
    "credit in drops",
    (say) => {
      for (let count = 0; count < 10; count++) say(credit(1));
    },
  ],
  [
    "more than the window",
    (say) => {
      for (let sent = 0; sent <= WINDOW; sent += PIECE) say(data(PIECE));
    },
  ],
  [
    "a window of small frames",
    (say) => {
      const small = { type: frameType.data, end: false, stream: 1, payload: [new Uint8Array(1)] };
      const many = encodeMessage(Array(1000).fill(small));
      for (let sent = 0; sent <= 2 * limits.tunnelFrames; sent += 1000) say(many);
    },
  ],
];
