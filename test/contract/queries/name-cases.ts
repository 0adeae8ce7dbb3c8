/** Names that are renamed, given up, moved and taken back: one statement says whose a name is. */

import assert from "node:assert/strict";
import {
  dueLooks,
  endNaming,
  markNaming,
  namingDevices,
  namingSince,
  noteLook,
  scheduleDomains,
  scheduleTokens,
} from "../../../db/queries/device-names.ts";
import {
  deleteOffersBetween,
  deleteOffersOf,
  insertOffer,
  offersFrom,
  offersTo,
  takeOffer,
  withdrawOffer,
} from "../../../db/queries/name-offers.ts";
import { device } from "../../../db/schema/region.ts";
import { systemRandom } from "../../../durable-objects/system.ts";
import { newId, randomBase62 } from "../../../protocol/ids.ts";
import { limits } from "../../../protocol/limits.ts";
import type { Cases } from "./cases.ts";

const newDevice = () => newId("dev", "home", systemRandom.bytes);
const newAccount = () => newId("acc", "home", systemRandom.bytes);
const newLabel = () => randomBase62(20, systemRandom.bytes).toLowerCase();

export const nameCases: Cases = {
  "a rename takes both names or none, and one of many gets the new one": async ({
    directory,
    names,
  }) => {
    const to = newLabel();
    const all = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const one = { label: newLabel(), device: newDevice(), account: newAccount() };
        await directory.claimLabel(one.label, one.device);
        return one;
      }),
    );
    const won = await Promise.all(
      all.map(({ label, device, account }) => directory.renameLabel(label, to, device, account)),
    );
    assert.equal(won.filter(Boolean).length, 1);
    for (const [at, { label, device }] of all.entries()) {
      assert.equal(await names.deviceOfLabel(label), won[at] ? null : device);
      if (won[at]) assert.equal(await names.deviceOfLabel(to), device);
    }
  },

  "a rename of a name that is another device's changes nothing": async ({ directory, names }) => {
    const [from, to, mine, other] = [newLabel(), newLabel(), newDevice(), newDevice()];
    await directory.claimLabel(from, other);
    assert.equal(await directory.renameLabel(from, to, mine, newAccount()), false);
    assert.deepEqual(
      [await names.deviceOfLabel(from), await names.deviceOfLabel(to)],
      [other, null],
    );
  },

  "[CON-6] a name that was given up is held from all but who gave it up": async ({
    directory,
    clock,
  }) => {
    const [label, ada, ben] = [newLabel(), newAccount(), newAccount()];
    const [first, second] = [newDevice(), newDevice()];
    await directory.claimLabel(label, first, ada);
    await directory.releaseLabel(label, second, ben);
    assert.equal(await directory.isLabelFree(label, ben), false);
    await directory.releaseLabel(label, first, ada);
    assert.deepEqual([await directory.heldLabels(ada), await directory.heldLabels(ben)], [1, 0]);
    clock.time += limits.heldLabelMs - 1;
    assert.equal(await directory.claimLabel(label, second, ben), false);
    assert.equal(await directory.claimLabel(label, second), false);
    assert.equal(await directory.isLabelFree(label, ada), true);
    assert.equal(await directory.claimLabel(label, second, ada), true);
    assert.equal(await directory.heldLabels(ada), 0);
    await directory.releaseLabel(label, second, ada);
    await directory.forgetHolder(ada);
    assert.equal(await directory.claimLabel(label, second, ada), false);
    clock.time += limits.heldLabelMs;
    assert.equal(await directory.claimLabel(label, second, ben), true);
  },

  "a name moves from the device that has it, once": async ({ directory, names }) => {
    const [label, from] = [newLabel(), newDevice()];
    const takers = Array.from({ length: 5 }, newDevice);
    await directory.claimLabel(label, from);
    const moved = await Promise.all(takers.map((to) => directory.moveLabel(label, from, to)));
    assert.equal(moved.filter(Boolean).length, 1);
    const to = takers[moved.indexOf(true)] ?? "";
    assert.equal(await names.deviceOfLabel(label), to);
    const stranger = newLabel();
    assert.deepEqual(await directory.ownLabels([stranger, label], to), [label]);
    assert.deepEqual(await directory.ownLabels([stranger, label], from), []);
    await directory.holdOtherLabels(to, async () => [label]);
    assert.equal(await names.deviceOfLabel(label), to);
    await directory.holdOtherLabels(to, async () => null);
    assert.equal(await names.deviceOfLabel(label), to);
    await directory.holdOtherLabels(to, async () => [stranger]);
    assert.equal(await names.deviceOfLabel(label), null);
    assert.equal(await directory.isLabelFree(label), false);
  },

  "what two people offer each other ends, and nothing that others offer": async ({ region }) => {
    const [ada, ben, cleo] = [newAccount(), newAccount(), newAccount()];
    const offered = async (accountId: string, fromId: string) => {
      const row = { id: newLabel(), accountId, fromId, deviceId: newDevice(), expiresAt: 10 };
      await insertOffer(region, { ...row, labelSealed: "sealed" });
    };
    for (const [to, from] of [
      [ada, ben],
      [ben, ada],
      [ada, cleo],
      [cleo, ben],
    ] as const)
      await offered(to, from);
    await deleteOffersBetween(region, ada, ben);
    const left = await Promise.all([ada, ben, cleo].map((one) => offersTo(region, one, 9)));
    assert.deepEqual(
      left.flat().map(({ fromId }) => fromId),
      [cleo, ben],
    );
  },

  "an offer is taken, declined or withdrawn by one, and over at its end": async ({ region }) => {
    const [ada, ben] = [newAccount(), newAccount()];
    const offered = async (expiresAt = 10) => {
      const row = { id: newLabel(), accountId: ben, fromId: ada, deviceId: newDevice(), expiresAt };
      const whole = { ...row, labelSealed: "sealed" };
      await insertOffer(region, whole);
      return whole;
    };
    const row = await offered();
    await insertOffer(region, { ...row, accountId: ada });
    assert.deepEqual([await offersTo(region, ben, 9), await offersTo(region, ada, 9)], [[row], []]);
    assert.deepEqual(
      [await offersFrom(region, ada, 9), await offersFrom(region, ada, 10)],
      [[row], []],
    );
    assert.deepEqual(await offersTo(region, ben, 10), []);
    assert.equal(await takeOffer(region, row.id, ada, 9), null);
    assert.equal(await takeOffer(region, row.id, ben, 10), null);
    const taken = await Promise.all([1, 2, 3].map(() => takeOffer(region, row.id, ben, 9)));
    assert.deepEqual(
      taken.filter((one) => one !== null),
      [row],
    );
    const next = await offered();
    assert.equal(await withdrawOffer(region, next.id, ben), false);
    assert.equal(await withdrawOffer(region, next.id, ada), true);
    assert.equal(await withdrawOffer(region, next.id, ada), false);
    const last = await offered();
    await deleteOffersOf(region, newDevice());
    assert.deepEqual(await offersTo(region, ben, 9), [last]);
    await deleteOffersOf(region, last.deviceId);
    assert.deepEqual(await offersTo(region, ben, 9), []);
  },

  "a change of names is noted until it is over, and a newer one stays noted": async ({
    region,
  }) => {
    const id = newDevice();
    await region.insert(device).values({ id, accountId: newAccount(), createdAt: 1, endsAt: null });
    const noted = async (until: number) =>
      (await namingDevices(region, until, 1000)).filter((one) => one.id === id);
    await markNaming(region, id, 5);
    assert.deepEqual(await noted(4), []);
    assert.deepEqual(await noted(5), [{ id, since: 5 }]);
    await markNaming(region, id, 6);
    await endNaming(region, id, 5);
    assert.deepEqual(await noted(9), [{ id, since: 6 }]);
    // Two in the same millisecond are two: neither is over with the other.
    assert.deepEqual(await markNaming(region, id, 6), { since: 7, before: 6 });
    await endNaming(region, id, 6);
    assert.equal(await namingSince(region, id), 7);
    // The same change again is the same note, and a later one.
    assert.deepEqual(await markNaming(region, id, 7, 7), { since: 7, before: 7 });
    assert.deepEqual(await markNaming(region, id, 6, 5), { since: 8, before: 7 });
    await endNaming(region, id, 8);
    assert.deepEqual(await markNaming(region, id, 7), { since: 7, before: null });
    await endNaming(region, id, 7);
    assert.deepEqual(await noted(9), []);
    assert.equal(await namingSince(region, id), null);
    assert.deepEqual(await markNaming(region, id, 5), { since: 5, before: null });
  },

  "own domains are looked at when they are due, and what was scheduled meanwhile stays": async ({
    region,
  }) => {
    const [id, later] = [newDevice(), newDevice()];
    for (const one of [id, later]) {
      const row = { id: one, accountId: newAccount(), createdAt: 1, endsAt: null };
      await region.insert(device).values(row);
    }
    const due = async (now: number, limit = 1000) =>
      (await dueLooks(region, "domainsAt", now, limit)).filter(
        (one) => one.id === id || one.id === later,
      );
    assert.deepEqual(await due(9), [], "nothing is due where nothing was scheduled");
    await scheduleDomains(region, later, -7);
    await scheduleDomains(region, id, -8);
    assert.deepEqual(await due(-9), []);
    assert.deepEqual(await due(-8), [{ id, at: -8 }]);
    assert.deepEqual(await due(9), [
      { id, at: -8 },
      { id: later, at: -7 },
    ]);
    assert.deepEqual(await due(9, 1), [{ id, at: -8 }]);
    await scheduleDomains(region, id, 5);
    await noteLook(region, "domainsAt", id, -8, 20);
    assert.deepEqual(await due(9), [
      { id: later, at: -7 },
      { id, at: 5 },
    ]);
    await noteLook(region, "domainsAt", id, 5, 20);
    await noteLook(region, "domainsAt", later, -7, null);
    assert.deepEqual(await due(19), []);
    await scheduleDomains(region, id, null);
    assert.deepEqual(await due(99), []);
  },

  "passwords are looked through when the first of them is due": async ({ region }) => {
    const id = newDevice();
    await region.insert(device).values({ id, accountId: newAccount(), createdAt: 1, endsAt: null });
    const due = async (now: number) =>
      (await dueLooks(region, "tokensAt", now, 1000)).filter((one) => one.id === id);
    assert.deepEqual(await due(9), []);
    await scheduleTokens(region, id, -5);
    await scheduleTokens(region, id, -3);
    assert.deepEqual(await due(-7), []);
    assert.deepEqual(await due(9), [{ id, at: -6 }]);
    await scheduleTokens(region, id, -8);
    // What was due a moment ago was looked at; this one is another, also where it is to be no sooner.
    await noteLook(region, "tokensAt", id, -6, null);
    assert.deepEqual(await due(9), [{ id, at: -8 }]);
    await scheduleTokens(region, id, -3);
    await noteLook(region, "tokensAt", id, -8, null);
    assert.deepEqual(await due(9), [{ id, at: -9 }]);
    await noteLook(region, "tokensAt", id, -9, 20);
    assert.deepEqual(await due(19), []);
    assert.deepEqual(await due(20), [{ id, at: 20 }]);
    assert.deepEqual(
      (await dueLooks(region, "domainsAt", 20, 1000)).filter((one) => one.id === id),
      [],
    );
    await noteLook(region, "tokensAt", id, 20, null);
  },
};
