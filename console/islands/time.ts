/** Keeps "3 minutes ago" true while a page is open, and says exact times in the reader's own zone. */

import { sayRelative } from "../../protocol/times.ts";

const EVERY_MS = 10_000;
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "long", timeStyle: "short" });

/** Writes the words of one moment. */
export function writeTime(element: HTMLTimeElement): void {
  const at = Date.parse(element.dateTime);
  element.textContent = sayRelative(at, Date.now());
  element.title = exact.format(at);
}

export function relativeTimes(): void {
  const all = () => {
    for (const element of document.querySelectorAll<HTMLTimeElement>("time[data-relative]")) {
      writeTime(element);
    }
  };
  all();
  setInterval(all, EVERY_MS);
}
