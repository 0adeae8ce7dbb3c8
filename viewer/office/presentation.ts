/**
 * What is said and shown on the slides of a pptx file (PresentationML, ECMA-376-1 §19): texts, tables
 * and pictures, in their order. Not where they stand.
 */

import { limits } from "../../protocol/limits.ts";
import { Unshown } from "../unshown.ts";
import { all, child, children, type Relation, readXml, relationId, relationsOf } from "./xml.ts";
import { Zip } from "./zip.ts";

export type Piece =
  | { readonly kind: "title"; readonly text: string }
  | { readonly kind: "text"; readonly lines: readonly { level: number; text: string }[] }
  | { readonly kind: "table"; readonly rows: readonly (readonly string[])[] }
  | { readonly kind: "picture"; readonly picture: Blob; readonly description: string }
  /** A chart, a film, a formula: something that is not shown. */
  | { readonly kind: "other" };

export interface Slide {
  readonly isHidden: boolean;
  readonly pieces: readonly Piece[];
}

export interface Presentation {
  readonly slides: readonly Slide[];
  readonly isCut: boolean;
}

/** What a browser draws of the pictures on slides. */
const pictureTypes: Readonly<Record<string, string>> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  svg: "image/svg+xml",
  bmp: "image/bmp",
};

/** @throws Unshown */
export async function openPresentation(bytes: ArrayBuffer): Promise<Presentation> {
  const zip = new Zip(bytes);
  const main = [...(await relationsOf(zip, "")).values()].find(
    ({ type }) => type === "officeDocument",
  );
  const part = main?.target ?? "ppt/presentation.xml";
  const root = await readXml(zip, part);
  if (root === null) throw new Unshown("broken");
  const relations = await relationsOf(zip, part);
  const ids = children(child(root, "sldIdLst"), "sldId");
  const slides: Slide[] = [];
  for (const id of ids.slice(0, limits.viewSlides)) {
    const relation = relations.get(relationId(id) ?? "");
    if (relation !== undefined) slides.push(await readSlide(zip, relation.target));
  }
  return { slides, isCut: ids.length > limits.viewSlides };
}

async function readSlide(zip: Zip, part: string): Promise<Slide> {
  const root = await readXml(zip, part);
  if (root === null) throw new Unshown("broken");
  const relations = await relationsOf(zip, part);
  const pieces: Piece[] = [];
  await readTree(zip, relations, child(child(root, "cSld"), "spTree"), pieces);
  // Whatever its place on the slide, its title comes first.
  pieces.sort((a, b) => Number(b.kind === "title") - Number(a.kind === "title"));
  return { isHidden: /^(?:0|false)$/.test(root.getAttribute("show") ?? "1"), pieces };
}

async function readTree(
  zip: Zip,
  relations: ReadonlyMap<string, Relation>,
  tree: Element | null,
  pieces: Piece[],
): Promise<void> {
  for (const shape of tree?.children ?? []) {
    switch (shape.localName) {
      case "grpSp":
        await readTree(zip, relations, shape, pieces);
        break;
      case "sp":
        textOf(shape, pieces);
        break;
      case "pic":
        pieces.push(await pictureOf(zip, relations, shape));
        break;
      case "graphicFrame": {
        const [table] = all(shape, "tbl");
        pieces.push(
          table === undefined ? { kind: "other" } : { kind: "table", rows: rowsOf(table) },
        );
      }
    }
  }
}

function textOf(shape: Element, pieces: Piece[]): void {
  const lines = children(child(shape, "txBody"), "p")
    .map((paragraph) => ({
      level: Number(child(paragraph, "pPr")?.getAttribute("lvl") ?? 0) || 0,
      text: runsOf(paragraph),
    }))
    .filter(({ text }) => text.trim() !== "");
  if (lines.length === 0) return;
  const type = all(shape, "ph")[0]?.getAttribute("type") ?? "";
  if (/^(?:sldNum|ftr|dt)$/.test(type)) return;
  if (/^(?:title|ctrTitle)$/.test(type)) {
    pieces.push({ kind: "title", text: lines.map(({ text }) => text).join(" ") });
  } else {
    pieces.push({ kind: "text", lines });
  }
}

function runsOf(paragraph: Element): string {
  return [...paragraph.children]
    .map((run) => (run.localName === "br" ? "\n" : (child(run, "t")?.textContent ?? "")))
    .join("");
}

function rowsOf(table: Element): string[][] {
  return children(table, "tr").map((row) =>
    children(row, "tc").map((cell) => children(child(cell, "txBody"), "p").map(runsOf).join("\n")),
  );
}

async function pictureOf(
  zip: Zip,
  relations: ReadonlyMap<string, Relation>,
  shape: Element,
): Promise<Piece> {
  const [blip] = all(shape, "blip");
  const target = relations.get((blip && relationId(blip, "embed")) ?? "")?.target ?? "";
  const type = pictureTypes[target.slice(target.lastIndexOf(".") + 1).toLowerCase()];
  if (type === undefined || !zip.has(target)) return { kind: "other" };
  const description = all(shape, "cNvPr")[0]?.getAttribute("descr") ?? "";
  return { kind: "picture", picture: new Blob([await zip.read(target)], { type }), description };
}
