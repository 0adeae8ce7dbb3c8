/** Queries of personal access tokens: a number of them, their day, one owner. */

import assert from "node:assert/strict";
import {
  deletePersonalToken,
  expirePersonalToken,
  insertPersonalToken,
  notePersonalTokenUse,
  personalTokenOf,
  personalTokensOf,
} from "../../../db/queries/personal-tokens.ts";
import { account } from "../../../db/schema/region/account.ts";
import { systemRandom } from "../../../durable-objects/system.ts";
import { newId, randomBase62 } from "../../../protocol/ids.ts";
import type { Db } from "../../../workers/ports.ts";
import type { Cases } from "./cases.ts";

const NOW = 1_800_000_000_000;

async function newAccount(db: Db): Promise<string> {
  const id = newId("acc", "home", systemRandom.bytes);
  await db.insert(account).values({ id, createdAt: NOW, activeDay: NOW });
  return id;
}

const newToken = (accountId: string, createdAt = NOW) => ({
  tokenHash: randomBase62(43, systemRandom.bytes),
  id: newId("pat", "home", systemRandom.bytes),
  accountId,
  nameSealed: "s1.name",
  scopes: "devices:read",
  createdAt,
  expiresAt: createdAt + 10,
});

export const tokenCases: Cases = {
  "a personal token is stored for an account that exists, up to a number that live": async ({
    region,
  }) => {
    const accountId = await newAccount(region);
    const [first, second] = [newToken(accountId), newToken(accountId, NOW + 1)];
    assert.equal(await insertPersonalToken(region, newToken("acc_home_nobody"), 2), false);
    assert.equal(await insertPersonalToken(region, first, 2), true);
    assert.equal(await insertPersonalToken(region, second, 2), true);
    assert.equal(await insertPersonalToken(region, newToken(accountId, NOW + 9), 2), false);
    assert.equal(await insertPersonalToken(region, newToken(accountId, NOW + 10), 2), true);
  },

  "a personal token is found until its day, and its use is noted by the day": async ({
    region,
  }) => {
    const accountId = await newAccount(region);
    const row = newToken(accountId);
    await insertPersonalToken(region, row, 9);
    const { id, scopes, expiresAt } = row;
    const found = { id, accountId, scopes, usedDay: null, expiresAt };
    assert.deepEqual(await personalTokenOf(region, row.tokenHash, NOW + 9), found);
    assert.equal(await personalTokenOf(region, row.tokenHash, NOW + 10), null);
    for (const day of [5, 7, 6]) await notePersonalTokenUse(region, row.tokenHash, day);
    const { tokenHash: _hash, accountId: _account, ...kept } = row;
    assert.deepEqual(await personalTokensOf(region, accountId, NOW + 9), [{ ...kept, usedDay: 7 }]);
    assert.deepEqual(await personalTokensOf(region, accountId, NOW + 10), []);
  },

  "a personal token opens nothing once it was expired, by its owner alone": async ({ region }) => {
    const [accountId, other] = [await newAccount(region), await newAccount(region)];
    const row = newToken(accountId);
    await insertPersonalToken(region, row, 9);
    assert.equal(await expirePersonalToken(region, other, row.id, NOW), null);
    assert.notEqual(await personalTokenOf(region, row.tokenHash, NOW), null);
    const ended = { scopes: row.scopes };
    assert.deepEqual(await expirePersonalToken(region, accountId, row.id, NOW), ended);
    assert.equal(await personalTokenOf(region, row.tokenHash, NOW), null);
    assert.deepEqual(await expirePersonalToken(region, accountId, row.id, NOW), ended);
    await deletePersonalToken(region, accountId, row.id);
    assert.equal(await expirePersonalToken(region, accountId, row.id, NOW), null);
  },

  "a personal token is ended by its owner alone, once": async ({ region }) => {
    const [accountId, other] = [await newAccount(region), await newAccount(region)];
    const row = newToken(accountId);
    await insertPersonalToken(region, row, 9);
    assert.equal(await deletePersonalToken(region, other, row.id), null);
    const ends = [1, 2].map(() => deletePersonalToken(region, accountId, row.id));
    const gone = (await Promise.all(ends)).filter((each) => each !== null);
    assert.deepEqual(gone, [{ nameSealed: "s1.name" }]);
    assert.equal(await personalTokenOf(region, row.tokenHash, NOW), null);
  },
};
