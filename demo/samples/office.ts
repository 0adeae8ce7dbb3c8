/** Small office files: the least that Word, Excel and PowerPoint call whole (ECMA-376-1). */

import { zipped } from "./zip.ts";

const HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n';
const OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const TYPES = "application/vnd.openxmlformats-officedocument";
const W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";
const S = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const P = "http://schemas.openxmlformats.org/presentationml/2006/main";
const A = "http://schemas.openxmlformats.org/drawingml/2006/main";

/** @param parts their content types by name */
function contentTypes(parts: Readonly<Record<string, string>>): string {
  const overrides = Object.entries(parts).map(
    ([part, type]) => `<Override PartName="/${part}" ContentType="${TYPES}.${type}+xml"/>`,
  );
  return `${HEAD}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Default Extension="png" ContentType="image/png"/>${overrides.join("")}</Types>`;
}

/** @param relations the kind and target of each, called `rId1` onward */
function relations(...targets: [kind: string, target: string][]): string {
  const list = targets.map(
    ([kind, target], at) =>
      `<Relationship Id="rId${at + 1}" Type="${OFFICE}/${kind}" Target="${target}"/>`,
  );
  return `${HEAD}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">${list.join("")}</Relationships>`;
}

export function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}

/** A Word file. @param body WordprocessingML, or paragraphs of which those with `# ` are headings */
export function docx(
  body: string | readonly string[],
  more: Readonly<Record<string, string | Uint8Array>> = {},
): Uint8Array {
  const paragraph = (text: string) =>
    text.startsWith("# ")
      ? `<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>${escaped(text.slice(2))}</w:t></w:r></w:p>`
      : `<w:p><w:pPr><w:spacing w:after="160" w:line="288" w:lineRule="auto"/></w:pPr><w:r><w:t xml:space="preserve">${escaped(text)}</w:t></w:r></w:p>`;
  const content = typeof body === "string" ? body : body.map(paragraph).join("");
  return zipped({
    "[Content_Types].xml": contentTypes({
      "word/document.xml": "wordprocessingml.document.main",
      "word/styles.xml": "wordprocessingml.styles",
    }),
    "_rels/.rels": relations(["officeDocument", "word/document.xml"]),
    "word/_rels/document.xml.rels": relations(["styles", "styles.xml"]),
    "word/document.xml": `${HEAD}<w:document xmlns:w="${W}" xmlns:r="${OFFICE}"><w:body>${content}<w:sectPr><w:pgSz w:w="11906" w:h="16838"/><w:pgMar w:top="1440" w:right="1440" w:bottom="1440" w:left="1440" w:header="708" w:footer="708" w:gutter="0"/></w:sectPr></w:body></w:document>`,
    "word/styles.xml": `${HEAD}<w:styles xmlns:w="${W}"><w:docDefaults><w:rPrDefault><w:rPr><w:rFonts w:ascii="Georgia" w:hAnsi="Georgia"/><w:sz w:val="22"/></w:rPr></w:rPrDefault></w:docDefaults><w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/></w:style><w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/><w:basedOn w:val="Normal"/><w:pPr><w:spacing w:before="240" w:after="160"/><w:outlineLvl w:val="0"/></w:pPr><w:rPr><w:b/><w:color w:val="1E5B4F"/><w:sz w:val="36"/></w:rPr></w:style></w:styles>`,
    ...more,
  });
}

/** A cell: text, a number, a day, or a share of one. */
export type Cell = string | number | { readonly day: number } | { readonly percent: number };

/** An Excel file of the sheets named. */
export function xlsx(
  sheets: Readonly<Record<string, readonly (readonly Cell[])[]>>,
  more: Readonly<Record<string, string | Uint8Array>> = {},
): Uint8Array {
  const names = Object.keys(sheets);
  const part = (at: number) => `worksheets/sheet${at + 1}.xml`;
  return zipped({
    "[Content_Types].xml": contentTypes({
      "xl/workbook.xml": "spreadsheetml.sheet.main",
      "xl/styles.xml": "spreadsheetml.styles",
      ...Object.fromEntries(names.map((_, at) => [`xl/${part(at)}`, "spreadsheetml.worksheet"])),
    }),
    "_rels/.rels": relations(["officeDocument", "xl/workbook.xml"]),
    "xl/_rels/workbook.xml.rels": relations(
      ...names.map((_, at): [string, string] => ["worksheet", part(at)]),
      ["styles", "styles.xml"],
    ),
    "xl/workbook.xml": `${HEAD}<workbook xmlns="${S}" xmlns:r="${OFFICE}"><sheets>${names.map((name, at) => `<sheet name="${escaped(name)}" sheetId="${at + 1}" r:id="rId${at + 1}"/>`).join("")}</sheets></workbook>`,
    "xl/styles.xml": `${HEAD}<styleSheet xmlns="${S}"><numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/></numFmts><fonts count="1"><font/></fonts><fills count="1"><fill/></fills><borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="3"><xf/><xf numFmtId="164" applyNumberFormat="1"/><xf numFmtId="10" applyNumberFormat="1"/></cellXfs></styleSheet>`,
    ...Object.fromEntries(
      Object.values(sheets).map((rows, at) => [`xl/${part(at)}`, worksheet(rows)]),
    ),
    ...more,
  });
}

function worksheet(rows: readonly (readonly Cell[])[]): string {
  const cell = (value: Cell) => {
    if (typeof value === "string") {
      return `<c t="inlineStr"><is><t xml:space="preserve">${escaped(value)}</t></is></c>`;
    }
    if (typeof value === "number") return `<c><v>${value}</v></c>`;
    return "day" in value
      ? `<c s="1"><v>${value.day}</v></c>`
      : `<c s="2"><v>${value.percent}</v></c>`;
  };
  const lines = rows.map((row, at) => `<row r="${at + 1}">${row.map(cell).join("")}</row>`);
  return `${HEAD}<worksheet xmlns="${S}"><sheetData>${lines.join("")}</sheetData></worksheet>`;
}

export interface SampleSlide {
  readonly title: string;
  readonly lines: readonly string[];
  /** A PNG beside the text. */
  readonly picture?: Uint8Array;
}

/** A PowerPoint file. */
export function pptx(
  slides: readonly SampleSlide[],
  more: Readonly<Record<string, string | Uint8Array>> = {},
): Uint8Array {
  const files: Record<string, string | Uint8Array> = {
    "[Content_Types].xml": contentTypes({
      "ppt/presentation.xml": "presentationml.presentation.main",
      ...Object.fromEntries(
        slides.map((_, at) => [`ppt/slides/slide${at + 1}.xml`, "presentationml.slide"]),
      ),
    }),
    "_rels/.rels": relations(["officeDocument", "ppt/presentation.xml"]),
    "ppt/_rels/presentation.xml.rels": relations(
      ...slides.map((_, at): [string, string] => ["slide", `slides/slide${at + 1}.xml`]),
    ),
    "ppt/presentation.xml": `${HEAD}<p:presentation xmlns:p="${P}" xmlns:r="${OFFICE}"><p:sldIdLst>${slides.map((_, at) => `<p:sldId id="${256 + at}" r:id="rId${at + 1}"/>`).join("")}</p:sldIdLst><p:sldSz cx="12192000" cy="6858000"/></p:presentation>`,
  };
  for (const [at, slide] of slides.entries()) {
    files[`ppt/slides/slide${at + 1}.xml`] = slideXml(slide);
    if (slide.picture === undefined) continue;
    files[`ppt/slides/_rels/slide${at + 1}.xml.rels`] = relations([
      "image",
      `../media/image${at + 1}.png`,
    ]);
    files[`ppt/media/image${at + 1}.png`] = slide.picture;
  }
  return zipped({ ...files, ...more });
}

function slideXml({ title, lines, picture }: SampleSlide): string {
  const shape = (id: number, kind: string, texts: readonly string[]) =>
    `<p:sp><p:nvSpPr><p:cNvPr id="${id}" name="${kind}"/><p:cNvSpPr/><p:nvPr><p:ph type="${kind}"/></p:nvPr></p:nvSpPr><p:spPr/><p:txBody><a:bodyPr/>${texts.map((text) => `<a:p><a:r><a:t>${escaped(text)}</a:t></a:r></a:p>`).join("")}</p:txBody></p:sp>`;
  const image =
    picture === undefined
      ? ""
      : `<p:pic><p:nvPicPr><p:cNvPr id="4" name="picture" descr="${escaped(title)}"/><p:cNvPicPr/><p:nvPr/></p:nvPicPr><p:blipFill><a:blip r:embed="rId1"/></p:blipFill><p:spPr/></p:pic>`;
  return `${HEAD}<p:sld xmlns:p="${P}" xmlns:a="${A}" xmlns:r="${OFFICE}"><p:cSld><p:spTree><p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>${shape(2, "title", [title])}${shape(3, "body", lines)}${image}</p:spTree></p:cSld></p:sld>`;
}
