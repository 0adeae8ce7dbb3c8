/** How a moment is said. The edge writes it into pages and mails, the browser keeps it true. */

// Made when first needed: loading the language data is most of what starting up would take.
let relative: Intl.RelativeTimeFormat | null = null;
let exact: Intl.DateTimeFormat | null = null;

const SECOND = 1000;
const steps = [
  ["year", 365 * 24 * 3600 * SECOND],
  ["month", 30 * 24 * 3600 * SECOND],
  ["week", 7 * 24 * 3600 * SECOND],
  ["day", 24 * 3600 * SECOND],
  ["hour", 3600 * SECOND],
  ["minute", 60 * SECOND],
] as const;

/** `3 minutes ago`, `in 2 hours`, `just now`; both in milliseconds since the epoch. */
export function sayRelative(at: number, now: number): string {
  const distance = at - now;
  relative ??= new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  for (const [unit, length] of steps) {
    if (Math.abs(distance) >= length) return relative.format(Math.trunc(distance / length), unit);
  }
  return distance > 20 * SECOND ? "in less than a minute" : "just now";
}

/** `22 November 2026 at 03:12 UTC` of milliseconds since the epoch. */
export function sayExact(at: number): string {
  exact ??= new Intl.DateTimeFormat("en-GB", {
    dateStyle: "long",
    timeStyle: "short",
    timeZone: "UTC",
  });
  return `${exact.format(at)} UTC`;
}
