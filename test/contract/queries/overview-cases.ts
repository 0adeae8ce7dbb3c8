/** The query of the account's overview: each part counts its own, what is live, of one account. */

import assert from "node:assert/strict";
import { overviewOf } from "../../../db/queries/overview.ts";
import {
  account,
  activity,
  identifier,
  linkedIdentity,
  oauthGrant,
  passkey,
  password,
  personalToken,
  profileField,
  recoveryCode,
  secondStep,
  session,
  trustedBrowser,
} from "../../../db/schema/region.ts";
import { systemRandom } from "../../../durable-objects/system.ts";
import { newId, randomBase62 } from "../../../protocol/ids.ts";
import type { Db } from "../../../workers/ports.ts";
import type { Cases } from "./cases.ts";

const NOW = 1_800_000_000_000;
const random = () => randomBase62(32, systemRandom.bytes);

async function newAccount(db: Db): Promise<string> {
  const id = newId("acc", "home", systemRandom.bytes);
  await db.insert(account).values({ id, createdAt: NOW - 9, activeDay: NOW });
  await address(db, id, "email", 1);
  return id;
}

async function address(db: Db, accountId: string, kind: "email" | "phone", isPrimary: number) {
  const id = random();
  const row = { id, accountId, kind, addressSealed: `s1.${kind}`, isPrimary, verifiedAt: NOW };
  await db.insert(identifier).values(row);
}

/** One of everything, of which half has a time that ends at `NOW + 10`. */
async function furnish(db: Db, accountId: string): Promise<void> {
  const [createdAt, expiresAt] = [NOW, NOW + 10];
  const own = () => ({ id: random(), accountId });
  await address(db, accountId, "phone", 0);
  await db.insert(password).values({ accountId, phcSealed: "s1", changedAt: NOW - 5 });
  await db.insert(passkey).values({
    ...{ ...own(), credentialHash: random(), credentialSealed: "s1", nameSealed: "s1" },
    ...{ counter: 0, backedUp: 0, createdAt },
  });
  const step = { accountId, secretSealed: "s1", lastStep: 0, createdAt };
  await db.insert(secondStep).values([
    { ...step, id: `${accountId}/totp`, kind: "totp", confirmedAt: NOW },
    { ...step, id: `${accountId}/sms`, kind: "sms", confirmedAt: null },
  ]);
  await db.insert(recoveryCode).values([
    { codeHash: random(), accountId, createdAt },
    { codeHash: random(), accountId, createdAt, usedAt: NOW },
  ]);
  const browser = { accountId, clientSealed: "s1", createdAt, seenAt: NOW, expiresAt };
  await db.insert(trustedBrowser).values({ ...browser, ...own(), tokenHash: random() });
  const signedIn = { ...browser, methods: "password", confirmedAt: NOW };
  await db.insert(session).values([
    { ...signedIn, ...own(), tokenHash: random() },
    { ...signedIn, ...own(), tokenHash: random() },
  ]);
  await db.insert(linkedIdentity).values({ ...own(), claimsSealed: "s1", linkedAt: NOW });
  const grant = { accountId, scope: "openid", appSealed: "s1", createdAt, usedDay: NOW };
  await db.insert(oauthGrant).values([
    { ...grant, ...own(), slotHash: random(), clientId: "photos" },
    { ...grant, ...own(), slotHash: random(), clientId: "photos" },
  ]);
  await db.insert(personalToken).values({
    ...{ ...own(), tokenHash: random(), nameSealed: "s1", scopes: "devices:read" },
    ...{ createdAt, expiresAt },
  });
  const said = { accountId, valueSealed: "s1", visibility: "nobody" as const, changedAt: NOW };
  await db.insert(profileField).values([
    { ...said, id: `${accountId}/name`, field: "name" },
    { ...said, id: `${accountId}/about`, field: "about" },
  ]);
  const event = { accountId, detailSealed: "s1", expiresAt };
  await db.insert(activity).values([
    { ...event, id: random(), event: "signed-up", at: NOW - 2 },
    { ...event, id: random(), event: "signed-in", at: NOW - 1 },
  ]);
}

const nothing = {
  ...{ createdAt: NOW - 9, addressSealed: "s1.email", emails: 1, phones: 0 },
  ...{ passwordChangedAt: null, passkeys: 0, totp: 0, sms: 0, recoveryCodes: 0, trusted: 0 },
  ...{ linked: 0, sessions: 0, apps: 0, tokens: 0, name: 0, photo: 0 },
  ...{ lastEvent: null, lastAt: null },
};

async function overview(db: Db, accountId: string, now: number) {
  const row = await overviewOf(db, accountId, now);
  if (row === null) return null;
  const { primaryId: _random, ...rest } = row;
  return rest;
}

export const overviewCases: Cases = {
  "an overview counts what an account has, and nothing of another's": async ({ region }) => {
    const [me, other] = [await newAccount(region), await newAccount(region)];
    await furnish(region, me);
    assert.deepEqual(await overview(region, me, NOW), {
      ...nothing,
      ...{ phones: 1, passwordChangedAt: NOW - 5, passkeys: 1, totp: 1, recoveryCodes: 1 },
      ...{ trusted: 1, linked: 1, sessions: 2, apps: 1, tokens: 1, name: 1 },
      ...{ lastEvent: "signed-in", lastAt: NOW - 1 },
    });
    assert.deepEqual(await overview(region, other, NOW), nothing);
  },

  "an overview counts nothing whose time has passed, and is null for nobody": async ({
    region,
  }) => {
    const me = await newAccount(region);
    await furnish(region, me);
    const late = await overview(region, me, NOW + 10);
    const { trusted, sessions, tokens, lastEvent, lastAt } = late ?? nothing;
    assert.deepEqual([trusted, sessions, tokens, lastEvent, lastAt], [0, 0, 0, null, null]);
    assert.equal(late?.passkeys, 1);
    assert.equal(await overview(region, newId("acc", "home", systemRandom.bytes), NOW), null);
  },
};
