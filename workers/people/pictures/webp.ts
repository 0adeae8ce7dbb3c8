/**
 * WebP (RFC 9649): kept are the picture, its transparency and the header that says so. Exif, XMP and
 * color profiles go with the flags that announce them. A chunk that we do not know, one that the header
 * announces and that is not there, and a moving picture refuse the file.
 */

import { joined, must, Reader } from "./bytes.ts";
import type { Picture } from "./picture.ts";

const FLAG_ANIMATION = 0x02;
const FLAG_ALPHA = 0x10;
/** Chunks that go, with the flag in VP8X that announces each (§2.7). */
const announced = { ICCP: 0x20, EXIF: 0x08, "XMP ": 0x04 } as const;
const KNOWN: readonly string[] = ["VP8X", "VP8 ", "VP8L", "ALPH", ...Object.keys(announced)];

export function cleanWebp(bytes: Uint8Array<ArrayBuffer>): Picture {
  const reader = new Reader(bytes);
  must(reader.text(4) === "RIFF");
  must(reader.uint32(true) === bytes.length - 8 && reader.text(4) === "WEBP");
  const chunks = new Map<string, Uint8Array<ArrayBuffer>>();
  const order: string[] = [];
  while (reader.left > 0) {
    const name = reader.text(4);
    const body = reader.take(reader.uint32(true));
    if (body.length % 2 === 1) reader.byte();
    must(KNOWN.includes(name) && !chunks.has(name));
    chunks.set(name, body);
    order.push(name);
  }
  const [lossy, lossless] = [chunks.get("VP8 "), chunks.get("VP8L")];
  const size = lossy === undefined ? losslessSize(lossless) : lossySize(lossy);
  must(lossy === undefined || lossless === undefined);
  const header = chunks.get("VP8X");
  if (header === undefined) must(order.length === 1);
  else checkHeader(header, order, size);
  const alpha = chunks.get("ALPH");
  if (alpha !== undefined) checkAlpha(alpha, size);
  const kept = order.filter((name) => !Object.hasOwn(announced, name));
  const parts = kept.map((name) => {
    const body = chunks.get(name) as Uint8Array;
    return written(name, name === "VP8X" ? withoutFlags(body) : body);
  });
  const content = joined([ascii("WEBP"), ...parts]);
  return {
    type: "image/webp",
    bytes: joined([ascii("RIFF"), uint32(content.length), content]),
    ...size,
  };
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/** §2.7: what the header says, and what is there, is the same. */
function checkHeader(header: Uint8Array<ArrayBuffer>, order: readonly string[], size: Size): void {
  must(header.length === 10 && order[0] === "VP8X");
  const flags = header[0] as number;
  must((flags & FLAG_ANIMATION) === 0);
  for (const [name, flag] of Object.entries(announced)) {
    must(((flags & flag) !== 0) === order.includes(name));
  }
  const alpha = order.indexOf("ALPH");
  must(alpha === -1 || ((flags & FLAG_ALPHA) !== 0 && alpha < order.indexOf("VP8 ")));
  const side = (at: number) =>
    1 +
    ((header[at] as number) |
      ((header[at + 1] as number) << 8) |
      ((header[at + 2] as number) << 16));
  must(side(4) === size.width && side(7) === size.height);
}

/** §2.7.1.2: what is not compressed has a byte for each pixel; reserved bits are none of a picture's. */
function checkAlpha(body: Uint8Array<ArrayBuffer>, { width, height }: Size): void {
  const head = new Reader(body).byte();
  must(head >> 6 === 0 && ((head >> 4) & 3) <= 1 && (head & 3) <= 1);
  must((head & 3) === 1 || body.length === 1 + width * height);
}

function withoutFlags(header: Uint8Array): Uint8Array {
  const kept = new Uint8Array(10);
  kept.set(header.subarray(4), 4);
  kept[0] = (header[0] as number) & FLAG_ALPHA;
  return kept;
}

/** RFC 6386 §9.1: a key frame's header. */
function lossySize(body: Uint8Array<ArrayBuffer>): Size {
  const reader = new Reader(body);
  const tag = reader.byte() | (reader.byte() << 8) | (reader.byte() << 16);
  must((tag & 1) === 0 && tag >> 5 <= body.length - 10);
  must(reader.byte() === 0x9d && reader.byte() === 0x01 && reader.byte() === 0x2a);
  const side = () => (reader.byte() | (reader.byte() << 8)) & 0x3fff;
  const [width, height] = [side(), side()];
  must(width > 0 && height > 0);
  return { width, height };
}

/** RFC 9649 §3.4. */
function losslessSize(body: Uint8Array<ArrayBuffer> | undefined): Size {
  must(body !== undefined);
  const reader = new Reader(body);
  must(reader.byte() === 0x2f);
  const bits = reader.uint32(true);
  must(bits >>> 29 === 0);
  return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >>> 14) & 0x3fff) };
}

const ascii = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

function written(name: string, body: Uint8Array): Uint8Array {
  const padding = new Uint8Array(body.length % 2);
  return joined([ascii(name), uint32(body.length), body, padding]);
}
