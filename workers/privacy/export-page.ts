/**
 * The export as a page to read: one file without scripts, that asks no network for anything. It says
 * what the JSON says, and in the policy's words.
 */

import { html, raw } from "hono/html";
import { HELD, type Shown, type ShownRow } from "../../db/data-map/export.ts";
import type { ExportedClass, PersonalExport, PlacedTable } from "./export.ts";

type Markup = ReturnType<typeof html>;

const STYLE = `
:root { color-scheme: light dark; --paper: #faf8f4; --ink: #1d211f; --quiet: #555b58; --line: #e4dfd6; --door: #1e5b4f; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #121513; --ink: #e9e7e1; --quiet: #aab1ac; --line: #2a2f2c; --door: #6fb8a6; }
}
body { background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 65rem; padding: 2rem 1rem 4rem; overflow-wrap: anywhere; }
h1 { font-size: 2rem; margin: 0; } h2 { font-size: 1.4rem; margin: 0; } h3 { font-size: 1rem; margin: 1.5rem 0 0.5rem; }
p { margin: 0.5rem 0; max-width: 46rem; } .quiet, dt, caption { color: var(--quiet); }
section { border-top: 1px solid var(--line); margin-top: 2rem; padding-top: 1.5rem; }
ol { list-style: none; margin: 0; padding: 0; } ol > li { border: 1px solid var(--line); border-radius: 10px; margin-top: 0.75rem; padding: 0.75rem 1rem; }
dl { display: grid; gap: 0.25rem 1.5rem; grid-template-columns: minmax(7rem, max-content) 1fr; margin: 0; } dd { margin: 0; }
dd dl { border-left: 2px solid var(--line); padding-left: 0.75rem; } a { color: var(--door); }
img { border-radius: 10px; max-width: 12rem; }
@media (max-width: 34rem) { dl { display: block; } dd { margin-bottom: 0.5rem; } }
`;

/** The whole page. */
export function exportPage(held: PersonalExport): string {
  const shown = held.classes.filter((one) => tablesOf(held, one).length > 0);
  const others = held.classes.filter((one) => tablesOf(held, one).length === 0);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src 'self' file:">
<title>What Latchkey holds about you</title>
<style>${raw(STYLE)}</style>
</head>
<body>
<header>
<h1>What Latchkey holds about you</h1>
<p>Everything that <b>${held.service}</b> held about the account <b>${held.account_id}</b> on
${day(held.made_at)}. Times are UTC. The same for programs: <a href="export.json">export.json</a>.</p>
<p class="quiet">Nobody kept a copy of this archive. Hashes and keys are named, not shown: they are of no
use to you, and a danger in a file. They read “${HELD}”.</p>
</header>
<main>
${held.files.map(({ name, about }) => html`<p><img src="${name}" alt="${sentence(about)}"></p>`)}
${shown.map((one) => section(one, tablesOf(held, one)))}
<section>
<h2>What is not in here</h2>
<p>Of these we hold nothing about you now, or nothing that can be found by your name.</p>
<dl>${others.map((one) => html`<dt>${one.title}</dt><dd>${absence(one)}</dd>`)}</dl>
</section>
</main>
</body>
</html>
`;
  return String(page);
}

function tablesOf(held: PersonalExport, { class: name }: ExportedClass): PlacedTable[] {
  return held.tables.filter((table) => table.class === name);
}

function section(one: ExportedClass, tables: readonly PlacedTable[]): Markup {
  return html`<section>
<h2>${one.title}</h2>
<p>${sentence(one.holds)} ${sentence(`Held ${one.why}`)}</p>
<p class="quiet">Kept: ${one.kept}. Seen by: ${one.seen_by}. Ended by: ${one.deleted_by}.</p>
${tables.map(tableOf)}
</section>`;
}

function tableOf(table: PlacedTable): Markup {
  const of = table.device_id === null ? "" : ` of the device ${table.device_id}`;
  const sources = Object.entries(table.sources);
  return html`<h3>${words(table.table)}${of}</h3>
${sources.map(([column, source]) => html`<p class="quiet">“${words(column)}” comes from ${source}.</p>`)}
<ol>${table.rows.map((row) => html`<li>${list(row)}</li>`)}</ol>
`;
}

function list(row: ShownRow): Markup {
  return html`<dl>${Object.entries(row).map(
    ([name, value]) => html`<dt>${words(name)}</dt><dd>${say(value)}</dd>`,
  )}</dl>`;
}

function say(value: Shown | undefined): Markup | string {
  if (value === null || value === undefined || value === "") return "—";
  if (Array.isArray(value)) return html`<ol>${value.map((one) => html`<li>${say(one)}</li>`)}</ol>`;
  if (typeof value === "object") return list(value as ShownRow);
  const text = String(value);
  return /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(text)
    ? text.replace("T", " ").replace(/\.\d+Z$/, "")
    : text;
}

function absence({ in_export: inExport, held, holds, kept }: ExportedClass): string {
  if (inExport !== "no" && held === 0) return "Nothing is held.";
  return `${sentence(holds)} Kept: ${kept}.`;
}

/** `created_at` reads `created at`. */
function words(name: string): string {
  return name.replaceAll("_", " ");
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function day(iso: string): string {
  return iso.slice(0, 10);
}
