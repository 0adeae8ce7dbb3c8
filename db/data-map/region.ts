/** Data map of a region's database (db/schema/region.ts): every table, every column. */

import type * as schema from "../schema/region.ts";
import type { MapOf } from "./types.ts";

const id = { kind: "id" } as const;
const sealed = { kind: "sealed" } as const;
const secret = { kind: "secret hash" } as const;
const time = { kind: "time" } as const;
const state = { kind: "state" } as const;

export const regionMap = {
  account: {
    class: "account",
    key: "id",
    since: "created_at",
    erase: { by: "id" },
    columns: { id, created_at: time },
  },
  identifier: {
    class: "profile",
    key: "id",
    since: "verified_at",
    erase: { by: "account_id" },
    columns: { id, account_id: id, kind: state, address_sealed: sealed, verified_at: time },
  },
  password: {
    class: "credential",
    key: "account_id",
    since: "changed_at",
    erase: { by: "account_id" },
    columns: { account_id: id, phc_sealed: sealed, changed_at: time },
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
      client_sealed: sealed,
      created_at: time,
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
      contact_sealed: sealed,
      phc_sealed: sealed,
      expires_at: time,
    },
  },
  device: {
    class: "device",
    key: "id",
    since: "created_at",
    erase: { by: "account_id" },
    columns: { id, account_id: id, created_at: time, ends_at: time },
  },
  device_guest: {
    class: "access",
    key: "id",
    erase: { by: "account_id" },
    columns: { id, account_id: id, device_id: id },
  },
  enrolment: {
    class: "enrolment",
    key: "device_code_hash",
    erase: { keep: "no person is known before the owner approves" },
    expires: "expires_at",
    columns: {
      device_code_hash: secret,
      user_code_hash: { kind: "keyed hash" },
      public_key: { kind: "public key" },
      polled_at: time,
      interval_ms: state,
      expires_at: time,
    },
  },
  enrolment_grant: {
    class: "enrolment",
    key: "device_code_hash",
    erase: { by: "account_id" },
    expires: "expires_at",
    columns: { device_code_hash: secret, account_id: id, device_id: id, expires_at: time },
  },
  sweep: {
    class: "operations",
    key: "name",
    erase: { keep: "names a kind of data and counts rows" },
    columns: { name: state, lease_until: time, ran_at: time, deleted: state },
  },
} as const satisfies MapOf<typeof schema>;
