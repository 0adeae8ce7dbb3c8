/**
 * Retention on D1: each class that expires is there the moment before its end and gone after it; the
 * sweep is driven by the map, two runners do not meet, one failing lane holds up no other. An
 * auditor that knows nothing of the sweeper looks for what is late.
 */

import { env } from "cloudflare:workers";
import { drizzle } from "drizzle-orm/d1";
import { beforeEach, describe, expect, it } from "vitest";
import { dataMap } from "../../db/data-map/map.ts";
import type { Db } from "../../db/db.ts";
import { deleteExpired } from "../../db/queries/retention.ts";
import { systemRandom } from "../../durable-objects/platform.ts";
import { newId } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { lanesOf } from "../../workers/privacy/plan.ts";
import { oldestOverdue, sweep } from "../../workers/privacy/sweep.ts";
import { auditOverdue } from "../support/auditor.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";

const bindings = env as unknown as {
  DIRECTORY: D1Database;
  DB_HOME: D1Database;
  KEYS_HOME: R2Bucket;
};
const lanes = [...lanesOf("region"), ...lanesOf("directory")];
const databaseOf = (lane: { store: string }) =>
  lane.store === "directory" ? bindings.DIRECTORY : bindings.DB_HOME;

let serial = 0;

/** Plants a row that ends at `expiresAt`; every other column gets a value of its kind. */
async function plant(lane: (typeof lanes)[number], expiresAt: number): Promise<string> {
  const rule = dataMap[lane.store][lane.table];
  if (rule === undefined) throw new Error(`no table ${lane.table}`);
  // Whose key goes with the row is told by its region.
  const isKeyed = lane.keyOf === lane.key;
  const key = isKeyed ? newId("rpt", "home", systemRandom.bytes) : `planted-${serial++}`;
  const values = Object.entries(rule.columns).map(([column, { kind }]) => {
    if (column === lane.expires) return expiresAt;
    if (column === lane.key) return key;
    if (column === "device_id" && lane.table === "label") return null;
    if (column === "account_id") return newId("acc", "home", systemRandom.bytes);
    return kind === "time" || column === "interval_ms" ? 1 : `v${serial++}`;
  });
  const columns = Object.keys(rule.columns).join(", ");
  await databaseOf(lane)
    .prepare(`INSERT INTO ${lane.table} (${columns}) VALUES (${values.map(() => "?").join(", ")})`)
    .bind(...values)
    .run();
  return key;
}

async function isThere(lane: (typeof lanes)[number], key: string): Promise<boolean> {
  const row = await databaseOf(lane)
    .prepare(`SELECT 1 FROM ${lane.table} WHERE ${lane.key} = ?`)
    .bind(key)
    .first();
  return row !== null;
}

const audit = async (now: number) => [
  ...(await auditOverdue(bindings.DB_HOME, now)),
  ...(await auditOverdue(bindings.DIRECTORY, now)),
];

describe("the sweep", () => {
  let test: TestPorts;
  beforeEach(async () => {
    test = testPorts({ env });
    for (const lane of lanes) await databaseOf(lane).prepare(`DELETE FROM ${lane.table}`).run();
    await bindings.DB_HOME.prepare("DELETE FROM sweep").run();
  });

  it.each(lanes.map((lane) => [lane.name, lane] as const))(
    "[RET-7] %s is there a moment before its end and gone after it",
    async (_, lane) => {
      const end = test.clock.now() + 1000;
      const key = await plant(lane, end);
      await sweep(test.ports);
      expect(await isThere(lane, key)).toBe(true);
      test.clock.advance(999);
      await sweep(test.ports);
      expect(await isThere(lane, key)).toBe(true);
      test.clock.advance(1 + (lane.keyOf === null ? 0 : limits.sweepKeyGraceMs));
      await sweep(test.ports);
      expect(await isThere(lane, key)).toBe(false);
      expect(test.lines.at(-1)).toEqual({ event: "sweep", count: 1, ms: 0 });
    },
  );

  it("[DLY-6] an auditor of its own finds what a sweep without one rule leaves", async () => {
    const now = test.clock.now();
    for (const lane of lanes) await plant(lane, now - limits.sweepKeyGraceMs);
    expect(await audit(now)).toHaveLength(lanes.length);
    const [skipped, ...swept] = lanes;
    for (const lane of swept) {
      await deleteExpired(drizzle(databaseOf(lane)) as Db, lane.table, lane, now, 100);
    }
    expect(await audit(now)).toEqual([{ table: skipped?.table, rows: 1 }]);
    await sweep(test.ports);
    expect(await audit(now)).toEqual([]);
  });

  it("[DLY-1] the gauge tells how late the latest is, and when a lane last ended clean", async () => {
    const session = lanes.find((lane) => lane.table === "session") as (typeof lanes)[number];
    await plant(session, test.clock.now() - 5000);
    await plant(session, test.clock.now() + 5000);
    const gauge = async (name: string) =>
      (await oldestOverdue(test.ports)).find(({ lane }) => lane === name);
    expect(await gauge("region.session")).toEqual({
      lane: "region.session",
      region: "home",
      overdueMs: 5000,
      ranAt: null,
    });
    expect((await oldestOverdue(test.ports)).filter((lag) => lag.overdueMs > 0)).toHaveLength(1);
    await sweep(test.ports);
    const after = await gauge("region.session");
    expect(after).toMatchObject({ overdueMs: 0, ranAt: test.clock.now() });
  });

  it("deletes more than one batch in a run, and counts what it deleted", async () => {
    const lane = lanes.find(({ table }) => table === "enrolment") as (typeof lanes)[number];
    await bindings.DB_HOME.prepare(
      `INSERT INTO enrolment WITH RECURSIVE n(i) AS
         (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
       SELECT 'code' || i, 'user' || i, 'key', 1, 1, ?2 + i FROM n`,
    )
      .bind(limits.sweepBatchRows * 2 + 7, test.clock.now() - 1_000_000)
      .run();
    await sweep(test.ports);
    expect(test.lines.at(-1)).toMatchObject({ count: limits.sweepBatchRows * 2 + 7 });
    const kept = await bindings.DB_HOME.prepare("SELECT deleted FROM sweep WHERE name = ?")
      .bind(lane.name)
      .first("deleted");
    expect(kept).toBe(limits.sweepBatchRows * 2 + 7);
  });

  it("leaves a lane to the runner that has its lease, and takes it when that one died", async () => {
    const lane = lanes.find(({ table }) => table === "session") as (typeof lanes)[number];
    const key = await plant(lane, test.clock.now() - 1);
    await bindings.DB_HOME.prepare("INSERT INTO sweep VALUES (?, ?, 0, 0)")
      .bind(lane.name, test.clock.now() + limits.sweepLeaseMs)
      .run();
    await sweep(test.ports);
    expect(await isThere(lane, key)).toBe(true);
    test.clock.advance(limits.sweepLeaseMs);
    await sweep(test.ports);
    expect(await isThere(lane, key)).toBe(false);
  });

  it("gives each row to one of two runners at once", async () => {
    const lane = lanes.find(({ table }) => table === "session") as (typeof lanes)[number];
    for (let row = 0; row < 5; row++) await plant(lane, test.clock.now() - 1);
    await Promise.all([sweep(test.ports), sweep(test.ports)]);
    expect(test.lines).toEqual([{ event: "sweep", count: 5, ms: 0 }]);
  });

  it("goes on with the other lanes when one fails, and says which", async () => {
    const [session, enrolment] = ["session", "enrolment"].map(
      (table) => lanes.find((lane) => lane.table === table) as (typeof lanes)[number],
    ) as [(typeof lanes)[number], (typeof lanes)[number]];
    const keys = [await plant(session, 1), await plant(enrolment, 1)] as const;
    await bindings.DB_HOME.prepare(
      `CREATE TRIGGER stuck BEFORE DELETE ON session BEGIN SELECT raise(ABORT, 'stuck'); END`,
    ).run();
    await sweep(test.ports);
    expect(await isThere(session, keys[0])).toBe(true);
    expect(await isThere(enrolment, keys[1])).toBe(false);
    expect(test.lines.filter((line) => line.event === "sweep-failed")).toEqual([
      { event: "sweep-failed", lane: "session", code: expect.any(String) },
    ]);
    await bindings.DB_HOME.prepare("DROP TRIGGER stuck").run();
    await sweep(test.ports);
    expect(await isThere(session, keys[0])).toBe(false);
  });
});

describe("a sign-up whose time is over", () => {
  const { ports, clock } = testPorts({ env });

  async function plantChallenge(accountId: string): Promise<void> {
    const sealed = await ports.sealer.seal(`person/${accountId}`, "challenge.contact:x", "a@b.c");
    await bindings.DB_HOME.prepare("INSERT INTO challenge VALUES (?, ?, 'sign-up', ?, ?)")
      .bind(`hash-${serial++}`, accountId, sealed, clock.now() + limits.challengeMs)
      .run();
  }
  const person = () => newId("acc", "home", systemRandom.bytes);
  const hasKey = async (accountId: string) =>
    (await bindings.KEYS_HOME.head(`person/${accountId}`)) !== null;

  it("takes the person's key and address with it, unless the account came to be or asked again", async () => {
    const [gone, came, again] = [person(), person(), person()];
    for (const accountId of [gone, came, again]) await plantChallenge(accountId);
    await bindings.DB_HOME.prepare("INSERT INTO account VALUES (?, 1, 1800000000000, 0)")
      .bind(came)
      .run();
    for (const person of [gone, came]) await ports.directory.claimContact(`of ${person}`, person);
    clock.advance(limits.challengeMs + limits.sweepKeyGraceMs - 1);
    await plantChallenge(again);
    await sweep(ports);
    expect(await hasKey(gone)).toBe(true);
    clock.advance(1);
    await sweep(ports);
    expect([await hasKey(gone), await hasKey(came), await hasKey(again)]).toEqual([
      false,
      true,
      true,
    ]);
    // A verification that broke off had claimed the address: it is free again.
    expect(await ports.directory.accountOfContact(`of ${gone}`)).toBeNull();
    expect(await ports.directory.accountOfContact(`of ${came}`)).toBe(came);
    const { results } = await bindings.DB_HOME.prepare("SELECT account_id FROM challenge").all();
    expect(results).toEqual([{ account_id: again }]);
  });
});
