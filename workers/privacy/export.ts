/**
 * Everything held about a person, for that person (RGT-1). It walks the data map: every table whose
 * rows name an account, every device's object, and the policy's words beside them. Made while it is
 * asked for and handed over at once: no copy of it is kept anywhere.
 */

import { classes } from "../../db/data-map/classes.ts";
import type { DataClass } from "../../db/data-map/data-class.ts";
import {
  type Cell,
  type ExportedTable,
  exportedTable,
  isExported,
  type Opener,
  type Row,
} from "../../db/data-map/export.ts";
import { type DataMap, dataMap } from "../../db/data-map/map.ts";
import type { ColumnRule, TableRule } from "../../db/data-map/types.ts";
import type { Db } from "../../db/db.ts";
import { personKey } from "../../db/queries/accounts.ts";
import { rowsOf } from "../../db/queries/exports.ts";
import { devicesIn } from "../../db/queries/retention.ts";
import { regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { note } from "../account/activity.ts";
import type { Ports } from "../ports.ts";
import { Problem } from "../problem.ts";
import type { Client } from "../sign-in/client.ts";
import { exportPage } from "./export-page.ts";
import { holdings } from "./holdings.ts";
import { zip } from "./zip.ts";

/** Grows when a reader of the format would have to change (docs/export.md). */
export const EXPORT_FORMAT = "latchkey-export/1";

/** One class of data: what the policy says of it, and how much of it is held now. */
export interface ExportedClass {
  readonly class: string;
  readonly title: string;
  readonly holds: string;
  readonly why: string;
  readonly basis: DataClass["basis"];
  readonly kept: string;
  readonly seen_by: string;
  readonly deleted_by: string;
  /** `yes`: in full; `metadata`: when and how many; `no`: it cannot be found by person. */
  readonly in_export: DataClass["inExport"];
  /** How many entries are held now. */
  readonly held: number;
}

/** One table, and where it lies. */
export interface PlacedTable extends ExportedTable {
  readonly store: "region" | "directory" | "device";
  /** The device whose it is; null for the account's own. */
  readonly device_id: string | null;
}

/** A file beside the JSON, such as the photo. */
export interface ExportedFile {
  /** Its path in the archive. */
  readonly name: string;
  readonly about: string;
  readonly type: string;
}

export interface PersonalExport {
  readonly format: typeof EXPORT_FORMAT;
  readonly made_at: string;
  readonly service: string;
  readonly account_id: string;
  readonly region: string;
  readonly classes: readonly ExportedClass[];
  readonly tables: readonly PlacedTable[];
  readonly files: readonly ExportedFile[];
}

export interface Archive {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Makes the archive: JSON for programs, a page for people. Nothing of it is kept.
 * @throws Problem `too-many-tries`
 */
export async function exportAccount(
  ports: Ports,
  accountId: string,
  client: Client,
): Promise<Archive> {
  const { exportsPerAccount: max, exportWindowMs } = limits;
  if (!(await ports.limits.take("export", accountId, max, exportWindowMs))) {
    throw new Problem("too-many-tries");
  }
  await note(ports, accountId, "exported", { client });
  const tables = await personalExport(ports, accountId);
  const photo = await photoIn(ports, tables);
  const held = photo === null ? tables : { ...tables, files: [photo.file] };
  const text = (content: string) => new TextEncoder().encode(content);
  const files = [
    { name: "index.html", bytes: text(exportPage(held)) },
    { name: "export.json", bytes: text(`${JSON.stringify(held, null, 2)}\n`) },
    ...(photo === null ? [] : [{ name: photo.file.name, bytes: photo.bytes }]),
  ];
  const day = held.made_at.slice(0, 10);
  return { name: `latchkey-${day}.zip`, bytes: zip(files, ports.clock.now()) };
}

/** What the archive says, as one value. */
export async function personalExport(
  ports: Ports,
  accountId: string,
  map: Pick<DataMap, "region" | "directory"> = dataMap,
): Promise<PersonalExport> {
  const db = ports.regions.db(accountId);
  if (db === null) throw new Problem("not-found");
  const devices = await devicesIn(db, "device", accountId, limits.devicesPerAccount);
  const [held, ...tables] = await Promise.all([
    holdings(ports, accountId),
    tablesOf(ports, { store: "region", db, tables: map.region }, accountId),
    tablesOf(
      ports,
      { store: "directory", db: ports.directory.db, tables: map.directory },
      accountId,
    ),
    ...devices.map((deviceId) => tablesOfDevice(ports, map, deviceId, accountId)),
  ]);
  return {
    format: EXPORT_FORMAT,
    made_at: new Date(ports.clock.now()).toISOString(),
    service: ports.config.origin,
    account_id: accountId,
    region: regionOf(accountId) ?? ports.regions.default,
    classes: Object.entries(classes).map(([name, entry]) =>
      describe(
        name,
        entry,
        held.filter((one) => one.name === name).reduce((sum, { count }) => sum + count, 0),
      ),
    ),
    tables: tables.flat(),
    files: [],
  };
}

/** The photo that a row of the profile tells of: it lies sealed in the object store. */
async function photoIn(
  ports: Ports,
  { account_id: accountId, tables }: PersonalExport,
): Promise<{ readonly file: ExportedFile; readonly bytes: Uint8Array } | null> {
  const rows = tables.find(({ table }) => table === "profile_field")?.rows ?? [];
  const type = rows.find(({ field }) => field === "photo")?.value;
  const sealed = typeof type === "string" ? await ports.blobs.get(`photo/${accountId}`) : null;
  if (typeof type !== "string" || sealed === null) return null;
  const place = `photo:${accountId}:${type}`;
  const bytes = await ports.sealer.openBytes(personKey(accountId), place, sealed);
  if (bytes === null) return null;
  const name = `files/photo.${type.replace(/^image\//, "").replace(/[^a-z]/g, "")}`;
  return { file: { name, about: "your photo", type }, bytes };
}

function describe(name: string, entry: DataClass, held: number): ExportedClass {
  return {
    class: name,
    title: entry.title,
    holds: entry.holds,
    why: entry.purpose,
    basis: entry.basis,
    kept: entry.live,
    seen_by: entry.seenBy,
    deleted_by: entry.deletedBy,
    in_export: entry.inExport,
    held,
  };
}

interface Source {
  readonly store: "region" | "directory";
  readonly db: Db;
  readonly tables: Readonly<Record<string, TableRule>>;
}

/** Rows of every table whose column names the account. */
async function tablesOf(
  ports: Ports,
  { store, db, tables }: Source,
  accountId: string,
): Promise<PlacedTable[]> {
  const found = Object.entries(tables).map(async ([table, rule]) => {
    if (!("by" in rule.erase) || !isExported(rule)) return [];
    const rows = await everyRow(ports, db, table, rule, { by: rule.erase.by, owner: accountId });
    const exported = await exportedTable(table, rule, rows, opener(ports, accountId));
    return rows.length === 0 ? [] : [{ store, device_id: null, ...exported }];
  });
  return (await Promise.all(found)).flat();
}

/** What the device's own object holds, and what the directory says of the device. */
async function tablesOfDevice(
  ports: Ports,
  map: Pick<DataMap, "directory">,
  deviceId: string,
  accountId: string,
): Promise<PlacedTable[]> {
  const inside = await ports.devices.get(deviceId).exportFor(accountId);
  const placed: PlacedTable[] = inside.map((table) => ({
    store: "device",
    device_id: deviceId,
    ...table,
  }));
  for (const [table, rule] of Object.entries(map.directory)) {
    if (!("via" in rule.erase) || !("device_id" in rule.columns)) continue;
    const of = { by: "device_id", owner: deviceId };
    const rows = await everyRow(ports, ports.directory.db, table, rule, of);
    const exported = await exportedTable(table, rule, rows, opener(ports, accountId));
    if (rows.length > 0) placed.push({ store: "directory", device_id: deviceId, ...exported });
  }
  return placed;
}

function opener(ports: Ports, accountId: string): Opener<ColumnRule> {
  return (rule, sealed, row) =>
    ports.sealer.open(personKey(accountId), `${rule.at}:${row[rule.by]}`, sealed);
}

/** All pages of a table: an export leaves nothing out for being much. */
async function everyRow(
  ports: Ports,
  db: Db,
  table: string,
  rule: TableRule,
  of: { readonly by: string; readonly owner: string },
): Promise<Row[]> {
  const { exportRowsPerPage: limit } = limits;
  const rows: Row[] = [];
  let after: Cell = null;
  for (;;) {
    const page: Row[] = await rowsOf(db, table, rule, {
      ...of,
      after,
      now: ports.clock.now(),
      limit,
    });
    rows.push(...page);
    if (page.length < limit) return rows;
    after = page.at(-1)?.[rule.key] ?? null;
  }
}
