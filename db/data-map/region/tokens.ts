/** Data map of db/schema/region/tokens.ts. */

import type * as schema from "../../schema/region/tokens.ts";
import { id, sealed, secret, state, time } from "../columns.ts";
import type { MapOf } from "../types.ts";

export const tokenTables = {
  personal_token: {
    class: "personal token",
    key: "token_hash",
    since: "created_at",
    erase: { by: "account_id" },
    expires: "expires_at",
    columns: {
      token_hash: secret,
      id,
      account_id: id,
      name_sealed: sealed("personal_token.name", "id"),
      scopes: state,
      created_at: time,
      used_day: time,
      expires_at: time,
    },
  },
} as const satisfies MapOf<typeof schema>;
