/** Brings a document from the device through the door, and never more of it than is shown. */

import { fileName, type Kind, kindOfName, kindOfType, kinds } from "../../protocol/view.ts";
import {
  pageInstead,
  tooLarge,
  unknownKind,
  unreachable,
  type Word,
  wordOfStatus,
} from "./words.ts";

export interface Fetched {
  readonly kind: Kind;
  readonly mime: string;
  readonly bytes: ArrayBuffer;
}

/** A document that is not to be shown, and what to say about it. */
export class NotShown extends Error {
  readonly word: Word;

  constructor(word: Word) {
    super(word.title);
    this.word = word;
  }
}

/**
 * @param onProgress is told how many bytes there are, and of how many when that is known
 * @throws NotShown
 */
export async function fetchDocument(
  path: string,
  onProgress: (have: number, all: number | null) => void,
): Promise<Fetched> {
  const stop = new AbortController();
  try {
    // The page's policy lets no redirect leave this host.
    const response = await fetch(path, { headers: { accept: "*/*" }, signal: stop.signal });
    const word = wordOfStatus(response.status);
    if (word !== null) throw new NotShown(word);
    const type = response.headers.get("content-type");
    const kind = kindOfName(fileName(path)) ?? kindOfType(type);
    if (/^\s*text\/html/i.test(type ?? "") && kind !== "text") throw new NotShown(pageInstead);
    if (kind === null) throw new NotShown(unknownKind);
    const mime = type?.split(";")[0]?.trim() ?? "";
    const bytes =
      kinds[kind].by === "player" ? new ArrayBuffer(0) : await whole(response, kind, onProgress);
    return { kind, mime, bytes };
  } catch (error) {
    throw error instanceof NotShown ? error : new NotShown(unreachable);
  } finally {
    stop.abort();
  }
}

async function whole(
  response: Response,
  kind: Kind,
  onProgress: (have: number, all: number | null) => void,
): Promise<ArrayBuffer> {
  const most = kinds[kind].bytes;
  // Of a body that is packed on its way, this is the packed length: good to refuse by, not to show.
  const length = response.headers.get("content-length");
  const announced = length === null ? null : Number(length);
  if (announced !== null && announced > most) throw new NotShown(tooLarge(kind));
  const all = response.headers.has("content-encoding") ? null : announced;
  const chunks: Uint8Array[] = [];
  let have = 0;
  const reader = response.body?.getReader();
  for (;;) {
    const piece = await reader?.read();
    if (piece?.value === undefined) break;
    have += piece.value.byteLength;
    if (have > most) throw new NotShown(tooLarge(kind));
    chunks.push(piece.value);
    onProgress(have, all);
  }
  const bytes = new Uint8Array(have);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes.buffer;
}
