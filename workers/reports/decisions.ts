/**
 * What an operator does about reports: looks at them, dismisses one, closes a door with a statement of
 * reasons, opens it again, answers an objection. Each may be done twice, and the second time changes
 * nothing and writes to nobody.
 */

import { personKey, sealedAt } from "../../db/queries/accounts.ts";
import {
  decideReport,
  deleteObjection,
  type ObjectionRow,
  objectionOf,
  type ReportCursor,
  type ReportOutcome,
  type ReportRow,
  reportOf,
  waitingObjections,
  waitingReports,
  waitingReportsOf,
} from "../../db/queries/reports.ts";
import type { Closure, DeviceDescription } from "../../durable-objects/device/rpc.ts";
import { isId, type RegionId } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { note } from "../account/activity.ts";
import type { Db, Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import type { Client } from "../sign-in/client.ts";
import type { Told } from "./reports.ts";
import { tellOwner, tellReporter } from "./told.ts";
import { closedWords, decidedWords, openedWords, upheldWords } from "./words.ts";

/** Nobody's browser: an operator is no visitor of the account. */
const OPERATOR: Client = { userAgent: null, peer: null };

export interface ReportView {
  readonly id: string;
  /** The device's name; null when it is gone. */
  readonly door: string | null;
  readonly about: ReportRow["about"];
  readonly words: string;
  readonly wantsAnswer: boolean;
  readonly outcome: ReportOutcome | null;
  readonly createdAt: number;
}

export interface ObjectionView {
  readonly door: string;
  readonly words: string;
  readonly createdAt: number;
}

/** A door as an operator sees it. */
export interface DoorView {
  readonly door: string;
  readonly closed: Closure | null;
  /** Reports that nobody has decided, the oldest first. */
  readonly reports: readonly ReportView[];
  readonly objection: ObjectionView | null;
}

/** Reports of a region that wait, the oldest first. @throws Problem `region-unknown` */
export async function listReports(
  ports: Ports,
  region: RegionId,
  after: ReportCursor | null,
): Promise<{ readonly reports: readonly ReportView[]; readonly next: ReportCursor | null }> {
  const db = dbOf(ports, region);
  const rows = await waitingReports(db, after, limits.reportsPage, ports.clock.now());
  const last = rows.length === limits.reportsPage ? rows.at(-1) : undefined;
  return {
    reports: await Promise.all(rows.map((row) => viewOf(ports, row))),
    next: last === undefined ? null : { at: last.createdAt, id: last.id },
  };
}

/** Objections of a region that wait, the oldest first. @throws Problem `region-unknown` */
export async function listObjections(ports: Ports, region: RegionId): Promise<ObjectionView[]> {
  const rows = await waitingObjections(dbOf(ports, region), limits.reportsPage, ports.clock.now());
  const views = rows.map(async (row) => {
    const device = await ports.devices.get(row.deviceId).describe();
    return device === null ? null : await objectionView(ports, row, device.label);
  });
  return (await Promise.all(views)).filter((view) => view !== null);
}

/** @throws Problem `not-found` */
export async function getReport(ports: Ports, id: string): Promise<ReportView> {
  return await viewOf(ports, (await reportRow(ports, id)).row);
}

/**
 * Leaves a door as it is, and tells the reporter.
 * @param words for the reporter; may be empty
 * @throws Problem `not-found`, `report-decided` when a door was closed for it
 */
export async function dismissReport(ports: Ports, id: string, words: string): Promise<ReportView> {
  const { db, row } = await reportRow(ports, id);
  if (row.outcome === null) {
    const device = await ports.devices.get(row.deviceId).describe();
    await decide(ports, db, row, device?.label ?? null, "dismissed", words);
  }
  const now = await getReport(ports, id);
  if (now.outcome !== "dismissed") throw new Problem("report-decided");
  return now;
}

/** @throws Problem `not-found` */
export async function getDoor(ports: Ports, label: string): Promise<DoorView> {
  return await doorView(ports, await deviceAt(ports, label));
}

/**
 * Closes a door and ends what is on its way through it; tells its owner why, and everybody who
 * reported it.
 * @throws Problem `not-found`
 */
export async function closeDoor(
  ports: Ports,
  label: string,
  { reason, extent, words }: Pick<Closure, "reason" | "extent" | "words">,
): Promise<DoorView> {
  const { id } = await deviceAt(ports, label);
  const closure = { reason, extent, words: words.trim(), at: ports.clock.now() };
  const set = await ports.devices.get(id).close(closure);
  if (set === null) throw new Problem("not-found");
  const { device, changed } = set;
  if (changed) {
    ports.log({ event: "door-closed", code: reason });
    const about = { client: OPERATOR, about: device.label };
    await note(ports, device.accountId, "door-closed", about);
    const { origin } = ports.config;
    tellOwner(ports, device.accountId, closedWords(origin, device.label, id, closure));
  }
  const db = dbOf(ports, id);
  for (const row of await waitingReportsOf(db, id, ports.clock.now())) {
    await decide(ports, db, row, device.label, "closed", "");
  }
  return await doorView(ports, device);
}

/** Opens a door again as its owner set it, and tells them. @throws Problem `not-found` */
export async function openDoor(ports: Ports, label: string): Promise<DoorView> {
  const { id } = await deviceAt(ports, label);
  const set = await ports.devices.get(id).close(null);
  if (set === null) throw new Problem("not-found");
  await deleteObjection(dbOf(ports, id), id);
  const { device, changed } = set;
  if (changed) {
    ports.log({ event: "door-opened" });
    const about = { client: OPERATOR, about: device.label };
    await note(ports, device.accountId, "door-opened", about);
    tellOwner(ports, device.accountId, openedWords(device.label));
  }
  return await doorView(ports, device);
}

/** Answers an objection: the door stays closed. @throws Problem `not-found` when none waits */
export async function upholdClosure(ports: Ports, label: string, words: string): Promise<DoorView> {
  const device = await deviceAt(ports, label);
  if (!(await deleteObjection(dbOf(ports, device.id), device.id))) throw new Problem("not-found");
  const { origin } = ports.config;
  tellOwner(ports, device.accountId, upheldWords(origin, device.label, device.id, words.trim()));
  return await doorView(ports, device);
}

/** Decides a report that waits; whoever made it is told once, and their address forgotten. */
async function decide(
  ports: Ports,
  db: Db,
  row: ReportRow,
  label: string | null,
  outcome: ReportOutcome,
  words: string,
): Promise<void> {
  const { words: said, address } = await toldIn(ports, row);
  const now = ports.clock.now();
  const told = JSON.stringify({ words: said, address: null } satisfies Told);
  const toldSealed = await ports.sealer.seal(personKey(row.id), sealedAt.report(row.id), told);
  const decision = { outcome, toldSealed, expiresAt: now + limits.reportDecidedMs };
  if (!(await decideReport(db, row.id, decision, now)) || address === null) return;
  tellReporter(ports, address, decidedWords(label ?? "a device", row.id, outcome, words.trim()));
}

async function doorView(ports: Ports, device: DeviceDescription): Promise<DoorView> {
  const db = dbOf(ports, device.id);
  const now = ports.clock.now();
  const reports = await waitingReportsOf(db, device.id, now);
  const objection = await objectionOf(db, device.id, now);
  return {
    door: device.label,
    closed: device.access.closed,
    reports: await Promise.all(reports.map((row) => viewOf(ports, row, device.label))),
    objection: objection === null ? null : await objectionView(ports, objection, device.label),
  };
}

async function viewOf(ports: Ports, row: ReportRow, label?: string): Promise<ReportView> {
  const { id, about, outcome, createdAt } = row;
  const { words, address } = await toldIn(ports, row);
  const door = label ?? (await ports.devices.get(row.deviceId).describe())?.label ?? null;
  return { id, door, about, words, wantsAnswer: address !== null, outcome, createdAt };
}

async function objectionView(
  ports: Ports,
  { accountId, deviceId, wordsSealed, createdAt }: ObjectionRow,
  door: string,
): Promise<ObjectionView> {
  const at = sealedAt.objection(deviceId);
  const words = await ports.sealer.open(personKey(accountId), at, wordsSealed);
  return { door, words: words ?? "", createdAt };
}

/** What was typed; nothing once its key is gone. */
async function toldIn(ports: Ports, { id, toldSealed }: ReportRow): Promise<Told> {
  const text = await ports.sealer.open(personKey(id), sealedAt.report(id), toldSealed);
  return text === null ? { words: "", address: null } : (JSON.parse(text) as Told);
}

async function reportRow(ports: Ports, id: string): Promise<{ db: Db; row: ReportRow }> {
  const db = isId("rpt", id) ? ports.regions.db(id) : null;
  const row = db === null ? null : await reportOf(db, id, ports.clock.now());
  if (db === null || row === null) throw new Problem("not-found");
  return { db, row };
}

async function deviceAt(ports: Ports, label: string): Promise<DeviceDescription> {
  const id = await ports.names.deviceOfLabel(label);
  const device = id === null ? null : await ports.devices.get(id).describe();
  if (device === null) throw new Problem("not-found");
  return device;
}

function dbOf(ports: Ports, idOrRegion: string): Db {
  const db = ports.regions.db(idOrRegion);
  if (db === null) throw new Problem("region-unknown", "region");
  return db;
}
