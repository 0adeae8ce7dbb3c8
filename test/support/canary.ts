/**
 * The canary scanner: proves that a text is nowhere in the bytes of a data folder, of captured
 * outgoing traffic or of a log, however it was encoded. It shares no code with what it checks.
 *
 * Every search names controls: texts that must be found, planted by the same road as the rest. A
 * scanner that finds no control has proved nothing, so it throws. Keep markers short (16–40
 * characters): a longer one could be cut in two by a database page.
 */

import { randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { constants, inflateRawSync, inflateSync } from "node:zlib";

export interface Hit {
  /** The name under which the caller listed the marker. */
  readonly marker: string;
  readonly encoding: string;
  /** A file relative to the folder, or the name of a text; `›` goes into a compressed member. */
  readonly where: string;
}

export interface Search {
  readonly folder?: string;
  /** Captured traffic and logs, by name. */
  readonly texts?: Readonly<Record<string, string | Uint8Array>>;
  /** Looked for, by name: what the caller hopes to be absent. */
  readonly markers: Readonly<Record<string, string>>;
  /** Must be found, by name. */
  readonly controls: Readonly<Record<string, string>>;
}

const MAX_MEMBER_BYTES = 64 * 1024 * 1024;
const MAX_DEPTH = 2;

/** A unique marker that is also a valid label, path segment and local part: `zq` + 20 letters. */
export function newMarker(): string {
  return `zq${[...randomBytes(20)].map((byte) => String.fromCharCode(97 + (byte % 26))).join("")}`;
}

/**
 * Looks for every marker in the folder and the texts.
 * @returns where markers were found; empty means that they are in no byte of either
 * @throws when a control is not found
 */
export async function search(options: Search): Promise<Hit[]> {
  const needles = [
    ...Object.entries(options.markers).flatMap(([name, text]) => needlesOf(name, text)),
    ...Object.entries(options.controls).flatMap(([name, text]) =>
      needlesOf(`control ${name}`, text),
    ),
  ];
  const hits: Hit[] = [];
  for (const [where, text] of Object.entries(options.texts ?? {})) {
    hits.push(...scanBytes(Buffer.from(text as string), needles, where));
  }
  for (const file of options.folder === undefined ? [] : await filesOf(options.folder)) {
    const where = relative(options.folder as string, file);
    hits.push(...scanBytes(Buffer.from(where), needles, `name of ${where}`));
    hits.push(...scanBytes(await contentOf(file), needles, where));
  }
  for (const name of Object.keys(options.controls)) {
    if (!hits.some((hit) => hit.marker === `control ${name}`)) {
      throw new Error(`the control "${name}" was not found: this search proves nothing`);
    }
  }
  return hits.filter((hit) => hit.marker in options.markers);
}

interface Needle {
  readonly marker: string;
  readonly encoding: string;
  readonly bytes: Buffer;
}

/** Every form of `text` to look for; the letter case does not matter, for both sides are folded. */
function needlesOf(marker: string, text: string): Needle[] {
  if (text.length < 6) throw new Error(`the marker "${marker}" is too short to be unique`);
  const raw = Buffer.from(text);
  const forms: [string, Buffer | string][] = [
    ["raw", raw],
    ["hex", raw.toString("hex")],
    ["percent-encoded", encodeURIComponent(text)],
    ["percent-encoded", [...raw].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("")],
    ["JSON-escaped", JSON.stringify(text).slice(1, -1)],
    ["JSON-escaped", escapeAll(text)],
    ["UTF-16", Buffer.from(text, "utf16le").subarray(0, -1)], // either byte order
  ];
  for (const alignment of [0, 1, 2]) {
    forms.push([`base64 +${alignment}`, base64Core(raw, alignment)]);
    forms.push([`base64url +${alignment}`, toUrlAlphabet(base64Core(raw, alignment))]);
  }
  const seen = new Set<string>();
  return forms.flatMap(([encoding, form]) => {
    const bytes = fold(Buffer.from(form as string));
    const key = bytes.toString("latin1");
    if (seen.has(key)) return [];
    seen.add(key);
    return [{ marker, encoding, bytes }];
  });
}

/** The base64 characters that depend on `raw` alone when it starts `alignment` bytes into a group. */
function base64Core(raw: Buffer, alignment: number): string {
  const text = Buffer.concat([Buffer.alloc(alignment), raw])
    .toString("base64")
    .replaceAll("=", "");
  const start = [0, 2, 3][alignment] as number;
  const whole = (alignment + raw.length) % 3 === 0;
  return text.slice(start, whole ? undefined : -1);
}

function toUrlAlphabet(text: string): string {
  return text.replaceAll("+", "-").replaceAll("/", "_");
}

function escapeAll(text: string): string {
  return Array.from(
    { length: text.length },
    (_, at) => `\\u${text.charCodeAt(at).toString(16).padStart(4, "0")}`,
  ).join("");
}

/** Folds ASCII letters to lower case, byte by byte. */
function fold(bytes: Buffer): Buffer {
  const folded = Buffer.from(bytes);
  for (let at = 0; at < folded.length; at++) {
    const byte = folded[at] as number;
    if (byte >= 0x41 && byte <= 0x5a) folded[at] = byte + 0x20;
  }
  return folded;
}

function scanBytes(bytes: Buffer, needles: readonly Needle[], where: string, depth = 0): Hit[] {
  const folded = fold(bytes);
  const hits: Hit[] = needles
    .filter((needle) => folded.includes(needle.bytes))
    .map(({ marker, encoding }) => ({ marker, encoding, where }));
  if (depth >= MAX_DEPTH) return hits;
  for (const [kind, member] of membersOf(bytes)) {
    hits.push(...scanBytes(member, needles, `${where} › ${kind}`, depth + 1));
  }
  return hits;
}

/** What is compressed inside `bytes`: gzip and zlib streams anywhere, zip entries, or all of it raw. */
function* membersOf(bytes: Buffer): Generator<[string, Buffer]> {
  const lenient = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: MAX_MEMBER_BYTES };
  const tries: [string, number, () => Buffer][] = [
    ["deflate", 0, () => inflateRawSync(bytes, lenient)],
  ];
  for (
    let at = bytes.indexOf("1f8b08", 0, "hex");
    at >= 0;
    at = bytes.indexOf("1f8b08", at + 1, "hex")
  ) {
    const from = at;
    tries.push([
      "gzip",
      from,
      () => inflateRawSync(bytes.subarray(afterGzipHeader(bytes, from)), lenient),
    ]);
  }
  for (let at = bytes.indexOf(0x78); at >= 0; at = bytes.indexOf(0x78, at + 1)) {
    const from = at;
    if ((0x7800 + (bytes[from + 1] ?? 1)) % 31 !== 0) continue; // RFC 1950 §2.2 FCHECK
    tries.push(["zlib", from, () => inflateSync(bytes.subarray(from), lenient)]);
  }
  for (
    let at = bytes.indexOf("504b0304", 0, "hex");
    at >= 0;
    at = bytes.indexOf("504b0304", at + 1, "hex")
  ) {
    if (at + 30 > bytes.length) break;
    const from = at + 30 + bytes.readUInt16LE(at + 26) + bytes.readUInt16LE(at + 28);
    tries.push(["zip", at, () => inflateRawSync(bytes.subarray(from), lenient)]);
  }
  for (const [kind, at, inflate] of tries) {
    const member = attempt(inflate);
    if (member !== null && member.length > 0) yield [`${kind} at ${at}`, member];
  }
}

/** Where the deflate stream of the gzip member at `start` begins (RFC 1952 §2.3). */
function afterGzipHeader(bytes: Buffer, start: number): number {
  const flags = bytes[start + 3] ?? 0;
  let at = start + 10;
  if (flags & 4) at += 2 + bytes.readUInt16LE(at);
  for (const text of [8, 16]) if (flags & text) at = bytes.indexOf(0, at) + 1;
  return flags & 2 ? at + 2 : at;
}

/** Most candidates are chance bytes, not members. */
function attempt(inflate: () => Buffer): Buffer | null {
  try {
    return inflate();
  } catch {
    return null;
  }
}

/** What is in a file; nothing when the running edge has removed it meanwhile. */
export async function contentOf(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return Buffer.alloc(0);
    throw error;
  }
}

async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
