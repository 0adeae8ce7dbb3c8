/** Queries of the device grant and of how apps' tokens end: one answer is heard, and what ends is gone. */

import assert from "node:assert/strict";
import { codeOf, insertCode, useCode } from "../../../db/queries/openid-codes.ts";
import {
  deleteAccessToken,
  deleteClient,
  denyDeviceCode,
  deviceCodeByUserCode,
  deviceCodeOf,
  insertDeviceCode,
  isRefreshGood,
  noteDevicePoll,
  takeDeviceCode,
} from "../../../db/queries/openid-device.ts";
import { allowGrant, grantsOf } from "../../../db/queries/openid-grants.ts";
import { type NewTokens, tokenOf, useRefreshToken } from "../../../db/queries/openid-tokens.ts";
import { account } from "../../../db/schema/region/account.ts";
import { systemRandom } from "../../../durable-objects/system.ts";
import { newId, randomBase62 } from "../../../protocol/ids.ts";
import type { Db } from "../../../workers/ports.ts";
import type { Cases } from "./cases.ts";

const NOW = 1_800_000_000_000;
const random = () => randomBase62(43, systemRandom.bytes);

async function waiting(db: Db, clientId = "app", expiresAt = NOW + 10) {
  const row = { codeHash: random(), userCodeHash: random(), clientId, scope: "openid" };
  await insertDeviceCode(db, { ...row, polledAt: 0, intervalMs: 5000, expiresAt });
  return row;
}

/** A code of a new account's grant to `clientId`, turned into an access and a refresh token. */
async function tokensOf(db: Db, clientId: string) {
  const accountId = newId("acc", "home", systemRandom.bytes);
  await db.insert(account).values({ id: accountId, createdAt: NOW, activeDay: 0 });
  const id = newId("grt", "home", systemRandom.bytes);
  const grant = { id, slotHash: random(), accountId, clientId, scope: "openid", appSealed: "s1.a" };
  const grantId = await allowGrant(db, grant, NOW);
  assert.ok(grantId !== null);
  const codeHash = random();
  await insertCode(db, { codeHash, grantId, requestSealed: "s1.r", expiresAt: NOW + 10 });
  const tokens = newTokens();
  const facts = { scope: "openid", methods: "password", authAt: NOW, rememberedUntil: NOW + 100 };
  assert.equal(await useCode(db, codeHash, facts, tokens, NOW), true);
  return { accountId, grantId, codeHash, ...tokens };
}

function newTokens(chain = random()) {
  return {
    chain,
    accessHash: random(),
    accessScope: "openid",
    accessExpiresAt: NOW + 50,
    refresh: { hash: random(), expiresAt: NOW + 90 },
  } satisfies NewTokens;
}

export const openidDeviceCases: Cases = {
  "a program's request is found by both its codes until its end": async ({ region: db }) => {
    const { codeHash, userCodeHash } = await waiting(db);
    for (const [now, there] of [
      [NOW + 9, true],
      [NOW + 10, false],
    ] as const) {
      assert.equal((await deviceCodeOf(db, codeHash, now)) !== null, there);
      assert.equal((await deviceCodeByUserCode(db, userCodeHash, now)) !== null, there);
    }
    assert.equal(await takeDeviceCode(db, userCodeHash, NOW + 10), null);
    assert.equal(await denyDeviceCode(db, userCodeHash, random(), NOW + 10), false);
  },

  "a poll is noted at its request and no other": async ({ region: db }) => {
    const [one, other] = [await waiting(db), await waiting(db)];
    await noteDevicePoll(db, one.codeHash, NOW + 1, 10_000);
    const polled = await deviceCodeOf(db, one.codeHash, NOW + 2);
    assert.deepEqual([polled?.polledAt, polled?.intervalMs], [NOW + 1, 10_000]);
    assert.equal((await deviceCodeOf(db, other.codeHash, NOW + 2))?.polledAt, 0);
  },

  "of all who answer a request at once one is heard": async ({ region: db }) => {
    const { userCodeHash } = await waiting(db);
    const answers = await Promise.all([
      takeDeviceCode(db, userCodeHash, NOW),
      takeDeviceCode(db, userCodeHash, NOW),
      denyDeviceCode(db, userCodeHash, random(), NOW),
    ]);
    assert.equal(answers.filter((answer) => answer !== null && answer !== false).length, 1);
  },

  "a no stays for the program to hear, and nobody can answer again": async ({ region: db }) => {
    const { codeHash, userCodeHash } = await waiting(db);
    assert.equal(await denyDeviceCode(db, userCodeHash, random(), NOW), true);
    assert.equal((await deviceCodeOf(db, codeHash, NOW))?.deniedAt, NOW);
    assert.equal(await deviceCodeByUserCode(db, userCodeHash, NOW), null);
    assert.equal(await takeDeviceCode(db, userCodeHash, NOW), null);
    assert.equal(await denyDeviceCode(db, userCodeHash, random(), NOW), false);
  },

  "an access token ends by its own client's word only": async ({ region: db }) => {
    const { accessHash, refresh } = await tokensOf(db, "app");
    await deleteAccessToken(db, accessHash, "another");
    assert.ok((await tokenOf(db, "access", accessHash, NOW)) !== null);
    await deleteAccessToken(db, refresh.hash, "app");
    assert.ok((await tokenOf(db, "refresh", refresh.hash, NOW)) !== null);
    await deleteAccessToken(db, accessHash, "app");
    assert.equal(await tokenOf(db, "access", accessHash, NOW), null);
  },

  "a refresh token is good until what came of its successor": async ({ region: db }) => {
    const { grantId, chain, refresh } = await tokensOf(db, "app");
    const until = { now: NOW, olderUntil: NOW + 80 };
    const [second, third] = [newTokens(chain), newTokens(chain)];
    assert.equal(await isRefreshGood(db, chain, 0), true);
    await useRefreshToken(db, refresh.hash, { turn: 0, chain, grantId }, second, until);
    assert.equal(await isRefreshGood(db, chain, 0), true);
    await useRefreshToken(db, second.refresh.hash, { turn: 1, chain, grantId }, third, until);
    assert.equal(await isRefreshGood(db, chain, 0), false);
    assert.equal(await isRefreshGood(db, chain, 1), true);
  },

  "[CON-11] ending a client ends what anybody allowed it, and nothing else": async ({
    region: db,
  }) => {
    const [gone, staying] = [`dev-${random()}`, `dev-${random()}`];
    const [one, two, kept] = [
      await tokensOf(db, gone),
      await tokensOf(db, gone),
      await tokensOf(db, staying),
    ];
    const [asked, askedToo] = [await waiting(db, gone), await waiting(db, staying)];
    await deleteClient(db, gone);
    for (const [of, there] of [
      [one, false],
      [two, false],
      [kept, true],
    ] as const) {
      assert.equal((await tokenOf(db, "access", of.accessHash, NOW)) !== null, there);
      assert.equal((await tokenOf(db, "refresh", of.refresh.hash, NOW)) !== null, there);
      assert.equal((await codeOf(db, of.codeHash, NOW)) !== null, there);
      assert.equal((await grantsOf(db, of.accountId)).length, there ? 1 : 0);
    }
    assert.equal(await deviceCodeOf(db, asked.codeHash, NOW), null);
    assert.ok((await deviceCodeOf(db, askedToo.codeHash, NOW)) !== null);
  },
};
