/**
 * Queries of devices: who owns one, whom it lets in, and enrolments on their way. Everything else
 * about a device lives in its object. Reads filter by expiry, so a late sweep shows nothing.
 */

import { and, asc, count, eq, gt, isNotNull, isNull, sql } from "drizzle-orm";
import type { Db } from "../db.ts";
import {
  account,
  device,
  deviceGuest,
  doorReach,
  enrolment,
  enrolmentGrant,
} from "../schema/region.ts";

export type NewEnrolment = typeof enrolment.$inferInsert;

export async function insertEnrolment(db: Db, row: NewEnrolment): Promise<void> {
  await db.insert(enrolment).values(row);
}

export interface PendingEnrolment {
  readonly deviceCodeHash: string;
  readonly publicKey: string;
  readonly polledAt: number;
  readonly intervalMs: number;
  readonly expiresAt: number;
}

const pendingColumns = {
  deviceCodeHash: enrolment.deviceCodeHash,
  publicKey: enrolment.publicKey,
  polledAt: enrolment.polledAt,
  intervalMs: enrolment.intervalMs,
  expiresAt: enrolment.expiresAt,
};

export async function enrolmentByUserCode(
  db: Db,
  userCodeHash: string,
  now: number,
): Promise<PendingEnrolment | null> {
  const [row] = await db
    .select(pendingColumns)
    .from(enrolment)
    .where(and(eq(enrolment.userCodeHash, userCodeHash), gt(enrolment.expiresAt, now)));
  return row ?? null;
}

export interface Grant {
  readonly deviceId: string;
  readonly accountId: string;
}

/** What a region knows of a device code: an enrolment that waits, a grant, or neither. */
export async function pollState(
  db: Db,
  deviceCodeHash: string,
  now: number,
): Promise<{ pending: PendingEnrolment | null; grant: Grant | null }> {
  const [pending, grants] = (await db.batch([
    db
      .select(pendingColumns)
      .from(enrolment)
      .where(and(eq(enrolment.deviceCodeHash, deviceCodeHash), gt(enrolment.expiresAt, now))),
    db
      .select({ deviceId: enrolmentGrant.deviceId, accountId: enrolmentGrant.accountId })
      .from(enrolmentGrant)
      .where(
        and(eq(enrolmentGrant.deviceCodeHash, deviceCodeHash), gt(enrolmentGrant.expiresAt, now)),
      ),
  ])) as [PendingEnrolment[], Grant[]];
  return { pending: pending[0] ?? null, grant: grants[0] ?? null };
}

export async function notePoll(
  db: Db,
  deviceCodeHash: string,
  polledAt: number,
  intervalMs: number,
): Promise<void> {
  await db
    .update(enrolment)
    .set({ polledAt, intervalMs })
    .where(eq(enrolment.deviceCodeHash, deviceCodeHash));
}

/**
 * Uses up a user code: its hash is overwritten by `tombstone`, so of two approvals at once one gets
 * the row and the other gets null. No word of who won is written here.
 */
export async function claimUserCode(
  db: Db,
  userCodeHash: string,
  tombstone: string,
  now: number,
): Promise<PendingEnrolment | null> {
  const [row] = await db
    .update(enrolment)
    .set({ userCodeHash: tombstone })
    .where(and(eq(enrolment.userCodeHash, userCodeHash), gt(enrolment.expiresAt, now)))
    .returning(pendingColumns);
  return row ?? null;
}

/** Gives a user code back after an approval that came to nothing. */
export async function restoreUserCode(
  db: Db,
  tombstone: string,
  userCodeHash: string,
): Promise<void> {
  await db.update(enrolment).set({ userCodeHash }).where(eq(enrolment.userCodeHash, tombstone));
}

export async function deleteEnrolment(db: Db, deviceCodeHash: string): Promise<void> {
  await db.delete(enrolment).where(eq(enrolment.deviceCodeHash, deviceCodeHash));
}

/**
 * Inserts the row from which everything about a new device is found again, and its grant, if the
 * account still exists: one transaction.
 * @returns how many devices the account has then; 0 when there is no such account
 */
export async function insertDevice(
  db: Db,
  row: { id: string; accountId: string; deviceCodeHash: string; expiresAt: number },
  now: number,
): Promise<number> {
  const owner = eq(account.id, row.accountId);
  const results = await db.batch([
    db.insert(device).select(
      db
        .select({
          id: sql<string>`${row.id}`.as("id"),
          accountId: account.id,
          createdAt: sql<number>`${now}`.as("created_at"),
          endsAt: sql<null>`NULL`.as("ends_at"),
          namesAt: sql<null>`NULL`.as("names_at"),
          domainsAt: sql<null>`NULL`.as("domains_at"),
          tokensAt: sql<null>`NULL`.as("tokens_at"),
        })
        .from(account)
        .where(owner),
    ),
    db.insert(enrolmentGrant).select(
      db
        .select({
          deviceCodeHash: sql<string>`${row.deviceCodeHash}`.as("device_code_hash"),
          accountId: account.id,
          deviceId: sql<string>`${row.id}`.as("device_id"),
          expiresAt: sql<number>`${row.expiresAt}`.as("expires_at"),
        })
        .from(account)
        .where(owner),
    ),
    db.select({ count: count() }).from(device).where(eq(device.accountId, row.accountId)),
  ]);
  return (results[2] as { count: number }[])[0]?.count ?? 0;
}

/** The account that owns a device; null when there is no such device. */
export async function ownerOf(db: Db, deviceId: string): Promise<string | null> {
  const [row] = await db
    .select({ accountId: device.accountId })
    .from(device)
    .where(eq(device.id, deviceId));
  return row?.accountId ?? null;
}

export async function devicesOf(
  db: Db,
  accountId: string,
): Promise<{ id: string; createdAt: number; endsAt: number | null }[]> {
  return await db
    .select({ id: device.id, createdAt: device.createdAt, endsAt: device.endsAt })
    .from(device)
    .where(eq(device.accountId, accountId))
    .orderBy(asc(device.createdAt), asc(device.id));
}

/** Every device that may know the account as somebody: its own, those that let it in, and visited ones. */
export async function devicesReached(db: Db, accountId: string): Promise<string[]> {
  // What has expired and is not swept is asked in vain, which does no harm.
  const [own, others, visited] = (await db.batch([
    db.select({ id: device.id }).from(device).where(eq(device.accountId, accountId)),
    db
      .select({ id: deviceGuest.deviceId })
      .from(deviceGuest)
      .where(eq(deviceGuest.accountId, accountId)),
    db.select({ id: doorReach.deviceId }).from(doorReach).where(eq(doorReach.accountId, accountId)),
  ])) as [{ id: string }[], { id: string }[], { id: string }[]];
  return [...new Set([...own, ...others, ...visited].map((row) => row.id))];
}

/** Notes that a device is to be gone since `now`, so that whoever sweeps finishes it; keeps an earlier note. */
export async function markEnding(db: Db, deviceId: string, now: number): Promise<void> {
  await db
    .update(device)
    .set({ endsAt: now })
    .where(and(eq(device.id, deviceId), isNull(device.endsAt)));
}

/** Devices of a region whose end is not finished, the one that is latest first. */
export async function endingDevices(db: Db, limit: number): Promise<string[]> {
  const rows = await db
    .select({ id: device.id })
    .from(device)
    .where(isNotNull(device.endsAt))
    .orderBy(asc(device.endsAt))
    .limit(limit);
  return rows.map((row) => row.id);
}

/** Deletes a device's rows of its own region; the last step of unregistering. */
export async function deleteDevice(db: Db, deviceId: string): Promise<void> {
  await db.batch([
    db.delete(enrolmentGrant).where(eq(enrolmentGrant.deviceId, deviceId)),
    db.delete(device).where(eq(device.id, deviceId)),
  ]);
}

/** Notes in a person's region that a device lets the person in; nothing when there is no such person. */
export async function insertGuest(db: Db, deviceId: string, accountId: string): Promise<void> {
  await db
    .insert(deviceGuest)
    .select(
      db
        .select({
          id: sql<string>`${`${deviceId}/${accountId}`}`.as("id"),
          accountId: account.id,
          deviceId: sql<string>`${deviceId}`.as("device_id"),
        })
        .from(account)
        .where(eq(account.id, accountId)),
    )
    .onConflictDoNothing();
}

export async function hasGuest(db: Db, deviceId: string, accountId: string): Promise<boolean> {
  const rows = await db
    .select({ id: deviceGuest.id })
    .from(deviceGuest)
    .where(eq(deviceGuest.id, `${deviceId}/${accountId}`));
  return rows.length === 1;
}

export async function deleteGuest(db: Db, deviceId: string, accountId: string): Promise<void> {
  await db.delete(deviceGuest).where(eq(deviceGuest.id, `${deviceId}/${accountId}`));
}

/** Whoever a device knew, it knows no more. */
export async function deleteGuestsOf(db: Db, deviceId: string): Promise<void> {
  await db.batch([
    db.delete(deviceGuest).where(eq(deviceGuest.deviceId, deviceId)),
    db.delete(doorReach).where(eq(doorReach.deviceId, deviceId)),
  ]);
}

/** A device knows a person no more. */
export async function deleteReach(db: Db, deviceId: string, accountId: string): Promise<void> {
  await db.delete(doorReach).where(eq(doorReach.id, `${deviceId}/${accountId}`));
}

/** Notes that a device knows a person until a time, or longer if it did before; nothing for nobody. */
export async function insertReach(
  db: Db,
  deviceId: string,
  accountId: string,
  expiresAt: number,
): Promise<void> {
  await db
    .insert(doorReach)
    .select(
      db
        .select({
          id: sql<string>`${`${deviceId}/${accountId}`}`.as("id"),
          accountId: account.id,
          deviceId: sql<string>`${deviceId}`.as("device_id"),
          expiresAt: sql<number>`${expiresAt}`.as("expires_at"),
        })
        .from(account)
        .where(eq(account.id, accountId)),
    )
    .onConflictDoUpdate({
      target: doorReach.id,
      set: { expiresAt: sql`max(${doorReach.expiresAt}, excluded.expires_at)` },
    });
}

/** True while a device knows a person for a while. */
export async function hasReach(
  db: Db,
  deviceId: string,
  accountId: string,
  now: number,
): Promise<boolean> {
  const rows = await db
    .select({ id: doorReach.id })
    .from(doorReach)
    .where(and(eq(doorReach.id, `${deviceId}/${accountId}`), gt(doorReach.expiresAt, now)));
  return rows.length === 1;
}

/** A device knows a person until `until` at the latest: nothing is shared with them any more. */
export async function shortenReach(
  db: Db,
  deviceId: string,
  accountId: string,
  until: number,
): Promise<void> {
  await db
    .update(doorReach)
    .set({ expiresAt: sql`min(${doorReach.expiresAt}, ${until})` })
    .where(eq(doorReach.id, `${deviceId}/${accountId}`));
}
