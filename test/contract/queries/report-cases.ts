/** Queries of reports and objections: one of each name, so many that wait, one who decides. */

import assert from "node:assert/strict";
import {
  decideReport,
  deleteObjection,
  deleteReportsOf,
  insertObjection,
  insertReport,
  type NewReportRow,
  objectionOf,
  reportOf,
  reportsOf,
  waitingObjections,
  waitingReports,
  waitingReportsOf,
} from "../../../db/queries/reports.ts";
import { device } from "../../../db/schema/region/devices.ts";
import { systemRandom } from "../../../durable-objects/system.ts";
import { newId } from "../../../protocol/ids.ts";
import type { Db } from "../../../workers/ports.ts";
import type { Cases } from "./cases.ts";

const NOW = 1_700_000_000_000;
const accountId = newId("acc", "home", systemRandom.bytes);

async function newDevice(db: Db, endsAt: number | null = null): Promise<string> {
  const id = newId("dev", "home", systemRandom.bytes);
  await db.insert(device).values({ id, accountId, createdAt: NOW, endsAt });
  return id;
}

const newReport = (deviceId: string, createdAt = NOW): NewReportRow => ({
  id: newId("rpt", "home", systemRandom.bytes),
  deviceId,
  about: "malware",
  toldSealed: "s1.told",
  createdAt,
  expiresAt: createdAt + 10,
});

const decision = { outcome: "dismissed", toldSealed: "s1.less", expiresAt: NOW + 99 } as const;
const ids = (rows: readonly { readonly id: string }[]) => rows.map(({ id }) => id);

export const reportCases: Cases = {
  "a report is kept once, of a device that stays, up to a number that wait": async ({ region }) => {
    const id = await newDevice(region);
    const [first, second] = [newReport(id), newReport(id)];
    assert.equal(await insertReport(region, newReport("dev_home_none"), 2), null);
    assert.equal(await insertReport(region, newReport(await newDevice(region, NOW)), 2), null);
    assert.equal(await insertReport(region, first, 2), "kept");
    assert.equal(await insertReport(region, { ...first, about: "other" }, 2), "kept");
    assert.deepEqual(await reportOf(region, first.id, NOW), { ...first, outcome: null });
    assert.equal(await insertReport(region, second, 2), "kept");
    assert.equal(await insertReport(region, newReport(id), 2), "full");
    assert.equal(await insertReport(region, second, 2), "kept");
    assert.equal(await decideReport(region, first.id, decision, NOW), true);
    assert.equal(await insertReport(region, newReport(id), 2), "kept");
    assert.equal(await insertReport(region, newReport(id, NOW + 10), 2), "kept");
  },

  "a report is decided once and before its time, and waits no more": async ({ region }) => {
    const id = await newDevice(region);
    const row = newReport(id);
    await insertReport(region, row, 9);
    assert.equal(await decideReport(region, row.id, decision, NOW + 10), false);
    const both = [decision, { ...decision, outcome: "closed" } as const];
    const won = await Promise.all(both.map((one) => decideReport(region, row.id, one, NOW + 9)));
    assert.deepEqual(won.filter(Boolean).length, 1);
    const kept = await reportOf(region, row.id, NOW + 98);
    assert.deepEqual(kept, { ...row, ...both[won.indexOf(true)] });
    assert.equal(await reportOf(region, row.id, NOW + 99), null);
    assert.deepEqual(await waitingReportsOf(region, id, NOW), []);
  },

  "reports that wait are read the oldest first, page by page": async ({ region }) => {
    const [id, other] = [await newDevice(region), await newDevice(region)];
    const long = NOW - 5_000_000; // before those of other cases
    const rows = [newReport(id, long + 1), newReport(id, long), newReport(other, long)];
    for (const row of rows) await insertReport(region, row, 9);
    const [last, ...same] = rows.map((row) => row.id);
    const order = [...same.sort(), last];
    assert.deepEqual(ids(await waitingReports(region, null, 3, long)), order);
    const after = { at: long, id: order[0] ?? "" };
    assert.deepEqual(ids(await waitingReports(region, after, 1, long)), [order[1]]);
    assert.deepEqual(ids(await waitingReports(region, after, 2, long)), order.slice(1));
    const own = await waitingReportsOf(region, id, long);
    assert.deepEqual(ids(own), [rows[1]?.id, last]);
    const gone = await waitingReports(region, null, 9, long + 10);
    assert.deepEqual(
      gone.filter((row) => row.createdAt === long),
      [],
    );
    assert.deepEqual(await waitingReportsOf(region, other, long + 10), []);
  },

  "the reports of a device are found and deleted, and no others": async ({ region }) => {
    const [id, other] = [await newDevice(region), await newDevice(region)];
    const [decided, waits, stays] = [newReport(id), newReport(id), newReport(other)];
    for (const row of [decided, waits, stays]) await insertReport(region, row, 9);
    await decideReport(region, decided.id, decision, NOW);
    assert.deepEqual((await reportsOf(region, id)).sort(), [decided.id, waits.id].sort());
    await deleteReportsOf(region, id);
    assert.deepEqual(await reportsOf(region, id), []);
    assert.deepEqual(await reportsOf(region, other), [stays.id]);
  },

  "one objection waits for a door, until its time or its answer": async ({ region }) => {
    const deviceId = await newDevice(region);
    const row = {
      ...{ deviceId, accountId, wordsSealed: "s1.words" },
      ...{ createdAt: NOW, expiresAt: NOW + 10 },
    };
    assert.equal(await insertObjection(region, row), true);
    assert.equal(await insertObjection(region, { ...row, wordsSealed: "s1.more" }), false);
    assert.deepEqual(await objectionOf(region, deviceId, NOW + 9), row);
    assert.equal(await objectionOf(region, deviceId, NOW + 10), null);
    const later = { ...row, wordsSealed: "s1.late", createdAt: NOW + 10, expiresAt: NOW + 20 };
    assert.equal(await insertObjection(region, later), true);
    assert.deepEqual(await objectionOf(region, deviceId, NOW + 10), later);
    const gone = await Promise.all([1, 2].map(() => deleteObjection(region, deviceId)));
    assert.deepEqual(gone.sort(), [false, true]);
    assert.equal(await objectionOf(region, deviceId, NOW + 10), null);
  },

  "objections that wait are read the oldest first": async ({ region }) => {
    const long = NOW - 6_000_000;
    const rows = [];
    for (const createdAt of [long + 1, long]) {
      const deviceId = await newDevice(region);
      const row = { deviceId, accountId, wordsSealed: "s1.w", createdAt, expiresAt: long + 10 };
      await insertObjection(region, row);
      rows.unshift(row);
    }
    assert.deepEqual(await waitingObjections(region, 2, long), rows);
    assert.deepEqual(await waitingObjections(region, 1, long), rows.slice(0, 1));
    const gone = await waitingObjections(region, 9, long + 10);
    assert.equal(
      gone.some(({ createdAt }) => createdAt <= long + 1),
      false,
    );
  },
};
