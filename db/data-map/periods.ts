/** The periods that every class of data shares, and how a period is said. None is written elsewhere. */

import { DAY } from "../../protocol/limits.ts";

/** Platform history that cannot be switched off; a live period must leave room for it (RET-12). */
export const HISTORY_MS = 30 * DAY;
/** The longest that any copy of personal data may last once it has ended. */
export const SIX_MONTHS_MS = 180 * DAY;
/** Within this, what is sealed is unreadable in every copy: its key is destroyed. */
export const LIVE_CLEAN_MS = DAY;

/** A period in words, in its largest whole unit: `90 days`, `12 hours`, `15 minutes`. */
export function span(ms: number): string {
  const units = [
    [DAY, "day"],
    [DAY / 24, "hour"],
    [DAY / 1440, "minute"],
    [1000, "second"],
  ] as const;
  const [unit, name] = units.find(([unit]) => ms >= unit && ms % unit === 0) ?? [1000, "second"];
  const count = Math.ceil(ms / unit);
  // One day reads "24 hours" in a promise: it says when the clock starts.
  if (name === "day" && count === 1) return "24 hours";
  return `${count} ${name}${count === 1 ? "" : "s"}`;
}
