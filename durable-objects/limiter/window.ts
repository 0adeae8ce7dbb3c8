/** A sliding count of tries: times, and nothing of who tried. */

export class Window {
  #times: number[];

  /** @param times of earlier tries, oldest first; ms since the epoch */
  constructor(times: readonly number[] = []) {
    this.#times = [...times];
  }

  /** Counts one try at `now`; false when `max` within `windowMs` is used up (and not counted). */
  take(max: number, windowMs: number, now: number): boolean {
    this.#times = this.#times.filter((at) => at > now - windowMs);
    if (this.#times.length >= max) return false;
    this.#times.push(now);
    return true;
  }

  /** True when nothing within `windowMs` is remembered. */
  isIdle(windowMs: number, now: number): boolean {
    return !this.#times.some((at) => at > now - windowMs);
  }
}
