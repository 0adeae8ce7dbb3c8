/**
 * Heads: the request line and headers that travel in OPEN and the status and headers in HEAD, as
 * JSON with headers as an array, so that a duplicate `Set-Cookie` survives.
 *
 * HTTP/1 text is never written into the tunnel: framing comes from the frames alone, hop-by-hop
 * headers stop at each end (RFC 9110 §7.6.1), and a name or value that could start a new line is
 * refused. Values are byte strings: one character a byte.
 */

import { limits } from "../limits.ts";

export type HeaderList = (readonly [name: string, value: string])[];

/** A visitor's request. The device finds the service; the edge never names a host or port. */
export interface OpenHead {
  /** Which of the device's services; `web` is its page. */
  readonly service: string;
  readonly method: string;
  /** Origin form (RFC 9112 §3.2.1): path and query. */
  readonly path: string;
  readonly headers: HeaderList;
  /**
   * The visitor asks for a WebSocket, with the subprotocols of `Sec-WebSocket-Protocol`. Answered with
   * 101, the stream is one; any other answer is a response.
   */
  readonly upgrade?: "websocket";
}

export interface ResponseHead {
  /** 200–599, and 101 to who asked for a WebSocket: other informational responses are not passed on. */
  readonly status: number;
  readonly headers: HeaderList;
}

export const webService = "web";

/** RFC 9110 §7.6.1 and what HTTP/1 proxies add; `expect` is answered by the edge itself. */
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
  "expect",
]);

/** Options of `Connection` that name no header, or one that stops here anyway. */
const PLAIN_OPTIONS = /^\s*(?:keep-alive|close|upgrade)\s*$/i;
/** What became of each name so far: a handful of names make up nearly all headers. */
const passes = new Map<string, boolean>();

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to refuse
const VALUE = /^[^\x00-\x08\x0a-\x1f\x7f\u0100-\uffff]*$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII has them
const ASCII = /^[\x00-\x7f]*$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to refuse
const PATH = /^\/[^\x00-\x20\x7f-\uffff#]*$/;
const LENGTH = /^\d{1,15}$/;
const SERVICE = /^[a-z][a-z0-9-]{0,31}$/;
/** CONNECT and TRACE are for the hop, not for the service. */
const REFUSED_METHODS = new Set(["CONNECT", "TRACE", "TRACK"]);

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Headers without those that are for this hop only: the fixed ones and those `Connection` names. */
export function endToEnd(headers: HeaderList): HeaderList {
  const list: HeaderList = [];
  const named = namedHops(headers);
  for (const header of headers) {
    const name = header[0].toLowerCase();
    if (isEndToEnd(name, named)) list.push([name, header[1]]);
  }
  return list;
}

/** What `Connection` names beside the plain options, in lower case; null when that is nothing. */
export function namedHops(headers: HeaderList): ReadonlySet<string> | null {
  let named: Set<string> | null = null;
  for (const header of headers) {
    if (header[0].length !== CONNECTION.length || header[0].toLowerCase() !== CONNECTION) continue;
    if (PLAIN_OPTIONS.test(header[1])) continue;
    named ??= new Set();
    for (const option of header[1].split(",")) named.add(option.trim().toLowerCase());
  }
  return named;
}

const CONNECTION = "connection";

/**
 * False for a name in lower case that is for this hop only: by itself, or because `Connection` names it,
 * which must not take away what routes the request (RFC 9110 §7.6.1).
 */
export function isEndToEnd(name: string, named: ReadonlySet<string> | null): boolean {
  if (!passesOn(name)) return false;
  return named === null || name === "host" || name === "content-length" || !named.has(name);
}

function passesOn(name: string): boolean {
  let known = passes.get(name);
  if (known !== undefined) return known;
  known = !HOP_BY_HOP.has(name) && !name.startsWith("proxy-");
  if (name.length > limits.linkNameKept) return known;
  if (passes.size >= limits.linkNamesKept) passes.clear();
  passes.set(name, known);
  return known;
}

/** Text as a byte string: what is beyond ASCII becomes its UTF-8 bytes, one character each. */
export function toByteString(text: string): string {
  if (isAscii(text)) return text;
  return Array.from(encoder.encode(text), (byte) => String.fromCharCode(byte)).join("");
}

/** The text whose UTF-8 bytes a byte string holds; the byte string itself when it holds no UTF-8. */
export function fromByteString(bytes: string): string {
  if (isAscii(bytes)) return bytes;
  try {
    return decoder.decode(Uint8Array.from(bytes, (char) => char.charCodeAt(0)));
  } catch {
    return bytes;
  }
}

function isAscii(text: string): boolean {
  return ASCII.test(text);
}

/** The value of the first header called `name` (lower case), or null. */
export function headerOf(headers: HeaderList, name: string): string | null {
  for (const header of headers) if (header[0] === name) return header[1];
  return null;
}

/**
 * The body's length in bytes as `Content-Length` says; null when there is none.
 * `"bad"` when it is not one plain number, which RFC 9112 §6.3 makes an error.
 */
export function contentLength(headers: HeaderList): number | null | "bad" {
  let length: number | null = null;
  for (const header of headers) {
    if (header[0] !== "content-length") continue;
    if (length !== null || !LENGTH.test(header[1])) return "bad";
    length = Number(header[1]);
  }
  return length;
}

/** The payload of OPEN or HEAD; null when it is larger than `limits.linkHeadBytes`. */
export function encodeHead(head: OpenHead | ResponseHead): Uint8Array | null {
  if (head.headers.length > limits.linkHeaders) return null;
  const bytes = encoder.encode(JSON.stringify(head));
  return bytes.byteLength > limits.linkHeadBytes ? null : bytes;
}

/** Reads the payload of OPEN; null when it is not a request that a service may get. */
export function decodeOpen(payload: Uint8Array): OpenHead | null {
  const head = parse(payload);
  if (head === null || !isHeaderList(head.headers)) return null;
  const { service, method, path, headers } = head;
  if (typeof service !== "string" || !SERVICE.test(service)) return null;
  if (typeof method !== "string" || typeof path !== "string") return null;
  if (head.upgrade !== undefined && head.upgrade !== "websocket") return null;
  const plain = { service, method, path, headers };
  const open: OpenHead = head.upgrade === undefined ? plain : { ...plain, upgrade: head.upgrade };
  return requestFault(open) === null ? open : null;
}

/** What is wrong with a request that no service may get; null when nothing is. Both ends ask. */
export function requestFault(head: OpenHead): "method" | "too-long" | "malformed" | null {
  const { method, path, headers } = head;
  if (isForHop(method)) return "method";
  if (path.length > limits.linkPathBytes) return "too-long";
  if (!TOKEN.test(method) || !PATH.test(path)) return "malformed";
  if (!headers.every(isHeader) || contentLength(headers) === "bad") return "malformed";
  if (head.upgrade === undefined) return null;
  return method === "GET" && subprotocols(headers) !== null ? null : "malformed";
}

/**
 * The subprotocols that a WebSocket offers, or the one that was chosen (RFC 6455 §11.3.4); null when
 * the list is none, names one twice or is longer than `limits.linkSocketProtocols`.
 */
export function subprotocols(headers: HeaderList): string[] | null {
  const names: string[] = [];
  for (const [name, value] of headers) {
    if (name === "sec-websocket-protocol") names.push(...value.split(","));
  }
  const list = names.map((name) => name.trim());
  if (list.length > limits.linkSocketProtocols || new Set(list).size !== list.length) return null;
  return list.every((name) => TOKEN.test(name)) ? list : null;
}

/** True for CONNECT and TRACE, in any case, and TRACK. */
export function isForHop(method: string): boolean {
  return REFUSED_METHODS.has(method.toUpperCase());
}

/**
 * Reads the payload of HEAD; null when it is not a final response.
 * @param upgrade a WebSocket was asked for: then 101 is an answer too
 */
export function decodeResponseHead(payload: Uint8Array, upgrade = false): ResponseHead | null {
  const head = parse(payload);
  if (head === null || !isHeaderList(head.headers)) return null;
  const { status, headers } = head;
  if (typeof status !== "number" || !Number.isInteger(status)) return null;
  const final = (status >= 200 && status <= 599) || (upgrade && status === 101);
  return final ? { status, headers } : null;
}

function parse(payload: Uint8Array): Record<string, unknown> | null {
  try {
    const head: unknown = JSON.parse(decoder.decode(payload));
    return typeof head === "object" && head !== null ? (head as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function isHeaderList(headers: unknown): headers is HeaderList {
  if (!Array.isArray(headers) || headers.length > limits.linkHeaders) return false;
  return headers.every(isHeader);
}

function isHeader(header: unknown): boolean {
  if (!Array.isArray(header) || header.length !== 2) return false;
  const name: unknown = header[0];
  const value: unknown = header[1];
  if (typeof name !== "string" || typeof value !== "string") return false;
  return TOKEN.test(name) && VALUE.test(value);
}
