/** The whole data map in one value: what the gate checks and the policy is printed from. */

import { type ClassName, classes } from "./classes.ts";
import type { DataClass } from "./data-class.ts";
import { attachmentMap, deviceMap, limiterMap, zoneMap } from "./device.ts";
import { directoryMap } from "./directory.ts";
import { cookieMap, egressMap, logMap, type ObjectStore, objectMap } from "./outside.ts";
import { regionMap } from "./region.ts";
import type { ObjectTableRule, TableRule } from "./types.ts";

interface Declared {
  readonly class: ClassName;
}

export interface DataMap {
  readonly classes: Readonly<Record<string, DataClass>>;
  readonly region: Readonly<Record<string, TableRule>>;
  readonly directory: Readonly<Record<string, TableRule>>;
  readonly device: Readonly<Record<string, ObjectTableRule>>;
  readonly limiter: Readonly<Record<string, ObjectTableRule>>;
  readonly zone: Readonly<Record<string, ObjectTableRule>>;
  readonly attachments: Readonly<Record<string, Declared & { readonly fields: readonly string[] }>>;
  readonly objects: Readonly<Record<string, Declared & { readonly store: ObjectStore }>>;
  readonly cookies: Readonly<Record<string, Declared>>;
  readonly log: Readonly<Record<string, Declared>>;
  readonly egress: Readonly<Record<string, Declared & { readonly fields: readonly string[] }>>;
}

export const dataMap: DataMap = {
  classes,
  region: regionMap,
  directory: directoryMap,
  device: deviceMap,
  limiter: limiterMap,
  zone: zoneMap,
  attachments: attachmentMap,
  objects: objectMap,
  cookies: cookieMap,
  log: logMap,
  egress: egressMap,
};
