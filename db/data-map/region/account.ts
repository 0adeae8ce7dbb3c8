/** Data map of db/schema/region/account.ts. */

import type * as schema from "../../schema/region/account.ts";
import { id, sealed, state, time } from "../columns.ts";
import type { MapOf } from "../types.ts";

export const accountTables = {
  account: {
    class: "account",
    key: "id",
    since: "created_at",
    erase: { by: "id" },
    columns: { id, created_at: time, active_day: time, warnings: state },
  },
  identifier: {
    class: "contact address",
    key: "id",
    since: "verified_at",
    erase: { by: "account_id" },
    columns: {
      id,
      account_id: id,
      kind: state,
      address_sealed: sealed("identifier.address", "id"),
      is_primary: state,
      verified_at: time,
    },
  },
  activity: {
    class: "activity",
    key: "id",
    since: "at",
    erase: { by: "account_id" },
    expires: "expires_at",
    columns: {
      id,
      account_id: id,
      event: state,
      detail_sealed: sealed("activity.detail", "id"),
      at: time,
      expires_at: time,
    },
  },
} as const satisfies MapOf<typeof schema>;
