/** Data map of the global directory (db/schema/directory.ts). */

import type * as schema from "../schema/directory.ts";
import { id, sealed, state, time } from "./columns.ts";
import type { MapOf } from "./types.ts";

export const directoryMap = {
  contact: {
    class: "directory entry",
    key: "hash",
    erase: { by: "account_id" },
    columns: { hash: { kind: "keyed hash" }, account_id: { kind: "id" } },
  },
  linked: {
    class: "directory entry",
    key: "hash",
    erase: { by: "account_id" },
    columns: {
      hash: { kind: "keyed hash" },
      account_id: { kind: "id" },
      identity_id: { kind: "id" },
    },
  },
  label: {
    class: "held name",
    key: "hash",
    erase: { via: "device" },
    expires: "held_until",
    columns: {
      hash: { kind: "keyed hash" },
      device_id: { kind: "id", class: "directory entry" },
      held_until: { kind: "time" },
    },
  },
  signing_key: {
    class: "signing key",
    key: "slot",
    since: "created_at",
    erase: { keep: "a key of the service; it belongs to nobody" },
    expires: "expires_at",
    columns: {
      slot: state,
      alg: state,
      kid: id,
      public_jwk: { kind: "public key" },
      private_sealed: sealed("signing_key.private", "slot", { shows: [] }),
      created_at: time,
      starts_at: time,
      expires_at: time,
    },
  },
} as const satisfies MapOf<typeof schema>;
