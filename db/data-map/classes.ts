/**
 * The classes of data: the published policy, one entry a line. Every figure comes from
 * protocol/limits.ts or periods.ts; none is written twice.
 */

import { accountClasses } from "./classes/account.ts";
import { deviceClasses } from "./classes/device.ts";
import { linkClasses } from "./classes/link.ts";
import { linkedClasses } from "./classes/linked.ts";
import { nameClasses } from "./classes/name.ts";
import { openidClasses } from "./classes/openid.ts";
import { openidDeviceClasses } from "./classes/openid-device.ts";
import { passkeyClasses } from "./classes/passkeys.ts";
import { peopleClasses } from "./classes/people.ts";
import { recoveryClasses } from "./classes/recovery.ts";
import { tokenClasses } from "./classes/tokens.ts";
import { upkeepClasses } from "./classes/upkeep.ts";
import type { DataClass } from "./data-class.ts";

/** Classes that may last longer than six months, each with the reason; closed (RET-6). */
export const longer: Readonly<Record<string, string>> = {
  preference: "a choice from two short lists that says nothing about who you are",
  "held name": "a keyed hash without its former owner",
  "erasure ledger": "proof without identity, which must outlast every copy it may be replayed on",
};

/** In the order in which the policy and a person's shelf tell them. */
export const classes = {
  ...accountClasses,
  ...passkeyClasses,
  ...tokenClasses,
  ...peopleClasses,
  ...linkedClasses,
  ...recoveryClasses,
  ...deviceClasses,
  ...nameClasses,
  ...linkClasses,
  ...openidClasses,
  ...openidDeviceClasses,
  ...upkeepClasses,
} as const satisfies Record<string, DataClass>;

export type ClassName = keyof typeof classes;
