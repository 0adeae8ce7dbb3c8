/** Data map of the global directory (db/schema/directory.ts). */

import type * as schema from "../schema/directory.ts";
import type { MapOf } from "./types.ts";

export const directoryMap = {
  contact: {
    class: "directory entry",
    key: "hash",
    erase: { by: "account_id" },
    columns: { hash: { kind: "keyed hash" }, account_id: { kind: "id" } },
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
} as const satisfies MapOf<typeof schema>;
