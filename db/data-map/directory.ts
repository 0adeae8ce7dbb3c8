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
      held_for: { kind: "keyed hash" },
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
  acme_account: {
    class: "authority account",
    key: "server",
    since: "created_at",
    erase: { keep: "an account of the service; it belongs to nobody" },
    columns: {
      server: state,
      url: state,
      key_sealed: sealed("acme_account.key", "server", { shows: [] }),
      created_at: time,
      paused_until: time,
    },
  },
  certificate_order: {
    class: "certificate queue",
    key: "device_id",
    since: "asked_at",
    erase: { via: "device" },
    expires: "expires_at",
    columns: {
      device_id: id,
      slot: id,
      exempt: state,
      asked_at: time,
      due_at: time,
      lease_until: time,
      expires_at: time,
    },
  },
  acme_slot: {
    class: "certificate count",
    key: "id",
    erase: { keep: "a random identifier and a time; it names nobody" },
    expires: "expires_at",
    columns: { id, kind: state, expires_at: time },
  },
  zone_key: {
    class: "zone key",
    key: "slot",
    since: "created_at",
    erase: { keep: "a key of the service; it belongs to nobody" },
    columns: {
      slot: state,
      public_key: { kind: "public key" },
      private_sealed: sealed("zone_key.private", "slot", { shows: [] }),
      created_at: time,
      signs_at: time,
    },
  },
} as const satisfies MapOf<typeof schema>;
