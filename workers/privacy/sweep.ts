/**
 * The sweep: once a minute, everything whose time has come is deleted, lane by lane. A lane is one
 * kind of row of one store, a lease keeps two runners apart, and a lane that fails holds up no other.
 * What is late is invisible anyway, for every read filters by expiry; the gauge tells how late.
 */

import type { Db } from "../../db/db.ts";
import {
  deleteAccountRows,
  deleteExpired,
  deleteKeys,
  endLease,
  expiredPersons,
  firstExpiry,
  lastRuns,
  takeLease,
} from "../../db/queries/retention.ts";
import type { RegionId } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { tryRevocations } from "../certificates/ending.ts";
import { advanceDue } from "../certificates/service.ts";
import { finishEndings } from "../devices/ending.ts";
import { lookAtDue } from "../name/domains.ts";
import { finishNaming } from "../name/labels.ts";
import { tellIdleTokens } from "../name/tokens.ts";
import { makeDueKeys } from "../openid/keys.ts";
import type { Ports } from "../ports.ts";
import { oldestDormant, warnOrErase } from "./dormancy.ts";
import { finishErasure } from "./erase.ts";
import { deleteOldEntries, oldestEntries, openErasures } from "./ledger.ts";
import { erasurePlan, type Lane, lanesOf } from "./plan.ts";

interface Job {
  readonly name: string;
  /** The region it belongs to; null for what all regions share. */
  readonly region: RegionId | null;
  /** Where its lease lies. */
  readonly leases: Db;
  /** Deletes one batch; answers how much, and whether more waits. */
  readonly batch: () => Promise<{ readonly deleted: number; readonly more: boolean }>;
  /** The time of what should have gone first; null when nothing waits. */
  readonly oldest: () => Promise<number | null>;
}

/**
 * Runs every lane once, within its limits. Logs one line when something was deleted and one for each
 * lane that failed; that it ran at all, the gauge tells.
 */
export async function sweep(ports: Ports): Promise<void> {
  const startedAt = ports.clock.now();
  const deleted = await Promise.all(
    jobsOf(ports).map(async (job) => {
      try {
        return await run(ports, job);
      } catch (error) {
        const lane = (job.name.split(".").at(-1) ?? "").replaceAll("_", "-");
        const code = error instanceof Error ? error.name : "Unknown";
        ports.log({ event: "sweep-failed", lane, code });
        return 0;
      }
    }),
  );
  const count = deleted.reduce((sum, one) => sum + one, 0);
  if (count > 0) ports.log({ event: "sweep", count, ms: ports.clock.now() - startedAt });
}

async function run(ports: Ports, job: Job): Promise<number> {
  const now = ports.clock.now();
  const until = now + limits.sweepLeaseMs;
  if (!(await takeLease(job.leases, job.name, now, until))) return 0;
  let deleted = 0;
  let more = true;
  try {
    for (let batch = 0; more && batch < limits.sweepBatchesPerRun; batch++) {
      const result = await job.batch();
      deleted += result.deleted;
      more = result.more;
    }
  } finally {
    const ranAt = more ? null : ports.clock.now();
    await endLease(job.leases, job.name, until, { deleted, ranAt });
  }
  return deleted;
}

function jobsOf(ports: Ports): Job[] {
  const shared = ports.regions.db(ports.regions.default);
  if (shared === null) throw new Error("the default region has no database");
  const questions = { left: limits.domainQuestionsAtOnce };
  const jobs: Job[] = ports.regions.ids.flatMap((region) => {
    const db = ports.regions.db(region);
    if (db === null) return [];
    const unregistering: Job = {
      name: "unregistering",
      region,
      leases: db,
      batch: () => finishEndings(ports, db),
      oldest: () => firstExpiry(db, "device", "ends_at"),
    };
    const naming: Job = {
      name: "naming",
      region,
      leases: db,
      batch: () => finishNaming(ports, db),
      oldest: () => firstExpiry(db, "device", "names_at"),
    };
    const domains: Job = {
      name: "domains",
      region,
      leases: db,
      async batch() {
        await lookAtDue(ports, db, questions);
        return { deleted: 0, more: false };
      },
      // Without a resolver nobody looks, and nothing is late.
      oldest: async () =>
        ports.config.resolver === null ? null : await firstExpiry(db, "device", "domains_at"),
    };
    const passwords: Job = {
      name: "passwords",
      region,
      leases: db,
      async batch() {
        await tellIdleTokens(ports, db);
        return { deleted: 0, more: false };
      },
      oldest: () => firstExpiry(db, "device", "tokens_at"),
    };
    const revocations: Job = {
      name: "revocations",
      region,
      leases: db,
      async batch() {
        await tryRevocations(ports, db);
        return { deleted: 0, more: false };
      },
      // An authority that is away is nobody's lateness; what is too old its own lane deletes.
      oldest: async () => null,
    };
    const dormancy: Job = {
      name: "dormancy",
      region,
      leases: db,
      batch: () => warnOrErase(ports, db),
      oldest: () => oldestDormant(ports, db),
    };
    const expiring = lanesOf("region").map((lane) => jobOf(ports, lane, region, db, db));
    return [...expiring, unregistering, naming, domains, passwords, revocations, dormancy];
  });
  for (const lane of lanesOf("directory")) {
    jobs.push(jobOf(ports, lane, null, ports.directory.db, shared));
  }
  jobs.push({
    name: "erasure",
    region: null,
    leases: shared,
    batch: () => resumeErasures(ports),
    oldest: async () => (await oldestEntries(ports)).open,
  });
  jobs.push({
    name: "ledger",
    region: null,
    leases: shared,
    batch: async () => ({ deleted: await deleteOldEntries(ports), more: false }),
    oldest: async () => (await oldestEntries(ports)).proof,
  });
  jobs.push({
    name: "signing",
    region: null,
    leases: shared,
    async batch() {
      await makeDueKeys(ports);
      return { deleted: 0, more: false };
    },
    oldest: async () => null,
  });
  jobs.push({
    name: "certificates",
    region: null,
    leases: shared,
    async batch() {
      await advanceDue(ports);
      return { deleted: 0, more: false };
    },
    oldest: async () => null,
  });
  const publisher: Job = {
    name: "publisher",
    region: null,
    leases: shared,
    async batch() {
      const { publishZone } = await import("../name/publisher.ts");
      await publishZone(ports);
      return { deleted: 0, more: false };
    },
    oldest: async () => null,
  };
  return ports.config.cloudflareZone === null ? jobs : [...jobs, publisher];
}

function jobOf(ports: Ports, lane: Lane, region: RegionId | null, db: Db, leases: Db): Job {
  const { keyOf } = lane;
  const graceMs = keyOf === null ? 0 : limits.sweepKeyGraceMs;
  const size = keyOf === null ? limits.sweepBatchRows : limits.sweepKeyedBatchRows;
  return {
    name: lane.name,
    region,
    leases,
    async batch() {
      const due = ports.clock.now() - graceMs;
      const deleted =
        keyOf === null
          ? await deleteExpired(db, lane.table, lane, due, size)
          : await deleteWithKeys(ports, db, { ...lane, keyOf }, due, size);
      return { deleted, more: deleted === size };
    },
    async oldest() {
      const at = await firstExpiry(db, lane.table, lane.expires);
      return at === null ? null : at + graceMs;
    },
  };
}

/**
 * The key and the directory's entry go first: a row whose key is gone is tried again, a key whose
 * row is gone is not.
 */
async function deleteWithKeys(
  ports: Ports,
  db: Db,
  lane: Lane & { readonly keyOf: string },
  due: number,
  size: number,
): Promise<number> {
  const rows = await expiredPersons(db, lane.table, lane, due, size);
  for (const { person } of rows.filter((row) => !row.lives)) {
    await ports.sealer.destroy(`person/${person}`);
    await deleteAccountRows(ports.directory.db, erasurePlan().directory, person);
  }
  await deleteKeys(
    db,
    lane.table,
    lane.key,
    rows.map((row) => row.key),
  );
  return rows.length;
}

/** Takes up what was cut short; one that fails again leaves its turn to the others. */
async function resumeErasures(
  ports: Ports,
): Promise<{ readonly deleted: number; readonly more: boolean }> {
  let deleted = 0;
  let failure: unknown = null;
  for (const erasure of await openErasures(ports)) {
    try {
      if (await finishErasure(ports, erasure)) deleted++;
    } catch (error) {
      failure = error;
    }
  }
  if (failure !== null) throw failure;
  return { deleted, more: false };
}

/** How late one lane is. */
export interface Lag {
  readonly lane: string;
  readonly region: RegionId | null;
  /** Age of the oldest item that should be gone, in ms; 0 when nothing is late. */
  readonly overdueMs: number;
  /** When it last ended clean, in ms since the epoch; null: never. */
  readonly ranAt: number | null;
}

/** The gauge: how late each lane is, by one index row a lane (DLY-1). */
export async function oldestOverdue(ports: Ports): Promise<readonly Lag[]> {
  const now = ports.clock.now();
  const runs = new Map<Db, Promise<ReadonlyMap<string, number>>>();
  return await Promise.all(
    jobsOf(ports).map(async ({ name, region, leases, oldest }) => {
      if (!runs.has(leases)) runs.set(leases, lastRuns(leases));
      const at = await oldest();
      const ranAt = (await runs.get(leases))?.get(name) ?? 0;
      const overdueMs = at === null ? 0 : Math.max(0, now - at);
      return { lane: name, region, overdueMs, ranAt: ranAt === 0 ? null : ranAt };
    }),
  );
}
