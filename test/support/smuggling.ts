/**
 * Requests that two parsers might read in two ways, written byte by byte. `/smuggled` is what an
 * attacker hopes that the device gets to see as a request of its own; no device may ever see it.
 */

import { connect } from "node:net";

export interface Crooked {
  readonly name: string;
  /** What goes over the wire; `host` is the door's. */
  bytes(host: string, path: string): string;
  /** The one body that may come to the device with it, if it comes there at all. */
  readonly body?: string;
  /** True where no device may get it in any form. */
  readonly refused?: boolean;
}

const smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

/** A POST with these headers, in order, and these bytes after them. */
function post(headers: readonly string[], rest: string) {
  return (host: string, path: string) =>
    [`POST ${path} HTTP/1.1`, `Host: ${host}`, ...headers, "", rest].join("\r\n");
}

/** A GET whose head ends where it should. */
function get(headers: readonly string[], target?: string, method = "GET") {
  return (host: string, path: string) =>
    [`${method} ${target ?? path} HTTP/1.1`, `Host: ${host}`, ...headers, "", ""].join("\r\n");
}

const chunked = "Transfer-Encoding: chunked";
const inner = `${smuggled.length}`;

export const crooked: readonly Crooked[] = [
  // RFC 9112 §6.1, §6.3: two lengths, or a length and a coding
  {
    refused: true,
    name: "Content-Length twice, unequal",
    bytes: post(["Content-Length: 0", `Content-Length: ${inner}`], smuggled),
  },
  {
    name: "Content-Length twice, equal",
    bytes: post(["Content-Length: 2", "Content-Length: 2"], "ok"),
    body: "ok",
  },
  {
    refused: true,
    name: "Content-Length as a list",
    bytes: post([`Content-Length: 0, ${inner}`], smuggled),
  },
  { name: "Content-Length with a sign", bytes: post(["Content-Length: +2"], "ok"), body: "ok" },
  {
    refused: true,
    name: "Content-Length below zero",
    bytes: post(["Content-Length: -1"], smuggled),
  },
  {
    refused: true,
    name: "Content-Length in hexadecimal",
    bytes: post(["Content-Length: 0x10"], smuggled),
  },
  {
    name: "Content-Length of twenty digits",
    bytes: post(["Content-Length: 18446744073709551616"], smuggled),
  },
  { name: "Content-Length that is empty", bytes: post(["Content-Length: "], smuggled) },
  {
    refused: true,
    name: "Content-Length with a blank before the colon",
    bytes: post([`Content-Length : ${inner}`], smuggled),
  },
  {
    name: "Content-Length and chunked (CL.TE)",
    bytes: post(["Content-Length: 5", chunked], `0\r\n\r\n${smuggled}`),
  },
  {
    name: "chunked and Content-Length (TE.CL)",
    bytes: post(
      [chunked, "Content-Length: 4"],
      `${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`,
    ),
    body: smuggled,
  },
  {
    refused: true,
    name: "Transfer-Encoding: xchunked",
    bytes: post(["Transfer-Encoding: xchunked", "Content-Length: 0"], smuggled),
  },
  {
    name: "Transfer-Encoding: identity",
    bytes: post(["Transfer-Encoding: identity", "Content-Length: 2"], "ok"),
    body: "ok",
  },
  {
    name: "Transfer-Encoding: chunked, identity",
    bytes: post(["Transfer-Encoding: chunked, identity"], `0\r\n\r\n${smuggled}`),
  },
  {
    name: "Transfer-Encoding twice",
    bytes: post([chunked, "Transfer-Encoding: x"], `0\r\n\r\n${smuggled}`),
  },
  {
    name: "Transfer-Encoding with a tab",
    bytes: post(["Transfer-Encoding:\tchunked", "Content-Length: 5"], `0\r\n\r\n${smuggled}`),
  },
  {
    refused: true,
    name: "Transfer-Encoding with a vertical tab",
    bytes: post(["Transfer-Encoding: \x0bchunked", "Content-Length: 5"], `0\r\n\r\n${smuggled}`),
  },
  {
    refused: true,
    name: "Transfer-Encoding with a blank before the colon",
    bytes: post(["Transfer-Encoding : chunked", "Content-Length: 5"], `0\r\n\r\n${smuggled}`),
  },
  {
    name: "Transfer-Encoding on a folded line",
    bytes: post(["Transfer-Encoding:", " chunked", "Content-Length: 5"], `0\r\n\r\n${smuggled}`),
  },
  {
    name: "Transfer-Encoding with a quote",
    bytes: post(['Transfer-Encoding: "chunked"', "Content-Length: 5"], `0\r\n\r\n${smuggled}`),
  },
  {
    name: "Transfer-Encoding in HTTP/1.0",
    bytes: (host, path) =>
      `POST ${path} HTTP/1.0\r\nHost: ${host}\r\n${chunked}\r\n\r\n0\r\n\r\n${smuggled}`,
  },
  // RFC 9112 §7.1: chunks
  {
    name: "a chunk size that overflows",
    bytes: post([chunked], `fffffffffffffffff1\r\n${smuggled}`),
  },
  { name: "a chunk size with 0x", bytes: post([chunked], `0x2\r\nok\r\n0\r\n\r\n${smuggled}`) },
  {
    refused: true,
    name: "a chunk size below zero",
    bytes: post([chunked], `-2\r\nok\r\n0\r\n\r\n${smuggled}`),
  },
  {
    refused: true,
    name: "a chunk that is longer than its size",
    bytes: post([chunked], `2\r\nokay\r\n0\r\n\r\n${smuggled}`),
  },
  {
    refused: true,
    name: "chunks that end in a bare LF",
    bytes: post([chunked], `2\nok\n0\n\n${smuggled}`),
  },
  {
    name: "a chunk extension with a line end in quotes",
    bytes: post([chunked], `2;a="\n${smuggled}"\r\nok\r\n0\r\n\r\n`),
  },
  {
    name: "a trailer that is a header",
    bytes: post([chunked], "2\r\nok\r\n0\r\nContent-Length: 9\r\nX-Real-IP: 1.2.3.4\r\n\r\n"),
    body: "ok",
  },
  // RFC 9112 §5: field lines
  { name: "a folded header", bytes: get(["X-A: one", " two: GET /smuggled HTTP/1.1"]) },
  { refused: true, name: "a header without a name", bytes: get([": x"]) },
  { refused: true, name: "a header without a colon", bytes: get(["GET /smuggled HTTP/1.1"]) },
  { refused: true, name: "a name with a blank", bytes: get(["X A: 1"]) },
  { refused: true, name: "a bare CR in a value", bytes: get([`X-A: 1\rX-B: 2`]) },
  { name: "a bare LF between headers", bytes: get([`X-A: 1\nX-B: 2`]) },
  { refused: true, name: "NUL in a value", bytes: get(["X-A: a\0b"]) },
  { refused: true, name: "a control character in a value", bytes: get(["X-A: a\x01b"]) },
  { refused: true, name: "DEL in a value", bytes: get(["X-A: a\x7fb"]) },
  { name: "bytes beyond ASCII in a name", bytes: get(["X-\xe4: 1"]) },
  { refused: true, name: "200 KiB of headers", bytes: get([`X-A: ${"a".repeat(200 * 1024)}`]) },
  {
    refused: true,
    name: "5,000 headers",
    bytes: get(Array.from({ length: 5000 }, (_, at) => `X-${at}: 1`)),
  },
  {
    name: "a head that begins with a blank line",
    bytes: (host, path) => `\r\nGET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
  },
  // RFC 9112 §3: the request line
  { refused: true, name: "a target of 20 KiB", bytes: get([], `/${"a".repeat(20 * 1024)}`) },
  {
    name: "a target with a blank",
    bytes: (host, path) => `GET ${path} x HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
  },
  {
    name: "a target with a fragment",
    bytes: (host, path) => `GET ${path}#x HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
  },
  {
    name: "an absolute target of this door",
    bytes: (host, path) => `GET http://${host}${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
  },
  {
    name: "an absolute target of another host",
    bytes: (host, path) => `GET http://127.0.0.1:1${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
  },
  {
    name: "an absolute target with a user",
    bytes: (host, path) => `GET http://a:b@${host}${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
  },
  { name: "a target without a slash", bytes: get([], "smuggled") },
  { name: "the target *", bytes: get([], "*", "OPTIONS") },
  { refused: true, name: "no version", bytes: (_host, path) => `GET ${path}\r\n\r\n` },
  {
    name: "HTTP/0.9 with a version",
    bytes: (host, path) => `GET ${path} HTTP/0.9\r\nHost: ${host}\r\n\r\n`,
  },
  {
    name: "HTTP/2.0 in a request line",
    bytes: (host, path) => `GET ${path} HTTP/2.0\r\nHost: ${host}\r\n\r\n`,
  },
  { name: "the preface of HTTP/2", bytes: () => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" },
  {
    refused: true,
    name: "a method with a control character",
    bytes: (host, path) => `GE\x01T ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
  },
  { refused: true, name: "CONNECT", bytes: get([], "127.0.0.1:22", "CONNECT") },
  {
    refused: true,
    name: "CONNECT to a path",
    bytes: (host, path) => `CONNECT ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
  },
  {
    refused: true,
    name: "TRACE",
    bytes: (host, path) => `TRACE ${path} HTTP/1.1\r\nHost: ${host}\r\nCookie: secret=1\r\n\r\n`,
  },
  {
    name: "a method nobody knows",
    bytes: (host, path) => `DANCE ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
  },
  // RFC 9110 §7.2: Host
  { name: "no Host", bytes: (_host, path) => `GET ${path} HTTP/1.1\r\n\r\n` },
  { refused: true, name: "Host twice", bytes: get(["Host: other.link.localhost"]) },
  {
    refused: true,
    name: "a Host with a path",
    bytes: (host, path) => `GET ${path} HTTP/1.1\r\nHost: ${host}/smuggled\r\n\r\n`,
  },
  {
    refused: true,
    name: "a Host with a user",
    bytes: (host, path) => `GET ${path} HTTP/1.1\r\nHost: a@${host}\r\n\r\n`,
  },
  {
    name: "a Host with a dot at its end",
    bytes: (host, path) => `GET ${path} HTTP/1.1\r\nHost: ${host.replace(":", ".:")}\r\n\r\n`,
  },
  {
    name: "a Host in capitals",
    bytes: (host, path) => `GET ${path} HTTP/1.1\r\nHost: ${host.toUpperCase()}\r\n\r\n`,
  },
  {
    name: "X-Forwarded-Host of another",
    bytes: get(["X-Forwarded-Host: evil.example", "X_Forwarded_Host: evil.example"]),
  },
  // RFC 9110 §7.6.1, §7.8: the hop
  {
    name: "Connection that names the way",
    bytes: get(["Connection: x-latchkey-way, host, cookie, x-forwarded-for"]),
  },
  {
    name: "an upgrade to h2c",
    bytes: get([
      "Connection: Upgrade, HTTP2-Settings",
      "Upgrade: h2c",
      "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA",
    ]),
  },
  {
    name: "the edge's own headers",
    bytes: get(["x-latchkey-way: agent", "X_Latchkey_Peer: 1.2.3.4"]),
  },
];

/** Paths that come to the device as they were sent, or not at all. */
export const oddPaths: readonly string[] = [
  "//double",
  "/a//b",
  "/%2e%2e/up",
  "/..%2fup",
  "/%2F%2fdouble",
  "/a%00b",
  "/a%0d%0aX-B:%201",
  "/a?b=//c&d=%2e%2e",
  "/caf%C3%A9",
  "/%",
  "/\\back\\slash",
  "/a|b",
  "/a/./b/../c",
];

/** What came back for some bytes: all of it, until the other side closed or was silent for long. */
export function exchange(
  port: number,
  bytes: string,
  options: { readonly from?: string; readonly silentMs?: number } = {},
): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, localAddress: options.from ?? "127.0.0.1" });
    let came = "";
    const done = () => {
      socket.destroy();
      resolve(came);
    };
    socket.setTimeout(options.silentMs ?? 1500, done);
    socket.on("data", (chunk: Buffer) => {
      came += chunk.toString("latin1");
    });
    socket.on("close", done);
    socket.on("error", done);
    socket.write(Buffer.from(bytes, "latin1"));
  });
}

/** The statuses of all final responses in what came back, in order. */
export function statuses(came: string): number[] {
  return [...came.matchAll(/HTTP\/1\.[01] (\d{3})/g)].map(([, status]) => Number(status));
}
