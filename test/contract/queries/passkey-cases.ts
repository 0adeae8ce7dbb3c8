/** Queries of passkeys: one winner of a challenge, a count that only goes up, a last way in that stays. */

import assert from "node:assert/strict";
import { eq } from "drizzle-orm";
import {
  deletePasskey,
  insertCeremony,
  insertPasskey,
  notePasskeyUse,
  passkeyOf,
  passkeysCount,
  passkeysOf,
  renamePasskey,
  takeCeremony,
} from "../../../db/queries/passkeys.ts";
import { account } from "../../../db/schema/region/account.ts";
import { password } from "../../../db/schema/region/sign-in.ts";
import { systemRandom } from "../../../durable-objects/system.ts";
import { newId, randomBase62 } from "../../../protocol/ids.ts";
import type { Db } from "../../../workers/ports.ts";
import type { Cases } from "./cases.ts";

const NOW = 1_800_000_000_000;
const newHash = () => randomBase62(43, systemRandom.bytes);

async function newAccount(db: Db): Promise<string> {
  const id = newId("acc", "home", systemRandom.bytes);
  await db.insert(account).values({ id, createdAt: NOW, activeDay: NOW });
  return id;
}

const newPasskey = (accountId: string, createdAt = NOW) => ({
  id: newId("psk", "home", systemRandom.bytes),
  accountId,
  credentialHash: newHash(),
  credentialSealed: "s1.credential",
  nameSealed: "s1.name",
  counter: 0,
  backedUp: 1,
  createdAt,
});

export const passkeyCases: Cases = {
  "a challenge has one winner, of its kind and account, before its time": async ({ region }) => {
    const accountId = newId("acc", "home", systemRandom.bytes);
    for (const own of [accountId, null]) {
      const key = { challengeHash: newHash(), kind: "sign-in" as const, accountId: own };
      await insertCeremony(region, { ...key, expiresAt: NOW + 10 });
      const others = [
        [{ ...key, kind: "add" as const }, NOW],
        [{ ...key, accountId: own === null ? accountId : null }, NOW],
        [{ ...key, challengeHash: newHash() }, NOW],
        [key, NOW + 10],
      ] as const;
      for (const [other, at] of others) assert.equal(await takeCeremony(region, other, at), false);
      const takes = [1, 2, 3].map(() => takeCeremony(region, key, NOW + 9));
      assert.deepEqual((await Promise.all(takes)).filter(Boolean), [true]);
    }
  },

  "a passkey is stored for an account that exists, once, up to a number": async ({ region }) => {
    const [accountId, other] = [await newAccount(region), await newAccount(region)];
    const [first, second] = [newPasskey(accountId), newPasskey(accountId, NOW + 1)];
    assert.equal(await insertPasskey(region, first, 2), true);
    assert.equal(await insertPasskey(region, newPasskey("acc_home_nobody"), 2), false);
    const same = { ...newPasskey(other), credentialHash: first.credentialHash };
    assert.equal(await insertPasskey(region, same, 2), false);
    assert.equal(await insertPasskey(region, second, 2), true);
    assert.equal(await insertPasskey(region, newPasskey(accountId), 2), false);
    assert.equal(await passkeysCount(region, accountId), 2);
    assert.equal(await passkeysCount(region, other), 0);
    const { id, credentialSealed, nameSealed, counter, backedUp, createdAt } = first;
    const row = { id, credentialSealed, nameSealed, counter, backedUp, createdAt, usedDay: null };
    assert.deepEqual(await passkeyOf(region, accountId, first.credentialHash), row);
    assert.equal(await passkeyOf(region, other, first.credentialHash), null);
    const listed = await passkeysOf(region, accountId);
    assert.deepEqual(
      listed.map((each) => each.id),
      [first.id, second.id],
    );
  },

  "a passkey's count goes up, or stays at zero for ever": async ({ region }) => {
    const row = newPasskey(await newAccount(region));
    await insertPasskey(region, row, 9);
    const use = (counter: number) =>
      notePasskeyUse(region, row.id, { counter, backedUp: 0, usedDay: NOW });
    const verdicts: boolean[] = [];
    for (const counter of [0, 0, 5, 5, 4, 0, 6]) verdicts.push(await use(counter));
    assert.deepEqual(verdicts, [true, true, true, false, false, false, true]);
    const [kept] = await passkeysOf(region, row.accountId);
    assert.deepEqual([kept?.counter, kept?.backedUp, kept?.usedDay], [6, 0, NOW]);
    const two = await Promise.all([use(7), use(7)]);
    assert.deepEqual(two.sort(), [false, true]);
    assert.equal(
      await notePasskeyUse(region, "psk_none", { counter: 1, backedUp: 0, usedDay: 0 }),
      false,
    );
  },

  "a passkey is renamed and removed by its owner, and the last way in stays": async ({
    region,
  }) => {
    const [accountId, other] = [await newAccount(region), await newAccount(region)];
    const [first, second] = [newPasskey(accountId), newPasskey(accountId)];
    for (const row of [first, second]) await insertPasskey(region, row, 9);
    assert.equal(await renamePasskey(region, other, first.id, "s1.x"), false);
    assert.equal(await renamePasskey(region, accountId, first.id, "s1.new"), true);
    assert.equal(await deletePasskey(region, other, first.id), null);
    const both = [first, second].map(({ id }) => deletePasskey(region, accountId, id));
    const gone = (await Promise.all(both)).filter((row) => row !== null);
    assert.equal(gone.length, 1);
    const [last] = await passkeysOf(region, accountId);
    assert.equal(await deletePasskey(region, accountId, last?.id ?? ""), null);
    await region.insert(password).values({ accountId, phcSealed: "s1.p", changedAt: NOW });
    assert.notEqual(await deletePasskey(region, accountId, last?.id ?? ""), null);
    await region.delete(password).where(eq(password.accountId, accountId));
  },
};
