/** What an edge remembers of the zone's keys. */

import { expect, it } from "vitest";
import type { Sealer } from "../../db/seal.ts";
import { type ZoneKeyRow, ZoneKeys } from "../../db/zone-keys.ts";
import { limits } from "../../protocol/limits.ts";
import { base64url } from "../../protocol/tokens.ts";

const first: ZoneKeyRow = {
  slot: 1,
  publicKey: base64url(new Uint8Array(64).fill(7)),
  privateSealed: "",
  createdAt: 0,
  signsAt: 0,
};

it("a zone without a key costs one look in a while, and a key that was made here is seen at once", async () => {
  let [now, reads, rows] = [1_000_000, 0, [] as ZoneKeyRow[]];
  const read = async () => {
    reads++;
    return rows;
  };
  const keys = new ZoneKeys(read, {} as Sealer, { now: () => now });
  for (let question = 0; question < 10; question++) {
    expect(await keys.shown()).toEqual({ all: [], inUse: null });
  }
  expect(reads).toBe(1);
  now += limits.zoneKeyNoneMs;
  await keys.shown();
  expect(reads).toBe(2);
  rows = [first];
  keys.forget();
  expect((await keys.shown()).all).toHaveLength(1);
  expect(reads).toBe(3);
});

it("what is shown is the same object as long as it says the same, also when it was read again", async () => {
  let [now, rows] = [1_000_000, [{ ...first }]];
  const read = async () => rows.map((row) => ({ ...row }));
  const keys = new ZoneKeys(read, {} as Sealer, { now: () => now });
  const shown = await keys.shown();
  now += limits.zoneKeyCacheMs;
  expect(await keys.shown()).toBe(shown);
  const publicKey = base64url(new Uint8Array(64).fill(8));
  rows = [{ ...first }, { ...first, slot: 2, publicKey, signsAt: now + 3 * limits.zoneKeyCacheMs }];
  now += limits.zoneKeyCacheMs;
  const both = await keys.shown();
  expect([both.all.length, both.inUse]).toEqual([2, both.all[0]]);
  now += 2 * limits.zoneKeyCacheMs;
  expect((await keys.shown()).inUse).toBe((await keys.shown()).all[1]);
});
