/** Queries of dormant accounts: due to the millisecond, counted once, taken back by use. */

import assert from "node:assert/strict";
import { eq } from "drizzle-orm";
import { noteActiveDay, startOfDay } from "../../../db/queries/accounts.ts";
import {
  countWarning,
  dormantAccounts,
  isStillDormant,
  noteUse,
} from "../../../db/queries/dormancy.ts";
import { account, activity } from "../../../db/schema/region.ts";
import { systemRandom } from "../../../durable-objects/system.ts";
import { newId } from "../../../protocol/ids.ts";
import { DAY, limits } from "../../../protocol/limits.ts";
import type { Db } from "../../../workers/ports.ts";
import type { Cases } from "./cases.ts";

/** Long before every other case's time, so that only these accounts are due. */
const DAY_ONE = 100 * DAY;

async function newAccount(db: Db, warnings = 0): Promise<string> {
  const id = newId("acc", "home", systemRandom.bytes);
  await db.insert(account).values({ id, createdAt: 1, activeDay: DAY_ONE, warnings });
  return id;
}

const dueAt = async (db: Db, id: string, now: number) =>
  (await dormantAccounts(db, now, 1000)).find((found) => found.id === id) ?? null;

export const dormancyCases: Cases = {
  "an account is due for its first warning to the millisecond": async ({ region }) => {
    const id = await newAccount(region);
    const due = DAY_ONE + DAY + limits.dormantMs - limits.dormantFirstWarningMs;
    assert.equal(await dueAt(region, id, due - 1), null);
    assert.deepEqual(await dueAt(region, id, due), {
      id,
      activeDay: DAY_ONE,
      warnings: 0,
      dueAt: due,
    });
    await region.delete(account).where(eq(account.id, id));
  },

  "a late warning shortens no later wait": async ({ region }) => {
    const id = await newAccount(region, 2);
    const warnedAt = DAY_ONE + limits.dormantMs + 500 * DAY;
    await region.insert(activity).values({
      id: newId("act", "home", systemRandom.bytes),
      accountId: id,
      event: "dormancy-warned",
      detailSealed: "s1.d",
      at: warnedAt,
      expiresAt: warnedAt + limits.activityMs,
    });
    const due = warnedAt + limits.dormantLastWarningMs;
    assert.equal(await dueAt(region, id, due - 1), null);
    assert.equal((await dueAt(region, id, due))?.dueAt, due);
    await region.delete(account).where(eq(account.id, id));
  },

  "of two that count one warning, one does; use takes all back": async ({ region }) => {
    const id = await newAccount(region);
    const now = DAY_ONE + DAY + limits.dormantMs;
    const dormant = await dueAt(region, id, now);
    assert.ok(dormant);
    assert.equal(await isStillDormant(region, dormant), true);
    assert.deepEqual(
      [await countWarning(region, dormant), await countWarning(region, dormant)],
      [true, false],
    );
    assert.equal(await isStillDormant(region, dormant), false);
    await noteActiveDay(region, id, now);
    const [row] = await region.select().from(account).where(eq(account.id, id));
    assert.deepEqual([row?.warnings, row?.activeDay], [0, startOfDay(now)]);
    await region.delete(account).where(eq(account.id, id));
  },

  "a warning is not counted for who used the account while it was sent": async ({ region }) => {
    const id = await newAccount(region);
    const now = DAY_ONE + DAY + limits.dormantMs;
    const dormant = await dueAt(region, id, now);
    assert.ok(dormant);
    await noteActiveDay(region, id, now);
    assert.equal(await isStillDormant(region, dormant), false);
    assert.equal(await countWarning(region, dormant), false);
    const [row] = await region.select().from(account).where(eq(account.id, id));
    assert.deepEqual([row?.warnings, row?.activeDay], [0, startOfDay(now)]);
    await region.delete(account).where(eq(account.id, id));
  },

  "a warning holds back its own account only, and only since it was last used": async ({
    region,
  }) => {
    const [id, other] = [await newAccount(region, 2), await newAccount(region, 2)];
    const due = DAY_ONE + DAY + limits.dormantMs;
    for (const [accountId, at] of [
      [id, DAY_ONE - 1],
      [other, due + 50 * DAY],
    ] as const) {
      await region.insert(activity).values({
        id: newId("act", "home", systemRandom.bytes),
        accountId,
        event: "dormancy-warned",
        detailSealed: "s1.d",
        at,
        expiresAt: at + limits.activityMs,
      });
    }
    assert.equal(await dueAt(region, id, due - 1), null);
    assert.equal((await dueAt(region, id, due))?.dueAt, due);
    assert.equal(await dueAt(region, other, due + 50 * DAY), null);
    for (const one of [id, other]) await region.delete(account).where(eq(account.id, one));
  },

  "a device's use is noted only where nothing newer is known": async ({ region }) => {
    const id = await newAccount(region, 2);
    const seen = { id, activeDay: DAY_ONE, warnings: 2, dueAt: 0 };
    await noteUse(region, seen, DAY_ONE + 10 * DAY + 5);
    await noteUse(region, seen, DAY_ONE + 3 * DAY);
    const [row] = await region.select().from(account).where(eq(account.id, id));
    assert.deepEqual([row?.warnings, row?.activeDay], [0, DAY_ONE + 10 * DAY]);
    await region.delete(account).where(eq(account.id, id));
  },
};
