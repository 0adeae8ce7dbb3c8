/** Queries of sign-ins under way, second steps and trusted browsers: what works once has one winner. */

import assert from "node:assert/strict";
import { eq } from "drizzle-orm";
import {
  deleteChallenge,
  pendingChallenge,
  replaceChallenge,
} from "../../../db/queries/challenges.ts";
import {
  beginStep,
  begunStep,
  confirmStep,
  deleteStep,
  replaceRecoveryCodes,
  stepId,
  useRecoveryCode,
  useTimeStep,
} from "../../../db/queries/second-steps.ts";
import {
  insertSignIn,
  recoveryCodesLeft,
  secondStepsOf,
  signInOfToken,
} from "../../../db/queries/sign-ins.ts";
import {
  deleteTrust,
  deleteTrustedBrowser,
  finishSignIn,
  trustedBrowsersOf,
  useTrust,
} from "../../../db/queries/trusted-browsers.ts";
import { account } from "../../../db/schema/region/account.ts";
import { recoveryCode, secondStep } from "../../../db/schema/region/sign-in.ts";
import { systemRandom } from "../../../durable-objects/system.ts";
import { newId, randomBase62 } from "../../../protocol/ids.ts";
import type { Db } from "../../../workers/ports.ts";
import type { Cases } from "./cases.ts";

const NOW = 1_800_000_000_000;
const newHash = () => randomBase62(43, systemRandom.bytes);
const eightTimes = <T>(work: () => Promise<T>) => Promise.all(Array.from({ length: 8 }, work));

async function newAccount(db: Db): Promise<string> {
  const id = newId("acc", "home", systemRandom.bytes);
  await db.insert(account).values({ id, createdAt: NOW, activeDay: 0 });
  return id;
}

async function newSignIn(db: Db, accountId: string) {
  const row = { tokenHash: newHash(), accountId, methods: "password", expiresAt: NOW + 10 };
  assert.equal(await insertSignIn(db, row), true);
  return row;
}

const newTrust = (replaces: string | null = null) => ({
  tokenHash: newHash(),
  id: newId("trb", "home", systemRandom.bytes),
  clientSealed: "s1.c",
  expiresAt: NOW + 10,
  replaces,
});

/** A browser that the account trusts until `NOW + 10`. */
async function trusted(db: Db, accountId: string, replaces: string | null = null) {
  const row = newTrust(replaces);
  assert.equal(await finishSignIn(db, await newSignIn(db, accountId), row, NOW), true);
  return row;
}

const times = { now: NOW, oldest: NOW - 10 };

export const signInCases: Cases = {
  "a sign-in under way lives its time, is used up once, and needs an account": async ({
    region,
  }) => {
    const row = await newSignIn(region, await newAccount(region));
    const { tokenHash, ...kept } = row;
    assert.deepEqual(await signInOfToken(region, tokenHash, NOW + 9), kept);
    assert.equal(await signInOfToken(region, tokenHash, NOW + 10), null);
    assert.equal(await finishSignIn(region, row, null, NOW + 10), false);
    const used = await eightTimes(() => finishSignIn(region, row, null, NOW));
    assert.equal(used.filter(Boolean).length, 1);
    const gone = newId("acc", "home", systemRandom.bytes);
    assert.equal(await insertSignIn(region, { ...row, accountId: gone }), false);
  },

  "a second step counts when it is confirmed, by one caller and with the secret that was begun":
    async ({ region }) => {
      const accountId = await newAccount(region);
      const step = { accountId, kind: "totp" as const, secretSealed: "s1.first" };
      assert.equal(await beginStep(region, step, NOW - 10), true);
      assert.equal(await begunStep(region, accountId, "totp", NOW - 11), "s1.first");
      assert.equal(await begunStep(region, accountId, "totp", NOW - 10), null);
      assert.equal(await confirmStep(region, { ...step, lastStep: 7 }, times), false);
      const second = { ...step, secretSealed: "s1.second" };
      assert.equal(await beginStep(region, second, NOW - 9), true);
      assert.equal(await confirmStep(region, { ...step, lastStep: 7 }, times), false);
      assert.deepEqual(await secondStepsOf(region, accountId), []);
      const won = await eightTimes(() => confirmStep(region, { ...second, lastStep: 7 }, times));
      assert.equal(won.filter(Boolean).length, 1);
      const id = stepId(accountId, "totp");
      assert.deepEqual(await secondStepsOf(region, accountId), [
        { id, kind: "totp", secretSealed: "s1.second", lastStep: 7 },
      ]);
      assert.equal(await beginStep(region, step, NOW), false);
      assert.equal(await begunStep(region, accountId, "totp", 0), null);
      assert.equal(await deleteStep(region, accountId, "totp"), true);
      assert.equal(await deleteStep(region, accountId, "totp"), false);
      assert.equal(await beginStep(region, step, NOW), true);
      assert.equal(await deleteStep(region, accountId, "totp"), false);
      const gone = newId("acc", "home", systemRandom.bytes);
      assert.equal(await beginStep(region, { ...step, accountId: gone }, NOW), false);
    },

  "a time step is used up once, with all before it, under its own secret": async ({ region }) => {
    const accountId = await newAccount(region);
    const step = { accountId, kind: "totp" as const, secretSealed: "s1.s" };
    const key = { id: stepId(accountId, "totp"), secretSealed: "s1.s" };
    await beginStep(region, step, NOW);
    assert.equal(await useTimeStep(region, key, 9), false);
    await confirmStep(region, { ...step, lastStep: 5 }, times);
    assert.equal(await useTimeStep(region, key, 5), false);
    assert.equal(await useTimeStep(region, { ...key, secretSealed: "s1.other" }, 6), false);
    const won = await eightTimes(() => useTimeStep(region, key, 6));
    assert.equal(won.filter(Boolean).length, 1);
    assert.equal(await useTimeStep(region, key, 8), true);
    assert.equal(await useTimeStep(region, key, 7), false);
  },

  "a recovery code is used up once, by its account, and goes with new ones": async ({ region }) => {
    const [accountId, other] = [await newAccount(region), await newAccount(region)];
    const [first, second] = [newHash(), newHash()];
    await replaceRecoveryCodes(region, accountId, [first, second], NOW);
    assert.equal(await recoveryCodesLeft(region, accountId), 2);
    assert.equal(await useRecoveryCode(region, other, first, NOW), false);
    const won = await eightTimes(() => useRecoveryCode(region, accountId, first, NOW));
    assert.equal(won.filter(Boolean).length, 1);
    assert.equal(await recoveryCodesLeft(region, accountId), 1);
    await replaceRecoveryCodes(region, accountId, [newHash()], NOW);
    assert.equal(await useRecoveryCode(region, accountId, second, NOW), false);
    const rows = region.select().from(recoveryCode).where(eq(recoveryCode.accountId, accountId));
    assert.equal((await rows).length, 1);
    await replaceRecoveryCodes(region, accountId, [], NOW);
    assert.equal(await recoveryCodesLeft(region, accountId), 0);
    const gone = newId("acc", "home", systemRandom.bytes);
    await replaceRecoveryCodes(region, gone, [newHash()], NOW);
    assert.equal(await recoveryCodesLeft(region, gone), 0);
  },

  "[CKY-3] a browser is trusted by one account, until its time or the account's word": async ({
    region,
  }) => {
    const [accountId, other] = [await newAccount(region), await newAccount(region)];
    const { tokenHash, id } = await trusted(region, accountId);
    assert.equal(await useTrust(region, other, tokenHash, NOW), false);
    assert.equal(await useTrust(region, accountId, tokenHash, NOW + 9), true);
    assert.equal(await useTrust(region, accountId, tokenHash, NOW + 10), false);
    const [row, ...more] = await trustedBrowsersOf(region, accountId, NOW + 9);
    assert.deepEqual([row?.id, row?.seenAt, more], [id, NOW + 9, []]);
    assert.deepEqual(await trustedBrowsersOf(region, accountId, NOW + 10), []);
    assert.equal(await deleteTrustedBrowser(region, other, id), false);
    assert.equal(await deleteTrustedBrowser(region, accountId, id), true);
    assert.equal(await useTrust(region, accountId, tokenHash, NOW), false);
  },

  "[CKY-3] trust is made with the sign-in that is used up, and takes over the browser's former":
    async ({ region }) => {
      const [accountId, other] = [await newAccount(region), await newAccount(region)];
      const signIn = await newSignIn(region, accountId);
      const first = newTrust();
      assert.equal(await finishSignIn(region, signIn, first, NOW), true);
      const late = newTrust();
      assert.equal(await finishSignIn(region, signIn, late, NOW), false);
      assert.equal(await useTrust(region, accountId, late.tokenHash, NOW), false);
      await trusted(region, other, first.tokenHash);
      assert.equal(await useTrust(region, accountId, first.tokenHash, NOW), true);
      const next = await trusted(region, accountId, first.tokenHash);
      assert.equal(await useTrust(region, accountId, first.tokenHash, NOW), false);
      assert.equal(await useTrust(region, accountId, next.tokenHash, NOW), true);
    },

  "a sign-in that eight use up at once, each for a trust of its own, makes one trust": async ({
    region,
  }) => {
    const accountId = await newAccount(region);
    const signIn = await newSignIn(region, accountId);
    const used = await eightTimes(() => finishSignIn(region, signIn, newTrust(), NOW));
    assert.equal(used.filter(Boolean).length, 1);
    assert.equal((await trustedBrowsersOf(region, accountId, NOW)).length, 1);
  },

  "[CKY-3] the end of all trust ends the sign-ins under way too, of that account": async ({
    region,
  }) => {
    const [accountId, other] = [await newAccount(region), await newAccount(region)];
    const [own, theirs] = [await trusted(region, accountId), await trusted(region, other)];
    const [signIn, kept] = [await newSignIn(region, accountId), await newSignIn(region, other)];
    await deleteTrust(region, accountId);
    assert.equal(await useTrust(region, accountId, own.tokenHash, NOW), false);
    assert.equal(await signInOfToken(region, signIn.tokenHash, NOW), null);
    assert.equal(await useTrust(region, other, theirs.tokenHash, NOW), true);
    assert.notEqual(await signInOfToken(region, kept.tokenHash, NOW), null);
  },

  "a challenge that is kept again has its new content": async ({ region }) => {
    const accountId = await newAccount(region);
    const row = {
      tokenHash: newHash(),
      accountId,
      kind: "sms-code" as const,
      payloadSealed: "s1.first",
      expiresAt: NOW,
    };
    await replaceChallenge(region, row);
    assert.equal(await pendingChallenge(region, row.tokenHash, "sms-code", NOW), null);
    await replaceChallenge(region, { ...row, payloadSealed: "s1.second", expiresAt: NOW + 1 });
    const found = await pendingChallenge(region, row.tokenHash, "sms-code", NOW);
    assert.deepEqual([found?.payloadSealed, found?.accountId], ["s1.second", accountId]);
    assert.equal(await deleteChallenge(region, row.tokenHash), true);
  },

  "a second step that nobody confirmed asks for nothing": async ({ region }) => {
    const accountId = await newAccount(region);
    await beginStep(region, { accountId, kind: "sms", secretSealed: "s1.s" }, NOW);
    assert.deepEqual(await secondStepsOf(region, accountId), []);
    const rows = region.select().from(secondStep).where(eq(secondStep.accountId, accountId));
    assert.equal((await rows).length, 1);
  },
};
