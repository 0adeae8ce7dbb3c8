/** Queries of accounts: a sign-up becomes an account once, sessions live their time. */

import assert from "node:assert/strict";
import { eq } from "drizzle-orm";
import {
  accountOf,
  activityOf,
  createAccount,
  identifiersOf,
  insertActivity,
  type NewAccount,
  noteActiveDay,
  passwordOf,
  signInsNoted,
} from "../../../db/queries/accounts.ts";
import {
  deleteChallenge,
  deleteChallengesOf,
  insertChallenge,
  pendingChallenge,
} from "../../../db/queries/challenges.ts";
import {
  confirmSession,
  deleteSession,
  expireSession,
  insertSession,
  sessionOfToken,
  sessionsOf,
  touchSession,
} from "../../../db/queries/sessions.ts";
import { account, activity } from "../../../db/schema/region/account.ts";
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
    payloadSealed: "s1.payload",
    expiresAt,
  };
  await insertChallenge(db, row);
  return row;
}

const sealedAccount = (): NewAccount => ({
  identifier: { id: newHash(), kind: "email", addressSealed: "s1.address" },
  phcSealed: "s1.own",
});

async function newAccount(db: Db): Promise<string> {
  const { accountId, tokenHash } = await newChallenge(db, NOW + 1);
  assert.equal(await createAccount(db, tokenHash, sealedAccount(), NOW), true);
  return accountId;
}

async function newSession(db: Db, accountId: string, now: number, expiresAt: number) {
  const row = {
    tokenHash: newHash(),
    id: newId("ses", "home", systemRandom.bytes),
    accountId,
    clientSealed: "s1.client",
    methods: "password",
    expiresAt,
  };
  assert.equal(await insertSession(db, row, now), true);
  return row;
}

export const accountCases: Cases = {
  "a sign-up opens one account, once": async ({ region }) => {
    const { accountId, tokenHash } = await newChallenge(region, NOW + 1);
    assert.equal((await pendingChallenge(region, tokenHash, "sign-up", NOW))?.accountId, accountId);
    const sealed = sealedAccount();
    assert.equal(await createAccount(region, tokenHash, sealed, NOW), true);
    assert.equal(await createAccount(region, tokenHash, sealed, NOW), false);
    assert.equal(await pendingChallenge(region, tokenHash, "sign-up", NOW), null);
    assert.equal(await passwordOf(region, accountId), "s1.own");
    assert.deepEqual(await accountOf(region, accountId), { createdAt: NOW });
    assert.deepEqual(await identifiersOf(region, accountId), [
      { ...sealed.identifier, isPrimary: 1, verifiedAt: NOW },
    ]);
  },

  "one of many who open a sign-up at once wins": async ({ region }) => {
    const { tokenHash } = await newChallenge(region, NOW + 1);
    const opened = await Promise.all(
      Array.from({ length: 6 }, () => createAccount(region, tokenHash, sealedAccount(), NOW)),
    );
    assert.equal(opened.filter(Boolean).length, 1);
  },

  "[RET-1] a sign-up whose time has passed opens nothing": async ({ region }) => {
    const { accountId, tokenHash } = await newChallenge(region, NOW);
    assert.equal(await pendingChallenge(region, tokenHash, "sign-up", NOW), null);
    const sealed = sealedAccount();
    assert.equal(await createAccount(region, tokenHash, sealed, NOW), false);
    assert.equal(await accountOf(region, accountId), null);
  },

  "a sign-up that is taken back opens nothing": async ({ region }) => {
    const { tokenHash } = await newChallenge(region, NOW + 1);
    assert.equal(await deleteChallenge(region, tokenHash), true);
    assert.equal(await deleteChallenge(region, tokenHash), false);
    assert.equal(await pendingChallenge(region, tokenHash, "sign-up", NOW), null);
  },

  "a session of an account that is gone is not stored": async ({ region }) => {
    const row = {
      tokenHash: newHash(),
      id: newHash(),
      accountId: newId("acc", "home", systemRandom.bytes),
      clientSealed: "s1.client",
      methods: "password",
      expiresAt: NOW + 1,
    };
    assert.equal(await insertSession(region, row, NOW), false);
    assert.equal(await sessionOfToken(region, row.tokenHash, NOW), null);
  },

  "a session is there until its time, and not after": async ({ region }) => {
    const accountId = await newAccount(region);
    const { tokenHash, id } = await newSession(region, accountId, NOW, NOW + 10);
    const found = await sessionOfToken(region, tokenHash, NOW + 9);
    assert.deepEqual(found, { id, accountId, seenAt: NOW, confirmedAt: NOW, expiresAt: NOW + 10 });
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

  "an account may begin without a password": async ({ region }) => {
    const { accountId, tokenHash } = await newChallenge(region, NOW + 1);
    const bare = { ...sealedAccount(), phcSealed: null };
    assert.equal(await createAccount(region, tokenHash, bare, NOW), true);
    assert.deepEqual(await accountOf(region, accountId), { createdAt: NOW });
    assert.equal(await passwordOf(region, accountId), null);
  },

  "a challenge is found by its own kind only, and dropped by it": async ({ region }) => {
    const { accountId, tokenHash } = await newChallenge(region, NOW + 1);
    assert.equal(await pendingChallenge(region, tokenHash, "recovery", NOW), null);
    await deleteChallengesOf(region, accountId, "recovery");
    assert.notEqual(await pendingChallenge(region, tokenHash, "sign-up", NOW), null);
    await deleteChallengesOf(region, accountId, "sign-up");
    assert.equal(await pendingChallenge(region, tokenHash, "sign-up", NOW), null);
  },

  "[ACC-14] the last use of an account is kept to the day": async ({ region }) => {
    const accountId = await newAccount(region);
    const day = async () =>
      (await region.select().from(account).where(eq(account.id, accountId)))[0]?.activeDay;
    const today = NOW - (NOW % DAY);
    assert.equal(await day(), today);
    await noteActiveDay(region, accountId, today + DAY - 1);
    assert.equal(await day(), today);
    await noteActiveDay(region, accountId, today + DAY + 5);
    assert.equal(await day(), today + DAY);
  },

  "what happens to an account that is gone is not written": async ({ region }) => {
    const [lives, gone] = [await newAccount(region), newId("acc", "home", systemRandom.bytes)];
    for (const accountId of [lives, gone]) {
      const row = { event: "signed-in", detailSealed: "s1.d", at: NOW, expiresAt: NOW + 1 };
      await insertActivity(region, { id: newHash(), accountId, ...row });
    }
    const of = (id: string) => region.$count(activity, eq(activity.accountId, id));
    assert.deepEqual([await of(lives), await of(gone)], [1, 0]);
    const page = { now: NOW, limit: 10 };
    const [entry] = await activityOf(region, lives, page);
    assert.deepEqual([entry?.event, entry?.at], ["signed-in", NOW]);
    const { id = "" } = entry ?? {};
    const from = async (at: number, id: string) =>
      (await activityOf(region, lives, { ...page, before: { at, id } })).length;
    assert.deepEqual(
      [await from(NOW, id), await from(NOW, `${id}0`), await from(NOW + 1, "")],
      [0, 1, 1],
    );
    assert.deepEqual(await activityOf(region, lives, { ...page, now: NOW + 1 }), []);
    assert.deepEqual(await activityOf(region, lives, { ...page, limit: 0 }), []);
    assert.deepEqual(await signInsNoted(region, lives, page), [
      { id: entry?.id, detailSealed: entry?.detailSealed },
    ]);
    assert.deepEqual(await signInsNoted(region, lives, { ...page, now: NOW + 1 }), []);
    await region.update(activity).set({ event: "exported" }).where(eq(activity.accountId, lives));
    assert.deepEqual(await signInsNoted(region, lives, page), []);
  },

  "a session remembers when its owner was asked again": async ({ region }) => {
    const accountId = await newAccount(region);
    const { id, tokenHash } = await newSession(region, accountId, NOW, NOW + DAY);
    await confirmSession(region, { accountId: "acc_home_other", sessionId: id }, NOW + 5);
    assert.equal((await sessionOfToken(region, tokenHash, NOW + 5))?.confirmedAt, NOW);
    await confirmSession(region, { accountId, sessionId: id }, NOW + 5);
    assert.equal((await sessionOfToken(region, tokenHash, NOW + 5))?.confirmedAt, NOW + 5);
  },
};
