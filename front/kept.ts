/**
 * Answers of the edge, kept for as long as their records may be: denials that only the edge can sign,
 * and what stands at the apex. The least recently used goes first.
 */

import type { Part } from "./wire.ts";

interface Entry {
  readonly part: Part;
  /** Below which label of the zone; null for the zone's own. */
  readonly label: string | null;
  /** Until when it is as good as the edge's own answer; ms since the epoch. */
  readonly freshUntil: number;
  /** Until when it may be said while the edge is away. */
  readonly staleUntil: number;
}

export class Kept {
  readonly #max: number;
  /** In the order of use. */
  readonly #entries = new Map<string, Entry>();
  readonly #byLabel = new Map<string, Set<string>>();

  /** @param max how many answers there may be */
  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** What is kept; whether it is still fresh, the caller decides by its clock. */
  get(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry;
  }

  set(key: string, entry: Entry): void {
    this.#drop(key);
    this.#entries.set(key, entry);
    if (entry.label !== null) {
      const keys = this.#byLabel.get(entry.label) ?? new Set();
      keys.add(key);
      this.#byLabel.set(entry.label, keys);
    }
    if (this.#entries.size <= this.#max) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#drop(oldest);
  }

  /** What is below this label has changed. */
  forget(label: string): void {
    for (const key of this.#byLabel.get(label) ?? []) this.#drop(key);
  }

  /** Everything below labels may have changed. */
  forgetLabels(): void {
    for (const label of [...this.#byLabel.keys()]) this.forget(label);
  }

  #drop(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    if (entry.label === null) return;
    const keys = this.#byLabel.get(entry.label);
    keys?.delete(key);
    if (keys?.size === 0) this.#byLabel.delete(entry.label);
  }
}
