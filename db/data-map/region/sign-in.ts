/** Data map of db/schema/region/sign-in.ts. */

import type * as schema from "../../schema/region/sign-in.ts";
import { id, keyedHash, sealed, secret, state, time } from "../columns.ts";
import type { MapOf } from "../types.ts";

export const signInTables = {
  password: {
    class: "credential",
    key: "account_id",
    since: "changed_at",
    erase: { by: "account_id" },
    columns: {
      account_id: id,
      phc_sealed: sealed("password.phc", "account_id", { shows: [] }),
      changed_at: time,
    },
  },
  second_step: {
    class: "second step",
    key: "id",
    since: "created_at",
    erase: { by: "account_id" },
    columns: {
      id,
      account_id: id,
      kind: state,
      secret_sealed: sealed("second_step.secret", "id", { shows: ["identifier"] }),
      last_step: state,
      created_at: time,
      confirmed_at: time,
    },
  },
  recovery_code: {
    class: "second step",
    key: "code_hash",
    since: "created_at",
    erase: { by: "account_id" },
    columns: { code_hash: keyedHash, account_id: id, created_at: time, used_at: time },
  },
  trusted_browser: {
    class: "trusted browser",
    key: "token_hash",
    since: "created_at",
    erase: { by: "account_id" },
    expires: "expires_at",
    columns: {
      token_hash: secret,
      id,
      account_id: id,
      client_sealed: sealed("trusted_browser.client", "id"),
      created_at: time,
      seen_at: time,
      expires_at: time,
    },
  },
  sign_in: {
    class: "sign-in under way",
    key: "token_hash",
    erase: { by: "account_id" },
    expires: "expires_at",
    columns: { token_hash: secret, account_id: id, methods: state, expires_at: time },
  },
  session: {
    class: "session",
    key: "token_hash",
    since: "created_at",
    erase: { by: "account_id" },
    expires: "expires_at",
    columns: {
      token_hash: secret,
      id,
      account_id: id,
      client_sealed: sealed("session.client", "id"),
      methods: state,
      created_at: time,
      confirmed_at: time,
      seen_at: time,
      expires_at: time,
    },
  },
  challenge: {
    class: "challenge",
    key: "token_hash",
    keyOf: "account_id",
    erase: { by: "account_id" },
    expires: "expires_at",
    columns: {
      token_hash: secret,
      account_id: id,
      kind: state,
      payload_sealed: sealed("challenge.payload", "token_hash", { shows: ["kind", "address"] }),
      expires_at: time,
    },
  },
} as const satisfies MapOf<typeof schema>;
