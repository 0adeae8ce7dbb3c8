/**
 * Queries of reports about doors and of what owners object. Reads filter by expiry, so a late sweep
 * shows nothing. A decision is one conditional update: one caller wins.
 */

import { and, asc, eq, gt, isNull, or, type SQL, sql } from "drizzle-orm";
import type { ReportKind } from "../../protocol/reports.ts";
import type { Db } from "../db.ts";
import { device } from "../schema/region/devices.ts";
import { doorObjection, doorReport, type reportOutcomes } from "../schema/region/reports.ts";

export type ReportOutcome = (typeof reportOutcomes)[number];

export interface ReportRow {
  readonly id: string;
  readonly deviceId: string;
  readonly about: ReportKind;
  readonly toldSealed: string;
  readonly outcome: ReportOutcome | null;
  readonly createdAt: number;
  readonly expiresAt: number;
}
export type NewReportRow = Omit<ReportRow, "outcome">;

const reportColumns = {
  id: doorReport.id,
  deviceId: doorReport.deviceId,
  about: doorReport.about,
  toldSealed: doorReport.toldSealed,
  outcome: doorReport.outcome,
  createdAt: doorReport.createdAt,
  expiresAt: doorReport.expiresAt,
};

const stays = (deviceId: string): SQL | undefined =>
  and(eq(device.id, deviceId), isNull(device.endsAt));

/**
 * Keeps a report of a device that stays, while fewer than `max` about it wait. One with the same
 * identifier is the same report.
 * @returns `full`: so many wait; null: there is no such device
 */
export async function insertReport(
  db: Db,
  row: NewReportRow,
  max: number,
): Promise<"kept" | "full" | null> {
  const waiting = sql`(SELECT count(*) FROM ${doorReport}
    WHERE ${doorReport.deviceId} = ${row.deviceId} AND ${doorReport.outcome} IS NULL
      AND ${doorReport.expiresAt} > ${row.createdAt})`;
  await db
    .insert(doorReport)
    .select(
      db
        .select({
          id: sql<string>`${row.id}`.as("report_id"),
          deviceId: device.id,
          about: sql<ReportKind>`${row.about}`.as("about"),
          toldSealed: sql<string>`${row.toldSealed}`.as("told_sealed"),
          outcome: sql<null>`NULL`.as("outcome"),
          createdAt: sql<number>`${row.createdAt}`.as("report_created_at"),
          expiresAt: sql<number>`${row.expiresAt}`.as("expires_at"),
        })
        .from(device)
        .where(and(stays(row.deviceId), sql`${waiting} < ${max}`)),
    )
    .onConflictDoNothing();
  const [kept] = await db
    .select({ deviceId: doorReport.deviceId })
    .from(doorReport)
    .where(eq(doorReport.id, row.id));
  if (kept !== undefined) return "kept";
  const [there] = await db.select({ id: device.id }).from(device).where(stays(row.deviceId));
  return there === undefined ? null : "full";
}

/** Where a page of the list goes on. */
export interface ReportCursor {
  readonly at: number;
  readonly id: string;
}

/** Reports that nobody has decided, the oldest first. */
export async function waitingReports(
  db: Db,
  after: ReportCursor | null,
  limit: number,
  now: number,
): Promise<ReportRow[]> {
  const onward =
    after === null
      ? undefined
      : or(
          gt(doorReport.createdAt, after.at),
          and(eq(doorReport.createdAt, after.at), gt(doorReport.id, after.id)),
        );
  return await db
    .select(reportColumns)
    .from(doorReport)
    .where(and(isNull(doorReport.outcome), gt(doorReport.expiresAt, now), onward))
    .orderBy(asc(doorReport.createdAt), asc(doorReport.id))
    .limit(limit);
}

/** Those about one device that nobody has decided, the oldest first. */
export async function waitingReportsOf(
  db: Db,
  deviceId: string,
  now: number,
): Promise<ReportRow[]> {
  const live = and(isNull(doorReport.outcome), gt(doorReport.expiresAt, now));
  return await db
    .select(reportColumns)
    .from(doorReport)
    .where(and(eq(doorReport.deviceId, deviceId), live))
    .orderBy(asc(doorReport.createdAt), asc(doorReport.id));
}

export async function reportOf(db: Db, id: string, now: number): Promise<ReportRow | null> {
  const [row] = await db
    .select(reportColumns)
    .from(doorReport)
    .where(and(eq(doorReport.id, id), gt(doorReport.expiresAt, now)));
  return row ?? null;
}

/** Decides a report that waits: one caller wins. */
export async function decideReport(
  db: Db,
  id: string,
  decision: {
    readonly outcome: ReportOutcome;
    readonly toldSealed: string;
    readonly expiresAt: number;
  },
  now: number,
): Promise<boolean> {
  const rows = await db
    .update(doorReport)
    .set(decision)
    .where(and(eq(doorReport.id, id), isNull(doorReport.outcome), gt(doorReport.expiresAt, now)))
    .returning({ id: doorReport.id });
  return rows.length === 1;
}

/** Every report about a device, whatever became of it. */
export async function reportsOf(db: Db, deviceId: string): Promise<string[]> {
  const of = eq(doorReport.deviceId, deviceId);
  return (await db.select({ id: doorReport.id }).from(doorReport).where(of)).map(({ id }) => id);
}

export async function deleteReportsOf(db: Db, deviceId: string): Promise<void> {
  await db.delete(doorReport).where(eq(doorReport.deviceId, deviceId));
}

export type ObjectionRow = typeof doorObjection.$inferSelect;

/** Keeps what an owner objects, once while it waits; false when one waits already. */
export async function insertObjection(db: Db, row: ObjectionRow): Promise<boolean> {
  const rows = await db
    .insert(doorObjection)
    .values(row)
    .onConflictDoUpdate({
      target: doorObjection.deviceId,
      set: row,
      // One whose time has come is none, swept or not.
      setWhere: sql`${doorObjection.expiresAt} <= ${row.createdAt}`,
    })
    .returning({ id: doorObjection.deviceId });
  return rows.length === 1;
}

export async function objectionOf(
  db: Db,
  deviceId: string,
  now: number,
): Promise<ObjectionRow | null> {
  const [row] = await db
    .select()
    .from(doorObjection)
    .where(and(eq(doorObjection.deviceId, deviceId), gt(doorObjection.expiresAt, now)));
  return row ?? null;
}

/** The objections that wait, the oldest first. */
export async function waitingObjections(
  db: Db,
  limit: number,
  now: number,
): Promise<ObjectionRow[]> {
  return await db
    .select()
    .from(doorObjection)
    .where(gt(doorObjection.expiresAt, now))
    .orderBy(asc(doorObjection.createdAt), asc(doorObjection.deviceId))
    .limit(limit);
}

/** Takes an objection away; false when there was none. One caller wins. */
export async function deleteObjection(db: Db, deviceId: string): Promise<boolean> {
  const rows = await db
    .delete(doorObjection)
    .where(eq(doorObjection.deviceId, deviceId))
    .returning({ id: doorObjection.deviceId });
  return rows.length === 1;
}
