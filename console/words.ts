/** How the console says times and numbers. Pure; the caller gives the present. */

import { sayRelative } from "../protocol/relative-time.ts";

// Made when first needed: loading the language data is most of what starting up would take.
let exactFormat: Intl.DateTimeFormat | null = null;
let dayFormat: Intl.DateTimeFormat | null = null;

/** `22 November 2026 at 03:12 UTC` of milliseconds since the epoch. */
export function sayExact(at: number): string {
  exactFormat ??= new Intl.DateTimeFormat("en-GB", {
    dateStyle: "long",
    timeStyle: "short",
    timeZone: "UTC",
  });
  return `${exactFormat.format(at)} UTC`;
}

/** `22 November 2026` in UTC. */
export function sayDay(at: number): string {
  dayFormat ??= new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeZone: "UTC" });
  return dayFormat.format(at);
}

export { sayRelative };

/** `1 device`, `3 devices`. */
export function count(amount: number, one: string, many = `${one}s`): string {
  return `${amount} ${amount === 1 ? one : many}`;
}
