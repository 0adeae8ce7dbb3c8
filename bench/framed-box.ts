/**
 * A box's agent as it is, but that its HELLO and the cloud's speak of no lane beside the frames: both ends
 * then keep every body in frames. It counts what it has sent and has no credit for yet.
 * `node framed-box.ts HOME SERVICE [masked]`; says `true` when connected, and what it counted when asked.
 * With `masked` it masks what it sends as if somebody on the way could read it.
 */

import { run } from "../agent/run.ts";
import { openMasked, openSocket } from "../agent/socket.ts";
import { framesOnly, Uncredited } from "./frames.ts";

const uncredited = new Uncredited();
const [home = "", serve = "", masks] = process.argv.slice(2);
const openBox = masks === "masked" ? openMasked : openSocket;
const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());
process.on("message", () => process.send?.(uncredited.most()));

await run({
  home,
  serve,
  log: (line) => line.startsWith("Link is on") && process.send?.(true),
  signal: stop.signal,
  open: (cloud, who, events) => {
    const socket = openBox(cloud, who, {
      ...events,
      onBinary: (data) => {
        framesOnly(data);
        uncredited.came(data);
        events.onBinary(data);
      },
    });
    return {
      ...socket,
      send: (data, sent) => {
        if (typeof data !== "string") {
          framesOnly(data);
          uncredited.sent(data);
        }
        socket.send(data, sent);
      },
    };
  },
});
process.disconnect?.();
