/**
 * Garbage is collected by the one thread that answers. V8 would share it among helpers and wait for the
 * slowest of them: beside other programs on few cores, each of which the system may have put aside, that
 * holds every question up for milliseconds. What there is to collect here takes half of one.
 */

import { setFlagsFromString } from "node:v8";

/** For the program as a whole, before it makes anything. Nothing where the runtime has no such flags. */
export function collectAlone(): void {
  for (const helper of ["parallel-scavenge", "concurrent-marking", "concurrent-sweeping"]) {
    setFlagsFromString(`--no-${helper}`);
  }
}
