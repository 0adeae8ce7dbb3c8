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
