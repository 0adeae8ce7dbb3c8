/** How the console says times and numbers. Pure; the caller gives the present. */

import { sayExact, sayRelative } from "../protocol/times.ts";

// Made when first needed: loading the language data is most of what starting up would take.
let dayFormat: Intl.DateTimeFormat | null = null;

/** `22 November 2026` in UTC. */
export function sayDay(at: number): string {
  dayFormat ??= new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeZone: "UTC" });
  return dayFormat.format(at);
}

export { sayExact, sayRelative };

/** `1 device`, `3 devices`. */
export function count(amount: number, one: string, many = `${one}s`): string {
  return `${amount} ${amount === 1 ? one : many}`;
}
