/**
 * What is in the cells of an xlsx file (SpreadsheetML, ECMA-376-1 §18), as they were last computed: no
 * formula is run. It stops at the viewer's rows and columns, and says so.
 */

import { limits } from "../../protocol/limits.ts";
import { Unshown } from "../unshown.ts";
import { formatCode, formatNumber } from "./numbers.ts";
import { all, child, children, readXml, relationId, relationsOf } from "./xml.ts";
import { Zip } from "./zip.ts";

export interface Cell {
  readonly text: string;
  readonly isNumber: boolean;
  readonly columns: number;
  readonly rows: number;
}

export interface Sheet {
  readonly columns: number;
  /** By row, then by column; a cell that another covers is null. */
  readonly rows: readonly (readonly (Cell | null)[])[];
  /** There is more of it. */
  readonly isCut: boolean;
}

export interface Workbook {
  readonly names: readonly string[];
  read(index: number): Promise<Sheet>;
}

const EMPTY: Cell = { text: "", isNumber: false, columns: 1, rows: 1 };

/** @throws Unshown */
export async function openWorkbook(bytes: ArrayBuffer): Promise<Workbook> {
  const zip = new Zip(bytes);
  const main = [...(await relationsOf(zip, "")).values()].find(
    ({ type }) => type === "officeDocument",
  );
  const part = main?.target ?? "xl/workbook.xml";
  const book = await readXml(zip, part);
  if (book === null) throw new Unshown("broken");
  const relations = await relationsOf(zip, part);
  const sheets = children(child(book, "sheets"), "sheet")
    .filter((sheet) => (sheet.getAttribute("state") ?? "visible") === "visible")
    .flatMap((sheet) => {
      const target = relations.get(relationId(sheet) ?? "");
      // A sheet that is a chart has no cells.
      return target?.type !== "worksheet"
        ? []
        : [{ name: sheet.getAttribute("name") ?? "", part: target.target }];
    })
    .slice(0, limits.viewSheets);
  const of = (type: string) => [...relations.values()].find((one) => one.type === type)?.target;
  const from1904 = /^(?:1|true)$/.test(child(book, "workbookPr")?.getAttribute("date1904") ?? "");
  const words = {
    shared: sharedStrings(await readXml(zip, of("sharedStrings") ?? "")),
    codes: cellCodes(await readXml(zip, of("styles") ?? "")),
    from1904,
  };
  return {
    names: sheets.map(({ name }) => name),
    async read(index) {
      const root = await readXml(zip, sheets[index]?.part ?? "");
      return readSheet(root, words);
    },
  };
}

/** What cells refer to by number. */
interface Words {
  readonly shared: readonly string[];
  /** The format code of each cell style. */
  readonly codes: readonly string[];
  readonly from1904: boolean;
}

function sharedStrings(root: Element | null): string[] {
  return children(root, "si").map(richText);
}

/** The runs of a text, without what is said about their pronunciation. */
function richText(item: Element): string {
  return all(item, "t")
    .filter((text) => text.parentElement?.localName !== "rPh")
    .map((text) => text.textContent ?? "")
    .join("");
}

function cellCodes(root: Element | null): string[] {
  const own = new Map(
    children(child(root, "numFmts"), "numFmt").map((format) => [
      Number(format.getAttribute("numFmtId")),
      format.getAttribute("formatCode") ?? "General",
    ]),
  );
  return children(child(root, "cellXfs"), "xf").map((style) =>
    formatCode(Number(style.getAttribute("numFmtId") ?? 0), own),
  );
}

function readSheet(root: Element | null, words: Words): Sheet {
  const rows: (Cell | null)[][] = [];
  let [columns, isCut, next] = [0, false, 0];
  for (const row of children(child(root, "sheetData"), "row")) {
    const at = Number(row.getAttribute("r") ?? next + 1) - 1;
    next = at + 1;
    if (!(at >= 0 && at < limits.viewSheetRows)) {
      isCut = true;
      break;
    }
    const cells: (Cell | null)[] = [];
    let column = -1;
    for (const cell of children(row, "c")) {
      column = placeOf(cell.getAttribute("r"))?.column ?? column + 1;
      if (column >= limits.viewSheetColumns) {
        isCut = true;
        break;
      }
      const isNumber = /^(?:n)?$/.test(cell.getAttribute("t") ?? "n");
      cells[column] = { ...EMPTY, text: textOf(cell, words), isNumber };
    }
    rows[at] = cells;
    columns = Math.max(columns, cells.length);
  }
  const whole = Array.from({ length: rows.length }, (_, at) =>
    Array.from({ length: columns }, (_, column) => rows[at]?.[column] ?? (EMPTY as Cell | null)),
  );
  for (const merge of all(child(root, "mergeCells"), "mergeCell")) join(whole, merge, columns);
  return { columns, rows: whole, isCut };
}

function textOf(cell: Element, { shared, codes, from1904 }: Words): string {
  const value = child(cell, "v")?.textContent ?? "";
  switch (cell.getAttribute("t") ?? "n") {
    case "s":
      return shared[Number(value)] ?? "";
    case "inlineStr": {
      const inline = child(cell, "is");
      return inline === null ? "" : richText(inline);
    }
    case "b":
      return value === "1" ? "TRUE" : "FALSE";
    case "n": {
      const number = Number(value);
      if (value === "" || !Number.isFinite(number)) return value;
      const code = codes[Number(cell.getAttribute("s") ?? 0)] ?? "General";
      return formatNumber(number, code, from1904);
    }
    default:
      return value; // a computed text, an error, an ISO date
  }
}

/** `B3` is column 1, row 2. */
function placeOf(reference: string | null): { column: number; row: number } | null {
  const match = /^([A-Z]{1,3})(\d{1,7})$/.exec(reference ?? "");
  if (match === null) return null;
  const letters = match[1] as string;
  let column = 0;
  for (const letter of letters) column = column * 26 + letter.charCodeAt(0) - 64;
  return { column: column - 1, row: Number(match[2]) - 1 };
}

function join(rows: (Cell | null)[][], merge: Element, columns: number): void {
  const [from, to] = (merge.getAttribute("ref") ?? "").split(":").map(placeOf);
  if (from == null || to == null) return;
  const first = rows[from.row]?.[from.column];
  if (first == null) return;
  const [lastRow, lastColumn] = [
    Math.min(to.row, rows.length - 1),
    Math.min(to.column, columns - 1),
  ];
  for (let row = from.row; row <= lastRow; row++) {
    for (let column = from.column; column <= lastColumn; column++) {
      const covered = rows[row];
      if (covered !== undefined) covered[column] = null;
    }
  }
  (rows[from.row] as (Cell | null)[])[from.column] = {
    ...first,
    columns: lastColumn - from.column + 1,
    rows: lastRow - from.row + 1,
  };
}

/** `A` to `Z`, `AA`, … */
export function columnName(index: number): string {
  let [name, rest] = ["", index + 1];
  while (rest > 0) {
    const letter = (rest - 1) % 26;
    name = String.fromCharCode(65 + letter) + name;
    rest = (rest - 1 - letter) / 26;
  }
  return name;
}
