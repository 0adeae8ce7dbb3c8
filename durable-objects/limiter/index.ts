/**
 * One object per (kind, subject): counts tries where every isolate sees them. It stores nothing;
 * an evicted object forgets, which only ever costs a guesser's count while nobody is guessing.
 */

import { DurableObject } from "cloudflare:workers";
import { systemClock } from "../platform.ts";
import { Window } from "./window.ts";

export class LimiterObject extends DurableObject {
  readonly #window = new Window();

  async take(max: number, windowMs: number): Promise<boolean> {
    return this.#window.take(max, windowMs, systemClock.now());
  }
}
