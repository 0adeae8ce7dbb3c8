/** Counts of tries in this process's memory: who tried what is written nowhere. */

import type { Clock } from "../../db/primitives.ts";
import { Window } from "../../durable-objects/limiter/window.ts";
import { limits } from "../../protocol/limits.ts";
import type { Limits } from "../ports.ts";

export function memoryLimits(clock: Clock, maxSubjects: number = limits.hostLimitSubjects): Limits {
  const windows = new Map<string, { readonly window: Window; readonly windowMs: number }>();
  return {
    async take(kind, subject, max, windowMs) {
      const now = clock.now();
      const key = `${kind}:${subject}`;
      const entry = windows.get(key) ?? { window: new Window(), windowMs };
      windows.delete(key);
      windows.set(key, entry);
      if (windows.size > maxSubjects) makeRoom(windows, maxSubjects, now);
      return entry.window.take(max, windowMs, now);
    },
  };
}

/** Forgets subjects whose window has passed and, while there are still too many, the oldest. */
function makeRoom(
  windows: Map<string, { readonly window: Window; readonly windowMs: number }>,
  max: number,
  now: number,
): void {
  const target = Math.ceil(max * 0.9);
  for (const [key, { window, windowMs }] of windows) {
    if (window.isIdle(windowMs, now)) windows.delete(key);
  }
  for (const key of windows.keys()) {
    if (windows.size <= target) return;
    windows.delete(key);
  }
}
