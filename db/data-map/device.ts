/**
 * Data map of a device's object (durable-objects/device/migrations.ts). The object is dropped whole
 * when its device is unregistered, so what the registration needs may stand in clear; what belongs
 * to a feature that can be switched off alone is sealed under that feature's key.
 */

import type { ClassName } from "./classes.ts";
import type { ObjectTableRule } from "./types.ts";

const id = { kind: "id" } as const;
const time = { kind: "time" } as const;
const state = { kind: "state" } as const;
const secret = { kind: "secret hash" } as const;

export const deviceMap = {
  migration: { class: "operations", feature: "device", columns: { step: state } },
  registration: {
    class: "device",
    feature: "device",
    since: "created_at",
    columns: {
      device_id: id,
      account_id: id,
      public_key: { kind: "public key" },
      label: { kind: "personal" },
      label_since: time,
      created_at: time,
    },
  },
  name_other: {
    class: "device",
    feature: "device",
    since: "since",
    columns: {
      label: { kind: "personal" },
      state,
      instead: { kind: "personal" },
      since: time,
    },
  },
  feature: {
    class: "device",
    feature: "device",
    since: "since",
    columns: { name: state, since: time },
  },
  openid_client: {
    class: "device",
    feature: "device",
    columns: { row: state, auth: state, paths: { kind: "personal" } },
  },
  door: {
    class: "access",
    feature: "device",
    columns: {
      row: state,
      identity: state,
      closed_for: { kind: "state", class: "closed door" },
      closed_extent: { kind: "state", class: "closed door" },
      closed_words: { kind: "personal", class: "closed door" },
      closed_at: { kind: "time", class: "closed door" },
    },
  },
  door_rule: {
    class: "access",
    feature: "device",
    columns: { id, service: state, path: { kind: "personal" }, mode: state },
  },
  guest: { class: "access", feature: "device", columns: { rule_id: id, account_id: id } },
  share: {
    class: "share",
    feature: "link",
    since: "created_at",
    expires: "expires_at",
    columns: {
      id,
      audience: state,
      secret_hash: secret,
      what_sealed: {
        kind: "sealed",
        at: "share.what",
        by: "id",
        key: "link",
        shows: ["path", "name"],
      },
      created_at: time,
      expires_at: time,
    },
  },
  share_guest: {
    class: "share",
    feature: "link",
    expires: "expires_at",
    columns: { share_id: id, account_id: id, expires_at: time },
  },
  connection: {
    class: "connection record",
    feature: "device",
    expires: "expires_at",
    columns: {
      row: state,
      record_sealed: { kind: "sealed", at: "connection.record", key: "connection" },
      expires_at: time,
    },
  },
  name_record: {
    class: "name record",
    feature: "name",
    since: "changed_at",
    columns: {
      row: state,
      addresses_sealed: { kind: "sealed", at: "name.addresses", key: "name" },
      changed_at: time,
      reported_day: time,
    },
  },
  name_token: {
    class: "name token",
    feature: "name",
    since: "created_at",
    columns: {
      id,
      secret_hash: secret,
      scopes: state,
      what_sealed: { kind: "sealed", at: "name_token.what", by: "id", key: "name" },
      created_at: time,
      used_day: time,
      ends_at: time,
      flood_hours: state,
      flooded_at: time,
      told_end: time,
    },
  },
  name_event: {
    class: "name history",
    feature: "name",
    since: "at",
    expires: "expires_at",
    columns: {
      id,
      what_sealed: { kind: "sealed", at: "name_event.what", by: "id", key: "name" },
      at: time,
      expires_at: time,
    },
  },
  name_signature: {
    class: "name signatures",
    feature: "name",
    expires: "expires_at",
    columns: {
      row: state,
      signatures_sealed: { kind: "sealed", at: "name.signatures", key: "name", shows: [] },
      expires_at: time,
    },
  },
  name_change: {
    class: "name changes",
    feature: "name",
    expires: "expires_at",
    columns: { family: state, expires_at: time },
  },
  name_signing: {
    class: "signing key of a name",
    feature: "name",
    columns: {
      row: state,
      key_sealed: { kind: "sealed", at: "name_signing.key", key: "name" },
      signed_at: time,
    },
  },
  name_own: {
    class: "records of a name",
    feature: "name",
    columns: {
      row: state,
      records_sealed: { kind: "sealed", at: "name_own.records", key: "name" },
    },
  },
  name_domains: {
    class: "own domains",
    feature: "name",
    columns: {
      row: state,
      record_sealed: {
        kind: "sealed",
        at: "name_domains.record",
        key: "name",
        shows: ["domains"],
      },
    },
  },
  publication: {
    class: "operations",
    feature: "device",
    columns: { row: state, version: state, told: state },
  },
  acme_proof: {
    class: "certificate proof",
    feature: "name",
    expires: "expires_at",
    columns: {
      id,
      rolling: state,
      value_sealed: { kind: "sealed", at: "acme_proof.value", by: "id", key: "name" },
      expires_at: time,
    },
  },
  certificate: {
    class: "certificate",
    feature: "name",
    columns: {
      row: state,
      record_sealed: {
        kind: "sealed",
        at: "certificate.record",
        key: "name",
        shows: ["current", "earlier", "order", "caa"],
      },
      earlier_until: time,
    },
  },
  shortcut: {
    class: "ways at home",
    feature: "lan",
    expires: "expires_at",
    columns: {
      row: state,
      reach_sealed: { kind: "sealed", at: "shortcut.reach", key: "lan" },
      expires_at: time,
    },
  },
  traffic: {
    class: "traffic counts",
    feature: "link",
    expires: "expires_at",
    columns: {
      row: state,
      record_sealed: { kind: "sealed", at: "traffic.record", key: "traffic" },
      expires_at: time,
    },
  },
  door_code: {
    class: "door visit",
    feature: "link",
    expires: "expires_at",
    columns: {
      code_hash: secret,
      nonce_hash: secret,
      account_id: id,
      session_id: id,
      contact: state,
      expires_at: time,
    },
  },
  door_session: {
    class: "door visit",
    feature: "link",
    expires: "expires_at",
    columns: {
      token_hash: secret,
      account_id: id,
      session_id: id,
      contact: state,
      expires_at: time,
    },
  },
  door_opened: {
    class: "door visit",
    feature: "link",
    expires: "expires_at",
    columns: { token_hash: secret, share_id: id, expires_at: time },
  },
} as const satisfies Record<string, ObjectTableRule>;

/**
 * What the in-process host keeps beside the objects (durable-objects/host/alarms.ts). On Cloudflare
 * the platform keeps the same: when an object wants to be woken.
 */
export const hostMap = {
  wake: { class: "device", feature: "device", columns: { device_id: id, at: time } },
} as const satisfies Record<string, ObjectTableRule>;

/**
 * What an object that counts tries keeps (durable-objects/limiter). Its name is a keyed hash of whom
 * it counts; it drops itself whole when the window of its last try ends.
 */
export const limiterMap = {
  try: { class: "guess count", feature: "account", expires: "at", columns: { at: time } },
} as const satisfies Record<string, ObjectTableRule>;

/**
 * What the object of the zone keeps (durable-objects/zone): what each device publishes, sealed under the
 * key of its name, which is destroyed with the name. A name that went leaves a number for a while.
 */
export const zoneMap = {
  zone: {
    class: "operations",
    feature: "name",
    columns: { row: state, epoch: id, seq: state, forgotten: state },
  },
  publisher: {
    class: "operations",
    feature: "name",
    columns: { row: state, seq: state, reading: state },
  },
  zone_name: {
    class: "published name",
    feature: "name",
    expires: "expires_at",
    columns: {
      id: secret,
      device_id: id,
      version: state,
      seq: state,
      name_sealed: { kind: "sealed", at: "zone_name.name", by: "device_id", key: "name" },
      expires_at: { kind: "time", class: "name that went" },
    },
  },
} as const satisfies Record<string, ObjectTableRule>;

/**
 * What a socket carries through hibernation, by the kind of socket: gone when the socket is. It
 * stands in the platform's memory for the socket, on no disk of ours.
 */
export const attachmentMap = {
  agent: {
    class: "connection record",
    fields: [
      "kind",
      "id",
      "epoch",
      "since",
      "address",
      "agent",
      "ipv6",
      "tcp",
      "jti",
      "service",
      "told",
      "leavingSince",
    ],
  },
  watch: { class: "operations", fields: ["kind", "until"] },
  front: { class: "operations", fields: ["kind", "live"] },
  visitor: {
    class: "door visit",
    fields: ["kind", "connection", "stream", "visitor", "network", "over"],
  },
} as const satisfies Record<string, { class: ClassName; fields: readonly string[] }>;
