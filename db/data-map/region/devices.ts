/** Data map of db/schema/region/devices.ts. */

import type * as schema from "../../schema/region/devices.ts";
import { id, keyedHash, sealed, secret, state, time } from "../columns.ts";
import type { MapOf } from "../types.ts";

export const deviceTables = {
  device: {
    class: "device",
    key: "id",
    since: "created_at",
    erase: { by: "account_id" },
    columns: {
      ...{ id, account_id: id, created_at: time },
      ...{ ends_at: time, names_at: time, domains_at: time, tokens_at: time },
    },
  },
  device_guest: {
    class: "access",
    key: "id",
    erase: { by: "account_id" },
    columns: { id, account_id: id, device_id: id },
  },
  door_reach: {
    class: "door reach",
    key: "id",
    expires: "expires_at",
    erase: { by: "account_id" },
    columns: { id, account_id: id, device_id: id, expires_at: time },
  },
  name_offer: {
    class: "name offer",
    key: "id",
    erase: { by: "account_id", mentions: "from_id" },
    expires: "expires_at",
    columns: {
      id: keyedHash,
      account_id: id,
      from_id: id,
      device_id: id,
      label_sealed: sealed("name_offer.label", "id"),
      expires_at: time,
    },
  },
  revocation: {
    class: "revocation under way",
    key: "id",
    // Nobody's any more: each has a key of its own, which goes with it.
    keyOf: "id",
    erase: { soon: "to be revoked, they must outlive the device for a while" },
    expires: "expires_at",
    columns: {
      id,
      device_id: id,
      leaves_sealed: sealed("revocation.leaves", "id", { shows: [] }),
      tries: state,
      due_at: time,
      expires_at: time,
    },
  },
  enrolment: {
    class: "enrolment",
    key: "device_code_hash",
    erase: { keep: "no person is known before the owner approves" },
    expires: "expires_at",
    columns: {
      device_code_hash: secret,
      user_code_hash: keyedHash,
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
} as const satisfies MapOf<typeof schema>;
