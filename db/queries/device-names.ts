/**
 * Which devices' names are being changed, and whose own domains and passwords are to be looked at. A change
 * goes through several stores, so that it is noted before the first of them: what broke off is found here, and
 * brought to an end.
 */

import { and, asc, eq, lte, sql } from "drizzle-orm";
import type { Db } from "../db.ts";
import { device } from "../schema/region.ts";

/** A note that a device's names change. */
export interface NamingNote {
  /** When it was made, ms since the epoch; no two notes of a device say the same. */
  readonly since: number;
  /** What was noted before it, and is not over; null: nothing. */
  readonly before: number | null;
}

/**
 * Notes that a device's names change; a newer note takes the place of an older one.
 * @param mine the note of the same change before this one; null: there is none
 */
export async function markNaming(
  db: Db,
  deviceId: string,
  now: number,
  mine: number | null = null,
): Promise<NamingNote> {
  const at = device.namesAt;
  const next = sql`coalesce(${at}, 0) + CASE WHEN ${at} = ${mine} THEN 0 ELSE 1 END`;
  const [before, after] = (await db.batch([
    db.select({ at }).from(device).where(eq(device.id, deviceId)),
    db
      .update(device)
      .set({ namesAt: sql`max(${next}, ${now})` })
      .where(eq(device.id, deviceId))
      .returning({ at }),
  ])) as [{ at: number | null }[], { at: number | null }[]];
  return { since: after[0]?.at ?? now, before: before[0]?.at ?? null };
}

/** When the newest change was noted that is not over; null: none is. */
export async function namingSince(db: Db, deviceId: string): Promise<number | null> {
  const [row] = await db.select({ at: device.namesAt }).from(device).where(eq(device.id, deviceId));
  return row?.at ?? null;
}

/** The change that was noted at `since` is over; a newer one stays noted. */
export async function endNaming(db: Db, deviceId: string, since: number): Promise<void> {
  await db
    .update(device)
    .set({ namesAt: null })
    .where(and(eq(device.id, deviceId), eq(device.namesAt, since)));
}

/** Devices of a region whose change began at `until` or earlier and is not over, the latest last. */
export async function namingDevices(
  db: Db,
  until: number,
  limit: number,
): Promise<{ id: string; since: number }[]> {
  const rows = await db
    .select({ id: device.id, since: device.namesAt })
    .from(device)
    .where(lte(device.namesAt, until))
    .orderBy(asc(device.namesAt))
    .limit(limit);
  return rows.map(({ id, since }) => ({ id, since: since ?? until }));
}

/** When a device's own domains are looked at next; null: not by itself. */
export async function scheduleDomains(db: Db, deviceId: string, at: number | null): Promise<void> {
  await db.update(device).set({ domainsAt: at }).where(eq(device.id, deviceId));
}

/**
 * Has a device's passwords looked through at `at`, unless that is sooner. A moment that stands changes all the
 * same, so that a look under way sees that it is not the last (`noteLook`).
 */
export async function scheduleTokens(db: Db, deviceId: string, at: number): Promise<void> {
  const sooner = sql`min(coalesce(${device.tokensAt} - 1, ${at}), ${at})`;
  await db.update(device).set({ tokensAt: sooner }).where(eq(device.id, deviceId));
}

/** What the sweep comes by for: own domains, and passwords that nobody uses. */
export type Look = "domainsAt" | "tokensAt";

/** The look that was due at `at` is done; whoever scheduled another meanwhile knows better. */
export async function noteLook(
  db: Db,
  look: Look,
  deviceId: string,
  at: number,
  next: number | null,
): Promise<void> {
  await db
    .update(device)
    .set(look === "domainsAt" ? { domainsAt: next } : { tokensAt: next })
    .where(and(eq(device.id, deviceId), eq(device[look], at)));
}

/** Devices of a region that are to be looked at by `now`, the longest due first. */
export async function dueLooks(
  db: Db,
  look: Look,
  now: number,
  limit: number,
): Promise<{ id: string; at: number }[]> {
  const rows = await db
    .select({ id: device.id, at: device[look] })
    .from(device)
    .where(lte(device[look], now))
    .orderBy(asc(device[look]))
    .limit(limit);
  return rows.map(({ id, at }) => ({ id, at: at ?? now }));
}
