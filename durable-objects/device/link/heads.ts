/** From a visitor's request to OPEN, and from HEAD to the response's headers. Pure. */

import { networkOf, parsePeer } from "../../../protocol/addresses.ts";
import { limits } from "../../../protocol/limits.ts";
import {
  fromByteString,
  type HeaderList,
  isEndToEnd,
  namedHops,
  type OpenHead,
  requestFault,
  toByteString,
  webService,
} from "../../../protocol/link/headers.ts";
import { asksForWebSocket } from "../door.ts";

const OURS = "x-latchkey-";
/** Who a visitor says they are: nobody's word but the edge's counts. */
const CLAIMS = new Set([
  "forwarded",
  "x-forwarded",
  "x-original-forwarded-for",
  "x-original-host",
  "x-real-ip",
  "client-ip",
  "x-client-ip",
  "x-cluster-client-ip",
  "true-client-ip",
  "fastly-client-ip",
  "x-originating-ip",
  "x-remote-ip",
  "x-remote-addr",
]);
const CLAIM_PREFIXES = [OURS, "latchkey-", "x-forwarded-", "cf-"];
/** Says who the visitor is, to a device that wants it (docs/door.md). */
const IDENTITY = "latchkey-user";
const OUR_COOKIES = "__host-door";
/** RFC 6455 §11.3: each end of a WebSocket makes its own; only the subprotocols pass. */
const HANDSHAKE = new Set([
  "sec-websocket-key",
  "sec-websocket-version",
  "sec-websocket-extensions",
  "sec-websocket-accept",
]);

/**
 * True on workerd, where `Headers` holds text that goes as UTF-8; elsewhere it holds byte strings, as
 * the Fetch standard has it.
 */
const headersHoldText = "FixedLengthStream" in globalThis;

/** What becomes of a visitor's header, by its name: decided once for each. */
type Fate = "keep" | "drop" | "cookie" | "handshake";
const fates = new Map<string, Fate>();

function fateOf(name: string): Fate {
  let fate = fates.get(name);
  if (fate !== undefined) return fate;
  if (name === "host" || isClaim(name)) fate = "drop";
  else if (HANDSHAKE.has(name)) fate = "handshake";
  else fate = name === "cookie" ? "cookie" : "keep";
  if (name.length > limits.linkNameKept) return fate;
  if (fates.size >= limits.linkNamesKept) fates.clear();
  fates.set(name, fate);
  return fate;
}

/**
 * True for a request header that only the edge may set. CGI and WSGI make one variable of `X-Real-IP`
 * and `X_Real_IP`, so both are the same claim.
 */
export function isClaim(name: string): boolean {
  const folded = name.includes("_") ? name.replaceAll("_", "-") : name;
  return CLAIMS.has(folded) || CLAIM_PREFIXES.some((prefix) => folded.startsWith(prefix));
}

/** Why a request cannot be put to a device; what the agent would refuse is refused before. */
export type RequestFault = NonNullable<ReturnType<typeof requestFault>>;

/**
 * The head that the device gets: the public Host, the visitor's address as the edge sees it,
 * end-to-end headers, and no cookie or header that is between the visitor and us.
 * @param peer the visitor's address; null when not known
 * @param identity what the edge says of who comes; null for nothing
 */
export function openHead(
  request: Request,
  peer: string | null = null,
  identity: string | null = null,
): OpenHead | RequestFault {
  const url = placeOf(request.url);
  const upgrade = asksForWebSocket(request);
  const headers = forwardedHeaders(url, peer);
  const connection = request.headers.get("connection");
  const named = connection === null ? null : namedHops([["connection", connection]]);
  request.headers.forEach((value, name) => {
    if (!isEndToEnd(name, named)) return;
    const fate = fateOf(name);
    if (fate === "drop" || (upgrade && fate === "handshake")) return;
    const kept = fate === "cookie" ? withoutOurCookies(value) : value;
    // An empty value says something too: `Accept-Encoding:` wants nothing packed (RFC 9110 §12.5.3).
    if (kept === "" && fate === "cookie") return;
    headers.push([name, headersHoldText ? toByteString(kept) : kept]);
  });
  if (identity !== null) headers.push([IDENTITY, identity]);
  const plain = { service: webService, method: request.method, path: url.path, headers };
  const head: OpenHead = upgrade ? { ...plain, upgrade: "websocket" } : plain;
  return requestFault(head) ?? head;
}

interface Place {
  readonly proto: string;
  /** With the port where it is not the scheme's own. */
  readonly host: string;
  /** Path and query. */
  readonly path: string;
}

/** An address that parsing would leave as it is: a plain name, no segment that begins with a dot. */
const PLAIN_URL =
  /^(https?):\/\/((?:[a-z0-9][a-z0-9-]*\.)+[a-z][a-z0-9-]*(?::(?:[1-9]\d{2,3}|[1-5]\d{4}))?)((?:\/(?!\.|%2e)[\w.~!$&()*+,;=:@%-]*)+(?:\?[\w.~!$&()*+,;=:@%/?-]+)?)$/i;

/** The parts of a URL as the WHATWG spells them. Most need no parsing, which costs more than all else here. */
export function placeOf(text: string): Place {
  const [, proto = "", host = "", path = ""] = PLAIN_URL.exec(text) ?? [];
  const isPlain = proto === proto.toLowerCase() && host === host.toLowerCase();
  if (path !== "" && isPlain && !host.endsWith(":443")) return { proto, host, path };
  const url = new URL(text);
  return { proto: url.protocol.slice(0, -1), host: url.host, path: url.pathname + url.search };
}

/** What the device is told about where a request came from. */
function forwardedHeaders({ host, proto }: Place, peer: string | null): HeaderList {
  const headers: HeaderList = [
    ["host", host],
    ["forwarded", forwardedElement(peer, host, proto)],
    ["x-forwarded-host", host],
    ["x-forwarded-proto", proto],
  ];
  if (peer !== null) headers.push(["x-forwarded-for", peer]);
  return headers;
}

/** RFC 7239 §4: one element; what a token cannot hold is quoted. */
export function forwardedElement(peer: string | null, host: string, proto: string): string {
  const node = peer === null ? "unknown" : peer.includes(":") ? `"[${peer}]"` : peer;
  return `for=${node};host=${host.includes(":") ? `"${host}"` : host};proto=${proto}`;
}

/** At the beginning of a pair, or where a runtime put a second `Cookie` line behind a comma. */
const OUR_COOKIE = new RegExp(`(?:^|,)\\s*${OUR_COOKIES}`, "i");

/** RFC 6265 §4.2.1: drops the visit's cookies from a `Cookie` header; "" when nothing is left. */
export function withoutOurCookies(cookie: string): string {
  if (!cookie.toLowerCase().includes(OUR_COOKIES)) return cookie;
  return cookie
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => pair !== "" && !OUR_COOKIE.test(pair))
    .join("; ");
}

/**
 * What the visitor gets of the device's headers. The device speaks for its own host only: no cookie
 * of ours, none for a parent domain, no header that the edge takes for the object's word, no
 * alternative service.
 * @returns for a `Response`: a plain object where no name comes twice, for `Headers` would be copied into one
 */
export function responseHeaders(list: HeaderList): Headers | Record<string, string> {
  const single: Record<string, string> = Object.create(null);
  let all: Headers | null = null;
  const named = namedHops(list);
  for (const header of list) {
    const name = header[0].toLowerCase();
    if (!isForVisitors(name) || !isEndToEnd(name, named)) continue;
    const kept = name === "set-cookie" ? deviceCookie(header[1]) : header[1];
    if (kept === null) continue;
    const value = headersHoldText ? fromByteString(kept) : kept;
    if (all === null && !(name in single) && name !== PROTO) {
      single[name] = value;
      continue;
    }
    all ??= new Headers(single);
    all.append(name, value);
  }
  return all ?? single;
}

/** A name that a runtime may lose of an object. */
const PROTO = "__proto__";

/** False for a header that is between the device and us. */
function isForVisitors(name: string): boolean {
  return !name.startsWith(OURS) && name !== "alt-svc" && !HANDSHAKE.has(name);
}

/** A device's `Set-Cookie` without `Domain`; null when it would set a cookie of ours. */
export function deviceCookie(value: string): string | null {
  const [pair = "", ...attributes] = value.split(";");
  const equals = pair.indexOf("=");
  // RFC 6265bis §5.6: a cookie without a name must not look like a prefixed one either.
  const shown = (equals < 0 ? pair : pair.slice(0, equals).trim() || pair.slice(equals + 1)).trim();
  if (shown.toLowerCase().startsWith(OUR_COOKIES)) return null;
  if (!value.toLowerCase().includes("domain")) return value;
  const kept = attributes.filter((attribute) => !/^\s*domain\s*(?:=|$)/i.test(attribute));
  return [pair, ...kept].join(";");
}

/** Responses that have no body, whatever their headers say (RFC 9110 §6.4.1). */
export function hasNoBody(method: string, status: number): boolean {
  return method === "HEAD" || status === 204 || status === 205 || status === 304;
}

/** The network a visitor comes from; whoever's address is not known is one of the unknown. */
export function networkAt(peer: string | null): string {
  const text = peer ?? "";
  let network = networks.get(text);
  if (network !== undefined) return network;
  const address = parsePeer(text);
  network = address === null ? "unknown" : networkOf(address);
  if (networks.size >= limits.linkNetworksKept) networks.clear();
  networks.set(text, network);
  return network;
}

/** The networks of the addresses that came last, in memory alone. */
const networks = new Map<string, string>();
