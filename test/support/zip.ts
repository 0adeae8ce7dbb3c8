/** Takes an archive apart by its central directory, as unpackers do; only what is stored as it is. */

import { crc32 } from "../../protocol/tokens.ts";

/** Every file by its name. @throws Error unless each is whole, and nothing lies between them */
export function unzip(archive: Uint8Array): Map<string, Uint8Array> {
  const view = new DataView(archive.buffer, archive.byteOffset, archive.byteLength);
  const u16 = (at: number) => view.getUint16(at, true);
  const u32 = (at: number) => view.getUint32(at, true);
  const text = (at: number, length: number) =>
    new TextDecoder().decode(archive.subarray(at, at + length));
  const end = archive.length - 22;
  if (u32(end) !== 0x06054b50) throw new Error("no end of an archive");
  const files = new Map<string, Uint8Array>();
  let [entry, next] = [u32(end + 16), 0];
  for (let left = u16(end + 10); left > 0; left--) {
    const [sum, size, nameLength, at] = [
      u32(entry + 16),
      u32(entry + 24),
      u16(entry + 28),
      u32(entry + 42),
    ];
    const name = text(entry + 46, nameLength);
    if (at !== next || text(at + 30, nameLength) !== name) throw new Error(`${name} is elsewhere`);
    const from = at + 30 + nameLength;
    const bytes = archive.subarray(from, from + size);
    if (bytes.length !== size || crc32(bytes) !== sum) throw new Error(`${name} is not whole`);
    files.set(name, bytes);
    next = from + size;
    entry += 46 + nameLength;
  }
  if (entry !== end || u32(end + 16) !== next) throw new Error("something lies between");
  return files;
}
