/** The sliding count of tries: to the try, and to the millisecond. */

import { expect, it } from "vitest";
import { Window } from "../../durable-objects/limiter/window.ts";

const NOW = 1_800_000_000_000;
const HOUR = 3_600_000;

it("allows so many within the window, and not one more", () => {
  const window = new Window();
  const taken = Array.from({ length: 5 }, (_, at) => window.take(3, HOUR, NOW + at));
  expect(taken).toEqual([true, true, true, false, false]);
});

it("frees each try when its own hour has passed, and not a millisecond before", () => {
  const window = new Window();
  for (const at of [0, 10, 20]) expect(window.take(3, HOUR, NOW + at)).toBe(true);
  expect(window.take(3, HOUR, NOW + HOUR - 1)).toBe(false);
  expect(window.take(3, HOUR, NOW + HOUR)).toBe(true);
  expect(window.take(3, HOUR, NOW + HOUR + 9)).toBe(false);
  expect(window.take(3, HOUR, NOW + HOUR + 10)).toBe(true);
});

it("counts no try that it refused: who waits is let in, however often they asked", () => {
  const window = new Window();
  expect(window.take(1, HOUR, NOW)).toBe(true);
  for (let at = 1; at < 100; at++) expect(window.take(1, HOUR, NOW + at)).toBe(false);
  expect(window.take(1, HOUR, NOW + HOUR)).toBe(true);
});

it("goes on from what an object remembered, and is idle when nothing of it counts any more", () => {
  const window = new Window([NOW - 5, NOW]);
  expect(window.take(2, HOUR, NOW + 1)).toBe(false);
  expect(window.isIdle(HOUR, NOW + HOUR - 1)).toBe(false);
  expect(window.isIdle(HOUR, NOW + HOUR)).toBe(true);
});
