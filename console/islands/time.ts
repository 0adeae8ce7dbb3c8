/** Keeps "3 minutes ago" true while a page is open, and says exact times in the reader's own zone. */

import { sayRelative } from "../../protocol/times.ts";

const EVERY_MS = 10_000;
/** In the zone that the reader chose here, else in the browser's own. */
const exact = new Intl.DateTimeFormat(undefined, {
  dateStyle: "long",
  timeStyle: "short",
  timeZone: document.documentElement.dataset.zone,
});

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
