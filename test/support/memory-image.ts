/**
 * What is in a running process's memory, byte by byte (Linux, /proc): the image that a crash would leave
 * on a disk. A page that was freed may keep old bytes until it is used again, and so may a heap.
 */

import { open, readFile } from "node:fs/promises";

const PIECE_BYTES = 16 * 1024 * 1024;
/** A marker that lies across two pieces is found in the second. */
const OVERLAP_BYTES = 512;

/**
 * Which texts stand in the writable memory of a process, as bytes or as UTF-16.
 * @param prefix what all of them begin with
 * @param rest what follows it, e.g. `\d{4}`
 */
export async function foundInMemory(
  pid: number,
  prefix: string,
  rest: string,
): Promise<Set<string>> {
  const pattern = new RegExp(`${prefix}${rest}`, "g");
  const found = new Set<string>();
  const memory = await open(`/proc/${pid}/mem`, "r");
  try {
    for (const [from, to] of await writable(pid)) {
      for (let at = from; at < to; at += PIECE_BYTES - OVERLAP_BYTES) {
        const piece = await read(memory, at, Math.min(PIECE_BYTES, to - at));
        for (const form of piece === null ? [] : formsIn(piece, prefix)) {
          for (const [text] of form.matchAll(pattern)) found.add(text);
        }
      }
    }
  } finally {
    await memory.close();
  }
  return found;
}

async function writable(pid: number): Promise<(readonly [number, number])[]> {
  const maps = await readFile(`/proc/${pid}/maps`, "utf8");
  return [...maps.matchAll(/^([\da-f]+)-([\da-f]+) rw/gm)].map(
    ([, from = "", to = ""]) => [Number.parseInt(from, 16), Number.parseInt(to, 16)] as const,
  );
}

async function read(
  memory: Awaited<ReturnType<typeof open>>,
  at: number,
  length: number,
): Promise<Buffer | null> {
  try {
    const { buffer, bytesRead } = await memory.read(Buffer.alloc(length), 0, length, at);
    return buffer.subarray(0, bytesRead);
  } catch {
    return null; // given back meanwhile, or never there
  }
}

/** The piece as text, one character a byte and one character two bytes, where the prefix is in it. */
function formsIn(piece: Buffer, prefix: string): string[] {
  const forms: string[] = [];
  if (piece.includes(prefix)) forms.push(piece.toString("latin1"));
  const wide = Buffer.from(prefix, "utf16le");
  const at = piece.indexOf(wide);
  if (at >= 0) forms.push(piece.subarray(at).toString("utf16le"));
  return forms;
}
