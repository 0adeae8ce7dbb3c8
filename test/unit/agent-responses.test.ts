/**
 * Responses of local services that hang up at the worst moment, over http as a box reads it, over https,
 * and over http as Deno reads it. What came whole is whole for a visitor who waits; what did not is
 * broken; and an error that nobody catches, which would end the box's program, fails this file.
 */

import { describe, expect, it } from "vitest";
import { answer, ask, type Framing, FULL, framings, WINDOW, ways } from "../support/hanging-up.ts";

describe.each(ways)("over %s, a response", (way) => {
  // Around each size at which somebody begins to wait.
  const sizes = [0, 1, WINDOW - 1, WINDOW, WINDOW + 1, FULL - 1, FULL, FULL + 1, FULL + 65536];
  const kinds = Object.keys(framings) as Framing[];
  it.each(kinds.flatMap((framing) => sizes.map((size) => [framing, size] as const)))(
    "told by %s, of %i bytes, is whole though its service hangs up with the last",
    async (framing, bytes) => {
      const got = await ask({
        way,
        serve: (socket) => void socket.end(Buffer.concat(answer(framing, bytes))),
      });
      expect(got).toMatchObject({ bytes, ended: true, reset: false });
    },
  );

  it.each(kinds)("told by %s is whole though its end comes alone and late", async (framing) => {
    const got = await ask({
      way,
      serve: (socket) => {
        socket.setNoDelay(true);
        socket.write(Buffer.concat(answer(framing, FULL)), () =>
          setTimeout(() => socket.end(), 20),
        );
      },
    });
    expect(got).toMatchObject({ bytes: FULL, ended: true, reset: false });
  });

  it.each(["length", "chunks"] as const)(
    "told by %s is broken where it breaks off",
    async (framing) => {
      for (const lacking of [1, 2, 3, 5, 8]) {
        const whole = Buffer.concat(answer(framing, FULL));
        const got = await ask({
          way,
          serve: (socket) => void socket.end(whole.subarray(0, whole.length - lacking)),
        });
        expect(got, `without ${lacking} bytes`).toMatchObject({ ended: false, reset: true });
      }
    },
  );

  it.each(kinds)("told by %s, reset by its service, ends no program", async (framing) => {
    for (const bytes of [WINDOW, FULL, FULL + 65536]) {
      const got = await ask({
        way,
        serve: (socket, reset) => {
          socket.write(Buffer.concat(answer(framing, bytes)), reset);
        },
      });
      expect(got).toMatchObject(got.reset ? { ended: false } : { ended: true, bytes });
    }
  });

  it.each(kinds)("told by %s ends no program while an upload goes on", async (framing) => {
    for (const bytes of [WINDOW, FULL, FULL + 65536]) {
      for (const leave of ["end", "destroySoon", "reset"] as const) {
        const got = await ask({
          way,
          uploads: true,
          serve: (socket, reset) => {
            const go = leave === "reset" ? reset : () => socket[leave]();
            socket.write(Buffer.concat(answer(framing, bytes)), go);
          },
        });
        // An answer that came first is whole; only the upload is given up then.
        expect(got).toMatchObject(got.ended ? { bytes } : { reset: true });
      }
    }
  });
});
