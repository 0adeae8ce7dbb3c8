/** Data map of a region's database (db/schema/region.ts): every table, every column. */

import type * as schema from "../schema/region.ts";
import { accountTables } from "./region/account.ts";
import { deviceTables } from "./region/devices.ts";
import { linkedTables } from "./region/linked.ts";
import { openidTables } from "./region/openid.ts";
import { openidDeviceTables } from "./region/openid-device.ts";
import { operationTables } from "./region/operations.ts";
import { passkeyTables } from "./region/passkeys.ts";
import { peopleTables } from "./region/people.ts";
import { recoveryTables } from "./region/recovery.ts";
import { reportTables } from "./region/reports.ts";
import { signInTables } from "./region/sign-in.ts";
import { tokenTables } from "./region/tokens.ts";
import type { MapOf } from "./types.ts";

export const regionMap = {
  ...accountTables,
  ...signInTables,
  ...passkeyTables,
  ...tokenTables,
  ...linkedTables,
  ...recoveryTables,
  ...deviceTables,
  ...reportTables,
  ...peopleTables,
  ...openidTables,
  ...openidDeviceTables,
  ...operationTables,
} as const satisfies MapOf<typeof schema>;
