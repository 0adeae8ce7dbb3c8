/**
 * PNG (W3C Third Edition): kept are the critical chunks and the few that change colors. Text, Exif,
 * the time, color profiles, animation and every chunk we do not know go; a critical one that we do not
 * know, a wrong checksum or a chunk out of order refuses the file.
 */

import { crc32 } from "../../../protocol/tokens.ts";
import { joined, must, type Picture, Reader } from "./picture.ts";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** Chunks that change how pixels look, with the longest that each may be; they hold numbers only. */
const colors: Readonly<Record<string, number>> = {
  tRNS: 256,
  gAMA: 4,
  cHRM: 32,
  sRGB: 1,
  sBIT: 4,
  cICP: 4,
};

export function cleanPng(bytes: Uint8Array<ArrayBuffer>): Picture {
  const reader = new Reader(bytes);
  for (const byte of SIGNATURE) must(reader.byte() === byte);
  const kept: Uint8Array[] = [Uint8Array.from(SIGNATURE)];
  const first = chunk(reader);
  must(first.type === "IHDR" && first.body.length === 13);
  kept.push(first.whole);
  const header = new Reader(first.body);
  const [width, height] = [header.uint32(), header.uint32()];
  must(width > 0 && height > 0);
  const seen = new Set<string>();
  let last = "IHDR";
  for (;;) {
    const { type, body, whole } = chunk(reader);
    if (type === "IEND") {
      must(body.length === 0 && seen.has("IDAT"));
      kept.push(whole);
      return { type: "image/png", bytes: joined(kept), width, height };
    }
    if (type === "IDAT") must(!seen.has("IDAT") || last === "IDAT");
    else if (type === "PLTE") {
      must(!seen.has("PLTE") && !seen.has("IDAT") && body.length % 3 === 0 && body.length <= 768);
    } else must(isAncillary(type));
    const color = colors[type];
    const shows =
      color !== undefined && body.length <= color && !seen.has("IDAT") && !seen.has(type);
    if (type === "IDAT" || type === "PLTE" || shows) kept.push(whole);
    seen.add(type);
    last = type;
  }
}

interface Chunk {
  readonly type: string;
  readonly body: Uint8Array<ArrayBuffer>;
  readonly whole: Uint8Array;
}

/** §5.3. */
function chunk(reader: Reader): Chunk {
  const from = reader.at;
  const length = reader.uint32();
  const type = reader.text(4);
  must(/^[A-Za-z]{4}$/.test(type));
  const body = reader.take(length);
  const sum = reader.uint32();
  reader.at = from + 4;
  must(crc32(reader.take(length + 4)) === sum);
  reader.at = from;
  return { type, body, whole: reader.take(length + 12) };
}

/** §5.4: the first letter's case. */
const isAncillary = (type: string) => type.charCodeAt(0) >= 97;
