/**
 * What the data map says is to be done: which rows erasing an account deletes, which rows expire.
 * Pure. A table that is declared tomorrow is in the plan tomorrow, without a line of code.
 */

import { type DataMap, dataMap } from "../../db/data-map/map.ts";
import type { TableRule } from "../../db/data-map/types.ts";
import { erasedTables, mentioningTables } from "../../db/queries/retention.ts";

interface AccountTable {
  readonly table: string;
  /** The column that names the account. */
  readonly by: string;
}

export interface ErasurePlan {
  /** Deleted first and at once: from then on nothing opens, nobody is signed in (RGT-14). */
  readonly region: readonly AccountTable[];
  readonly directory: readonly AccountTable[];
  /** Deleted in every region: rows of other people that mention the account (ACC-11). */
  readonly mentions: readonly AccountTable[];
  /** Name the objects to reach, so their rows go last. */
  readonly reach: readonly AccountTable[];
}

/** Tables whose rows lead to objects: the account's own devices, and those that let it in. */
const REACHING = ["device", "device_guest", "door_reach"];

/** The plan of erasing an account. */
export function erasurePlan(map: Pick<DataMap, "region" | "directory"> = dataMap): ErasurePlan {
  const region = erasedTables(map.region);
  return {
    region: region.filter(({ table }) => !REACHING.includes(table)),
    directory: erasedTables(map.directory),
    mentions: mentioningTables(map.region),
    reach: region.filter(({ table }) => REACHING.includes(table)),
  };
}

/** One kind of row that expires. */
export interface Lane {
  /** Its name in the table `sweep`. */
  readonly name: string;
  readonly store: "region" | "directory";
  readonly table: string;
  readonly key: string;
  readonly expires: string;
  /** The column of the person whose key goes with the row; null for none. */
  readonly keyOf: string | null;
}

/** Every kind of row that expires in `store`. */
export function lanesOf(
  store: "region" | "directory",
  tables: Readonly<Record<string, TableRule>> = dataMap[store],
): Lane[] {
  return Object.entries(tables).flatMap(([table, { key, expires, keyOf }]) =>
    expires === undefined
      ? []
      : [{ name: `${store}.${table}`, store, table, key, expires, keyOf: keyOf ?? null }],
  );
}
