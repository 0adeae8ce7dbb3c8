/** The directory: contacts and labels are unique, held after release, and never in clear. */

import assert from "node:assert/strict";
import { labelsOf } from "../../../db/queries/retention.ts";
import { systemRandom } from "../../../durable-objects/system.ts";
import { newId, randomBase62 } from "../../../protocol/ids.ts";
import { limits } from "../../../protocol/limits.ts";
import type { Cases } from "./cases.ts";

const newDevice = () => newId("dev", "home", systemRandom.bytes);
const newLabel = () => randomBase62(20, systemRandom.bytes).toLowerCase();

export const directoryCases: Cases = {
  "one of many who claim a label at once gets it": async ({ directory }) => {
    const label = newLabel();
    const claimed = await Promise.all(
      Array.from({ length: 8 }, () => directory.claimLabel(label, newDevice())),
    );
    assert.equal(claimed.filter(Boolean).length, 1);
  },

  "a label is claimed again by its own device only": async ({ directory, names }) => {
    const [label, mine, other] = [newLabel(), newDevice(), newDevice()];
    assert.equal(await directory.claimLabel(label, mine), true);
    assert.equal(await directory.claimLabel(label, other), false);
    assert.equal(await directory.claimLabel(label, mine), true);
    assert.equal(await names.deviceOfLabel(label), mine);
    assert.deepEqual(
      [await labelsOf(directory.db, mine), await labelsOf(directory.db, other)],
      [1, 0],
    );
  },

  "a freed label is held, then free": async ({ directory, names, clock }) => {
    const [label, first, second] = [newLabel(), newDevice(), newDevice()];
    await directory.claimLabel(label, first);
    assert.equal(await directory.isLabelFree(label), false);
    await directory.holdLabelsOf(first);
    assert.equal(await names.deviceOfLabel(label), null);
    clock.time += limits.heldLabelMs - 1;
    assert.equal(await directory.isLabelFree(label), false);
    assert.equal(await directory.claimLabel(label, second), false);
    clock.time += 1;
    assert.equal(await directory.isLabelFree(label), true);
    assert.equal(await directory.claimLabel(label, second), true);
  },

  "a label that was claimed in vain is as it was: free, or held as long as before": async ({
    directory,
    clock,
  }) => {
    const [label, first, second] = [newLabel(), newDevice(), newDevice()];
    const [ada, ben] = [1, 2].map(() => newId("acc", "home", systemRandom.bytes));
    assert(ada !== undefined && ben !== undefined);
    assert.equal(await directory.heldUntil(label, ada), null);
    await directory.claimLabel(label, first, ada);
    await directory.releaseLabelsOf(first, ada, null);
    assert.equal(await directory.isLabelFree(label), true);
    await directory.claimLabel(label, first, ada);
    await directory.releaseLabel(label, first, ada);
    const until = clock.time + limits.heldLabelMs;
    assert.deepEqual(
      [await directory.heldUntil(label, ada), await directory.heldUntil(label, ben)],
      [until, null],
    );
    clock.time += 1;
    await directory.claimLabel(label, second, ada);
    assert.equal(await directory.heldUntil(label, ada), null);
    await directory.releaseLabelsOf(second, ada, until);
    assert.equal(await directory.heldUntil(label, ada), until);
    assert.equal(await directory.claimLabel(label, first, ben), false);
    clock.time = until;
    assert.equal(await directory.heldUntil(label, ada), null);
    assert.equal(await directory.claimLabel(label, first, ben), true);
  },

  "one of many who claim a contact at once gets it": async ({ directory }) => {
    const hash = await directory.contactHash(`${newLabel()}@example.test`);
    const accounts = Array.from({ length: 8 }, () => newId("acc", "home", systemRandom.bytes));
    const claimed = await Promise.all(accounts.map((id) => directory.claimContact(hash, id)));
    const winner = accounts[claimed.indexOf(true)];
    assert.equal(claimed.filter(Boolean).length, 1);
    assert.equal(await directory.accountOfContact(hash), winner);
  },

  "the contacts of an account are its own, and none once they are given back": async ({
    directory,
  }) => {
    const [accountId, other] = [1, 2].map(() => newId("acc", "home", systemRandom.bytes));
    const names = [newLabel(), newLabel(), newLabel()].map((label) => `${label}@example.test`);
    const hashes = await Promise.all(names.map((name) => directory.contactHash(name)));
    for (const [at, hash] of hashes.entries()) {
      await directory.claimContact(hash, (at === 2 ? other : accountId) as string);
    }
    const own = await directory.contactHashesOf(accountId as string);
    assert.deepEqual(own.sort(), hashes.slice(0, 2).sort());
    await directory.releaseContacts(accountId as string);
    assert.deepEqual(await directory.contactHashesOf(accountId as string), []);
  },

  "an unknown contact and an unknown label are nobody's": async ({ directory, names }) => {
    assert.equal(await directory.accountOfContact(await directory.contactHash("no@x.test")), null);
    assert.equal(await names.deviceOfLabel(newLabel()), null);
    assert.equal(await directory.isLabelFree(newLabel()), true);
  },
};
