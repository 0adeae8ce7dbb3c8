/** Data map of db/schema/region/people.ts. */

import type * as schema from "../../schema/region/people.ts";
import { id, sealed, state, time } from "../columns.ts";
import type { MapOf } from "../types.ts";

export const peopleTables = {
  profile_field: {
    class: "profile",
    key: "id",
    since: "changed_at",
    erase: { by: "account_id" },
    columns: {
      id,
      account_id: id,
      field: state,
      value_sealed: sealed("profile_field.value", "id"),
      visibility: state,
      changed_at: time,
    },
  },
  contact_edge: {
    class: "contact",
    key: "id",
    since: "since",
    erase: { by: "account_id", mentions: "other_id" },
    expires: "expires_at",
    columns: {
      id,
      account_id: id,
      other_id: id,
      state,
      since: time,
      expires_at: { ...time, class: "contact ask" },
    },
  },
} as const satisfies MapOf<typeof schema>;
