/** The scanner that the promises of absence rest on: it finds a marker in every encoding it names. */

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { newMarker, search } from "../support/canary.ts";

const marker = "Zq+Marker/é4711?";
const control = newMarker();
const around = (text: string | Buffer, before = 7) =>
  Buffer.concat([Buffer.alloc(before, "."), Buffer.from(text as string), Buffer.alloc(9, "~")]);

function zipOf(name: string, content: string): Buffer {
  const header = Buffer.alloc(30);
  header.write("504b0304", "hex");
  header.writeUInt16LE(8, 8);
  header.writeUInt16LE(name.length, 26);
  return Buffer.concat([header, Buffer.from(name), deflateRawSync(content)]);
}

const raw = Buffer.from(marker);
const planted: Record<string, Buffer> = {
  raw: around(marker),
  "upper case": around(marker.toUpperCase().replace("É", "é")),
  hex: around(raw.toString("hex")),
  "hex in capitals": around(raw.toString("hex").toUpperCase()),
  "percent-encoded": around(encodeURIComponent(marker)),
  "percent-encoded throughout": around([...raw].map((byte) => `%${byte.toString(16)}`).join("")),
  "JSON-escaped": around(
    [...marker].map((char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`).join(""),
  ),
  "UTF-16LE": around(Buffer.from(marker, "utf16le")),
  "UTF-16BE": around(Buffer.from(marker, "utf16le").swap16()),
  gzip: around(gzipSync(`some text ${marker} more`)),
  "gzip cut short": gzipSync(`${marker}${"some text ".repeat(200)}`).subarray(0, -9),
  zlib: around(deflateSync(`some text ${marker} more`)),
  "deflate alone": deflateRawSync(`some text ${marker} more`),
  zip: around(zipOf("letter.txt", `some text ${marker} more`)),
  "base64 in gzip": around(gzipSync(Buffer.from(`a ${marker} b`).toString("base64"))),
};
for (const alignment of [0, 1, 2]) {
  const bytes = Buffer.concat([Buffer.alloc(alignment + 3, "x"), raw, Buffer.from("tail")]);
  planted[`base64 +${alignment}`] = around(bytes.toString("base64"));
  planted[`base64url +${alignment}`] = around(bytes.toString("base64url"));
}

describe("the canary scanner", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "latchkey-canary-"));
    await mkdir(join(folder, "deep/er"), { recursive: true });
    await writeFile(join(folder, "deep/er/control"), control);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it.each(Object.entries(planted))("finds a marker that is %s", async (_, bytes) => {
    await writeFile(join(folder, "deep/store.sqlite"), bytes);
    const hits = await search({ folder, markers: { marker }, controls: { control } });
    expect(hits).not.toEqual([]);
    expect(hits.every((hit) => hit.where.startsWith("deep/store.sqlite"))).toBe(true);
  });

  it("finds a marker in the name of a file and in a captured text", async () => {
    const name = newMarker();
    await writeFile(join(folder, `object-${name}`), "");
    const texts = { log: `GET /${name}` };
    const hits = await search({ folder, texts, markers: { name }, controls: { control } });
    expect(hits.map((hit) => hit.where)).toEqual(["log", `name of object-${name}`]);
  });

  it("finds nothing where there is nothing", async () => {
    await writeFile(join(folder, "noise"), Buffer.alloc(100_000, "Zq+Marker "));
    expect(await search({ folder, markers: { marker }, controls: { control } })).toEqual([]);
  });

  it("refuses to prove anything when a control is missing", async () => {
    const controls = { control, other: newMarker() };
    await expect(search({ folder, markers: { marker }, controls })).rejects.toThrow("other");
    await expect(search({ folder, markers: { marker: "short" }, controls })).rejects.toThrow(
      "too short",
    );
  });
});
