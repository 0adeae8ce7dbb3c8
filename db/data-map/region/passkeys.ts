/** Data map of db/schema/region/passkeys.ts. */

import type * as schema from "../../schema/region/passkeys.ts";
import { id, sealed, secret, state, time } from "../columns.ts";
import type { MapOf } from "../types.ts";

export const passkeyTables = {
  passkey: {
    class: "passkey",
    key: "id",
    since: "created_at",
    erase: { by: "account_id" },
    columns: {
      id,
      account_id: id,
      credential_hash: secret,
      credential_sealed: sealed("passkey.credential", "id"),
      name_sealed: sealed("passkey.name", "id"),
      counter: state,
      backed_up: state,
      created_at: time,
      used_day: time,
    },
  },
  ceremony: {
    class: "passkey ceremony",
    key: "challenge_hash",
    erase: { by: "account_id" },
    expires: "expires_at",
    columns: { challenge_hash: secret, kind: state, account_id: id, expires_at: time },
  },
} as const satisfies MapOf<typeof schema>;
