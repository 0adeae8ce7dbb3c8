/** How long to wait before the next connection: full jitter, so that many boxes do not come at once. */

import { limits } from "../protocol/limits.ts";

/**
 * @param failures connections in a row that came to nothing, from 1
 * @param chance uniform in [0, 1)
 * @returns milliseconds, evenly from `agentBackoffMinMs` to a bound that doubles up to `agentBackoffMaxMs`
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function backoffMs(failures: number, chance: number): number {
  const { agentBackoffMinMs: least, agentBackoffMaxMs: most } = limits;
  const bound = Math.min(most, least * 2 ** Math.min(failures, 30));
  return Math.round(least + chance * (bound - least));
}

/**
 * How many connections in a row came to nothing, after one more ended: one that held does not count.
 * @param openMs how long it was open
 */
export function failuresAfter(failures: number, openMs: number): number {
  return openMs >= limits.agentStableMs ? 1 : failures + 1;
}
