/** Data map of db/schema/region/operations.ts. */

import type * as schema from "../../schema/region/operations.ts";
import { state, time } from "../columns.ts";
import type { MapOf } from "../types.ts";

export const operationTables = {
  sweep: {
    class: "operations",
    key: "name",
    erase: { keep: "names a kind of data and counts rows" },
    columns: { name: state, lease_until: time, ran_at: time, deleted: state },
  },
} as const satisfies MapOf<typeof schema>;
