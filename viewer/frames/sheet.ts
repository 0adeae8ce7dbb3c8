/** Excel files as tables, a sheet at a time. */

import { limits } from "../../protocol/limits.ts";
import { type Cell, columnName, openWorkbook, type Sheet } from "../office/workbook.ts";
import { Unshown } from "../unshown.ts";
import { frame, place, say } from "./frame.ts";

frame(async ({ bytes }) => {
  const book = await openWorkbook(bytes);
  if (book.names.length === 0) throw new Unshown("broken");
  const main = place("sheet");
  let wanted = 0;
  async function goTo(page: number): Promise<void> {
    const turn = ++wanted;
    const sheet = await book.read(page - 1);
    if (turn !== wanted) return;
    main.replaceChildren(...drawn(book.names[page - 1] ?? "", sheet));
    scrollTo(0, 0);
    say({ type: "at", page });
  }
  await goTo(1);
  return {
    pages: book.names.length,
    unit: "sheet",
    goTo: (page) => {
      goTo(page).catch(() => say({ type: "failed", why: "broken" }));
    },
    zoom(factor) {
      main.style.zoom = String(factor);
    },
  };
});

function drawn(name: string, { columns, rows, isCut }: Sheet): Element[] {
  const heading = made("h1", name);
  if (rows.length === 0) return [heading, made("p", "This sheet is empty.")];
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  head.append(made("td", ""));
  for (let at = 0; at < columns; at++) head.append(headed(columnName(at), "col"));
  const body = table.createTBody();
  for (const [at, row] of rows.entries()) {
    const line = body.insertRow();
    line.append(headed(String(at + 1), "row"));
    for (const cell of row) if (cell !== null) line.append(cellOf(cell));
  }
  const cut = isCut
    ? [
        made(
          "p",
          `Shown are the first ${limits.viewSheetRows} rows and ${limits.viewSheetColumns} columns. There is more in the file.`,
        ),
      ]
    : [];
  for (const text of cut) text.className = "note";
  return [heading, ...cut, table];
}

function cellOf({ text, isNumber, columns, rows }: Cell): HTMLElement {
  const cell = document.createElement("td");
  cell.textContent = text;
  if (isNumber) cell.className = "number";
  else cell.dir = "auto";
  if (columns > 1) cell.colSpan = columns;
  if (rows > 1) cell.rowSpan = rows;
  return cell;
}

function headed(text: string, scope: "col" | "row"): HTMLElement {
  const cell = document.createElement("th");
  cell.scope = scope;
  cell.textContent = text;
  return cell;
}

function made(name: string, text: string): HTMLElement {
  const element = document.createElement(name);
  element.textContent = text;
  return element;
}
