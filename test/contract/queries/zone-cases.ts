/** Queries of the keys that sign the DDNS zone: one winner a slot, the oldest first, old ones go. */

import assert from "node:assert/strict";
import { deleteZoneKeysBefore, insertZoneKey, zoneKeys } from "../../../db/queries/zone-keys.ts";
import type { Cases } from "./cases.ts";

const NOW = 1_800_000_000_000;
const key = (slot: number, publicKey = `${slot}`) => ({
  ...{ slot, publicKey, privateSealed: "s1.k", createdAt: NOW, signsAt: NOW + slot },
});

export const zoneCases: Cases = {
  "a slot of the zone's keys is taken once, and old keys go": async ({ directory }) => {
    const { db } = directory;
    const made = await Promise.all(
      [key(902), key(901), key(901, "other"), key(902)].map((row) => insertZoneKey(db, row)),
    );
    assert.equal(made.filter(Boolean).length, 2);
    const ours = async () => (await zoneKeys(db)).filter(({ slot }) => slot > 900);
    assert.deepEqual(
      (await ours()).map(({ slot, signsAt }) => [slot, signsAt]),
      [
        [901, NOW + 901],
        [902, NOW + 902],
      ],
    );
    assert.ok((await deleteZoneKeysBefore(db, 902)) >= 1);
    assert.deepEqual(
      (await zoneKeys(db)).map(({ slot }) => slot),
      [902],
    );
    assert.ok((await deleteZoneKeysBefore(db, 903)) >= 1);
  },
};
