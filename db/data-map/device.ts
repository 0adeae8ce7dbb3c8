/**
 * Data map of a device's object (durable-objects/device/migrations.ts). The object is dropped whole
 * when its device is unregistered, so what the registration needs may stand in clear; what belongs
 * to a feature that can be switched off alone is sealed under that feature's key.
 */

import type { ColumnRule, Feature } from "./types.ts";

interface ObjectTableRule {
  readonly class: string;
  /** Deleted when this feature is switched off. */
  readonly feature: Feature;
  readonly columns: Readonly<Record<string, ColumnRule>>;
  readonly expires?: string;
}

const id = { kind: "id" } as const;
const time = { kind: "time" } as const;
const state = { kind: "state" } as const;
const secret = { kind: "secret hash" } as const;

export const deviceMap = {
  migration: { class: "operations", feature: "device", columns: { step: state } },
  registration: {
    class: "device",
    feature: "device",
    columns: {
      device_id: id,
      account_id: id,
      public_key: { kind: "public key" },
      label: { kind: "personal" },
      access_mode: { kind: "state", class: "access" },
      created_at: time,
    },
  },
  feature: { class: "device", feature: "device", columns: { name: state, since: time } },
  guest: { class: "access", feature: "device", columns: { account_id: id } },
  connection: {
    class: "connection record",
    feature: "device",
    expires: "expires_at",
    columns: { row: state, record_sealed: { kind: "sealed" }, expires_at: time },
  },
  name_record: {
    class: "name record",
    feature: "name",
    columns: {
      row: state,
      addresses_sealed: { kind: "sealed" },
      update_secret_hash: secret,
      changed_at: time,
    },
  },
  door_code: {
    class: "door visit",
    feature: "link",
    expires: "expires_at",
    columns: { code_hash: secret, nonce_hash: secret, account_id: id, expires_at: time },
  },
  door_session: {
    class: "door visit",
    feature: "link",
    expires: "expires_at",
    columns: { token_hash: secret, account_id: id, expires_at: time },
  },
} as const satisfies Record<string, ObjectTableRule>;
