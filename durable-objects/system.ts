/** The machine's own clock and chance, the same on every runtime. */

import type { Clock, Random } from "../db/primitives.ts";

export const systemClock: Clock = { now: () => Date.now() };

export const systemRandom: Random = {
  bytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
};
