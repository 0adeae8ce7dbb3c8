/** Data map of db/schema/region/openid.ts. */

import type * as schema from "../../schema/region/openid.ts";
import { id, keyedHash, sealed, secret, state, time } from "../columns.ts";
import type { MapOf } from "../types.ts";

export const openidTables = {
  oauth_grant: {
    class: "allowed app",
    key: "id",
    since: "created_at",
    erase: { by: "account_id" },
    columns: {
      id,
      slot_hash: keyedHash,
      account_id: id,
      client_id: id,
      scope: state,
      app_sealed: sealed("oauth_grant.app", "id"),
      created_at: time,
      used_day: time,
    },
  },
  oauth_code: {
    class: "app code",
    key: "code_hash",
    erase: { by: "account_id" },
    expires: "expires_at",
    columns: {
      code_hash: secret,
      account_id: id,
      grant_id: id,
      client_id: id,
      chain: id,
      request_sealed: sealed("oauth_code.request", "code_hash", { shows: [] }),
      expires_at: time,
    },
  },
  oauth_token: {
    class: "app token",
    key: "token_hash",
    since: "created_at",
    erase: { by: "account_id" },
    expires: "expires_at",
    columns: {
      token_hash: secret,
      kind: state,
      account_id: id,
      grant_id: id,
      client_id: id,
      chain: id,
      turn: state,
      scope: state,
      methods: state,
      auth_at: time,
      began_at: time,
      created_at: time,
      expires_at: time,
    },
  },
} as const satisfies MapOf<typeof schema>;
