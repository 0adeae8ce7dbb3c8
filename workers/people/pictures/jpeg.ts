/**
 * JPEG (ITU-T T.81): kept are the frame, the tables, the scans, an empty JFIF header, Adobe's color
 * transform, and from Exif the one number that says which way is up. Everything else goes: Exif with
 * its place, XMP, IPTC, color profiles, comments, thumbnails, and whatever follows the end.
 */

import { joined, must, Reader } from "./bytes.ts";
import type { Picture } from "./picture.ts";

const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
const DQT = 0xdb;
const DHT = 0xc4;
const DAC = 0xcc;
const DRI = 0xdd;
const APP0 = 0xe0;
const APP1 = 0xe1;
const APP14 = 0xee;
const COM = 0xfe;

const isFrame = (marker: number): boolean =>
  marker >= 0xc0 && marker <= 0xcf && marker !== DHT && marker !== 0xc8 && marker !== DAC;
const isRestart = (marker: number) => marker >= 0xd0 && marker <= 0xd7;

export function cleanJpeg(bytes: Uint8Array<ArrayBuffer>): Picture {
  const reader = new Reader(bytes);
  must(reader.uint16() === 0xff00 + SOI);
  const kept: Uint8Array[] = [];
  let size: { width: number; height: number } | null = null;
  let jfif = false;
  let adobe: Uint8Array<ArrayBuffer> | null = null;
  let up = 1;
  let scans = 0;
  for (let marker = markerOf(reader); marker !== EOI; marker = markerOf(reader)) {
    const body = segment(reader);
    if (marker === APP0) jfif ||= isNamed(body, "JFIF\0");
    else if (marker === APP1) up = orientationOf(body) ?? up;
    else if (marker === APP14 && isNamed(body, "Adobe") && body.length === 12) adobe = body;
    else if (isFrame(marker)) {
      must(size === null);
      size = frame(body);
      kept.push(written(marker, body));
    } else if (marker === SOS) {
      must(size !== null && body.length === 4 + 2 * (body[0] ?? 0));
      kept.push(written(marker, body), entropy(reader));
      scans++;
    } else if (isTable(marker, body)) kept.push(written(marker, body));
    else must((marker >= APP0 && marker <= 0xef) || marker === COM);
  }
  must(size !== null && scans > 0);
  const head: Uint8Array[] = [Uint8Array.of(0xff, SOI)];
  if (jfif) head.push(written(APP0, emptyJfif));
  if (up !== 1) head.push(written(APP1, exifOf(up)));
  if (adobe !== null) head.push(written(APP14, adobe));
  const whole = joined([...head, ...kept, Uint8Array.of(0xff, EOI)]);
  return { type: "image/jpeg", bytes: whole, ...size };
}

/** JFIF 1.1 without a density and without a thumbnail. */
const emptyJfif = Uint8Array.of(0x4a, 0x46, 0x49, 0x46, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0);

/** The next marker; fill bytes may stand before it (B.1.1.2). */
function markerOf(reader: Reader): number {
  must(reader.byte() === 0xff);
  let marker = reader.byte();
  while (marker === 0xff) marker = reader.byte();
  must(marker >= 0xc0 && marker !== SOI && !isRestart(marker));
  return marker;
}

function segment(reader: Reader): Uint8Array<ArrayBuffer> {
  return reader.take(reader.uint16() - 2);
}

function written(marker: number, body: Uint8Array): Uint8Array {
  const length = body.length + 2;
  return joined([Uint8Array.of(0xff, marker, length >> 8, length & 0xff), body]);
}

function isNamed(body: Uint8Array, name: string): boolean {
  return [...name].every((char, at) => body[at] === char.charCodeAt(0));
}

/** B.2.2; a height of 0 that is said after the first scan is refused with what would say it. */
function frame(body: Uint8Array<ArrayBuffer>): { width: number; height: number } {
  const reader = new Reader(body);
  reader.byte();
  const [height, width, components] = [reader.uint16(), reader.uint16(), reader.byte()];
  must(width > 0 && height > 0 && components >= 1 && components <= 4);
  must(reader.left === components * 3);
  return { width, height };
}

/** True for a table that is one to its last byte, so that nothing else can pass as a table. */
function isTable(marker: number, body: Uint8Array<ArrayBuffer>): boolean {
  const reader = new Reader(body);
  switch (marker) {
    case DQT:
      while (reader.left > 0) {
        const kind = reader.byte();
        must(kind >> 4 <= 1 && (kind & 15) <= 3);
        reader.take(kind >> 4 === 1 ? 128 : 64);
      }
      return true;
    case DHT:
      while (reader.left > 0) {
        const kind = reader.byte();
        must(kind >> 4 <= 1 && (kind & 15) <= 3);
        const codes = reader.take(16).reduce((sum, count) => sum + count, 0);
        must(codes <= 256);
        reader.take(codes);
      }
      return true;
    case DAC:
      must(body.length % 2 === 0 && body.length <= 16);
      return true;
    case DRI:
      must(body.length === 2);
      return true;
    default:
      return false;
  }
}

/** The coded data of a scan, up to the marker that ends it (B.1.1.5). */
function entropy(reader: Reader): Uint8Array {
  const from = reader.at;
  for (;;) {
    if (reader.byte() !== 0xff) continue;
    const next = reader.byte();
    if (next === 0 || isRestart(next)) continue;
    reader.at -= 2;
    const length = reader.at - from;
    reader.at = from;
    return reader.take(length);
  }
}

const TIFF_AT = 6; // after "Exif\0\0"
const ORIENTATION = 0x0112;

/** Which way is up, by Exif 2.32 §4.6.4; null when it does not say. */
function orientationOf(body: Uint8Array<ArrayBuffer>): number | null {
  if (!isNamed(body, "Exif\0\0") || body.length < TIFF_AT + 8) return null;
  const view = new DataView(body.buffer, body.byteOffset + TIFF_AT, body.length - TIFF_AT);
  const little = view.getUint16(0) === 0x4949;
  const start = view.getUint32(4, little);
  if (start + 2 > view.byteLength) return null;
  const entries = view.getUint16(start, little);
  for (let entry = 0; entry < entries; entry++) {
    const at = start + 2 + entry * 12;
    if (at + 12 > view.byteLength) return null;
    if (view.getUint16(at, little) !== ORIENTATION) continue;
    const value = view.getUint16(at + 8, little);
    return value >= 1 && value <= 8 ? value : null;
  }
  return null;
}

/** Exif of our own that says which way is up, and nothing else. */
function exifOf(orientation: number): Uint8Array {
  const exif = [0x45, 0x78, 0x69, 0x66, 0, 0];
  const head = [0x4d, 0x4d, 0, 0x2a, 0, 0, 0, 8, 0, 1];
  const entry = [0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0];
  return Uint8Array.from([...exif, ...head, ...entry, 0, 0, 0, 0]);
}
