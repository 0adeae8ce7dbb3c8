/** One end of a Link session whose other end is written by hand, frame by frame. */

import { expect } from "vitest";
import {
  decodeMessage,
  encodeMessage,
  type Frame,
  type FrameType,
  frameType,
  readU32,
} from "../../protocol/link/frames.ts";
import type { SocketHandler } from "../../protocol/link/messages.ts";
import { Session } from "../../protocol/link/session.ts";
import type { LinkStream, StreamHandler } from "../../protocol/link/stream.ts";

/** A frame as the other end got it. */
export interface Seen {
  type: FrameType;
  end: boolean;
  stream: number;
  flags: number;
  bytes: number;
  value: number;
}

/** One end with a scripted other. */
export class Bench {
  readonly messages: Uint8Array[] = [];
  readonly errors: string[] = [];
  readonly told: string[] = [];
  readonly streams: LinkStream[] = [];
  buffered = 0;
  /** The longest message so far, in bytes. */
  longest = 0;
  session: Session;
  #soon: (() => void)[] = [];
  #later: (() => void)[] = [];
  readonly #role: "edge" | "agent";

  /** @param resume the WebSockets that the edge goes on with */
  constructor(role: "edge" | "agent", resume: readonly number[] = []) {
    this.#role = role;
    const port = {
      send: (message: Uint8Array) => void this.messages.push(message),
      bufferedBytes: () => this.buffered,
      soon: (work: () => void) => void this.#soon.push(work),
      later: (work: () => void) => void this.#later.push(work),
      onProtocolError: (reason: string) => void this.errors.push(reason),
    };
    this.session = new Session(
      port,
      role === "edge"
        ? { firstId: 101, resume: resume.map((id) => this.#resumption(id)) }
        : {
            accept: (stream) => {
              this.streams.push(stream);
              return this.handler(`${stream.id}`);
            },
          },
    );
  }

  handler(name: string): StreamHandler {
    return {
      head: () => this.told.push(`${name} head`) > 0,
      data: (bytes) => void this.told.push(`${name} data ${bytes.byteLength}`),
      end: () => void this.told.push(`${name} end`),
      reset: (code) => void this.told.push(`${name} reset ${code}`),
      drain: () => void this.told.push(`${name} drain`),
    };
  }

  /** Says what happens on a WebSocket. */
  socketHandler(name: string): SocketHandler {
    return {
      message: (bytes, text, last) => {
        const kind = `${text ? "text" : "binary"}${last ? "" : "…"}`;
        this.told.push(`${name} ${kind} ${bytes.byteLength}`);
        return !(text && bytes[0] === 0xff);
      },
      closed: ({ code, reason }) => void this.told.push(`${name} closed ${code} ${reason}`),
      reset: (code) => void this.told.push(`${name} socket reset ${code}`),
      drain: () => void this.told.push(`${name} drain`),
    };
  }

  #resumption(id: number) {
    return {
      id,
      serve: (stream: LinkStream) => {
        this.streams.push(stream);
        return this.socketHandler(`${id}`);
      },
    };
  }

  open(end = true): LinkStream {
    const stream = this.session.open(new Uint8Array(2), end, this.handler("s"));
    this.streams.push(stream);
    return stream;
  }

  say(...frames: (Partial<Frame> & { type: FrameType })[]): void {
    this.session.receive(
      encodeMessage(frames.map((frame) => ({ end: false, stream: 0, payload: [], ...frame }))),
    );
  }

  /** Runs what was put off, and reads what was sent since the last time, without the agent's HELLO. */
  flush(): Seen[] {
    const answered = this.#role === "agent" ? frameType.hello : null;
    return this.flushAll().filter(({ type }) => type !== answered);
  }

  flushAll(): Seen[] {
    for (const work of this.#soon.splice(0)) work();
    return this.messages.splice(0).flatMap((message) => {
      this.longest = Math.max(this.longest, message.byteLength);
      const seen: Seen[] = [];
      const reason = decodeMessage(message, (type, end, stream, payload, flags) => {
        const [bytes, value] = [payload.byteLength, readU32(payload)];
        seen.push({ type, end, stream, flags, bytes, value });
        return null;
      });
      expect(reason).toBeNull();
      return seen;
    });
  }

  drained(): void {
    for (const work of this.#later.splice(0)) work();
  }
}
