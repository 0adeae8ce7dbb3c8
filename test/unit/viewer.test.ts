/** What the viewer takes a file for, what it believes of a frame, and how numbers in sheets read. */

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { zipped } from "../../demo/samples/zip.ts";
import { fileName, kindOfName, kindOfType } from "../../protocol/view.ts";
import { buildConsole, publicFolder } from "../../scripts/build-console.ts";
import { bundleWorker } from "../../scripts/local/bundle.ts";
import { fromFrame } from "../../viewer/messages.ts";
import { formatCode, formatNumber } from "../../viewer/office/numbers.ts";
import { columnName } from "../../viewer/office/workbook.ts";
import { Zip } from "../../viewer/office/zip.ts";
import { bomb } from "../support/hostile-documents.ts";

describe("a file", () => {
  it.each([
    ["report.docx", "document"],
    ["REPORT.PDF", "pdf"],
    ["a.b.md", "markdown"],
    ["x.svg", "image"],
    ["page.html", "text"],
    ["film.mp4", "video"],
    ["old.doc", null],
    ["noending", null],
    ["ends.", null],
    ["x.__proto__", null],
    ["x.constructor", null],
  ])("called %s is taken for %s", (name, kind) => expect(kindOfName(name)).toBe(kind));

  it.each([
    ["text/plain; charset=utf-8", "text"],
    ["Image/PNG", "image"],
    ["application/pdf", "pdf"],
    ["text/html", null],
    ["application/octet-stream", null],
    ["constructor", null],
    ["", null],
    [null, null],
  ])("said to be %s is taken for %s", (type, kind) => expect(kindOfType(type)).toBe(kind));

  it.each([
    ["/files/a%20b.pdf?x=1#y", "a b.pdf"],
    ["/files/%E0%A4%A", "%E0%A4%A"],
    ["/folder/", "folder"],
    ["/", "Document"],
  ])("at %s is called %s", (path, name) => expect(fileName(path)).toBe(name));
});

describe("what a frame says", () => {
  const good = [
    { type: "ready" },
    { type: "shown", pages: 3, unit: "page" },
    { type: "failed", why: "locked" },
    { type: "at", page: 1 },
    { type: "zoomed", percent: 125 },
    { type: "need", id: 0, name: "pdfjs-1-x.wasm" },
    { type: "key", key: "ArrowLeft" },
    { type: "link", href: "https://example.org/" },
  ];
  it("is believed in these forms only, and field by field", () => {
    for (const message of good) {
      expect(fromFrame({ ...message, more: "<script>" })).toEqual(message);
    }
  });

  it.each([
    [null],
    ["ready"],
    [{}],
    [{ type: "explode" }],
    [{ type: "shown", pages: 3, unit: "Your session has ended" }],
    [{ type: "shown", pages: -1, unit: "page" }],
    [{ type: "shown", pages: 1e9, unit: "page" }],
    [{ type: "failed", why: "call this number" }],
    [{ type: "at", page: 0 }],
    [{ type: "at", page: "1" }],
    [{ type: "at", page: 1.5 }],
    [{ type: "zoomed", percent: Number.NaN }],
    [{ type: "need", id: -1, name: "x" }],
    [{ type: "need", id: 1, name: {} }],
    [{ type: "key", key: "x".repeat(17) }],
    [{ type: "link", href: "x".repeat(2049) }],
  ])("is dropped otherwise: %j", (message) => expect(fromFrame(message)).toBe(null));
});

describe("a number in a sheet", () => {
  it.each([
    [0.1 + 0.2, "General", "0.3"],
    [1304.5, "General", "1304.5"],
    [0.0842, "0.00%", "8.42%"],
    [45961, "yyyy\\-mm\\-dd", "2025-10-31"],
    [45961.75, "yyyy-mm-dd hh:mm", "2025-10-31 18:00"],
    [0.5, "hh:mm", "12:00"],
    [60, "yyyy-mm-dd", "1900-02-28"],
    [3, "0.00", "3.00"],
    [3, '"CHF "0.00', "CHF 3.00"],
    [3, "0.00\\ [$€-407]", "3.00 €"],
    [-3.456, "0.0", "-3.5"],
    [1e300, "yyyy-mm-dd", "1e+300"],
  ])("%d as %s reads %s", (value, code, text) => {
    expect(formatNumber(value, code, false)).toBe(text);
  });

  it("knows the built-in formats, and those of the file first", () => {
    expect(formatCode(10, new Map())).toBe("0.00%");
    expect(formatCode(10, new Map([[10, "0"]]))).toBe("0");
    expect(formatCode(999, new Map())).toBe("General");
    expect(formatNumber(0, formatCode(14, new Map()), true)).toBe("1904-01-01");
  });

  it("stands in a column with a name", () => {
    expect([0, 25, 26, 51, 52, 701, 702].map(columnName)).toEqual(
      ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"], // as a sheet counts
    );
  });
});

describe("an archive", () => {
  const open = (bytes: Uint8Array) => new Zip(Uint8Array.from(bytes).buffer);

  it("gives its parts, whatever their number", async () => {
    const zip = open(zipped({ "a.xml": "one", "b/c.xml": "two" }));
    expect(zip.names).toEqual(["a.xml", "b/c.xml"]);
    expect(new TextDecoder().decode(await zip.read("b/c.xml"))).toBe("two");
    await expect(zip.read("d.xml")).rejects.toMatchObject({ why: "broken" });
  });

  it("is opened up to the limit, whatever it says of itself", async () => {
    const zip = open(bomb("x.xml", 40));
    await expect(zip.read("x.xml", 24 * 1024 * 1024)).rejects.toMatchObject({ why: "too-large" });
    const all = open(bomb("x.xml", 129));
    await expect(all.read("x.xml")).rejects.toMatchObject({ why: "too-large" });
  });

  it("is refused when it is none, is cut off, or lies about its places", () => {
    const whole = zipped({ "a.xml": "one" });
    const away = Uint8Array.from(whole);
    away.set([255, 255, 255, 127], whole.length - 6);
    for (const bytes of [new Uint8Array(0), new Uint8Array(100), whole.slice(0, -10), away]) {
      expect(() => open(bytes)).toThrow(expect.objectContaining({ why: "broken" }));
    }
    const compound = Buffer.from("d0cf11e0a1b11ae1".padEnd(128, "0"), "hex");
    expect(() => open(compound)).toThrow(expect.objectContaining({ why: "locked" }));
  });

  it("with a part that lies elsewhere than it says breaks at that part", async () => {
    const bytes = Uint8Array.from(zipped({ "a.xml": "one" }));
    bytes[0] = 0;
    await expect(open(bytes).read("a.xml")).rejects.toMatchObject({ why: "broken" });
  });
});

describe("the viewer's weight", () => {
  const KIB = 1024;
  /** What each kind may load, gzipped. */
  const most: Readonly<Record<string, number>> = {
    "viewer.js": 12,
    "viewer.css": 6,
    "view-text.html": 8,
    "view-image.html": 8,
    "view-markdown.html": 30,
    "view-document.html": 40,
    "view-sheet.html": 16,
    "view-slides.html": 16,
    "view-pdf.html": 560,
  };
  let names: Readonly<Record<string, string>>;
  beforeAll(async () => {
    await buildConsole();
    ({ names } = await import("../../console/dist/names.ts"));
  });

  it("stays within what each kind may load", () => {
    for (const [name, kib] of Object.entries(most)) {
      const bytes = statSync(join(publicFolder, `${names[name]}.gz`)).size;
      expect(bytes, `${name}: ${(bytes / KIB).toFixed(1)} of ${kib} KiB`).toBeLessThan(kib * KIB);
    }
    const frames = Object.keys(names).filter((name) => /^view/.test(name));
    expect(frames.sort()).toEqual(Object.keys(most).sort());
    expect(readdirSync(publicFolder).some((name) => name.endsWith("jbig2.wasm.br"))).toBe(true);
  });

  it("is not the worker's: of it the bundle has names and hashes", {
    timeout: 60_000,
  }, async () => {
    const text = (await bundleWorker()).map(({ contents }) => String(contents)).join("\n");
    expect(text).toContain(names["view-pdf.html"]);
    for (const part of ["WorkerMessageHandler", "renderAltChunks", "sheetData", "sldIdLst"]) {
      expect([part, text.includes(part)]).toEqual([part, false]);
    }
  });
});
