/**
 * A tunnel as the object sees it: what passes is for the two ends, whose credits run from one to the
 * other. Here they are only watched: whoever says more than the other gave credit for ends the tunnel, so
 * no more than a window waits anywhere between, whatever either end does.
 *
 * It knows nothing after a sleep and then allows a window anew, so that two may be on their way.
 */

import { limits } from "../../../protocol/limits.ts";
import {
  type Close,
  decodeMessage,
  type FrameType,
  frameType,
  readU32,
  resetCode,
} from "../../../protocol/link/frames.ts";
import { tunnelCloseCodes } from "../../../protocol/tunnel.ts";
import type { Manner, Side } from "./manner.ts";
import { visitorCloses } from "./passage.ts";

const WINDOW = limits.tunnelWindowBytes;
/** A credit is for half a window, or for so many frames. */
const FRAMES_A_CREDIT = limits.tunnelFrames / 4;
const POSITION_BYTES = 64;

/** What one side said. */
class Said {
  /** Bytes for which the other gave no credit yet; less than none for what came before this began. */
  bytes = 0;
  frames = 0;
  /** Credits that the other may still give, in bytes of half a window each. */
  credits = 4 * WINDOW;
  ended = false;
  gone = false;
}

export class TunnelManner implements Manner {
  readonly queueBytes = 2 * WINDOW;
  readonly messageBytes = limits.linkFrameBytes;
  readonly endCode = resetCode.refused;
  readonly #said: Readonly<Record<Side, Said>> = { visitor: new Said(), device: new Said() };
  #headed = false;

  fault(from: Side, message: string | Uint8Array): string | null {
    if (typeof message === "string") return "text where frames belong";
    return decodeMessage(message, (type, end, stream, payload) => {
      if (stream !== 1) return "another stream";
      if (this.#said[from].gone) return "a frame after the end of all";
      return this.#faultOf(from, type, end, payload);
    });
  }

  #faultOf(from: Side, type: FrameType, end: boolean, payload: Uint8Array): string | null {
    switch (type) {
      case frameType.data:
        return dataFault(this.#said[from], payload.byteLength, end);
      case frameType.credit:
        return creditFault(this.#said[from === "device" ? "visitor" : "device"], readU32(payload));
      case frameType.head:
        if (from === "visitor" || this.#headed) return "unexpected head";
        this.#headed = true;
        return payload.byteLength > POSITION_BYTES ? "a head that is too long" : null;
      case frameType.reset:
        this.#said[from].gone = true;
        return null;
      default:
        return "unexpected frame";
    }
  }

  sent(): void {
    // Counted by its frames.
  }

  isBlind(): boolean {
    return false; // its credits tell
  }

  isFull(): boolean {
    return false;
  }

  close(close: Close): Close {
    const code = codes.get(close);
    return code === undefined ? close : { code, reason: close.reason };
  }
}

function dataFault(said: Said, bytes: number, end: boolean): string | null {
  if (said.ended) return "data after the end";
  if (bytes === 0 && !end) return "data without a byte";
  said.ended = end;
  said.bytes += bytes;
  said.frames++;
  said.credits += bytes + WINDOW / 2 / FRAMES_A_CREDIT;
  if (said.bytes > WINDOW) return "overrun";
  return said.frames > 2 * limits.tunnelFrames ? "too many small frames" : null;
}

function creditFault(said: Said, bytes: number): string | null {
  said.bytes -= bytes;
  said.frames = 0;
  said.credits -= WINDOW / 2;
  if (said.bytes < -WINDOW) return "credit beyond the window";
  return said.credits < 0 ? "too many credits" : null;
}

/** What a WebSocket's end is called at a tunnel. What the device closes keeps its code. */
const codes: ReadonlyMap<Close, number> = new Map<Close, number>([
  [visitorCloses.restart, tunnelCloseCodes.lost],
  [visitorCloses.vanished, tunnelCloseCodes.vanished],
  [visitorCloses.internal, tunnelCloseCodes.lost],
  [visitorCloses.failed, tunnelCloseCodes.lost],
  [visitorCloses.stalled, tunnelCloseCodes.lost],
  [visitorCloses.revoked, tunnelCloseCodes.revoked],
  [visitorCloses.off, tunnelCloseCodes.revoked],
  [visitorCloses.spent, tunnelCloseCodes.spent],
  [visitorCloses.tooLong, tunnelCloseCodes.protocolError],
  [visitorCloses.overrun, tunnelCloseCodes.protocolError],
]);
