/**
 * Lets half a gigabyte pass as reads do, 64 KiB at a time and some of it held for a while, and prints how
 * often V8 went through its whole heap. With `noted` as the agent notes what passes, else as any program.
 */

import { PerformanceObserver } from "node:perf_hooks";
import { setImmediate as turn } from "node:timers/promises";
import { notePassed } from "../../agent/heap.ts";

const READ_BYTES = 64 * 1024;
const READS = 8192;
/** V8's words for a collection of everything (`v8::GCType`). */
const MARK_SWEEP_COMPACT = 4;

let whole = 0;
const observer = new PerformanceObserver((list) => {
  for (const entry of list.getEntries() as (PerformanceEntry & { detail: { kind: number } })[]) {
    if (entry.detail.kind === MARK_SWEEP_COMPACT) whole++;
  }
});
observer.observe({ entryTypes: ["gc"] });
const held: Uint8Array[] = [];
for (let read = 0; read < READS; read++) {
  held.push(new Uint8Array(READ_BYTES));
  if (held.length > 8) held.shift();
  if (process.argv[2] === "noted") notePassed(READ_BYTES);
  if (read % 4 === 0) await turn();
}
await turn();
console.log(whole);
