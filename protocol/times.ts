/** How a moment is said. The edge writes it into pages and mails, the browser keeps it true. */

// Made when first needed: loading the language data is most of what starting up would take.
let relative: Intl.RelativeTimeFormat | null = null;
const exact = new Map<string, Intl.DateTimeFormat>();

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

/**
 * `22 November 2026 at 03:12 UTC`, `22 November 2026 at 04:12 CET` of milliseconds since the epoch.
 * @param zone the IANA name of a time zone that there is
 */
export function sayExact(at: number, zone = "UTC"): string {
  const format =
    exact.get(zone) ??
    new Intl.DateTimeFormat("en-GB", {
      day: "numeric",
      month: "long",
      year: "numeric",
      hour: "2-digit",
      minute: "2-digit",
      timeZone: zone,
      timeZoneName: "short",
    });
  exact.set(zone, format);
  return format.format(at);
}
