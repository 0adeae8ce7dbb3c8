/** Data map of db/schema/region/recovery.ts. */

import type * as schema from "../../schema/region/recovery.ts";
import { id, sealed, secret, time } from "../columns.ts";
import type { MapOf } from "../types.ts";

export const recoveryTables = {
  undo: {
    class: "change that can be undone",
    key: "token_hash",
    erase: { by: "account_id" },
    expires: "expires_at",
    columns: {
      token_hash: secret,
      account_id: id,
      payload_sealed: sealed("undo.payload", "token_hash"),
      expires_at: time,
    },
  },
  recovery: {
    class: "recovery that waits",
    key: "account_id",
    since: "started_at",
    erase: { by: "account_id" },
    expires: "expires_at",
    columns: {
      account_id: id,
      stop_hash: secret,
      started_at: time,
      opens_at: time,
      expires_at: time,
    },
  },
} as const satisfies MapOf<typeof schema>;
