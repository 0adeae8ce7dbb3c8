/** Data map of db/schema/region/openid-device.ts. */

import type * as schema from "../../schema/region/openid-device.ts";
import { id, keyedHash, secret, state, time } from "../columns.ts";
import type { MapOf } from "../types.ts";

export const openidDeviceTables = {
  oauth_device_code: {
    class: "app device code",
    key: "code_hash",
    erase: { keep: "no person is known before somebody answers" },
    expires: "expires_at",
    columns: {
      code_hash: secret,
      user_code_hash: keyedHash,
      client_id: id,
      scope: state,
      polled_at: time,
      interval_ms: state,
      denied_at: time,
      expires_at: time,
    },
  },
} as const satisfies MapOf<typeof schema>;
