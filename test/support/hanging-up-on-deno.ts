/** Says on standard output, line by line, what a box on Deno makes of services that hang up. */

import { Buffer } from "node:buffer";
import process from "node:process";
import { answer, ask, type Framing, FULL, framings, WINDOW } from "./hanging-up.ts";

const say = (line: unknown) => process.stdout.write(`${JSON.stringify(line)}\n`);

for (const framing of Object.keys(framings) as Framing[]) {
  for (const bytes of [0, 1, WINDOW - 1, WINDOW, FULL, FULL + 65_536]) {
    const whole = Buffer.concat(answer(framing, bytes));
    const got = await ask({ way: "http", serve: (socket) => void socket.end(whole) });
    say({ what: `${framing}, ${bytes}`, isRight: got.ended && !got.reset && got.bytes === bytes });
    if (framing !== "length" || bytes === 0) continue;
    const short = whole.subarray(0, whole.length - 1);
    const torn = await ask({ way: "http", serve: (socket) => void socket.end(short) });
    say({ what: `${framing}, ${bytes}, one byte short`, isRight: torn.reset && !torn.ended });
  }
  for (const bytes of [WINDOW, FULL, FULL + 65_536]) {
    const whole = Buffer.concat(answer(framing, bytes));
    for (const uploads of [false, true]) {
      for (const leave of ["late", "end", "destroySoon", "reset"] as const) {
        const got = await ask({
          way: "http",
          uploads,
          serve: (socket, reset) => {
            const go = {
              late: () => void setTimeout(() => socket.end(), 20),
              end: () => void socket.end(),
              destroySoon: () => void socket.destroySoon(),
              reset,
            };
            socket.write(whole, go[leave]);
          },
        });
        const isRight = got.ended ? got.bytes === bytes : got.reset;
        say({ what: `${framing}, ${bytes}, ${leave}${uploads ? " in an upload" : ""}`, isRight });
      }
    }
  }
}
