/**
 * The data map against the device's logic: what the map gives to a feature is gone with the feature,
 * what expires is invisible at its end, swept or not, and gone with the next wake-up.
 */

import { describe, expect, it } from "vitest";
import { deviceMap } from "../../db/data-map/device.ts";
import type { ObjectTableRule } from "../../db/data-map/types.ts";
import { featureNames } from "../../durable-objects/device/rpc.ts";
import { type HeldDevice, heldDevice } from "../support/device.ts";

const tables = Object.entries<ObjectTableRule>(deviceMap);
const count = (held: HeldDevice, table: string) =>
  held.sql.all<{ n: number }>(`SELECT count(*) AS n FROM ${table}`)[0]?.n ?? 0;

/** Puts one row into a table, with a value of its kind in every column. */
function plant(held: HeldDevice, table: string, rule: ObjectTableRule, expiresAt: number): void {
  const columns = Object.entries(rule.columns);
  const values = columns.map(([column, { kind }]) => {
    if (column === rule.expires) return expiresAt;
    if (column === "row") return 1;
    return kind === "time" ? held.clock.now() : "planted";
  });
  const names = columns.map(([column]) => column).join(", ");
  held.sql.run(`DELETE FROM ${table}`);
  held.sql.run(
    `INSERT INTO ${table} (${names}) VALUES (${values.map(() => "?").join(", ")})`,
    ...values,
  );
}

describe("a device's features", () => {
  it.each(featureNames)(
    "[FEA-4] switching %s off empties every table that the map gives to it, and no other",
    async (feature) => {
      const held = await heldDevice();
      for (const each of featureNames) await held.device.setFeature(each, true);
      const later = held.clock.now() + 1_000_000;
      const optional = tables.filter(([, rule]) => rule.feature !== "device");
      for (const [table, rule] of optional) plant(held, table, rule, later);
      await held.device.setFeature(feature, false);
      expect(optional.length).toBeGreaterThan(2);
      for (const [table, rule] of optional) {
        expect(count(held, table), table).toBe(rule.feature === feature ? 0 : 1);
      }
    },
  );

  it("[FEA-4] with all features off nothing is left but the registration and who may come in", async () => {
    const held = await heldDevice();
    for (const feature of featureNames) await held.device.setFeature(feature, true);
    const later = held.clock.now() + 1_000_000;
    for (const [table, rule] of tables) {
      if (rule.expires !== undefined || rule.feature !== "device") plant(held, table, rule, later);
    }
    for (const feature of featureNames) await held.device.setFeature(feature, false);
    const left = tables.filter(([table]) => count(held, table) > 0).map(([table]) => table);
    expect(left).toEqual(["migration", "registration", "door", "door_rule", "publication"]);
    expect([...held.keys.kept.keys()]).toEqual([]);
  });
});

describe("what expires in a device's object", () => {
  const expiring = tables.filter(([, rule]) => rule.expires !== undefined);

  it.each(expiring)(
    "[RET-7] [DLY-3] %s is counted until its end, not after it, and deleted by the next wake-up",
    async (table, rule) => {
      const held = await heldDevice();
      await held.device.setFeature("link", true);
      plant(held, table, rule, held.clock.now() + 1000);
      const shown = async () =>
        (await held.device.holdings()).some((holding) => holding.table === table);
      held.clock.time += 999;
      await held.device.onAlarm();
      expect([await shown(), count(held, table)]).toEqual([true, 1]);
      held.clock.time += 1;
      expect([await shown(), count(held, table)]).toEqual([false, 1]);
      await held.device.onAlarm();
      expect([await shown(), count(held, table)]).toEqual([false, 0]);
    },
  );

  it("is all that expires: twelve tables", () => {
    expect(expiring.map(([table]) => table)).toEqual([
      "share",
      "share_guest",
      "connection",
      "name_event",
      "name_signature",
      "name_change",
      "acme_proof",
      "shortcut",
      "traffic",
      "door_code",
      "door_session",
      "door_opened",
    ]);
  });
});
