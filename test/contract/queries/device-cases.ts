/** Queries of devices: an enrolment is claimed once, a device belongs to an account that exists. */

import assert from "node:assert/strict";
import {
  claimUserCode,
  deleteDevice,
  deleteEnrolment,
  deleteGuest,
  deleteGuestsOf,
  deleteReach,
  devicesOf,
  devicesReached,
  endingDevices,
  enrolmentByUserCode,
  hasGuest,
  hasReach,
  insertDevice,
  insertEnrolment,
  insertGuest,
  insertReach,
  markEnding,
  notePoll,
  ownerOf,
  pollState,
  restoreUserCode,
  shortenReach,
} from "../../../db/queries/devices.ts";
import { devicesIn } from "../../../db/queries/retention.ts";
import { account } from "../../../db/schema/region.ts";
import { systemRandom } from "../../../durable-objects/system.ts";
import { newId, randomBase62 } from "../../../protocol/ids.ts";
import type { Db } from "../../../workers/ports.ts";
import type { Cases } from "./cases.ts";

const NOW = 1_800_000_000_000;
const newHash = () => randomBase62(43, systemRandom.bytes);
const newDeviceId = () => newId("dev", "home", systemRandom.bytes);

async function newAccount(db: Db): Promise<string> {
  const id = newId("acc", "home", systemRandom.bytes);
  await db.insert(account).values({ id, createdAt: NOW, activeDay: 0 });
  return id;
}

async function newEnrolment(db: Db, expiresAt = NOW + 1) {
  const row = {
    deviceCodeHash: newHash(),
    userCodeHash: newHash(),
    publicKey: newHash(),
    polledAt: 0,
    intervalMs: 5000,
    expiresAt,
  };
  await insertEnrolment(db, row);
  return row;
}

async function newDevice(db: Db, accountId: string, now = NOW): Promise<string> {
  const id = newDeviceId();
  await insertDevice(db, { id, accountId, deviceCodeHash: newHash(), expiresAt: NOW + 1 }, now);
  return id;
}

export const deviceCases: Cases = {
  "[CON-1] one of many who approve a code at once gets it": async ({ region }) => {
    const { userCodeHash, publicKey } = await newEnrolment(region);
    const claimed = await Promise.all(
      Array.from({ length: 6 }, () => claimUserCode(region, userCodeHash, newHash(), NOW)),
    );
    const winners = claimed.filter((row) => row !== null);
    assert.deepEqual(
      winners.map((row) => row.publicKey),
      [publicKey],
    );
    assert.equal(await enrolmentByUserCode(region, userCodeHash, NOW), null);
  },

  "a code that was given back is good again": async ({ region }) => {
    const { userCodeHash, deviceCodeHash } = await newEnrolment(region);
    const tombstone = newHash();
    await claimUserCode(region, userCodeHash, tombstone, NOW);
    await restoreUserCode(region, tombstone, userCodeHash);
    const found = await enrolmentByUserCode(region, userCodeHash, NOW);
    assert.equal(found?.deviceCodeHash, deviceCodeHash);
  },

  "[RET-1] an enrolment whose time has passed is not there": async ({ region }) => {
    const { userCodeHash, deviceCodeHash } = await newEnrolment(region, NOW);
    assert.equal(await enrolmentByUserCode(region, userCodeHash, NOW), null);
    assert.equal(await claimUserCode(region, userCodeHash, newHash(), NOW), null);
    assert.deepEqual(await pollState(region, deviceCodeHash, NOW), { pending: null, grant: null });
  },

  "a poll sees what waits, how often it may ask, and the grant": async ({ region }) => {
    const { deviceCodeHash } = await newEnrolment(region);
    await notePoll(region, deviceCodeHash, NOW - 1, 10_000);
    const { pending, grant } = await pollState(region, deviceCodeHash, NOW);
    assert.deepEqual([pending?.polledAt, pending?.intervalMs, grant], [NOW - 1, 10_000, null]);
    const [accountId, id] = [await newAccount(region), newDeviceId()];
    await deleteEnrolment(region, deviceCodeHash);
    const row = { id, accountId, deviceCodeHash, expiresAt: NOW + 1 };
    assert.equal(await insertDevice(region, row, NOW), 1);
    const granted = { pending: null, grant: { deviceId: id, accountId } };
    assert.deepEqual(await pollState(region, deviceCodeHash, NOW), granted);
    assert.equal((await pollState(region, deviceCodeHash, NOW + 1)).grant, null);
  },

  "a device of an account that is gone is not stored": async ({ region }) => {
    const [id, accountId] = [newDeviceId(), newId("acc", "home", systemRandom.bytes)];
    const row = { id, accountId, deviceCodeHash: newHash(), expiresAt: NOW + 1 };
    assert.equal(await insertDevice(region, row, NOW), 0);
    assert.equal(await ownerOf(region, id), null);
    assert.equal((await pollState(region, row.deviceCodeHash, NOW)).grant, null);
  },

  "devices are counted and listed by age; a deleted one is gone with its grant": async ({
    region,
  }) => {
    const accountId = await newAccount(region);
    const young = await newDevice(region, accountId, NOW);
    const deviceCodeHash = newHash();
    const old = newDeviceId();
    const row = { id: old, accountId, deviceCodeHash, expiresAt: NOW + 1 };
    assert.equal(await insertDevice(region, row, NOW - 1), 2);
    const ids = async () => (await devicesOf(region, accountId)).map((device) => device.id);
    assert.deepEqual(await ids(), [old, young]);
    const found = await devicesIn(region, "device", accountId, 9);
    assert.deepEqual(new Set(found), new Set([old, young]));
    assert.equal((await devicesIn(region, "device", accountId, 1)).length, 1);
    await deleteDevice(region, old);
    assert.deepEqual(await ids(), [young]);
    assert.equal((await pollState(region, deviceCodeHash, NOW)).grant, null);
    assert.deepEqual([await ownerOf(region, young), await ownerOf(region, old)], [accountId, null]);
  },

  "[CON-11] a device that is ending is found until it is gone, and keeps its first note": async ({
    region,
  }) => {
    const accountId = await newAccount(region);
    const [stays, late, latest] = [
      await newDevice(region, accountId, NOW),
      await newDevice(region, accountId, NOW + 1),
      await newDevice(region, accountId, NOW + 2),
    ];
    await markEnding(region, late, 7);
    await markEnding(region, latest, 6);
    await markEnding(region, late, 5);
    const ours = async (limit: number) =>
      (await endingDevices(region, limit)).filter((id) => [stays, late, latest].includes(id));
    assert.deepEqual(await ours(99), [latest, late]);
    assert.deepEqual(await ours(1), [latest]);
    const notes = (await devicesOf(region, accountId)).map((device) => device.endsAt);
    assert.deepEqual(notes, [null, 7, 6]);
    await deleteDevice(region, latest);
    assert.deepEqual(await ours(99), [late]);
    await deleteDevice(region, late);
  },

  "guests are noted once, only if they exist, and taken off": async ({ region }) => {
    const [guest, other, device] = [
      await newAccount(region),
      await newAccount(region),
      newDeviceId(),
    ];
    for (let time = 0; time < 2; time++) await insertGuest(region, device, guest);
    await insertGuest(region, device, other);
    const nobody = newId("acc", "home", systemRandom.bytes);
    await insertGuest(region, device, nobody);
    assert.deepEqual(
      [await hasGuest(region, device, guest), await hasGuest(region, device, nobody)],
      [true, false],
    );
    assert.deepEqual(await devicesIn(region, "device_guest", guest, 9), [device]);
    await deleteGuest(region, device, guest);
    assert.equal(await hasGuest(region, device, guest), false);
    await deleteGuestsOf(region, device);
    assert.equal(await hasGuest(region, device, other), false);
  },

  "a device knows a visitor until the latest time that was said, if they exist": async ({
    region,
  }) => {
    const [person, device] = [await newAccount(region), newDeviceId()];
    const knows = (at: number) => hasReach(region, device, person, at);
    for (const until of [NOW + 10, NOW + 30, NOW + 20]) {
      await insertReach(region, device, person, until);
    }
    assert.deepEqual(
      [await knows(NOW), await knows(NOW + 29), await knows(NOW + 30)],
      [true, true, false],
    );
    assert.deepEqual(await devicesReached(region, person), [device]);
    assert.deepEqual(await devicesIn(region, "door_reach", person, 9), [device]);
    await shortenReach(region, device, person, NOW + 40);
    assert.equal(await knows(NOW + 29), true);
    await shortenReach(region, device, person, NOW + 5);
    assert.deepEqual([await knows(NOW + 4), await knows(NOW + 5)], [true, false]);
    await deleteReach(region, device, person);
    assert.equal(await knows(NOW), false);
    await insertReach(region, device, person, NOW + 10);
    await deleteGuestsOf(region, device);
    assert.equal(await knows(NOW), false);
    const nobody = newId("acc", "home", systemRandom.bytes);
    await insertReach(region, device, nobody, NOW + 10);
    assert.equal(await hasReach(region, device, nobody, NOW), false);
  },

  "a person is known to the own devices and to those that let one in, each once": async ({
    region,
  }) => {
    const [person, friend] = [await newAccount(region), await newAccount(region)];
    const own = await newDevice(region, person, NOW);
    const [theirs, strange] = [newDeviceId(), newDeviceId()];
    await insertGuest(region, theirs, person);
    await insertGuest(region, own, person);
    await insertGuest(region, strange, friend);
    assert.deepEqual((await devicesReached(region, person)).sort(), [own, theirs].sort());
    assert.deepEqual(await devicesReached(region, newId("acc", "home", systemRandom.bytes)), []);
  },
};
