/** Queries of sweeps and erasure: bounded, oldest first, one runner, every row of the account. */

import assert from "node:assert/strict";
import { eq, inArray } from "drizzle-orm";
import { regionMap } from "../../../db/data-map/region.ts";
import {
  deleteAccountRows,
  deleteExpired,
  deleteKeys,
  endLease,
  erasedTables,
  expiredPersons,
  firstExpiry,
  heldRows,
  lastRuns,
  takeLease,
} from "../../../db/queries/retention.ts";
import { account, challenge, session } from "../../../db/schema/region.ts";
import { systemRandom } from "../../../durable-objects/system.ts";
import { newId, randomBase62 } from "../../../protocol/ids.ts";
import type { Db } from "../../../workers/ports.ts";
import type { Cases } from "./cases.ts";

/** Long before every other case's time, so that only these rows are overdue. */
const LONG_AGO = 1_000_000;
const RULE = { key: "token_hash", expires: "expires_at" };
const newHash = () => randomBase62(43, systemRandom.bytes);
const newAccountId = () => newId("acc", "home", systemRandom.bytes);

async function sessions(db: Db, accountId: string, times: readonly number[]): Promise<string[]> {
  const rows = times.map((expiresAt) => ({
    tokenHash: newHash(),
    id: newHash(),
    accountId,
    clientSealed: "s1.client",
    methods: "password",
    createdAt: 1,
    confirmedAt: 1,
    seenAt: 1,
    expiresAt,
  }));
  for (const row of rows) await db.insert(session).values(row);
  return rows.map((row) => row.tokenHash);
}

const newChallenge = (accountId: string, expiresAt: number) => ({
  tokenHash: newHash(),
  accountId,
  kind: "sign-up" as const,
  payloadSealed: "s1.p",
  expiresAt,
});

export const retentionCases: Cases = {
  "a sweep deletes at most its batch, the oldest first, and nothing that lives": async ({
    region,
  }) => {
    const ids = await sessions(region, newAccountId(), [
      LONG_AGO,
      LONG_AGO - 2,
      LONG_AGO - 1,
      LONG_AGO + 1,
    ]);
    assert.equal(await firstExpiry(region, "session", "expires_at"), LONG_AGO - 2);
    assert.equal(await deleteExpired(region, "session", RULE, LONG_AGO, 2), 2);
    assert.equal(await firstExpiry(region, "session", "expires_at"), LONG_AGO);
    assert.equal(await deleteExpired(region, "session", RULE, LONG_AGO, 2), 1);
    assert.equal(await deleteExpired(region, "session", RULE, LONG_AGO, 2), 0);
    const left = await region.select().from(session).where(inArray(session.tokenHash, ids));
    assert.deepEqual(
      left.map((row) => row.tokenHash),
      [ids[3]],
    );
    await deleteKeys(region, "session", "token_hash", ids);
    await deleteKeys(region, "session", "token_hash", []);
  },

  "a person whose account came to be, or who waits again, is told from one who does not": async ({
    region,
  }) => {
    const [became, waits, gone] = [newAccountId(), newAccountId(), newAccountId()];
    await region.insert(account).values({ id: became, createdAt: 1, activeDay: 0 });
    const rows = [became, waits, gone].map((id) => newChallenge(id, LONG_AGO));
    for (const row of rows) await region.insert(challenge).values(row);
    const again = newChallenge(waits, LONG_AGO + 1);
    await region.insert(challenge).values(again);
    const rule = { ...RULE, keyOf: "account_id" };
    const found = await expiredPersons(region, "challenge", rule, LONG_AGO, 10);
    assert.deepEqual(
      new Map(found.map(({ person, lives }) => [person, lives])),
      new Map([
        [became, true],
        [waits, true],
        [gone, false],
      ]),
    );
    await deleteKeys(
      region,
      "challenge",
      "token_hash",
      [...rows, again].map((row) => row.tokenHash),
    );
  },

  "one runner holds a lease; it passes on when its time is over": async ({ region }) => {
    const lane = newHash();
    const taken = await Promise.all([1, 2, 3].map(() => takeLease(region, lane, 100, 200)));
    assert.equal(taken.filter(Boolean).length, 1);
    assert.equal(await takeLease(region, lane, 199, 300), false);
    assert.equal(await takeLease(region, lane, 200, 300), true);
    await endLease(region, lane, 200, { deleted: 5, ranAt: 200 });
    assert.equal((await lastRuns(region)).get(lane), 0);
    await endLease(region, lane, 300, { deleted: 5, ranAt: 250 });
    assert.equal((await lastRuns(region)).get(lane), 250);
    assert.equal(await takeLease(region, lane, 251, 400), true);
  },

  "[RGT-4] erasing an account deletes its rows in every table, and no other's": async ({
    region,
  }) => {
    const [gone, kept] = [newAccountId(), newAccountId()];
    for (const id of [gone, kept]) {
      await region.insert(account).values({ id, createdAt: 1, activeDay: 0 });
      await sessions(region, id, [LONG_AGO + 2, LONG_AGO + 3]);
    }
    const tables = erasedTables(regionMap);
    for (let time = 0; time < 2; time++) await deleteAccountRows(region, tables, gone);
    for (const { table, by } of tables) {
      const rule = { ...regionMap[table as "session"], erase: { by } };
      assert.equal((await heldRows(region, table, rule, gone, 0)).count, 0, table);
    }
    const rule = { ...regionMap.session, erase: { by: "account_id" } };
    const held = await heldRows(region, "session", rule, kept, LONG_AGO + 2);
    assert.deepEqual([held.count, held.until], [1, LONG_AGO + 3]);
    assert.equal((await region.select().from(account).where(eq(account.id, kept))).length, 1);
    await region.delete(session).where(eq(session.accountId, kept));
  },
};
