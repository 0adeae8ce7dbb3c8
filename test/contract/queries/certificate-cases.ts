/** The queue of certificates: places taken once, in the order of who asked, and our account kept once. */

import assert from "node:assert/strict";
import type { Db } from "../../../db/db.ts";
import {
  acmeAccountAt,
  deleteOrder,
  dueOrders,
  enqueueOrder,
  giveBackCertificate,
  insertAcmeAccount,
  leaseOrder,
  nextFree,
  pauseAcme,
  placeInQueue,
  releaseOrder,
  takeCertificate,
  takeOrder,
} from "../../../db/queries/certificate-orders.ts";
import {
  deleteRevocation,
  dueRevocations,
  insertRevocation,
  revocationsOf,
  setLeaves,
  takeRevocation,
} from "../../../db/queries/revocations.ts";
import { systemRandom } from "../../../durable-objects/system.ts";
import { newId } from "../../../protocol/ids.ts";
import type { Cases } from "./cases.ts";

let serial = 0;
/** Far ahead, so that what one case leaves has expired for the next. */
const epoch = () => 2_000_000_000_000 + 1_000_000 * serial++;

/** An order in the queue since `askedAt`, until long after. */
async function order(db: Db, askedAt: number, exempt = 0) {
  const deviceId = newId("dev", "home", systemRandom.bytes);
  const row = { deviceId, slot: `slot-${deviceId}`, exempt, askedAt, expiresAt: askedAt + 500_000 };
  await enqueueOrder(db, row);
  return row;
}

export const certificateCases: Cases = {
  "what is to be revoked is tried by one runner, the longest due first, until it is over": async ({
    region,
  }) => {
    const [now, deviceId] = [epoch(), newId("dev", "home", systemRandom.bytes)];
    const row = (dueAt: number, device = deviceId) => ({
      ...{ id: newId("rvk", "home", systemRandom.bytes), deviceId: device, leavesSealed: "a" },
      ...{ tries: 0, dueAt, expiresAt: now + 1000 },
    });
    const other = newId("dev", "home", systemRandom.bytes);
    const [late, soon, another] = [row(now + 5), row(now - 5), row(now, other)];
    for (const one of [late, soon, another]) await insertRevocation(region, one);
    const due = async (at: number, limit = 1000) =>
      (await dueRevocations(region, at, limit))
        .map(({ id }) => id)
        .filter((id) => [late, soon, another].some((one) => one.id === id));
    assert.deepEqual(await due(now), [soon.id, another.id]);
    assert.deepEqual(await due(now + 5), [soon.id, another.id, late.id]);
    const of = async (at: number) =>
      (await revocationsOf(region, deviceId, at)).map(({ id }) => id).sort();
    assert.deepEqual(await of(now), [late.id, soon.id].sort());
    assert.deepEqual([await of(now + 1000), await due(now + 1000)], [[], []]);
    const won = await Promise.all(
      Array.from({ length: 6 }, () => takeRevocation(region, soon, now, now + 100)),
    );
    assert.equal(won.filter(Boolean).length, 1);
    assert.deepEqual(await due(now + 99), [another.id, late.id]);
    assert.equal(await setLeaves(region, soon.id, "b"), true);
    const [taken] = (await dueRevocations(region, now + 100, 1000)).filter(
      ({ id }) => id === soon.id,
    );
    assert.deepEqual([taken?.tries, taken?.leavesSealed], [1, "b"]);
    assert.equal(await takeRevocation(region, { id: late.id, tries: 0 }, now + 1000, now), false);
    for (const { id } of [late, soon, another]) await deleteRevocation(region, id);
    assert.equal(await setLeaves(region, soon.id, "c"), false);
    assert.deepEqual(await due(now + 999), []);
  },

  "an order is leased by one runner, and due again when it is given back": async ({
    directory,
  }) => {
    const { db } = directory;
    const now = epoch();
    const { deviceId } = await order(db, now);
    const all = await Promise.all(
      Array.from({ length: 8 }, (_, at) => leaseOrder(db, deviceId, now, now + 1000 + at)),
    );
    const won = all.filter((row) => row !== null);
    assert.equal(won.length, 1);
    assert.equal(await leaseOrder(db, deviceId, now, now + 5000), null);
    assert.deepEqual(await dueOrders(db, now, 9), []);
    const [lease] = won;
    assert.ok(lease);
    await releaseOrder(db, { deviceId, leaseUntil: 1 }, now); // somebody else's lease
    assert.equal(await leaseOrder(db, deviceId, now, now + 5000), null);
    await releaseOrder(db, lease, now + 100);
    assert.equal(await leaseOrder(db, deviceId, now + 99, now + 5000), null);
    assert.deepEqual(await dueOrders(db, now + 100, 9), [deviceId]);
    await deleteOrder(db, deviceId);
    assert.deepEqual(await dueOrders(db, now + 100, 9), []);
  },

  "an order that is asked for again keeps its turn": async ({ directory }) => {
    const { db } = directory;
    const now = epoch();
    const first = await order(db, now);
    await order(db, now + 1);
    await enqueueOrder(db, { ...first, slot: "another", askedAt: now + 2 });
    assert.equal(await placeInQueue(db, first.deviceId, now + 2), 0);
  },

  "places go to whoever asked first, each once, and never more than there are": async ({
    directory,
  }) => {
    const { db } = directory;
    const now = epoch();
    const [first, second, third] = [
      await order(db, now),
      await order(db, now + 1),
      await order(db, now + 2),
    ];
    const place = { max: 2, now: now + 3, expiresAt: now + 900 };
    assert.equal(await takeCertificate(db, third, place), false);
    assert.equal(await placeInQueue(db, third.deviceId, now + 3), 2);
    const taken = await Promise.all(
      [first, second, third, first, second].map((one) => takeCertificate(db, one, place)),
    );
    assert.equal(taken[0], true);
    for (const one of [first, second]) assert.equal(await takeCertificate(db, one, place), true);
    assert.equal(await takeCertificate(db, third, place), false);
    assert.equal(await placeInQueue(db, first.deviceId, now + 3), null);
    assert.equal(await placeInQueue(db, third.deviceId, now + 3), 0);
    assert.equal(await nextFree(db, "certificate", now + 3), now + 900);
    await giveBackCertificate(db, first.slot);
    await deleteOrder(db, first.deviceId);
    assert.equal(await takeCertificate(db, third, place), true);
    // At their end they count no more.
    const late = await order(db, now + 10);
    assert.equal(await takeCertificate(db, late, { ...place, now: now + 899 }), false);
    const after = { ...place, now: now + 900, expiresAt: now + 2000 };
    assert.equal(await takeCertificate(db, late, after), true);
  },

  "a renewal that no limit counts waits for nobody and nobody for it": async ({ directory }) => {
    const { db } = directory;
    const now = epoch();
    const renewal = await order(db, now, 1);
    const other = await order(db, now + 1);
    assert.equal(await placeInQueue(db, renewal.deviceId, now + 2), null);
    assert.equal(await placeInQueue(db, other.deviceId, now + 2), 0);
  },

  "orders at the authority are counted, and never more than it takes": async ({ directory }) => {
    const { db } = directory;
    const now = epoch();
    const one = { max: 3, now, expiresAt: now + 900 };
    const taken = await Promise.all(
      Array.from({ length: 9 }, (_, at) => takeOrder(db, `order-${now}-${at}`, one)),
    );
    assert.equal(taken.filter(Boolean).length, 3);
    assert.equal(await nextFree(db, "order", now), now + 900);
    assert.equal(await nextFree(db, "order", now + 900), null);
  },

  "our account at an authority is kept once, and its pause only grows": async ({ directory }) => {
    const { db } = directory;
    const server = `https://ca${epoch()}.example/directory`;
    assert.equal(await acmeAccountAt(db, server), null);
    const row = {
      server,
      url: "https://ca.example/1",
      keySealed: "s1.k",
      createdAt: 1,
      pausedUntil: 0,
    };
    await insertAcmeAccount(db, row);
    await insertAcmeAccount(db, { ...row, url: "https://ca.example/2" });
    assert.deepEqual(await acmeAccountAt(db, server), row);
    await pauseAcme(db, server, 20);
    await pauseAcme(db, server, 10);
    assert.equal((await acmeAccountAt(db, server))?.pausedUntil, 20);
  },
};
