/**
 * The first file of a `multipart/form-data` body (RFC 7578), as a stream: whatever its size, no more
 * than one chunk of it is in memory.
 */

import type { IncomingMessage } from "node:http";

export class MultipartError extends Error {}

const MAX_HEADER_BYTES = 8 * 1024;

/** Reads up to the first file part; `body` then yields its bytes and drains what follows it. */
export async function firstFile(
  request: IncomingMessage,
): Promise<{ name: string; body: AsyncIterable<Uint8Array> }> {
  const match = /^multipart\/form-data;.*boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(
    request.headers["content-type"] ?? "",
  );
  const boundary = match?.[1] ?? match?.[2];
  if (boundary === undefined) throw new MultipartError("Choose a file first.");
  const chunks = request[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let head = Buffer.alloc(0);
  let end = -1;
  while (end < 0) {
    const { value, done } = await chunks.next();
    if (done) throw new MultipartError("The form ended before its file.");
    head = Buffer.concat([head, value]);
    end = head.indexOf("\r\n\r\n");
    if (end < 0 && head.length > MAX_HEADER_BYTES) {
      throw new MultipartError("The form's head is too long.");
    }
  }
  const name = /filename="((?:[^"\\]|\\.)*)"/.exec(head.subarray(0, end).toString("utf8"))?.[1];
  if (!name) throw new MultipartError("Choose a file first.");
  const rest = head.subarray(end + 4);
  return { name, body: untilBoundary(chunks, rest, Buffer.from(`\r\n--${boundary}`)) };
}

async function* untilBoundary(
  chunks: AsyncIterator<Buffer>,
  first: Buffer,
  boundary: Buffer,
): AsyncGenerator<Uint8Array> {
  let held = first;
  for (;;) {
    const at = held.indexOf(boundary);
    if (at >= 0) {
      if (at > 0) yield held.subarray(0, at);
      break;
    }
    // The boundary may be split over two chunks: keep what could be its beginning.
    const safe = Math.max(0, held.length - boundary.length + 1);
    if (safe > 0) yield held.subarray(0, safe);
    const { value, done } = await chunks.next();
    if (done) throw new MultipartError("The upload ended early; nothing was kept.");
    held = Buffer.concat([held.subarray(safe), value]);
  }
  while (!(await chunks.next()).done) {
    // What follows the file is read and dropped, so that the answer can be sent.
  }
}
