/** A PDF, a picture and a sound, made of nothing but bytes. */

import { deflateSync } from "node:zlib";
import { crc32 } from "../../protocol/tokens.ts";

const PAGE = { width: 595, height: 842, margin: 72 }; // A4 in points
const LINE = { title: 28, text: 18 };

/** A PDF (ISO 32000-1) of pages, each a title and lines, in a font that every reader has. */
export function pdf(
  pages: readonly { readonly title: string; readonly lines: readonly string[] }[],
  /** More objects, numbered after the pages; and entries of the catalog that name them. */
  more: { readonly catalog?: string; readonly objects?: readonly string[] } = {},
): Uint8Array {
  const kids = pages.map((_, at) => `${4 + 2 * at} 0 R`).join(" ");
  const objects = [
    `<< /Type /Catalog /Pages 2 0 R ${more.catalog ?? ""} >>`,
    `<< /Type /Pages /Kids [${kids}] /Count ${pages.length} >>`,
    "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
  ];
  for (const [at, page] of pages.entries()) {
    const content = pageContent(page);
    objects.push(
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 ${PAGE.width} ${PAGE.height}] /Resources << /Font << /F1 3 0 R >> >> /Contents ${5 + 2 * at} 0 R >>`,
      `<< /Length ${Buffer.byteLength(content, "latin1")} >>\nstream\n${content}\nendstream`,
    );
  }
  objects.push(...(more.objects ?? []));
  let text = "%PDF-1.7\n";
  const offsets = objects.map((object, at) => {
    const offset = text.length;
    text += `${at + 1} 0 obj\n${object}\nendobj\n`;
    return offset;
  });
  const table = offsets.map((offset) => `${String(offset).padStart(10, "0")} 00000 n \n`).join("");
  text += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${table}trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${text.length}\n%%EOF\n`;
  return Buffer.from(text, "latin1");
}

function pageContent({ title, lines }: { title: string; lines: readonly string[] }): string {
  const shown = (line: string) => `(${line.replaceAll(/[\\()]/g, "\\$&")}) Tj`;
  const top = PAGE.height - PAGE.margin;
  const rest = lines.map((line) => `0 -${LINE.text} Td ${shown(line)}`).join("\n");
  return `0.118 0.357 0.310 rg ${PAGE.margin} ${top + 30} 48 6 re f\n0.114 0.129 0.122 rg\nBT /F1 22 Tf ${PAGE.margin} ${top} Td ${shown(title)}\n/F1 11 Tf 0 -${LINE.title - LINE.text} Td\n${rest}\nET`;
}

/** A PNG (ISO/IEC 15948), true color. @param color of a point, each part up to 255 */
export function png(
  width: number,
  height: number,
  color: (x: number, y: number) => readonly [number, number, number],
): Uint8Array {
  const lines = Buffer.alloc(height * (1 + 3 * width));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) lines.set(color(x, y), y * (1 + 3 * width) + 1 + 3 * x);
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", head),
    chunk("IDAT", deflateSync(lines)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(type: string, body: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, "latin1"), body]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(body.length);
  sum.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, sum]);
}

/** A WAV of one channel, 16 bit. @param sample at a time in seconds, from -1 to 1 */
export function wav(seconds: number, sample: (at: number) => number, rate = 22_050): Uint8Array {
  const count = Math.floor(seconds * rate);
  const bytes = Buffer.alloc(44 + 2 * count);
  bytes.write("RIFF", 0, "latin1");
  bytes.writeUInt32LE(bytes.length - 8, 4);
  bytes.write("WAVEfmt ", 8, "latin1");
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(rate, 24);
  bytes.writeUInt32LE(2 * rate, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write("data", 36, "latin1");
  bytes.writeUInt32LE(2 * count, 40);
  for (let at = 0; at < count; at++) {
    bytes.writeInt16LE(Math.round(sample(at / rate) * 32_767), 44 + 2 * at);
  }
  return bytes;
}
