/**
 * Garbage is collected by the one thread that made it. V8 would share it among helpers and wait for the
 * slowest of them: beside other programs on few cores, each of which the system may have put aside, that
 * holds every question up for milliseconds. What there is to collect here takes half of one.
 *
 * And where new things are made stays as small as it is at the start. Hardly anything outlives its
 * question; V8, which sees a zone being read, would let the place grow to a hundred megabytes, of which
 * each question then takes the next piece that no cache of the processor has.
 */

import { setFlagsFromString } from "node:v8";

/** For the program as a whole, its threads too, before it makes anything. Nothing where the runtime has no such flags. */
export function collectAlone(): void {
  for (const helper of ["parallel-scavenge", "concurrent-marking", "concurrent-sweeping"]) {
    setFlagsFromString(`--no-${helper}`);
  }
  setFlagsFromString("--semi-space-growth-factor=1");
}
