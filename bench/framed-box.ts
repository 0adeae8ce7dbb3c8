/**
 * A box's agent as it is, but that its HELLO and the cloud's speak of no lane beside the frames: both ends
 * then keep every body in frames. It counts what it has sent and has no credit for yet.
 * `node framed-box.ts HOME SERVICE`; says `true` when connected, and what it counted when asked.
 */

import { run } from "../agent/run.ts";
import { openSocket } from "../agent/socket.ts";
import { framesOnly, Uncredited } from "./frames.ts";

const uncredited = new Uncredited();
const [home = "", serve = ""] = process.argv.slice(2);
const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());
process.on("message", () => process.send?.(uncredited.most()));

await run({
  home,
  serve,
  log: (line) => line.startsWith("Link is on") && process.send?.(true),
  signal: stop.signal,
  open: (cloud, who, events) => {
    const socket = openSocket(cloud, who, {
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
