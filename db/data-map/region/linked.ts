/** Data map of db/schema/region/linked.ts. */

import type * as schema from "../../schema/region/linked.ts";
import { id, sealed, time } from "../columns.ts";
import type { MapOf } from "../types.ts";

export const linkedTables = {
  linked_identity: {
    class: "linked account",
    key: "id",
    since: "linked_at",
    erase: { by: "account_id" },
    columns: {
      id,
      account_id: id,
      claims_sealed: sealed("linked_identity.claims", "id", {
        source: "the provider of the account elsewhere",
      }),
      linked_at: time,
      used_day: time,
    },
  },
} as const satisfies MapOf<typeof schema>;
