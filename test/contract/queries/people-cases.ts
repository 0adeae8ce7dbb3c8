/** Queries of profiles and contacts: each keeps to its own row, its state and its time. */

import assert from "node:assert/strict";
import { eq } from "drizzle-orm";
import { regionMap } from "../../../db/data-map/region.ts";
import {
  changeEdge,
  deleteEdge,
  edgeState,
  edgesOf,
  edgesTo,
  putAsk,
  putBlock,
  receiveAsk,
  settleAsk,
} from "../../../db/queries/contacts.ts";
import {
  deleteFields,
  fieldsOf,
  fieldsOfMany,
  fieldsSeen,
  putField,
  setVisibility,
} from "../../../db/queries/profiles.ts";
import { mentioningTables } from "../../../db/queries/retention.ts";
import { account, contactEdge } from "../../../db/schema/region.ts";
import { systemRandom } from "../../../durable-objects/system.ts";
import { newId } from "../../../protocol/ids.ts";
import type { Db } from "../../../workers/ports.ts";
import type { Cases } from "./cases.ts";

const NOW = 1_800_000_000_000;
const times = { now: NOW, expiresAt: NOW + 100 };

async function newAccount(db: Db): Promise<string> {
  const id = newId("acc", "home", systemRandom.bytes);
  await db.insert(account).values({ id, createdAt: NOW, activeDay: NOW });
  return id;
}

const nobody = () => newId("acc", "home", systemRandom.bytes);
const fieldOf = (accountId: string, valueSealed: string) => ({
  id: `${accountId}/name`,
  accountId,
  field: "name" as const,
  valueSealed,
  fallback: "contacts" as const,
});

export const peopleCases: Cases = {
  "a field keeps its visibility until it is changed or cleared, and needs an account": async ({
    region,
  }) => {
    const [me, other] = [await newAccount(region), await newAccount(region)];
    const seen = async () => (await fieldsOf(region, me)).map((row) => row.visibility);
    assert.equal(await putField(region, { ...fieldOf(me, "s1.a"), visibility: null }, NOW), true);
    assert.deepEqual(await seen(), ["contacts"]);
    assert.equal(await setVisibility(region, `${me}/name`, "everyone", NOW + 1), true);
    await putField(region, { ...fieldOf(me, "s1.b"), visibility: null }, NOW + 2);
    assert.deepEqual(await seen(), ["everyone"]);
    await putField(region, { ...fieldOf(me, "s1.c"), visibility: "nobody" }, NOW + 3);
    const [row] = await fieldsOf(region, me);
    assert.deepEqual(
      [row?.valueSealed, row?.visibility, row?.changedAt],
      ["s1.c", "nobody", NOW + 3],
    );
    assert.equal(await setVisibility(region, `${other}/name`, "nobody", NOW), false);
    assert.equal(
      await putField(region, { ...fieldOf(nobody(), "s1.a"), visibility: null }, NOW),
      false,
    );
    assert.equal((await fieldsOfMany(region, [me, other])).length, 1);
    assert.deepEqual(await fieldsOfMany(region, []), []);
    assert.deepEqual(await deleteFields(region, me, ["name", "about"]), ["name"]);
    assert.deepEqual(await deleteFields(region, me, ["name"]), []);
  },

  "a profile is read with how its owner stands to who looks": async ({ region }) => {
    const [me, viewer] = [await newAccount(region), await newAccount(region)];
    await putField(region, { ...fieldOf(me, "s1.a"), visibility: null }, NOW);
    assert.equal((await fieldsSeen(region, me, viewer, NOW)).toViewer, null);
    await receiveAsk(region, { me, other: viewer }, times, 5);
    const { fields, toViewer } = await fieldsSeen(region, me, viewer, NOW + 99);
    assert.deepEqual([fields.length, toViewer], [1, "asking"]);
    assert.equal((await fieldsSeen(region, me, viewer, NOW + 100)).toViewer, null);
    assert.equal((await fieldsSeen(region, me, "", NOW)).toViewer, null);
  },

  "[ACC-9] an ask leads to what the row allows, and to nothing for who is nobody": async ({
    region,
  }) => {
    const [me, other] = [await newAccount(region), nobody()];
    const side = { me, other };
    assert.equal(await putAsk(region, { me: nobody(), other }, times, 5), null);
    assert.equal(await putAsk(region, side, times, 0), null);
    assert.equal(await putAsk(region, side, times, 1), "asked");
    assert.equal(await putAsk(region, side, { now: NOW + 1, expiresAt: NOW + 200 }, 1), "asked");
    assert.equal(await edgeState(region, side, NOW + 99), "asked");
    assert.equal(await edgeState(region, side, NOW + 100), null);
    assert.equal(await putAsk(region, side, { now: NOW + 100, expiresAt: NOW + 200 }, 1), "asked");
    assert.equal(await edgeState(region, side, NOW + 199), "asked");
    assert.equal(await putBlock(region, side, NOW + 120, 1), true);
    assert.equal(
      await putAsk(region, side, { now: NOW + 130, expiresAt: NOW + 400 }, 1),
      "blocked",
    );
    assert.equal(await deleteEdge(region, side, ["asked", "contact"]), false);
    assert.equal(await deleteEdge(region, side, ["blocked"]), true);
    assert.equal(await putBlock(region, { me: nobody(), other }, NOW, 5), false);
    assert.equal(await putBlock(region, side, NOW, 0), false);
  },

  "an ask that arrives waits, meets its like, or is not heard": async ({ region }) => {
    const [me, other] = [await newAccount(region), nobody()];
    const side = { me, other };
    assert.equal(await receiveAsk(region, { me: nobody(), other }, times, 5), null);
    assert.equal(await receiveAsk(region, side, times, 0), null);
    assert.equal(await receiveAsk(region, side, times, 1), "asking");
    assert.equal(await receiveAsk(region, { me, other: nobody() }, times, 1), null);
    assert.equal(await changeEdge(region, side, ["asking"], "declined", NOW), true);
    assert.equal(await receiveAsk(region, side, times, 1), "declined");
    // Whoever declined may ask: then the other one's wish and this one meet.
    assert.equal(await putAsk(region, side, times, 5), "asked");
    assert.equal(await receiveAsk(region, side, times, 0), "contact");
    assert.equal(await edgeState(region, side, NOW + 1000), "contact");
    assert.equal(await receiveAsk(region, side, times, 5), "contact");
    await putBlock(region, side, NOW, 5);
    assert.equal(await receiveAsk(region, side, times, 5), "blocked");
    const late = { me, other: nobody() };
    await receiveAsk(region, late, times, 5);
    const next = { now: NOW + 100, expiresAt: NOW + 200 };
    assert.equal(await receiveAsk(region, late, next, 5), "asking");
    assert.equal(await edgeState(region, late, NOW + 199), "asking");
  },

  "an ask is settled by what the other side said, unless it was taken back": async ({ region }) => {
    const [me, other] = [await newAccount(region), nobody()];
    const side = { me, other };
    assert.equal(await settleAsk(region, side, true, times), false);
    await putAsk(region, side, times, 5);
    assert.equal(await settleAsk(region, side, false, { expiresAt: NOW + 500 }), true);
    assert.equal(await edgeState(region, side, NOW + 100), null);
    assert.equal(await settleAsk(region, side, true, times), true);
    assert.equal(await edgeState(region, side, NOW + 1000), "contact");
    assert.equal(await settleAsk(region, side, false, times), true);
    assert.equal(await edgeState(region, side, NOW + 99), "asked");
    assert.equal(await edgeState(region, side, NOW + 100), null);
  },

  "a side changes from the named states only, and not when its time has come": async ({
    region,
  }) => {
    const [me, other] = [await newAccount(region), nobody()];
    const side = { me, other };
    await receiveAsk(region, side, times, 5);
    assert.equal(await changeEdge(region, side, ["asking"], "contact", NOW + 100), false);
    assert.equal(await changeEdge(region, side, ["asked"], "contact", NOW), false);
    const both = await Promise.all(
      [1, 2, 3].map(() => changeEdge(region, side, ["asking"], "contact", NOW)),
    );
    assert.equal(both.filter(Boolean).length, 1);
    assert.equal(await changeEdge(region, side, ["contact"], "contact", NOW + 50), true);
    const [row] = await edgesOf(region, me, NOW + 1000);
    assert.deepEqual(row, {
      accountId: me,
      otherId: other,
      state: "contact",
      since: NOW,
      expiresAt: null,
    });
    assert.deepEqual(await edgesTo(region, other, NOW + 1000), [row]);
    await putAsk(region, { me, other: nobody() }, times, 5);
    assert.equal((await edgesOf(region, me, NOW + 99)).length, 2);
    assert.equal((await edgesOf(region, me, NOW + 100)).length, 1);
  },

  "[ACC-11] rows that mention an account are found by the data map": async ({ region }) => {
    assert.deepEqual(mentioningTables(regionMap), [
      { table: "name_offer", by: "from_id" },
      { table: "contact_edge", by: "other_id" },
    ]);
    const [me, other] = [await newAccount(region), nobody()];
    await putBlock(region, { me, other }, NOW, 5);
    const rows = await region.select().from(contactEdge).where(eq(contactEdge.otherId, other));
    assert.equal(rows.length, 1);
  },
};
