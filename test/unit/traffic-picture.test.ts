/** The picture of a day's traffic: slots, heights and words. */

import { expect, it } from "vitest";
import { DAY } from "../../protocol/limits.ts";
import { sayBytes, sayCount, slotsOf, TRAFFIC_HEIGHT, totalOf } from "../../protocol/traffic.ts";

const HOUR = DAY / 24;
const NOW = 1_800_000_000_000;
const THIS_HOUR = Math.floor(NOW / HOUR) * HOUR;
const hour = (at: number, fromDevice: number, toDevice = 0) => ({
  at,
  requests: 1,
  fromDevice,
  toDevice,
  busy: 0,
  overBudget: 2,
});

it("has 24 slots whose last is now, and forgets what is older", () => {
  const slots = slotsOf(
    [hour(THIS_HOUR - DAY, 9), hour(THIS_HOUR - 23 * HOUR, 5), hour(THIS_HOUR, 7)],
    NOW,
  );
  expect(slots.length).toBe(24);
  expect(slots[0]?.fromDevice).toBe(5);
  expect(slots[23]?.fromDevice).toBe(7);
  expect(totalOf(slots)).toMatchObject({ requests: 2, fromDevice: 12, overBudget: 4 });
});

it("draws the most as high as the picture, little as a trace and nothing as nothing", () => {
  const slots = slotsOf([hour(THIS_HOUR, 1_000_000, 1), hour(THIS_HOUR - HOUR, 500_000)], NOW);
  expect([slots[23]?.out, slots[23]?.in]).toEqual([TRAFFIC_HEIGHT, 2]);
  expect([slots[22]?.out, slots[22]?.in]).toEqual([TRAFFIC_HEIGHT / 2, 0]);
  expect(slotsOf([], NOW).every((slot) => slot.out === 0 && slot.in === 0)).toBe(true);
});

it.each([
  [0, "0 bytes"],
  [1, "1 byte"],
  [999, "999 bytes"],
  [1000, "1.0 kB"],
  [9_949, "9.9 kB"],
  [12_345, "12 kB"],
  [999_499, "999 kB"],
  [999_500, "1.0 MB"],
  [3_200_000_000, "3.2 GB"],
  [5e15, "5.0 PB"],
])("says %i as %s", (bytes, words) => {
  expect(sayBytes(bytes)).toBe(words);
});

it("says large counts in groups", () => {
  expect([0, 999, 1000, 1_234_567].map(sayCount)).toEqual(["0", "999", "1,000", "1,234,567"]);
});
