/** Queries of accounts: a sign-up becomes an account once, sessions live their time. */

import assert from "node:assert/strict";
import {
  accountWithAddress,
  createAccount,
  deleteChallenge,
  deleteSession,
  expireSession,
  insertChallenge,
  insertSession,
  passwordOf,
  pendingSignUp,
  sessionOfToken,
  sessionsOf,
  touchSession,
} from "../../../db/queries/accounts.ts";
import { systemRandom } from "../../../durable-objects/system.ts";
import { newId, randomBase62 } from "../../../protocol/ids.ts";
import { DAY } from "../../../protocol/limits.ts";
import type { Db } from "../../../workers/ports.ts";
import type { Cases } from "./cases.ts";

const NOW = 1_800_000_000_000;
const newHash = () => randomBase62(43, systemRandom.bytes);

async function newChallenge(db: Db, expiresAt: number) {
  const row = {
    tokenHash: newHash(),
    accountId: newId("acc", "home", systemRandom.bytes),
    kind: "sign-up" as const,
    contactSealed: "s1.contact",
    phcSealed: "s1.phc",
    expiresAt,
  };
  await insertChallenge(db, row);
  return row;
}

async function newAccount(db: Db): Promise<string> {
  const { accountId, tokenHash } = await newChallenge(db, NOW + 1);
  const sealed = { identifierId: newHash(), address: "s1.address", phc: "s1.own" };
  assert.equal(await createAccount(db, tokenHash, sealed, NOW), true);
  return accountId;
}

async function newSession(db: Db, accountId: string, now: number, expiresAt: number) {
  const row = {
    tokenHash: newHash(),
    id: newId("ses", "home", systemRandom.bytes),
    accountId,
    clientSealed: "s1.client",
    expiresAt,
  };
  assert.equal(await insertSession(db, row, now), true);
  return row;
}

export const accountCases: Cases = {
  "a sign-up opens one account, once": async ({ region }) => {
    const { accountId, tokenHash } = await newChallenge(region, NOW + 1);
    assert.equal((await pendingSignUp(region, tokenHash, NOW))?.accountId, accountId);
    const sealed = { identifierId: newHash(), address: "s1.address", phc: "s1.own" };
    assert.equal(await createAccount(region, tokenHash, sealed, NOW), true);
    assert.equal(await createAccount(region, tokenHash, sealed, NOW), false);
    assert.equal(await pendingSignUp(region, tokenHash, NOW), null);
    assert.equal(await passwordOf(region, accountId), "s1.own");
    assert.deepEqual(await accountWithAddress(region, accountId), {
      createdAt: NOW,
      identifierId: sealed.identifierId,
      addressSealed: "s1.address",
    });
  },

  "one of many who open a sign-up at once wins": async ({ region }) => {
    const { tokenHash } = await newChallenge(region, NOW + 1);
    const opened = await Promise.all(
      Array.from({ length: 6 }, () =>
        createAccount(region, tokenHash, { identifierId: newHash(), address: "a", phc: "p" }, NOW),
      ),
    );
    assert.equal(opened.filter(Boolean).length, 1);
  },

  "[RET-1] a sign-up whose time has passed opens nothing": async ({ region }) => {
    const { accountId, tokenHash } = await newChallenge(region, NOW);
    assert.equal(await pendingSignUp(region, tokenHash, NOW), null);
    const sealed = { identifierId: newHash(), address: "s1.address", phc: "s1.own" };
    assert.equal(await createAccount(region, tokenHash, sealed, NOW), false);
    assert.equal(await accountWithAddress(region, accountId), null);
  },

  "a sign-up that is taken back opens nothing": async ({ region }) => {
    const { tokenHash } = await newChallenge(region, NOW + 1);
    assert.equal(await deleteChallenge(region, tokenHash), true);
    assert.equal(await deleteChallenge(region, tokenHash), false);
    assert.equal(await pendingSignUp(region, tokenHash, NOW), null);
  },

  "a session of an account that is gone is not stored": async ({ region }) => {
    const row = {
      tokenHash: newHash(),
      id: newHash(),
      accountId: newId("acc", "home", systemRandom.bytes),
      clientSealed: "s1.client",
      expiresAt: NOW + 1,
    };
    assert.equal(await insertSession(region, row, NOW), false);
    assert.equal(await sessionOfToken(region, row.tokenHash, NOW), null);
  },

  "a session is there until its time, and not after": async ({ region }) => {
    const accountId = await newAccount(region);
    const { tokenHash, id } = await newSession(region, accountId, NOW, NOW + 10);
    const found = await sessionOfToken(region, tokenHash, NOW + 9);
    assert.deepEqual(found, { id, accountId, seenAt: NOW });
    assert.equal(await sessionOfToken(region, tokenHash, NOW + 10), null);
    assert.deepEqual(await sessionsOf(region, accountId, NOW + 10), []);
  },

  "a session that is used lives longer, up to its whole life": async ({ region }) => {
    const accountId = await newAccount(region);
    const { tokenHash } = await newSession(region, accountId, NOW, NOW + DAY);
    const life = { idleMs: DAY, maxMs: 2 * DAY };
    await touchSession(region, tokenHash, NOW + DAY / 2, life);
    const [once] = await sessionsOf(region, accountId, NOW + DAY / 2);
    assert.deepEqual([once?.seenAt, once?.expiresAt], [NOW + DAY / 2, NOW + DAY * 1.5]);
    await touchSession(region, tokenHash, NOW + DAY * 1.4, life);
    const [twice] = await sessionsOf(region, accountId, NOW + DAY * 1.4);
    assert.equal(twice?.expiresAt, NOW + 2 * DAY);
  },

  "sessions are listed the latest used first, each ended by its owner only": async ({ region }) => {
    const [mine, other] = [await newAccount(region), await newAccount(region)];
    const old = await newSession(region, mine, NOW - 2, NOW + 10);
    const recent = await newSession(region, mine, NOW - 1, NOW + 10);
    const ids = async () => (await sessionsOf(region, mine, NOW)).map((session) => session.id);
    assert.deepEqual(await ids(), [recent.id, old.id]);
    const keyOf = (accountId: string) => ({ accountId, sessionId: old.id });
    assert.equal(await expireSession(region, keyOf(other), NOW), null);
    assert.equal(await deleteSession(region, keyOf(other)), false);
    assert.equal(await deleteSession(region, keyOf(mine)), true);
    assert.equal(await deleteSession(region, keyOf(mine)), false);
    assert.equal(await deleteSession(region, { tokenHash: recent.tokenHash }), true);
    assert.deepEqual(await ids(), []);
  },

  "a session that is ended is nobody's, and can be ended again until its row goes": async ({
    region,
  }) => {
    const accountId = await newAccount(region);
    const { id, tokenHash } = await newSession(region, accountId, NOW - 1, NOW + 10);
    for (const key of [{ tokenHash }, { accountId, sessionId: id }]) {
      assert.deepEqual(await expireSession(region, key, NOW), { id, accountId });
      assert.equal(await sessionOfToken(region, tokenHash, NOW), null);
    }
    await touchSession(region, tokenHash, NOW, { idleMs: DAY, maxMs: DAY });
    assert.equal(await sessionOfToken(region, tokenHash, NOW), null);
    await deleteSession(region, { tokenHash });
    assert.equal(await expireSession(region, { tokenHash }, NOW), null);
  },
};
