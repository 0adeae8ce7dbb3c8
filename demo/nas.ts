/**
 * A small NAS page: what `npm start` puts behind the demo device's door. It lists, shows, downloads,
 * takes and deletes the files of one folder, on loopback, without JavaScript. It follows no link out
 * of its folder and holds no file in memory.
 */

import { constants, createWriteStream } from "node:fs";
import { type FileHandle, lstat, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { firstFile, MultipartError } from "./multipart.ts";
import { listing, message } from "./page.ts";
import { seed } from "./seed.ts";
import { type SignInOptions, signInWithLatchkey } from "./sign-in.ts";

export interface Nas {
  /** `http://127.0.0.1:<port>` */
  readonly origin: string;
  close(): Promise<void>;
}

/** Opens files, no links, and waits for no pipe. */
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

const types: Readonly<Record<string, string>> = {
  ".txt": "text/plain; charset=utf-8",
  ".md": "text/plain; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".gif": "image/gif",
  ".webp": "image/webp",
  ".pdf": "application/pdf",
  ".mp4": "video/mp4",
  ".webm": "video/webm",
  ".mp3": "audio/mpeg",
  ".wav": "audio/wav",
  ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
};

/**
 * Serves `folder` (made and seeded with a few files when empty) on loopback.
 * @param options.openid the box as an OpenID client: the page offers to sign in with Latchkey
 */
export async function startNas(options: {
  folder: string;
  port?: number;
  openid?: SignInOptions;
}): Promise<Nas> {
  const signIn = options.openid === undefined ? null : signInWithLatchkey(options.openid);
  await mkdir(options.folder, { recursive: true });
  await seed(options.folder);
  // An upload may take as long as its line is slow.
  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    const work = async () => {
      if (signIn !== null && (await signIn.answer(request, response))) return;
      await answer(options.folder, request, response, signIn?.who(request));
    };
    work().catch((error: unknown) => {
      if (response.headersSent) return void response.destroy();
      const status = error instanceof Refusal ? error.status : 500;
      const text = error instanceof Refusal ? error.message : "The file could not be handled.";
      send(response, status, message(text));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** A request that cannot be done, and the sentence that says why. */
class Refusal extends Error {
  readonly status: number;

  constructor(status: number, text: string) {
    super(text);
    this.status = status;
  }
}

async function answer(
  folder: string,
  request: IncomingMessage,
  response: ServerResponse,
  who: string | null | undefined,
): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://nas");
  const isRead = request.method === "GET" || request.method === "HEAD";
  if (pathname === "/") {
    if (isRead) return send(response, 200, listing(await files(folder), who, isAtDoor(request)));
    if (request.method === "POST") return await upload(folder, request, response);
  } else if (pathname.startsWith("/files/")) {
    const name = nameIn(pathname.slice("/files/".length));
    if (isRead) return await serve(folder, name, searchParams.has("download"), request, response);
    if (request.method === "PUT") {
      const fresh = await store(folder, name, request);
      return send(response, fresh ? 201 : 200, message(`${name} is here.`));
    }
    if (request.method === "DELETE") {
      await remove(folder, name);
      return void response.writeHead(204).end();
    }
  } else if (pathname.startsWith("/delete/") && request.method === "POST") {
    await remove(folder, nameIn(pathname.slice("/delete/".length)));
    return void response.writeHead(303, { location: "/" }).end();
  } else if (isRead) {
    throw new Refusal(404, "There is no such file.");
  }
  throw new Refusal(405, "That cannot be done here.");
}

/** True for a visitor who came through the door, which has a viewer (docs/viewer.md). */
function isAtDoor({ headers }: IncomingMessage): boolean {
  return headers["x-forwarded-host"] !== undefined;
}

/** A plain file name: no folder, nothing hidden, nothing a file system would read otherwise. */
function nameIn(encoded: string): string {
  let name: string;
  try {
    name = decodeURIComponent(encoded);
  } catch {
    throw new Refusal(400, "That is not a file name.");
  }
  return checkedName(name);
}

function checkedName(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (name === "" || name.startsWith(".") || name.length > 200 || /[/\\\x00-\x1f]/.test(name)) {
    throw new Refusal(400, "That is not a file name.");
  }
  return name;
}

async function files(folder: string) {
  const names = (await readdir(folder)).filter((name) => !name.startsWith(".")).sort();
  const found = await Promise.all(
    names.map(async (name) => ({ name, info: await lstat(join(folder, name)).catch(() => null) })),
  );
  return found.flatMap(({ name, info }) =>
    info?.isFile() ? [{ name, bytes: info.size, changedAt: info.mtimeMs }] : [],
  );
}

async function serve(
  folder: string,
  name: string,
  asDownload: boolean,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // Looked at and read by one handle: what lies at the path may be another file, or a link, a moment later.
  const file = await open(join(folder, name), READ).catch(() => null);
  if (file === null) throw new Refusal(404, "There is no such file.");
  try {
    await serveFile(file, name, asDownload, request, response);
  } finally {
    await file.close();
  }
}

async function serveFile(
  file: FileHandle,
  name: string,
  asDownload: boolean,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const info = await file.stat();
  if (!info.isFile()) throw new Refusal(404, "There is no such file.");
  const etag = `"${info.size.toString(36)}-${Math.trunc(info.mtimeMs).toString(36)}"`;
  // RFC 9110 §13.1.5: the rest of a file that changed meanwhile would not fit what came before.
  const changed = (request.headers["if-range"] ?? etag) !== etag;
  const range = changed ? null : rangeOf(request.headers.range, info.size);
  const type = types[extname(name).toLowerCase()];
  const headers: Record<string, string> = {
    "content-type": type ?? "application/octet-stream",
    "content-disposition": `${asDownload || type === undefined ? "attachment" : "inline"}; filename*=UTF-8''${encodeURIComponent(name)}`,
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "x-content-type-options": "nosniff",
    "accept-ranges": "bytes",
    "last-modified": info.mtime.toUTCString(),
    etag,
  };
  if (request.headers["if-none-match"] === etag) return void response.writeHead(304, headers).end();
  if (range === "unsatisfiable") {
    return void response.writeHead(416, { "content-range": `bytes */${info.size}` }).end();
  }
  const { first, last } = range ?? { first: 0, last: info.size - 1 };
  headers["content-length"] = String(last - first + 1);
  if (range !== null) headers["content-range"] = `bytes ${first}-${last}/${info.size}`;
  response.writeHead(range === null ? 200 : 206, headers);
  if (request.method === "HEAD" || last < first) return void response.end();
  const bytes = file.createReadStream({ start: first, end: last, autoClose: false });
  await pipeline(bytes, response);
}

/** A single byte range (RFC 9110 §14.2); null when there is none, or several. */
function rangeOf(header: string | undefined, size: number) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (match === null || (match[1] === "" && match[2] === "")) return null;
  const first = match[1] === "" ? Math.max(0, size - Number(match[2])) : Number(match[1]);
  const last = match[1] === "" || match[2] === "" ? size - 1 : Math.min(Number(match[2]), size - 1);
  return first > last || first >= size ? ("unsatisfiable" as const) : { first, last };
}

async function upload(
  folder: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const { name, body } = await firstFile(request);
    await store(folder, checkedName(name), body);
  } catch (error) {
    if (error instanceof MultipartError) throw new Refusal(400, error.message);
    throw error;
  }
  response.writeHead(303, { location: "/" }).end();
}

/** Streams `body` to disk and puts it in place when it is whole; true when the name was new. */
async function store(
  folder: string,
  name: string,
  body: AsyncIterable<Uint8Array>,
): Promise<boolean> {
  const path = join(folder, name);
  const existing = await lstat(path).catch(() => null);
  if (existing !== null && !existing.isFile()) throw new Refusal(409, "That name is in use.");
  const partial = join(folder, `.${crypto.randomUUID()}.part`);
  try {
    await pipeline(body, createWriteStream(partial, { flags: "wx" }));
    await rename(partial, path);
  } finally {
    await rm(partial, { force: true });
  }
  return existing === null;
}

async function remove(folder: string, name: string): Promise<void> {
  const path = join(folder, name);
  if (!(await stat(path).catch(() => null))?.isFile()) {
    throw new Refusal(404, "There is no such file.");
  }
  await rm(path);
}

function send(response: ServerResponse, status: number, html: string): void {
  response.writeHead(status, {
    "content-type": "text/html; charset=utf-8",
    "content-length": Buffer.byteLength(html),
    "content-security-policy":
      "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; form-action 'self'; frame-ancestors 'none'",
    "cache-control": "no-store",
  });
  response.end(html);
}
