/**
 * What is held about an account right now, class by class, counted from its own rows. It answers
 * with counts and times only, so nothing is opened and nothing personal passes through.
 */

import { type ClassName, classes } from "../../db/data-map/classes.ts";
import type { Feature } from "../../db/data-map/data-class.ts";
import { dataMap } from "../../db/data-map/map.ts";
import type { TableRule } from "../../db/data-map/types.ts";
import type { Db } from "../../db/db.ts";
import { devicesIn, heldRows, labelsOf } from "../../db/queries/retention.ts";
import { limits } from "../../protocol/limits.ts";
import type { Ports } from "../ports.ts";

export interface Holding {
  readonly name: ClassName;
  readonly title: string;
  readonly holds: string;
  readonly why: string;
  readonly seenBy: string;
  readonly deletedBy: string;
  readonly feature: Feature;
  /** The device it belongs to; null for the account's own. */
  readonly deviceId: string | null;
  readonly count: number;
  /** Since when the oldest is held, in ms since the epoch; null when no row says. */
  readonly since: number | null;
  /** When the last of it goes by itself; null: when its owner ends it. */
  readonly until: number | null;
}

/** How much of one class is held, before its words are added. */
interface Held {
  readonly class: ClassName;
  readonly deviceId: string | null;
  readonly count: number;
  readonly since: number | null;
  readonly until: number | null;
}

/** Everything held about `accountId`; a class of which nothing is held is left out. */
export async function holdings(ports: Ports, accountId: string): Promise<readonly Holding[]> {
  const db = ports.regions.db(accountId);
  if (db === null) return [];
  const devices = await devicesIn(db, "device", accountId, limits.devicesPerAccount);
  const held = await Promise.all([
    ...tablesOf(db, dataMap.region, accountId, ports.clock.now()),
    ...tablesOf(ports.directory.db, dataMap.directory, accountId, ports.clock.now()),
    heldKey(ports, accountId),
    ...devices.map((deviceId) => heldOfDevice(ports, deviceId)),
  ]);
  return merged(held.flat()).map(describe);
}

function tablesOf(
  db: Db,
  tables: Readonly<Record<string, TableRule>>,
  accountId: string,
  now: number,
): Promise<Held[]>[] {
  return Object.entries(tables).flatMap(([table, rule]) => {
    const { erase } = rule;
    // A device's row is counted with its object.
    if (!("by" in erase) || table === "device") return [];
    const counted = heldRows(db, table, { ...rule, erase }, accountId, now);
    return [counted.then((rows) => [{ class: rule.class, deviceId: null, ...rows }])];
  });
}

async function heldKey(ports: Ports, accountId: string): Promise<Held[]> {
  const key = await ports.keys.get(`person/${accountId}`);
  const count = key === null ? 0 : 1;
  return [{ class: "person key", deviceId: null, count, since: null, until: null }];
}

async function heldOfDevice(ports: Ports, deviceId: string): Promise<Held[]> {
  const [tables, labels] = await Promise.all([
    ports.devices.get(deviceId).holdings(),
    labelsOf(ports.directory.db, deviceId),
  ]);
  const entry = { class: "directory entry", count: labels, since: null, until: null } as const;
  return [...tables, entry].map((held) => ({
    class: held.class,
    deviceId,
    count: held.count,
    since: held.since,
    until: held.until,
  }));
}

/** One entry for each class and device: the sum, the earliest beginning, the latest end. */
function merged(list: readonly Held[]): Held[] {
  const groups = new Map<string, Held>();
  for (const held of list.filter(({ count }) => count > 0)) {
    const key = `${held.class}\n${held.deviceId}`;
    const before = groups.get(key);
    groups.set(key, before === undefined ? held : join(before, held));
  }
  const order = Object.keys(classes);
  return [...groups.values()].sort((a, b) => order.indexOf(a.class) - order.indexOf(b.class));
}

function join(a: Held, b: Held): Held {
  const since = [a.since, b.since].filter((time) => time !== null);
  // What has no end outlasts what has one.
  const until = a.until === null || b.until === null ? null : Math.max(a.until, b.until);
  return {
    ...a,
    count: a.count + b.count,
    since: since.length === 0 ? null : Math.min(...since),
    until,
  };
}

function describe({ class: name, ...held }: Held): Holding {
  const { title, holds, purpose, seenBy, deletedBy, feature } = classes[name];
  return { name, title, holds, why: purpose, seenBy, deletedBy, feature, ...held };
}
