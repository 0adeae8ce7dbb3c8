/**
 * The gate: what is really there against what the data map declares (PRI-5). It answers with
 * sentences, one for each violation; no sentence means that nothing is held, set, written or sent
 * without a class, a purpose, a period and an end. Pure: the caller brings what it found.
 */

import type { RegionId } from "../../protocol/ids.ts";
import { regionOfName } from "../regional.ts";
import { longer } from "./classes.ts";
import type { DataClass } from "./data-class.ts";
import { type DataMap, dataMap } from "./map.ts";
import type { ObjectStore } from "./outside.ts";
import { HISTORY_MS, LIVE_CLEAN_MS, SIX_MONTHS_MS } from "./periods.ts";
import type { ColumnRule, ObjectColumnRule, TableRule } from "./types.ts";

export interface LiveTable {
  readonly columns: readonly string[];
  /** The primary key's columns. */
  readonly key: readonly string[];
  /** The first column of each index, the primary key's included. */
  readonly indexed: readonly string[];
}
export type LiveTables = Readonly<Record<string, LiveTable>>;

/** An object in a bucket, and whose bucket it is. */
export interface LiveObject {
  readonly store: ObjectStore;
  /** null: the bucket of the service as a whole. */
  readonly region: RegionId | null;
  readonly name: string;
}

/** What was found in a running system. */
export interface Live {
  readonly region: LiveTables;
  readonly directory: LiveTables;
  /** Tables of a registered device's object. */
  readonly device: LiveTables;
  /** Tables of an object that counts tries. */
  readonly limiter: LiveTables;
  /** Tables of the object that holds the zone. */
  readonly zone: LiveTables;
  /** Attachments of sockets. */
  readonly attachments: readonly unknown[];
  readonly objects: readonly LiveObject[];
  /** Names of cookies that were set. */
  readonly cookies: readonly string[];
  /** Lines that were logged. */
  readonly log: readonly object[];
  /** What left the house. */
  readonly egress: readonly { readonly recipient: string; readonly fields: object }[];
}

/** Databases and objects: the platform keeps a history of each. */
const PLACES_WITH_HISTORY: readonly string[] = [
  "region",
  "region and photos",
  "directory",
  "device object",
  "counter object",
  "zone object",
];

/** Tables that the platform and the migrations keep for themselves; they say nothing of a person. */
const PLATFORM_TABLE = /^(sqlite_|_cf_|d1_migrations$|__drizzle)/;

/** Reads the tables of a SQLite database; `all` runs one query and returns its rows. */
export async function introspect(
  all: (query: string) => Promise<readonly object[]> | readonly object[],
): Promise<LiveTables> {
  const tables: Record<string, LiveTable> = {};
  const rows = (await all("SELECT name FROM sqlite_master WHERE type = 'table'")) as Named[];
  for (const { name } of rows) {
    if (PLATFORM_TABLE.test(name)) continue;
    const columns = (await all(`PRAGMA table_info("${name}")`)) as (Named & { pk: number })[];
    const indexes = (await all(`PRAGMA index_list("${name}")`)) as Named[];
    const key = columns.filter((column) => column.pk > 0).map((column) => column.name);
    const indexed = key.slice(0, 1);
    for (const index of indexes) {
      const [first] = (await all(`PRAGMA index_info("${index.name}")`)) as Named[];
      if (first !== undefined) indexed.push(first.name);
    }
    tables[name] = { columns: columns.map((column) => column.name), key, indexed };
  }
  return tables;
}

interface Named {
  readonly name: string;
}

/** Every way in which `live` and `map` disagree, or the map breaks its own rules. */
export function violations(live: Live, map: DataMap = dataMap): string[] {
  return [
    ...classViolations(map),
    ...tableViolations("region", live.region, map.region, map),
    ...tableViolations("directory", live.directory, map.directory, map),
    ...tableViolations("device", live.device, map.device, map),
    ...tableViolations("limiter", live.limiter, map.limiter, map),
    ...tableViolations("zone", live.zone, map.zone, map),
    ...Object.entries({ ...map.region, ...map.directory }).flatMap(([name, rule]) =>
      ruleViolations(name, rule, { ...live.region, ...live.directory }[name], map),
    ),
    ...placeViolations(map),
    ...outsideViolations(live, map),
  ];
}

/** What is sealed for one column must open in no other. */
function placeViolations(map: DataMap): string[] {
  const taken = new Map<string, string>();
  const list: string[] = [];
  for (const [table, { columns }] of Object.entries({ ...map.region, ...map.directory })) {
    for (const [column, rule] of Object.entries(columns)) {
      if (rule.kind !== "sealed") continue;
      const other = taken.get(rule.at);
      if (other !== undefined) list.push(`${table}.${column} and ${other} share a place`);
      taken.set(rule.at, `${table}.${column}`);
    }
  }
  return list;
}

function classViolations(map: DataMap): string[] {
  const list = Object.keys(map.classes).length === 0 ? ["the map has no class"] : [];
  const expiring = new Set(
    [map.region, map.directory, map.device, map.limiter, map.zone].flatMap((tables) =>
      Object.values(tables).flatMap(expiringClass),
    ) as string[],
  );
  for (const [name, entry] of Object.entries(map.classes)) {
    for (const field of ["title", "holds", "purpose", "live", "seenBy", "deletedBy"] as const) {
      if (!(entry[field]?.trim() ?? "")) list.push(`class ${name} says no ${field}`);
    }
    if (!entry.obligations.some((id) => /^[A-Z]{3}-\d+$/.test(id))) {
      list.push(`class ${name} names no obligation`);
    }
    if (entry.obligations.some((id) => !/^[A-Z]{3}-\d+$/.test(id))) {
      list.push(`class ${name} names an obligation that is none`);
    }
    list.push(...periodViolations(name, entry));
    const swept = PLACES_WITH_HISTORY.includes(entry.place);
    if (swept && (entry.liveMs ?? 0) > 0 && !expiring.has(name)) {
      list.push(`class ${name} has a period, but no table that expires`);
    }
    if (entry.liveMs === null && expiring.has(name)) {
      list.push(`class ${name} has a table that expires, but no period`);
    }
  }
  return list;
}

/** The class whose rows a table lets expire: its own, or the one that the column is declared as. */
function expiringClass(rule: {
  readonly class: string;
  readonly columns: Readonly<Record<string, { readonly class?: string }>>;
  readonly expires?: string;
}): string[] {
  return rule.expires === undefined ? [] : [rule.columns[rule.expires]?.class ?? rule.class];
}

/** RET-12: the life in a live store and its copies after that stay within what is promised. */
function periodViolations(name: string, entry: DataClass): string[] {
  const list: string[] = [];
  const hasHistory = PLACES_WITH_HISTORY.includes(entry.place);
  const total = (entry.liveMs ?? 0) + entry.copiesMs;
  if (total > SIX_MONTHS_MS && !Object.hasOwn(longer, name)) {
    list.push(`class ${name} lasts longer than six months`);
  }
  if (hasHistory && entry.copiesMs !== LIVE_CLEAN_MS && entry.copiesMs < HISTORY_MS) {
    list.push(`class ${name} leaves no room for the platform's history`);
  }
  return list;
}

type AnyColumn = ColumnRule | ObjectColumnRule;
type AnyRule = { readonly class: string; readonly columns: Readonly<Record<string, AnyColumn>> };

function tableViolations(
  store: string,
  live: LiveTables,
  declared: Readonly<Record<string, AnyRule>>,
  map: DataMap,
): string[] {
  const list = Object.keys(declared).length === 0 ? [`the map of the ${store} is empty`] : [];
  for (const [table, { columns }] of Object.entries(live)) {
    const rule = Object.hasOwn(declared, table) ? declared[table] : undefined;
    if (rule === undefined) list.push(`${store} table ${table} is not declared`);
    for (const column of columns) {
      if (rule !== undefined && !Object.hasOwn(rule.columns, column)) {
        list.push(`${store} column ${table}.${column} is not declared`);
      }
    }
  }
  for (const [table, rule] of Object.entries(declared)) {
    const found = Object.hasOwn(live, table) ? live[table] : undefined;
    if (found === undefined) list.push(`${store} table ${table} is declared, but is not there`);
    for (const [column, of] of Object.entries(rule.columns)) {
      const where = `${store} column ${table}.${column}`;
      if (found !== undefined && !found.columns.includes(column)) {
        list.push(`${where} is declared, but is not there`);
      }
      list.push(...columnViolations(where, store, column, of, of.class ?? rule.class, map));
    }
  }
  return list;
}

function columnViolations(
  where: string,
  store: string,
  column: string,
  rule: AnyColumn,
  className: string,
  map: DataMap,
): string[] {
  const list: string[] = [];
  const entry = Object.hasOwn(map.classes, className) ? map.classes[className] : undefined;
  if (entry === undefined) list.push(`${where} is of the class ${className}, which is none`);
  if (rule.kind === "personal" && store !== "device") {
    list.push(`${where} is personal in clear, in a database with history`);
  }
  if ((rule.kind === "sealed") !== column.endsWith("_sealed")) {
    list.push(`${where} is ${rule.kind}; what is sealed, and only that, is named …_sealed`);
  }
  // What a class promises within a day must not stand in clear where a copy lasts thirty.
  const outlives = ["personal", "public key"].includes(rule.kind);
  if (entry?.copiesMs === LIVE_CLEAN_MS && outlives) {
    list.push(`${where} is ${rule.kind}, but its class promises that no copy can be read in a day`);
  }
  return list;
}

/** What outlives an erasure: for less than the day that erasing may take, with its keys (RET-2). */
function soonViolations(name: string, rule: TableRule, reason: string, map: DataMap): string[] {
  const entry = Object.hasOwn(map.classes, rule.class) ? map.classes[rule.class] : undefined;
  const isShort = entry?.liveMs != null && entry.liveMs < LIVE_CLEAN_MS;
  const hasKeys = rule.keyOf !== undefined && entry?.copiesMs === LIVE_CLEAN_MS;
  const columns = Object.keys(rule.columns);
  return [
    ...(reason.trim() === "" ? [`table ${name} outlives an erasure without a reason`] : []),
    ...(rule.expires === undefined || !isShort
      ? [`table ${name} outlives an erasure too long`]
      : []),
    ...(hasKeys ? [] : [`table ${name} outlives an erasure in copies`]),
    ...(columns.includes("account_id") ? [`table ${name} outlives the account that it names`] : []),
  ];
}

function ruleViolations(
  name: string,
  rule: TableRule,
  live: LiveTable | undefined,
  map: DataMap,
): string[] {
  const list: string[] = [];
  const columns = Object.keys(rule.columns);
  const named = { key: rule.key, expires: rule.expires, since: rule.since, keyOf: rule.keyOf };
  for (const [role, column] of Object.entries(named)) {
    if (column !== undefined && !columns.includes(column)) {
      list.push(`table ${name} names ${role} ${column}, which is no column of it`);
    }
  }
  const erasedBy = "by" in rule.erase ? [rule.erase.by, rule.erase.mentions ?? rule.erase.by] : [];
  for (const column of new Set(erasedBy)) {
    if (!columns.includes(column)) {
      list.push(`table ${name} is erased by ${column}, which is no column of it`);
    }
  }
  if ("keep" in rule.erase && rule.erase.keep.trim() === "") {
    list.push(`table ${name} is kept without a reason`);
  }
  if ("keep" in rule.erase && columns.includes("account_id")) {
    list.push(`table ${name} names an account, but is kept when the account is erased`);
  }
  if ("soon" in rule.erase) list.push(...soonViolations(name, rule, rule.erase.soon, map));
  for (const [column, of] of Object.entries(rule.columns)) {
    if (of.kind === "sealed" && !columns.includes(of.by)) {
      list.push(`table ${name} opens ${column} by ${of.by}, which is no column of it`);
    }
  }
  if (live === undefined) return list;
  if (live.key.join() !== rule.key) list.push(`the key of table ${name} is not ${rule.key}`);
  for (const column of new Set([rule.expires, ...erasedBy])) {
    if (column !== undefined && !live.indexed.includes(column)) {
      list.push(`table ${name} has no index on ${column}`);
    }
  }
  return list;
}

function outsideViolations(live: Live, map: DataMap): string[] {
  const list: string[] = [];
  const groups = {
    attachments: "attachment",
    objects: "object",
    cookies: "cookie",
    log: "log field",
    egress: "recipient",
  };
  for (const [group, word] of Object.entries(groups) as [keyof typeof groups, string][]) {
    if (Object.keys(map[group]).length === 0) list.push(`the map of ${group} is empty`);
    for (const [name, { class: of }] of Object.entries(map[group])) {
      if (!Object.hasOwn(map.classes, of)) {
        list.push(`${word} ${name} is of the class ${of}, which is none`);
      }
    }
  }
  for (const attachment of live.attachments) {
    const kind = String((attachment as { kind?: unknown } | null)?.kind);
    list.push(...fieldViolations("attachment", kind, attachment as object, map.attachments));
  }
  for (const { recipient, fields } of live.egress) {
    list.push(...fieldViolations("recipient", recipient, fields, map.egress));
  }
  for (const object of live.objects) list.push(...objectViolations(object, map.objects));
  for (const name of live.cookies) {
    if (!Object.hasOwn(map.cookies, name)) list.push(`cookie ${name} is not declared`);
  }
  for (const field of new Set(live.log.flatMap((line) => Object.keys(line)))) {
    if (!Object.hasOwn(map.log, field)) list.push(`log field ${field} is not declared`);
  }
  return list;
}

/** LOC-2: an object lies in the store that it is declared for, in the region that its name says. */
function objectViolations(
  { store, region, name }: LiveObject,
  declared: DataMap["objects"],
): string[] {
  const prefix = `${name.split("/", 1)[0]}/`;
  const rule = Object.hasOwn(declared, prefix) ? declared[prefix] : undefined;
  if (rule === undefined) return [`object ${prefix}… is not declared`];
  if (rule.store !== store) return [`object ${prefix}… is in the ${store}, not in ${rule.store}`];
  const own = regionOfName(name);
  return own === region ? [] : [`object ${prefix}… of ${own} is in the region ${region}`];
}

function fieldViolations(
  word: string,
  name: string,
  fields: object,
  declared: Readonly<Record<string, { readonly fields: readonly string[] }>>,
): string[] {
  const rule = Object.hasOwn(declared, name) ? declared[name] : undefined;
  if (rule === undefined) return [`${word} ${name} is not declared`];
  return Object.keys(fields)
    .filter((field) => !rule.fields.includes(field))
    .map((field) => `${word} ${name} has the field ${field}, which is not declared`);
}
