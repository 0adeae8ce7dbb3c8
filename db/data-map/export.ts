/**
 * How a row reads in its owner's export, column by column, as the data map declares it. A table that
 * is declared tomorrow is in the export tomorrow. It opens nothing itself: whoever holds the keys does.
 */

import { type ClassName, classes } from "./classes.ts";
import type { ColumnRule, ObjectColumnRule, ObjectTableRule, TableRule } from "./types.ts";

/** Stands for what is held and is no use to its owner: hashes, keys, secrets. */
export const HELD = "held, not shown";
/** Stands for what is sealed and did not open: its key was destroyed a moment ago. */
export const UNREADABLE = "sealed, and its key is gone";

export type Cell = string | number | null;
export type Row = Readonly<Record<string, Cell>>;
/** What an export says of a column: text, a number, opened JSON, or one of the words above. */
export type Shown = Cell | object;
export type ShownRow = Readonly<Record<string, Shown>>;

/** What one table holds about a person. */
export interface ExportedTable {
  readonly table: string;
  readonly class: ClassName;
  /** Who said what stands in a column, where it was somebody other than the person (SHR-6). */
  readonly sources: Readonly<Record<string, string>>;
  readonly rows: readonly ShownRow[];
}

type AnyColumn = ColumnRule | ObjectColumnRule;
type AnyTable = Pick<TableRule | ObjectTableRule, "class"> & {
  readonly columns: Readonly<Record<string, AnyColumn>>;
};
/** Opens one sealed column of a row; null when its key is gone. */
export type Opener<Rule extends AnyColumn> = (
  rule: Extract<Rule, { kind: "sealed" }>,
  sealed: string,
  row: Row,
) => Promise<string | null>;

/** True when rows of this table are described in an export. */
export function isExported(rule: AnyTable): boolean {
  return classes[rule.class].inExport !== "no";
}

/** The whole of a table's rows as their owner sees them. */
export async function exportedTable<Rule extends AnyColumn>(
  table: string,
  rule: AnyTable & { readonly columns: Readonly<Record<string, Rule>> },
  rows: readonly Row[],
  open: Opener<Rule>,
): Promise<ExportedTable> {
  const columns = Object.entries(rule.columns);
  const sources = columns.flatMap(([name, of]) =>
    "source" in of && of.source !== undefined ? [[shownName(name), of.source] as const] : [],
  );
  return {
    table,
    class: shownClass(rule),
    sources: Object.fromEntries(sources),
    rows: await Promise.all(rows.map((row) => exportedRow(rule, row, open))),
  };
}

/** The class that a table is shown under: where its own is not shown, that of a column which is. */
function shownClass(rule: AnyTable): ClassName {
  const columns = Object.values(rule.columns).map((column) => column.class ?? rule.class);
  return [rule.class, ...columns].find((name) => classes[name].inExport !== "no") ?? rule.class;
}

async function exportedRow<Rule extends AnyColumn>(
  rule: AnyTable & { readonly columns: Readonly<Record<string, Rule>> },
  row: Row,
  open: Opener<Rule>,
): Promise<ShownRow> {
  const shown: Record<string, Shown> = {};
  for (const [name, of] of Object.entries(rule.columns)) {
    const { inExport } = classes[of.class ?? rule.class];
    if (inExport === "no") continue;
    shown[shownName(name)] = await cell(of, row[name] ?? null, inExport === "yes", (sealed) =>
      open(of as Extract<Rule, { kind: "sealed" }>, sealed, row),
    );
  }
  return shown;
}

/** `address_sealed` is shown as `address`. */
function shownName(column: string): string {
  return column.replace(/_sealed$/, "");
}

async function cell(
  rule: AnyColumn,
  value: Cell,
  inFull: boolean,
  open: (sealed: string) => Promise<string | null>,
): Promise<Shown> {
  if (value === null) return null;
  switch (rule.kind) {
    case "time":
      return typeof value === "number" ? timeOf(value) : value;
    case "state":
      return value;
    case "id":
    case "personal":
      return inFull ? value : HELD;
    case "sealed": {
      const shows = "shows" in rule ? rule.shows : undefined;
      if (!inFull || shows?.length === 0) return HELD;
      const text = await open(String(value));
      return text === null ? UNREADABLE : opened(text, shows);
    }
    default:
      return HELD; // hashes and keys
  }
}

/** ISO 8601, UTC. Numbers that are no time of ours (0: never) stay as they are. */
function timeOf(value: number): Shown {
  return value > 0 ? new Date(value).toISOString() : value;
}

/** JSON as JSON, the rest as text; of a secret's fields only those that `shows` names. */
function opened(text: string, shows: readonly string[] | undefined): Shown {
  const json = jsonOf(text);
  if (shows === undefined) return json ?? text;
  if (json === null || Array.isArray(json)) return HELD;
  return Object.fromEntries(
    Object.entries(json).map(([field, value]) => [field, shows.includes(field) ? value : HELD]),
  );
}

function jsonOf(text: string): object | null {
  if (!/^\s*[[{]/.test(text)) return null;
  try {
    return JSON.parse(text) as object;
  } catch {
    return null;
  }
}
