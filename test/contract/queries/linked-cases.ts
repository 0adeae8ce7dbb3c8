/** Queries of accounts elsewhere: one holder each, a number that is not exceeded, a last way in that stays. */

import assert from "node:assert/strict";
import { createAccount } from "../../../db/queries/accounts.ts";
import { insertChallenge } from "../../../db/queries/challenges.ts";
import {
  deleteLinked,
  dropLinked,
  holdsLinked,
  insertLinked,
  linkedOf,
  touchLinked,
} from "../../../db/queries/linked.ts";
import { account } from "../../../db/schema/region/account.ts";
import { passkey } from "../../../db/schema/region/passkeys.ts";
import { password } from "../../../db/schema/region/sign-in.ts";
import { systemRandom } from "../../../durable-objects/system.ts";
import { newId, randomBase62 } from "../../../protocol/ids.ts";
import { DAY } from "../../../protocol/limits.ts";
import type { Db } from "../../../workers/ports.ts";
import type { Cases } from "./cases.ts";

const NOW = 1_800_000_000_000;
const MAX = 10;
const newHash = () => randomBase62(43, systemRandom.bytes);
const newLinkedId = () => newId("lnk", "home", systemRandom.bytes);

async function newAccount(db: Db): Promise<string> {
  const id = newId("acc", "home", systemRandom.bytes);
  await db.insert(account).values({ id, createdAt: NOW, activeDay: NOW });
  return id;
}

async function newLinked(db: Db, accountId: string, now = NOW): Promise<string> {
  const id = newLinkedId();
  const row = { id, accountId, claimsSealed: "s1.claims" };
  assert.equal(await insertLinked(db, row, { now, max: MAX }), true);
  return id;
}

export const linkedCases: Cases = {
  "accounts elsewhere are listed as they were linked, each account's own": async ({ region }) => {
    const [mine, other] = [await newAccount(region), await newAccount(region)];
    const [first, second] = [await newLinked(region, mine), await newLinked(region, mine, NOW + 1)];
    await newLinked(region, other);
    const row = { claimsSealed: "s1.claims", usedDay: null };
    assert.deepEqual(await linkedOf(region, mine), [
      { ...row, id: first, linkedAt: NOW },
      { ...row, id: second, linkedAt: NOW + 1 },
    ]);
  },

  "an account that is gone, or has enough, is linked to nothing": async ({ region }) => {
    const gone = newId("acc", "home", systemRandom.bytes);
    const row = () => ({ id: newLinkedId(), claimsSealed: "s1.claims" });
    const enough = { now: NOW, max: 2 };
    assert.equal(await insertLinked(region, { ...row(), accountId: gone }, enough), false);
    const accountId = await newAccount(region);
    await newLinked(region, await newAccount(region));
    const links = [1, 2, 3].map(() => insertLinked(region, { ...row(), accountId }, enough));
    assert.equal((await Promise.all(links)).filter(Boolean).length, 2);
  },

  "an entry of the directory counts with its row, or while its sign-up waits": async ({
    region,
  }) => {
    const accountId = await newAccount(region);
    const identityId = await newLinked(region, accountId);
    assert.equal(await holdsLinked(region, { accountId, identityId }), true);
    const other = await newAccount(region);
    assert.equal(await holdsLinked(region, { accountId: other, identityId }), false);
    await dropLinked(region, identityId);
    assert.equal(await holdsLinked(region, { accountId, identityId }), false);
    const waits = newId("acc", "home", systemRandom.bytes);
    const challenge = { tokenHash: newHash(), payloadSealed: "s1.p", expiresAt: NOW + 1 };
    await insertChallenge(region, { ...challenge, accountId: waits, kind: "sign-up" });
    const entry = { accountId: waits, identityId: newLinkedId() };
    assert.equal(await holdsLinked(region, entry), true);
  },

  "an account may begin with an account elsewhere alone": async ({ region }) => {
    const accountId = newId("acc", "home", systemRandom.bytes);
    const tokenHash = newHash();
    const waiting = { tokenHash, accountId, kind: "sign-up", payloadSealed: "s1.p" } as const;
    await insertChallenge(region, { ...waiting, expiresAt: NOW + 1 });
    const id = newLinkedId();
    const first = {
      identifier: { id: newHash(), kind: "email", addressSealed: "s1.a" },
      phcSealed: null,
      linked: { id, claimsSealed: "s1.c" },
    } as const;
    assert.equal(await createAccount(region, tokenHash, first, NOW), true);
    const today = NOW - (NOW % DAY);
    assert.deepEqual(await linkedOf(region, accountId), [
      { id, claimsSealed: "s1.c", linkedAt: NOW, usedDay: today },
    ]);
  },

  "its last use is kept to the day, and only where it is linked": async ({ region }) => {
    const accountId = await newAccount(region);
    const identityId = await newLinked(region, accountId);
    const day = async () => (await linkedOf(region, accountId))[0]?.usedDay;
    const today = NOW - (NOW % DAY);
    for (const at of [today, today + DAY - 1, today + DAY + 5]) {
      assert.equal(await touchLinked(region, { accountId, identityId }, at), true);
      assert.equal(await day(), at - (at % DAY));
    }
    const other = await newAccount(region);
    assert.equal(await touchLinked(region, { accountId: other, identityId }, NOW), false);
  },

  "the last way in is never unlinked, whatever the others are": async ({ region }) => {
    const alone = await newAccount(region);
    const [only] = [await newLinked(region, alone)];
    assert.equal(await deleteLinked(region, alone, only), false);
    const two = [await newLinked(region, alone), only];
    const stranger = await newAccount(region);
    assert.equal(await deleteLinked(region, stranger, only), false);
    const unlinked = await Promise.all(two.map((id) => deleteLinked(region, alone, id)));
    assert.equal(unlinked.filter(Boolean).length, 1);

    const withPassword = await newAccount(region);
    await region
      .insert(password)
      .values({ accountId: withPassword, phcSealed: "s1.p", changedAt: NOW });
    const one = await newLinked(region, withPassword);
    assert.equal(await deleteLinked(region, withPassword, one), true);
    assert.equal(await deleteLinked(region, withPassword, one), false);

    const withPasskey = await newAccount(region);
    await region.insert(passkey).values({
      id: newId("psk", "home", systemRandom.bytes),
      accountId: withPasskey,
      credentialHash: newHash(),
      credentialSealed: "s1.c",
      nameSealed: "s1.n",
      counter: 0,
      backedUp: 1,
      createdAt: NOW,
    });
    assert.equal(
      await deleteLinked(region, withPasskey, await newLinked(region, withPasskey)),
      true,
    );
  },

  "an account elsewhere has one holder, and is given back by that one only": async ({
    directory,
  }) => {
    const hash = await directory.linkedHash("https://issuer.test", newHash());
    const entries = Array.from({ length: 8 }, () => ({
      accountId: newId("acc", "home", systemRandom.bytes),
      identityId: newLinkedId(),
    }));
    const claimed = await Promise.all(entries.map((entry) => directory.claimLinked(hash, entry)));
    const winner = entries[claimed.indexOf(true)];
    assert.equal(claimed.filter(Boolean).length, 1);
    assert.deepEqual(await directory.linkedEntry(hash), winner);
    await directory.releaseLinked(hash, newLinkedId());
    assert.deepEqual(await directory.linkedEntry(hash), winner);
    await directory.releaseLinked(hash, winner?.identityId ?? "");
    assert.equal(await directory.linkedEntry(hash), null);
    const entry = entries[0] as (typeof entries)[number];
    await directory.claimLinked(hash, entry);
    await directory.releaseLinkedOf(entry.accountId);
    assert.equal(await directory.linkedEntry(hash), null);
  },

  "the same subject at two issuers is two accounts elsewhere": async ({ directory }) => {
    const subject = newHash();
    const [one, two] = [
      await directory.linkedHash("https://one.test", subject),
      await directory.linkedHash("https://two.test", subject),
    ];
    assert.notEqual(one, two);
  },
};
