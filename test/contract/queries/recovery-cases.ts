/** Queries of address books, passwords, undo links and lost second steps: one winner each, in time. */

import assert from "node:assert/strict";
import { eq } from "drizzle-orm";
import { createAccount, identifiersOf, passwordOf } from "../../../db/queries/accounts.ts";
import { insertChallenge, pendingChallenge } from "../../../db/queries/challenges.ts";
import { addIdentifier, deleteIdentifier, setPrimary } from "../../../db/queries/identifiers.ts";
import { deletePassword, putPassword } from "../../../db/queries/passwords.ts";
import {
  deleteRecovery,
  finishRecovery,
  insertRecovery,
  recoveryOf,
  stopRecovery,
} from "../../../db/queries/recoveries.ts";
import { beginStep, confirmStep, stepId } from "../../../db/queries/second-steps.ts";
import { recoveryCodesLeft, secondStepsOf } from "../../../db/queries/sign-ins.ts";
import { applyUndo, hasUndo, insertUndo, undoOfToken } from "../../../db/queries/undos.ts";
import { identifier } from "../../../db/schema/region/account.ts";
import { passkey } from "../../../db/schema/region/passkeys.ts";
import { recoveryCode } from "../../../db/schema/region/sign-in.ts";
import { systemRandom } from "../../../durable-objects/system.ts";
import { newId, randomBase62 } from "../../../protocol/ids.ts";
import type { Db } from "../../../workers/ports.ts";
import type { Cases } from "./cases.ts";

const NOW = 1_800_000_000_000;
const newHash = () => randomBase62(43, systemRandom.bytes);
const goneId = () => newId("acc", "home", systemRandom.bytes);

async function newChallenge(db: Db, accountId: string, kind: "sign-up" | "contact" | "recovery") {
  const tokenHash = newHash();
  const row = { tokenHash, accountId, kind, payloadSealed: "s1.p", expiresAt: NOW + 10 };
  await insertChallenge(db, row);
  return tokenHash;
}

/** An account, with the identifier it began with. */
async function newAccount(db: Db, phcSealed: string | null = "s1.own") {
  const accountId = newId("acc", "home", systemRandom.bytes);
  const tokenHash = await newChallenge(db, accountId, "sign-up");
  const first = { id: newHash(), kind: "email" as const, addressSealed: "s1.first" };
  assert.equal(await createAccount(db, tokenHash, { identifier: first, phcSealed }, NOW), true);
  return { accountId, first: first.id };
}

async function add(db: Db, accountId: string, { now = NOW, max = 9 } = {}) {
  const tokenHash = await newChallenge(db, accountId, "contact");
  const row = { id: newHash(), accountId, kind: "phone" as const, addressSealed: "s1.more" };
  const outcome = await addIdentifier(db, tokenHash, row, { now, max });
  return { tokenHash, row, outcome };
}

const idsOf = async (db: Db, accountId: string) =>
  (await identifiersOf(db, accountId)).map(({ id, isPrimary }) => [id, isPrimary]);

async function newUndo(db: Db, accountId: string, expiresAt = NOW + 100) {
  const tokenHash = newHash();
  await insertUndo(db, { tokenHash, accountId, payloadSealed: "s1.u", expiresAt });
  return { tokenHash, accountId, expiresAt };
}

async function newRecovery(db: Db, accountId: string, now = NOW) {
  const row = { accountId, stopHash: newHash(), opensAt: now + 10, expiresAt: now + 20 };
  return { ...row, begun: await insertRecovery(db, row, now) };
}

async function withSteps(db: Db, accountId: string): Promise<void> {
  const step = { accountId, kind: "totp" as const, secretSealed: "s1.s" };
  assert.equal(await beginStep(db, step, NOW), true);
  const confirmed = { ...step, lastStep: 1 };
  assert.equal(await confirmStep(db, confirmed, { now: NOW, oldest: NOW - 1 }), true);
  await db
    .insert(recoveryCode)
    .values({ codeHash: newHash(), accountId, createdAt: NOW, usedAt: null });
}

export const recoveryCases: Cases = {
  "an address is added once, by its own account, until it is full": async ({ region }) => {
    const { accountId, first } = await newAccount(region);
    const { row, tokenHash, outcome } = await add(region, accountId, { max: 2 });
    assert.equal(outcome, "added");
    assert.deepEqual(await idsOf(region, accountId), [
      [first, 1],
      [row.id, 0],
    ]);
    const again = await addIdentifier(region, tokenHash, row, { now: NOW, max: 9 });
    assert.equal(again, "gone");
    assert.equal((await add(region, accountId, { max: 2 })).outcome, "full");
    assert.equal((await add(region, accountId, { now: NOW + 10 })).outcome, "gone");
    const strangers = await newAccount(region);
    const theirs = await newChallenge(region, strangers.accountId, "contact");
    const mine = { ...row, id: newHash() };
    assert.equal(await addIdentifier(region, theirs, mine, { now: NOW, max: 9 }), "gone");
    assert.notEqual(await pendingChallenge(region, theirs, "contact", NOW), null);
    const erased = goneId();
    assert.equal((await add(region, erased)).outcome, "full");
    assert.deepEqual(await idsOf(region, erased), []);
  },

  "one of many who add an address at once wins": async ({ region }) => {
    const { accountId } = await newAccount(region);
    const tokenHash = await newChallenge(region, accountId, "contact");
    const tries = Array.from({ length: 4 }, () => {
      const row = { id: newHash(), accountId, kind: "email" as const, addressSealed: "s1.a" };
      return addIdentifier(region, tokenHash, row, { now: NOW, max: 9 });
    });
    const outcomes = await Promise.all(tries);
    assert.deepEqual(outcomes.sort(), ["added", "gone", "gone", "gone"]);
  },

  "one address is the primary, and that one stays": async ({ region }) => {
    const { accountId, first } = await newAccount(region);
    const { row } = await add(region, accountId);
    const other = await newAccount(region);
    assert.equal(await setPrimary(region, accountId, other.first), false);
    assert.equal(await setPrimary(region, accountId, row.id), true);
    assert.deepEqual(await idsOf(region, accountId), [
      [row.id, 1],
      [first, 0],
    ]);
    assert.deepEqual(await idsOf(region, other.accountId), [[other.first, 1]]);
    assert.equal(await deleteIdentifier(region, accountId, row.id), false);
    assert.equal(await deleteIdentifier(region, other.accountId, first), false);
    assert.equal(await deleteIdentifier(region, accountId, first), true);
    assert.equal(await deleteIdentifier(region, accountId, first), false);
    assert.deepEqual(await idsOf(region, accountId), [[row.id, 1]]);
  },

  "a password is set, changed, and never of an account that is gone": async ({ region }) => {
    const { accountId } = await newAccount(region, null);
    assert.equal(await putPassword(region, { accountId, phcSealed: "s1.one" }, NOW), true);
    assert.equal(await passwordOf(region, accountId), "s1.one");
    assert.equal(await putPassword(region, { accountId, phcSealed: "s1.two" }, NOW + 1), true);
    assert.equal(await passwordOf(region, accountId), "s1.two");
    const gone = goneId();
    assert.equal(await putPassword(region, { accountId: gone, phcSealed: "s1.x" }, NOW), false);
    assert.equal(await passwordOf(region, gone), null);
  },

  "a password goes only where another way in stays": async ({ region }) => {
    const { accountId } = await newAccount(region);
    assert.equal(await deletePassword(region, accountId), false);
    assert.equal(await passwordOf(region, accountId), "s1.own");
    await region.insert(passkey).values({
      id: newHash(),
      accountId,
      credentialHash: newHash(),
      credentialSealed: "s1.c",
      nameSealed: "s1.n",
      counter: 0,
      backedUp: 0,
      createdAt: NOW,
      usedDay: null,
    });
    assert.equal(await deletePassword(region, accountId), true);
    assert.equal(await passwordOf(region, accountId), null);
  },

  "an undo link brings an address back, once and in its time": async ({ region }) => {
    const { accountId, first } = await newAccount(region);
    const late = await add(region, accountId);
    await setPrimary(region, accountId, late.row.id);
    const undo = await newUndo(region, accountId);
    assert.equal(await hasUndo(region, accountId, NOW), true);
    assert.equal(await hasUndo(region, accountId, NOW + 100), false);
    assert.equal(await undoOfToken(region, undo.tokenHash, NOW + 100), null);
    const { expiresAt } = undo;
    const found = { accountId, payloadSealed: "s1.u", expiresAt };
    assert.deepEqual(await undoOfToken(region, undo.tokenHash, NOW), found);
    const restored = { id: first, kind: "email" as const, addressSealed: "s1.b", verifiedAt: 1 };
    const when = { since: NOW - 1, now: NOW };
    const expired = await applyUndo(region, undo, restored, { ...when, now: NOW + 100 });
    assert.equal(expired, null);
    assert.equal(await passwordOf(region, accountId), "s1.own");
    const tries = await Promise.all([1, 2, 3].map(() => applyUndo(region, undo, restored, when)));
    const [dropped, ...others] = tries.filter((result) => result !== null);
    assert.deepEqual(others, []);
    assert.deepEqual(dropped, [{ id: late.row.id, kind: "phone", addressSealed: "s1.more" }]);
    assert.deepEqual(await idsOf(region, accountId), [[first, 1]]);
    assert.equal(await passwordOf(region, accountId), null);
    assert.equal(await undoOfToken(region, undo.tokenHash, NOW), null);
  },

  "an undo link brings back an address that was removed, and kills the links after it": async ({
    region,
  }) => {
    const { accountId, first } = await newAccount(region);
    const kept = await add(region, accountId);
    await setPrimary(region, accountId, kept.row.id);
    await deleteIdentifier(region, accountId, first);
    const [older, own, newer] = [
      await newUndo(region, accountId, NOW + 99),
      await newUndo(region, accountId, NOW + 100),
      await newUndo(region, accountId, NOW + 101),
    ];
    const restored = { id: first, kind: "email" as const, addressSealed: "s1.b", verifiedAt: 1 };
    const strangers = await newAccount(region);
    const forged = { ...own, accountId: strangers.accountId };
    assert.equal(await applyUndo(region, forged, restored, { since: NOW, now: NOW }), null);
    assert.deepEqual(await applyUndo(region, own, restored, { since: NOW, now: NOW }), []);
    assert.deepEqual(await idsOf(region, accountId), [
      [first, 1],
      [kept.row.id, 0],
    ]);
    assert.notEqual(await undoOfToken(region, older.tokenHash, NOW), null);
    assert.equal(await undoOfToken(region, newer.tokenHash, NOW), null);
    assert.equal(await region.$count(identifier, eq(identifier.accountId, accountId)), 2);
  },

  "one wait runs an account, and another only after its time": async ({ region }) => {
    const { accountId } = await newAccount(region);
    const first = await newRecovery(region, accountId);
    assert.equal(first.begun, true);
    assert.equal((await newRecovery(region, accountId, NOW + 19)).begun, false);
    const times = { opensAt: NOW + 10, expiresAt: NOW + 20 };
    assert.deepEqual(await recoveryOf(region, accountId, NOW + 19), times);
    assert.equal(await recoveryOf(region, accountId, NOW + 20), null);
    assert.equal((await newRecovery(region, accountId, NOW + 20)).begun, true);
    assert.equal((await newRecovery(region, goneId())).begun, false);
  },

  "one of many who begin a wait at once wins": async ({ region }) => {
    const { accountId } = await newAccount(region);
    const tries = await Promise.all([1, 2, 3].map(() => newRecovery(region, accountId)));
    assert.equal(tries.filter(({ begun }) => begun).length, 1);
  },

  "a wait is stopped by its link once, or by its account with what was sent": async ({
    region,
  }) => {
    const { accountId } = await newAccount(region);
    const { stopHash } = await newRecovery(region, accountId);
    assert.equal(await stopRecovery(region, stopHash, NOW + 20), null);
    assert.equal(await stopRecovery(region, stopHash, NOW), accountId);
    assert.equal(await stopRecovery(region, stopHash, NOW), null);
    await newRecovery(region, accountId);
    const link = await newChallenge(region, accountId, "recovery");
    assert.equal(await deleteRecovery(region, accountId, NOW), true);
    assert.equal(await pendingChallenge(region, link, "recovery", NOW), null);
    assert.equal(await deleteRecovery(region, accountId, NOW), false);
    await newRecovery(region, accountId);
    assert.equal(await deleteRecovery(region, accountId, NOW + 20), false);
  },

  "a wait that is over switches the second step off, once": async ({ region }) => {
    const { accountId } = await newAccount(region);
    await withSteps(region, accountId);
    const other = await newAccount(region);
    await withSteps(region, other.accountId);
    const { opensAt } = await newRecovery(region, accountId);
    assert.equal(await finishRecovery(region, accountId, opensAt, opensAt - 1), false);
    assert.equal(await finishRecovery(region, accountId, opensAt - 1, opensAt), false);
    assert.equal(await finishRecovery(region, accountId, opensAt, NOW + 20), false);
    assert.equal(await finishRecovery(region, other.accountId, opensAt, opensAt), false);
    assert.equal((await secondStepsOf(region, accountId)).length, 1);
    const tries = [1, 2, 3].map(() => finishRecovery(region, accountId, opensAt, opensAt));
    assert.equal((await Promise.all(tries)).filter(Boolean).length, 1);
    assert.deepEqual(await secondStepsOf(region, accountId), []);
    assert.equal(await recoveryCodesLeft(region, accountId), 0);
    const [theirs] = await secondStepsOf(region, other.accountId);
    assert.equal(theirs?.id, stepId(other.accountId, "totp"));
  },

  "a contact is given back by its account only": async ({ directory }) => {
    const hash = await directory.contactHash(`${newHash()}@example.org`);
    assert.equal(await directory.claimContact(hash, "acc_home_one"), true);
    await directory.releaseContact(hash, "acc_home_two");
    assert.equal(await directory.accountOfContact(hash), "acc_home_one");
    await directory.releaseContact(hash, "acc_home_one");
    assert.equal(await directory.accountOfContact(hash), null);
    assert.equal(await directory.claimContact(hash, "acc_home_two"), true);
  },
};
