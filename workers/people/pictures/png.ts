/**
 * PNG (W3C Third Edition): kept are the critical chunks and the few that change colors. Text, Exif,
 * the time, color profiles, animation and every chunk we do not know go; a critical one that we do not
 * know, a wrong checksum or a chunk out of order refuses the file.
 */

import { crc32 } from "../../../protocol/tokens.ts";
import { joined, must, Reader } from "./bytes.ts";
import type { Picture } from "./picture.ts";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** Chunks that change how pixels look and hold numbers only, with the length that each has (§11.3). */
const colors: Readonly<Record<string, (kind: ColorKind, entries: number) => readonly number[]>> = {
  tRNS: ({ transparent }, entries) =>
    transparent === "entries" ? Array.from({ length: entries }, (_, at) => at + 1) : [transparent],
  gAMA: () => [4],
  cHRM: () => [32],
  sRGB: () => [1],
  sBIT: ({ samples }) => [samples],
  cICP: () => [4],
};

/** What a color type asks of other chunks (§11.2.1): samples, bytes of the transparent color, a palette. */
interface ColorKind {
  readonly samples: number;
  /** -1: its pixels say themselves how transparent they are. */
  readonly transparent: number | "entries";
  readonly palette: "never" | "ignored" | "needed";
}
const colorKinds: Readonly<Record<number, ColorKind>> = {
  0: { samples: 1, transparent: 2, palette: "never" },
  2: { samples: 3, transparent: 6, palette: "ignored" },
  3: { samples: 3, transparent: "entries", palette: "needed" },
  4: { samples: 2, transparent: -1, palette: "never" },
  6: { samples: 4, transparent: -1, palette: "ignored" },
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
  const [depth, color] = [header.byte(), header.byte()];
  const kind = colorKinds[color];
  must(width > 0 && height > 0 && [1, 2, 4, 8, 16].includes(depth) && kind !== undefined);
  must(header.byte() === 0 && header.byte() === 0 && header.byte() <= 1);
  let entries = 0;
  const seen = new Set<string>();
  let last = "IHDR";
  for (;;) {
    const { type, body, whole } = chunk(reader);
    if (type === "IEND") {
      must(body.length === 0 && seen.has("IDAT"));
      must(kind.palette !== "needed" || seen.has("PLTE"));
      kept.push(whole);
      return { type: "image/png", bytes: joined(kept), width, height };
    }
    const early = !seen.has("IDAT") && !seen.has(type);
    if (type === "IDAT") must(!seen.has("IDAT") || last === "IDAT");
    else if (type === "PLTE") {
      entries = body.length / 3;
      must(early && kind.palette !== "never" && Number.isInteger(entries));
      must(entries >= 1 && entries <= (kind.palette === "needed" ? 2 ** Math.min(depth, 8) : 256));
    } else must(isAncillary(type));
    const shows = early && (colors[type]?.(kind, entries).includes(body.length) ?? false);
    // A palette that pixels do not use is a suggestion for screens of few colors.
    const palette = type === "PLTE" && kind.palette === "needed";
    if (type === "IDAT" || palette || shows) kept.push(whole);
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
