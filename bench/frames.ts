/** What the framed box reads and changes in the frames that pass it (framed-box.ts). */

import {
  capability,
  decodeMessage,
  frameHeaderBytes,
  frameType,
  readU32,
} from "../protocol/link/frames.ts";

/** Behind the version, the lower byte of a HELLO's capabilities. */
const CAPABILITIES_AT = frameHeaderBytes + 3;

/**
 * Leaves nothing but WebSockets in a message's HELLO, which is its first frame if it has one: no lane
 * beside the frames.
 */
export function framesOnly(message: Uint8Array): void {
  if (message[0] !== frameType.hello) return;
  message[CAPABILITIES_AT] = (message[CAPABILITIES_AT] ?? 0) & capability.webSocket;
}

/** Counts bytes of bodies that were sent and for which no credit came. */
export class Uncredited {
  readonly #streams = new Map<number, number>();
  #most = 0;

  sent(message: Uint8Array): void {
    decodeMessage(message, (type, _end, stream, payload) => {
      if (type === frameType.data) this.#add(stream, payload.byteLength);
      return null;
    });
  }

  came(message: Uint8Array): void {
    decodeMessage(message, (type, _end, stream, payload) => {
      if (type === frameType.credit && stream > 0) this.#add(stream, -readU32(payload));
      return null;
    });
  }

  /** The most that one stream had since the last time this was asked. */
  most(): number {
    const most = this.#most;
    this.#most = 0;
    this.#streams.clear();
    return most;
  }

  #add(stream: number, bytes: number): void {
    const now = (this.#streams.get(stream) ?? 0) + bytes;
    this.#streams.set(stream, now);
    this.#most = Math.max(this.#most, now);
  }
}
