/** Queries of apps that sign people in: one grant a slot, one winner a code, one successor a token. */

import assert from "node:assert/strict";
import { codeOf, insertCode, useCode } from "../../../db/queries/openid-codes.ts";
import { allowGrant, deleteGrant, grantsOf } from "../../../db/queries/openid-grants.ts";
import {
  deleteChain,
  type NewTokens,
  tokenOf,
  useRefreshToken,
} from "../../../db/queries/openid-tokens.ts";
import { insertSession, sessionProof } from "../../../db/queries/sessions.ts";
import { insertSigningKey, signingKeys } from "../../../db/queries/signing-keys.ts";
import { account } from "../../../db/schema/region/account.ts";
import { systemRandom } from "../../../durable-objects/system.ts";
import { newId, randomBase62 } from "../../../protocol/ids.ts";
import { DAY } from "../../../protocol/limits.ts";
import type { Db } from "../../../workers/ports.ts";
import type { Cases } from "./cases.ts";

const NOW = 1_800_000_000_000;
const random = () => randomBase62(43, systemRandom.bytes);

async function newAccount(db: Db): Promise<string> {
  const id = newId("acc", "home", systemRandom.bytes);
  await db.insert(account).values({ id, createdAt: NOW, activeDay: 0 });
  return id;
}

function grantRow(accountId: string, slotHash = random()) {
  const id = newId("grt", "home", systemRandom.bytes);
  return { id, slotHash, accountId, clientId: "app", scope: "openid", appSealed: "s1.app" };
}

async function newGrant(db: Db, accountId: string): Promise<string> {
  const id = await allowGrant(db, grantRow(accountId), NOW);
  assert.ok(id !== null);
  return id;
}

async function newCode(db: Db, grantId: string, expiresAt = NOW + 10): Promise<string> {
  const codeHash = random();
  const row = { codeHash, grantId, requestSealed: "s1.request", expiresAt };
  assert.equal(await insertCode(db, row), true);
  return codeHash;
}

function newTokens(chain = random()) {
  const refresh = { hash: random(), expiresAt: NOW + 1000 };
  const access = { accessHash: random(), accessScope: "openid", accessExpiresAt: NOW + 100 };
  return { chain, ...access, refresh } satisfies NewTokens;
}

const facts = { scope: "openid", methods: "password", authAt: NOW - 5, rememberedUntil: NOW + 50 };

/** A chain with its first refresh token. */
async function begun(db: Db) {
  const grantId = await newGrant(db, await newAccount(db));
  const tokens = newTokens();
  assert.equal(await useCode(db, await newCode(db, grantId), facts, tokens, NOW), true);
  return { grantId, tokens, first: tokens.refresh.hash };
}

/** Uses a refresh token; null when it is refused. */
async function refresh(db: Db, hash: string, next: string, now = NOW): Promise<string | null> {
  const row = await tokenOf(db, "refresh", hash, now);
  if (row === null) return null;
  const tokens = { ...newTokens(row.chain), refresh: { hash: next, expiresAt: NOW + 1000 } };
  const times = { now, olderUntil: now + 20 };
  return (await useRefreshToken(db, hash, row, tokens, times)) ? tokens.accessHash : null;
}

export const openidCases: Cases = {
  "a slot has one grant, which is widened and keeps its id": async ({ region }) => {
    const accountId = await newAccount(region);
    const row = grantRow(accountId);
    assert.equal(await allowGrant(region, row, NOW), row.id);
    const again = { ...grantRow(accountId, row.slotHash), scope: "openid email" };
    assert.equal(await allowGrant(region, again, NOW + DAY), row.id);
    const other = { ...grantRow(accountId), clientId: "other" };
    assert.equal(await allowGrant(region, other, NOW), other.id);
    const [found] = await grantsOf(region, accountId, "app");
    assert.deepEqual([found?.id, found?.scope, found?.createdAt], [row.id, "openid email", NOW]);
    assert.equal(found?.usedDay, Math.floor((NOW + DAY) / DAY) * DAY);
    assert.deepEqual(
      (await grantsOf(region, accountId)).map(({ id }) => id),
      [row.id, other.id],
    );
  },

  "an account that is gone allows nothing, a grant that is gone has no code": async ({
    region,
  }) => {
    const gone = newId("acc", "home", systemRandom.bytes);
    assert.equal(await allowGrant(region, grantRow(gone), NOW), null);
    const row = { codeHash: random(), grantId: "grt_home_0", requestSealed: "s1.x" };
    assert.equal(await insertCode(region, { ...row, expiresAt: NOW + 10 }), false);
  },

  "a grant ends with its codes and tokens, for its owner only": async ({ region }) => {
    const accountId = await newAccount(region);
    const grantId = await newGrant(region, accountId);
    const [used, waiting] = [await newCode(region, grantId), await newCode(region, grantId)];
    const tokens = newTokens();
    await useCode(region, used, facts, tokens, NOW);
    assert.equal(await deleteGrant(region, await newAccount(region), grantId), null);
    assert.ok((await tokenOf(region, "access", tokens.accessHash, NOW)) !== null);
    assert.deepEqual(await deleteGrant(region, accountId, grantId), {
      clientId: "app",
      appSealed: "s1.app",
    });
    assert.equal(await tokenOf(region, "access", tokens.accessHash, NOW), null);
    assert.equal(await tokenOf(region, "refresh", tokens.refresh.hash, NOW), null);
    assert.equal(await codeOf(region, waiting, NOW), null);
    assert.deepEqual(await grantsOf(region, accountId), []);
  },

  "a code has one winner, and the tokens are the winner's": async ({ region }) => {
    const grantId = await newGrant(region, await newAccount(region));
    const code = await newCode(region, grantId);
    const tries = Array.from({ length: 8 }, () => newTokens());
    const wins = await Promise.all(tries.map((one) => useCode(region, code, facts, one, NOW)));
    assert.equal(wins.filter(Boolean).length, 1);
    const winner = tries[wins.indexOf(true)];
    assert.equal((await codeOf(region, code, NOW + 49))?.chain, winner?.chain);
    assert.equal(await codeOf(region, code, NOW + 50), null);
    for (const [index, { accessHash }] of tries.entries()) {
      const found = await tokenOf(region, "access", accessHash, NOW);
      assert.equal(found !== null, wins[index]);
    }
  },

  "[RET-1] a code whose time has passed is no code": async ({ region }) => {
    const code = await newCode(region, await newGrant(region, await newAccount(region)));
    assert.ok((await codeOf(region, code, NOW + 9)) !== null);
    assert.equal(await codeOf(region, code, NOW + 10), null);
    assert.equal(await useCode(region, code, facts, newTokens(), NOW + 10), false);
  },

  "[RET-1] a token is of its kind, until its time": async ({ region }) => {
    const { tokens } = await begun(region);
    const { accessHash } = tokens;
    assert.ok((await tokenOf(region, "access", accessHash, NOW + 99)) !== null);
    assert.equal(await tokenOf(region, "access", accessHash, NOW + 100), null);
    assert.equal(await tokenOf(region, "refresh", accessHash, NOW), null);
    const row = await tokenOf(region, "refresh", tokens.refresh.hash, NOW);
    assert.deepEqual([row?.authAt, row?.methods, row?.turn], [NOW - 5, "password", 0]);
  },

  "a refresh token works until its successor was used": async ({ region }) => {
    const { first } = await begun(region);
    const [second, third] = [random(), random()];
    const both = await Promise.all([
      refresh(region, first, second),
      refresh(region, first, second),
    ]);
    assert.ok(both.every((access) => access !== null));
    assert.ok((await refresh(region, first, second)) !== null);
    assert.ok((await refresh(region, second, third)) !== null);
    assert.equal(await refresh(region, first, second), null);
    assert.ok((await refresh(region, second, third)) !== null);
    // Used again, the second says how long the first is still known.
    assert.ok((await tokenOf(region, "refresh", first, NOW + 19)) !== null);
    assert.equal(await tokenOf(region, "refresh", first, NOW + 20), null);
    assert.ok((await tokenOf(region, "refresh", second, NOW + 20)) !== null);
  },

  "a chain ends alone": async ({ region }) => {
    const [one, other] = [await begun(region), await begun(region)];
    await deleteChain(region, one.tokens.chain);
    assert.equal(await refresh(region, one.first, random()), null);
    assert.equal(await tokenOf(region, "access", one.tokens.accessHash, NOW), null);
    assert.ok((await refresh(region, other.first, random())) !== null);
  },

  "a refresh that comes too late brings nothing back": async ({ region }) => {
    const { first, tokens } = await begun(region);
    const row = await tokenOf(region, "refresh", first, NOW);
    assert.ok(row !== null);
    await deleteChain(region, tokens.chain);
    const next = { ...newTokens(row.chain), refresh: { hash: random(), expiresAt: NOW + 1000 } };
    const times = { now: NOW, olderUntil: NOW };
    assert.equal(await useRefreshToken(region, first, row, next, times), false);
    assert.equal(await tokenOf(region, "refresh", next.refresh.hash, NOW), null);
  },

  "a session says how and when its owner showed who they are": async ({ region }) => {
    const accountId = await newAccount(region);
    const id = newId("ses", "home", systemRandom.bytes);
    const row = { tokenHash: random(), id, accountId, clientSealed: "s1.c", expiresAt: NOW + 10 };
    await insertSession(region, { ...row, methods: "password totp" }, NOW);
    assert.deepEqual(await sessionProof(region, accountId, id, NOW + 9), {
      methods: "password totp",
      confirmedAt: NOW,
    });
    assert.equal(await sessionProof(region, accountId, id, NOW + 10), null);
    assert.equal(await sessionProof(region, await newAccount(region), id, NOW), null);
  },

  "a signing key's slot is taken once, and the latest key comes first": async ({ directory }) => {
    const key = (slot: string, startsAt: number) => ({
      ...{ slot, alg: "EdDSA" as const, kid: random(), publicJwk: "{}", privateSealed: "s1.k" },
      ...{ createdAt: NOW, startsAt, expiresAt: startsAt + 100 },
    });
    const rows = [key(`a${random()}`, NOW), key(`b${random()}`, NOW + 50)];
    const made = await Promise.all(
      [...rows, ...rows].map((row) => insertSigningKey(directory.db, row)),
    );
    assert.equal(made.filter(Boolean).length, 2);
    const slots = (await signingKeys(directory.db, NOW + 99)).map(({ slot }) => slot);
    const own = slots.filter((slot) => rows.some((row) => row.slot === slot));
    assert.deepEqual(own, [rows[1]?.slot, rows[0]?.slot]);
    const late = (await signingKeys(directory.db, NOW + 100)).map(({ slot }) => slot);
    assert.ok(!late.includes(rows[0]?.slot ?? ""));
  },
};
