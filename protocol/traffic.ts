/**
 * The picture of a day's traffic as numbers: 24 slots, the last one now. Pure, for the server, which
 * draws it, and for the browser, which keeps it true.
 */

import { DAY } from "./limits.ts";

const HOUR = DAY / 24;
const SLOTS = 24;
/** How high the picture is, in its own units, and what the smallest bar has of it. */
export const TRAFFIC_HEIGHT = 96;
const LEAST_HEIGHT = 2;

/** What passed in one hour that began at `at` (ms since the epoch). */
export interface HourOfTraffic {
  readonly at: number;
  readonly requests: number;
  readonly fromDevice: number;
  readonly toDevice: number;
  readonly busy: number;
  readonly overBudget: number;
}

/** One hour of the picture: bytes, and how high its two bars stand. */
export interface Slot extends HourOfTraffic {
  readonly out: number;
  readonly in: number;
}

/** The last 24 hours, the oldest first; hours of which nothing is known are empty. */
export function slotsOf(hours: readonly HourOfTraffic[], now: number): Slot[] {
  const last = Math.floor(now / HOUR) * HOUR;
  const known = new Map(hours.map((hour) => [hour.at, hour]));
  const all = Array.from({ length: SLOTS }, (_, index) => {
    const at = last - (SLOTS - 1 - index) * HOUR;
    return known.get(at) ?? emptyHour(at);
  });
  const most = Math.max(1, ...all.map((hour) => Math.max(hour.fromDevice, hour.toDevice)));
  const height = (bytes: number) =>
    bytes === 0 ? 0 : Math.max(LEAST_HEIGHT, Math.round((bytes / most) * TRAFFIC_HEIGHT));
  return all.map((hour) => ({
    ...hour,
    out: height(hour.fromDevice),
    in: height(hour.toDevice),
  }));
}

function emptyHour(at: number): HourOfTraffic {
  return { at, requests: 0, fromDevice: 0, toDevice: 0, busy: 0, overBudget: 0 };
}

/** All of the hours together. */
export function totalOf(hours: readonly HourOfTraffic[]): Omit<HourOfTraffic, "at"> {
  const total = { requests: 0, fromDevice: 0, toDevice: 0, busy: 0, overBudget: 0 };
  for (const hour of hours) {
    total.requests += hour.requests;
    total.fromDevice += hour.fromDevice;
    total.toDevice += hour.toDevice;
    total.busy += hour.busy;
    total.overBudget += hour.overBudget;
  }
  return total;
}

/** `1,234`, the same everywhere. */
export function sayCount(amount: number): string {
  return String(amount).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** `0 bytes`, `12 kB`, `3.4 GB`: decimal units, as transfers are told. */
export function sayBytes(bytes: number): string {
  if (bytes < 1000) return bytes === 1 ? "1 byte" : `${bytes} bytes`;
  let value = bytes;
  let unit = "";
  for (const next of ["kB", "MB", "GB", "TB", "PB"]) {
    if (unit !== "" && value < 999.5) break;
    value /= 1000;
    unit = next;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}
