/** Data map of db/schema/region/reports.ts. */

import type * as schema from "../../schema/region/reports.ts";
import { id, sealed, state, time } from "../columns.ts";
import type { MapOf } from "../types.ts";

export const reportTables = {
  door_report: {
    class: "report",
    key: "id",
    // The reporter has no account: each report has a key of its own, which goes with it.
    keyOf: "id",
    since: "created_at",
    erase: { via: "device" },
    expires: "expires_at",
    columns: {
      id,
      device_id: id,
      about: state,
      told_sealed: sealed("door_report.told", "id"),
      outcome: state,
      created_at: time,
      expires_at: time,
    },
  },
  door_objection: {
    class: "objection",
    key: "device_id",
    since: "created_at",
    erase: { by: "account_id" },
    expires: "expires_at",
    columns: {
      device_id: id,
      account_id: id,
      words_sealed: sealed("door_objection.words", "device_id"),
      created_at: time,
      expires_at: time,
    },
  },
} as const satisfies MapOf<typeof schema>;
