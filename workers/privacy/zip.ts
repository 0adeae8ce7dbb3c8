/**
 * A ZIP archive of a few files in memory (PKWARE APPNOTE 6.3.10), stored as they are: what is inside
 * is small, and every system opens it. No ZIP64, so an archive stays below 4 GiB and 65 535 files.
 */

import { crc32 } from "../../protocol/tokens.ts";

export interface ZipFile {
  /** A relative path with `/`, in ASCII: unpackers differ about anything else. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
/** APPNOTE 4.4.3: version 2.0, the first with folders. */
const VERSION = 20;

/** The archive; every file carries `at` (ms since the epoch) in UTC. */
export function zip(files: readonly ZipFile[], at: number): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const { name, bytes } of files) {
    const path = new TextEncoder().encode(name);
    // Shared by the local header (4.3.7) and the central directory (4.3.12).
    const about = record(
      [VERSION, 2],
      [0, 2], // no flags
      [0, 2], // stored
      [dosTime(at), 2],
      [dosDate(at), 2],
      [crc32(bytes), 4],
      [bytes.length, 4],
      [bytes.length, 4],
      [path.length, 2],
      [0, 2], // no extra field
    );
    const local = [record([LOCAL, 4]), about, path, bytes];
    directory.push(
      record([CENTRAL, 4], [VERSION, 2]),
      about,
      // No comment, disk 0, no attributes.
      record([0, 2], [0, 2], [0, 2], [0, 4], [offset, 4]),
      path,
    );
    parts.push(...local);
    offset += lengthOf(local);
  }
  const size = lengthOf(directory);
  const count = files.length;
  const end = record(
    [END, 4],
    [0, 2],
    [0, 2],
    [count, 2],
    [count, 2],
    [size, 4],
    [offset, 4],
    [0, 2],
  );
  return joined([...parts, ...directory, end]);
}

/** Numbers in little-endian order, each with its width in bytes. */
function record(...fields: readonly (readonly [value: number, width: 2 | 4])[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(fields.reduce((sum, [, width]) => sum + width, 0)));
  let at = 0;
  for (const [value, width] of fields) {
    if (width === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += width;
  }
  return new Uint8Array(view.buffer);
}

/** MS-DOS time, in steps of two seconds. */
function dosTime(at: number): number {
  const date = new Date(at);
  return (date.getUTCHours() << 11) | (date.getUTCMinutes() << 5) | (date.getUTCSeconds() >> 1);
}

function dosDate(at: number): number {
  const date = new Date(at);
  return (
    ((date.getUTCFullYear() - 1980) << 9) | ((date.getUTCMonth() + 1) << 5) | date.getUTCDate()
  );
}

function lengthOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(lengthOf(parts));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
