/**
 * The memory of what passes through the agent: buffers beside V8's heap, one for each read. V8 looks for
 * garbage when its own small heap is full, which these hardly fill, or after some thirty megabytes of
 * them; then it goes through all it holds. At 300 MB/s that was ten pauses a second and a third of the
 * agent's time, and a click beside a download waited for each. Looked for early, it is found among the
 * young, in a fraction of a millisecond.
 *
 * What is found is given back at once, by the thread that found it. V8 would leave that to a helper, and
 * count the bytes until it is done: on a box whose cores are busy with the transfer itself the count goes
 * over V8's limit all the same, and an agent that is there once looks through all it holds forty times a
 * second and never gets out. Of some 46 runs of uploads nine were such, at 3.5 ms of CPU a megabyte instead of
 * 1.3.
 */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { limits } from "../protocol/limits.ts";

const collectYoung = youngCollector();
let passed = 0;

/** Notes bytes that passed; after `limits.agentCollectBytes` the garbage they left is collected. */
export function notePassed(bytes: number): void {
  passed += bytes;
  if (passed < limits.agentCollectBytes) return;
  passed = 0;
  collectYoung();
}

/** V8's short collection, where the runtime gives it; elsewhere nothing is done. */
function youngCollector(): () => void {
  try {
    setFlagsFromString("--expose-gc");
    setFlagsFromString("--no-concurrent-array-buffer-sweeping");
    const collect: unknown = runInNewContext("globalThis.gc");
    if (typeof collect === "function") return () => collect({ type: "minor" });
  } catch {
    // Deno keeps its collector to itself.
  }
  return () => {};
}
