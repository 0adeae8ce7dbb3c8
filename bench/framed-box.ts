/**
 * A box's agent as it is, but that its HELLO and the cloud's are read without the bulk lane: both ends
 * then keep every body in frames. It counts what it has sent and has no credit for yet.
 * `node framed-box.ts HOME SERVICE`; says `true` when connected, and what it counted when asked.
 */

import { run } from "../agent/run.ts";
import { openSocket } from "../agent/socket.ts";
import {
  capability,
  decodeMessage,
  frameHeaderBytes,
  frameType,
  readU32,
} from "../protocol/link/frames.ts";

/** Bytes of bodies that were sent and for which no credit came, by stream. */
const uncredited = new Map<number, number>();
let most = 0;

/** Takes the bulk lane out of a message's HELLO, which is its first frame if it has one. */
function withoutBulk(message: Uint8Array): void {
  if (message[0] !== frameType.hello) return;
  const at = frameHeaderBytes + 3; // the lower byte of the capabilities, behind the version
  message[at] = (message[at] ?? 0) & ~capability.bulk;
}

function count(stream: number, bytes: number): void {
  const now = (uncredited.get(stream) ?? 0) + bytes;
  uncredited.set(stream, now);
  most = Math.max(most, now);
}

const [home = "", serve = ""] = process.argv.slice(2);
const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());
process.on("message", () => {
  process.send?.(most);
  most = 0;
  uncredited.clear();
});

await run({
  home,
  serve,
  log: (line) => line.startsWith("Link is on") && process.send?.(true),
  signal: stop.signal,
  open: (cloud, who, events) => {
    const socket = openSocket(cloud, who, {
      ...events,
      onBinary: (data) => {
        withoutBulk(data);
        decodeMessage(data, (type, _end, stream, payload) => {
          if (type === frameType.credit && stream > 0) count(stream, -readU32(payload));
          return null;
        });
        events.onBinary(data);
      },
    });
    return {
      ...socket,
      send: (data, sent) => {
        if (typeof data !== "string") {
          withoutBulk(data);
          decodeMessage(data, (type, _end, stream, payload) => {
            if (type === frameType.data) count(stream, payload.byteLength);
            return null;
          });
        }
        socket.send(data, sent);
      },
    };
  },
});
process.disconnect?.();
