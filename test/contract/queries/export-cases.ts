/** Queries of the export: every page of one owner's live rows, and nobody else's. */

import assert from "node:assert/strict";
import { regionMap } from "../../../db/data-map/region.ts";
import { rowsOf } from "../../../db/queries/exports.ts";
import { deviceGuest, session } from "../../../db/schema/region.ts";
import { systemRandom } from "../../../durable-objects/system.ts";
import { newId } from "../../../protocol/ids.ts";
import type { Cases } from "./cases.ts";

const NOW = 1_800_000_000_000;
const newAccountId = () => newId("acc", "home", systemRandom.bytes);

export const exportCases: Cases = {
  "an export reads its owner's rows page by page, in the order of their keys": async ({
    region,
  }) => {
    const [owner, other] = [newAccountId(), newAccountId()];
    for (const accountId of [owner, other]) {
      for (const deviceId of ["dev_c", "dev_a", "dev_b"]) {
        await region
          .insert(deviceGuest)
          .values({ id: `${deviceId}/${accountId}`, accountId, deviceId });
      }
    }
    const page = (after: string | null) =>
      rowsOf(region, "device_guest", regionMap.device_guest, {
        by: "account_id",
        owner,
        after,
        now: NOW,
        limit: 2,
      });
    const first = await page(null);
    assert.deepEqual(first, [
      { id: `dev_a/${owner}`, account_id: owner, device_id: "dev_a" },
      { id: `dev_b/${owner}`, account_id: owner, device_id: "dev_b" },
    ]);
    const second = await page(String(first[1]?.id));
    assert.deepEqual(
      second.map(({ id }) => id),
      [`dev_c/${owner}`],
    );
  },

  "an export reads no row whose time has come": async ({ region }) => {
    const accountId = newAccountId();
    for (const [name, expiresAt] of [
      ["due", NOW],
      ["live", NOW + 1],
    ] as const) {
      await region.insert(session).values({
        tokenHash: `${name}-${accountId}`,
        id: `${name}-${accountId}`,
        accountId,
        clientSealed: "s1.client",
        methods: "password",
        createdAt: 1,
        confirmedAt: 1,
        seenAt: 1,
        expiresAt,
      });
    }
    const of = { by: "account_id", owner: accountId, after: null, now: NOW, limit: 10 };
    const rows = await rowsOf(region, "session", regionMap.session, of);
    assert.deepEqual(
      rows.map(({ id }) => id),
      [`live-${accountId}`],
    );
    assert.deepEqual(Object.keys(rows[0] ?? {}), Object.keys(regionMap.session.columns));
  },
};
