/**
 * Who may come through the door: the one-time code that hands a signed-in visitor over from the
 * console's host to the device's host, and the visit that follows.
 *
 * It renders nothing and sets no cookie: it says what is the matter in `x-latchkey-door`, and the
 * edge (workers/link) turns that into a page, a redirect or a cookie.
 */

import { regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { localPath } from "../../protocol/local-path.ts";
import {
  base64url,
  equalInConstantTime,
  hashToken,
  newToken,
  parseToken,
} from "../../protocol/tokens.ts";
import type { DeviceContext } from "./context.ts";
import type { AccessMode } from "./rpc.ts";

/** What the object says to the edge. No device can: its `x-latchkey-*` headers are dropped. */
export const doorHeader = "x-latchkey-door";
/** With `entered`: the visit's token, for the cookie. */
export const doorTokenHeader = "x-latchkey-door-token";

/** Why there is no response of the device, and the status that says so. */
export const doorVerdicts = {
  "sign-in": 401,
  forbidden: 403,
  "cross-site": 403,
  unknown: 404,
  malformed: 400,
  method: 405,
  stalled: 408,
  "too-long": 414,
  upgrade: 501,
  failed: 502,
  offline: 503,
  busy: 503,
  timeout: 504,
  entered: 204,
  left: 204,
  view: 200,
  "bad-code": 410,
  revoked: 403,
} as const;
export type DoorVerdict = keyof typeof doorVerdicts;

/** The object's own answer, for the edge to make something of. */
export function refusal(verdict: DoorVerdict): Response {
  return new Response(null, { status: doorVerdicts[verdict], headers: { [doorHeader]: verdict } });
}

/** Paths on a device's host that are ours; the device never sees them. */
export const doorPaths = {
  enter: "/.well-known/latchkey/enter",
  leave: "/.well-known/latchkey/leave",
  /** The viewer of the device's documents; its own files lie below it. */
  view: "/.well-known/latchkey/view",
  prefix: "/.well-known/latchkey/",
} as const;

const VISIT_COOKIE = "__Host-door";
const NONCE_COOKIE = "__Host-door-nonce";
const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);

/** Passes a request on to the device for `visitor`; null when nobody asked for a name. */
export type Relay = (request: Request, visitor: string | null) => Promise<Response>;

/** Who asks for a code. */
interface Asked {
  readonly accountId: string;
  /** SHA-256 (base64url) of the nonce in the visitor's browser at the door's host. */
  readonly nonceHash: string;
  /** The session that shows who they are: its end is the end of the visit. */
  readonly sessionId: string;
}

interface CodeRow extends Record<string, string | number> {
  nonce_hash: string;
  account_id: string;
  session_id: string;
  expires_at: number;
}

export class Door {
  readonly #context: DeviceContext;

  constructor(context: DeviceContext) {
    this.#context = context;
  }

  /** @param mayEnter asked once more when the code is written down; null where the right has gone */
  async issueCode(
    { accountId, nonceHash, sessionId }: Asked,
    mayEnter: (accountId: string) => boolean,
  ): Promise<string | null> {
    const { sql, clock } = this.#context;
    const code = this.#newToken();
    const codeHash = await hashToken(code);
    if (!mayEnter(accountId)) return null;
    sql.run(
      `INSERT INTO door_code (code_hash, nonce_hash, account_id, session_id, expires_at)
       VALUES (?, ?, ?, ?, ?)`,
      codeHash,
      nonceHash,
      accountId,
      sessionId,
      clock.now() + limits.doorCodeMs,
    );
    return code;
  }

  async serve(
    request: Request,
    mode: AccessMode,
    mayEnter: (accountId: string) => boolean,
    relay: Relay,
  ): Promise<Response> {
    // Most paths are not ours, and parsing costs more than looking.
    const url = request.url.includes("latchkey/") ? new URL(request.url) : null;
    if (url?.pathname.startsWith(doorPaths.prefix)) {
      if (url.pathname === doorPaths.enter) return await this.#enter(request, url, mayEnter);
      if (url.pathname === doorPaths.leave) return await this.#leave(request);
      const viewed = viewedThrough(request, url);
      if (viewed === null) return refusal("unknown");
      // Whoever gets the document gets the viewer, and nobody else; the edge hands it over.
      return await this.serve(viewed, mode, mayEnter, async () => refusal("view"));
    }
    if (mode === "everyone") {
      if (isFromSibling(request)) return refusal("cross-site");
      return unindexed(await relay(request, null));
    }
    const visitor = await this.#visitor(request);
    if (visitor === null) return refusal("sign-in");
    if (!mayEnter(visitor)) return refusal("forbidden");
    if (isForged(request)) return refusal("cross-site");
    return await relay(request, visitor);
  }

  forget(accountId: string): void {
    this.#context.sql.run("DELETE FROM door_code WHERE account_id = ?", accountId);
    this.#context.sql.run("DELETE FROM door_session WHERE account_id = ?", accountId);
  }

  /** Ends the visits and codes of a session; the people whose visit that was. */
  endVisits(sessionId: string): ReadonlySet<string> {
    const { sql } = this.#context;
    sql.run("DELETE FROM door_code WHERE session_id = ?", sessionId);
    const ended = sql.all<{ account_id: string }>(
      "DELETE FROM door_session WHERE session_id = ? RETURNING account_id",
      sessionId,
    );
    return new Set(ended.map((visit) => visit.account_id));
  }

  /** Ends every visit whose person may no longer enter. */
  keepOnly(mayEnter: (accountId: string) => boolean): void {
    const visitors = this.#context.sql.all<{ account_id: string }>(
      "SELECT account_id FROM door_session UNION SELECT account_id FROM door_code",
    );
    for (const visitor of visitors) {
      if (!mayEnter(visitor.account_id)) this.forget(visitor.account_id);
    }
  }

  clear(): void {
    this.#context.sql.run("DELETE FROM door_code");
    this.#context.sql.run("DELETE FROM door_session");
  }

  nextExpiry(): number | null {
    const [row] = this.#context.sql.all<{ at: number | null }>(
      `SELECT min(at) AS at FROM (SELECT min(expires_at) AS at FROM door_code
         UNION SELECT min(expires_at) FROM door_session)`,
    );
    return row?.at ?? null;
  }

  sweep(): void {
    const now = this.#context.clock.now();
    this.#context.sql.run("DELETE FROM door_code WHERE expires_at <= ?", now);
    this.#context.sql.run("DELETE FROM door_session WHERE expires_at <= ?", now);
  }

  /** Takes a code once: whatever is wrong with it, it is used up. */
  async #enter(
    request: Request,
    url: URL,
    mayEnter: (accountId: string) => boolean,
  ): Promise<Response> {
    if (request.method !== "GET") return refusal("unknown");
    const { sql, clock } = this.#context;
    const code = url.searchParams.get("code") ?? "";
    const nonce = cookieOf(request, NONCE_COOKIE);
    if (parseToken("dor", code) === null) return refusal("bad-code");
    const [codeHash, nonceHash] = [await hashToken(code), await hashToken(nonce ?? "")];
    const token = this.#newToken();
    const tokenHash = await hashToken(token);
    // From here on no await: a right or a session that ends finds the code or the visit, never neither.
    const [row] = sql.all<CodeRow>(
      `DELETE FROM door_code WHERE code_hash = ?
       RETURNING nonce_hash, account_id, session_id, expires_at`,
      codeHash,
    );
    if (row === undefined || nonce === null || row.expires_at <= clock.now()) {
      return refusal("bad-code");
    }
    if (!equalInConstantTime(row.nonce_hash, nonceHash)) return refusal("bad-code");
    if (!mayEnter(row.account_id)) return refusal("forbidden");
    sql.run(
      `INSERT INTO door_session (token_hash, account_id, session_id, expires_at)
       VALUES (?, ?, ?, ?)`,
      tokenHash,
      row.account_id,
      row.session_id,
      clock.now() + limits.doorSessionMs,
    );
    const response = refusal("entered");
    response.headers.set(doorTokenHeader, token);
    return response;
  }

  async #leave(request: Request): Promise<Response> {
    const token = cookieOf(request, VISIT_COOKIE);
    if (token !== null && parseToken("dor", token) !== null) {
      this.#context.sql.run(
        "DELETE FROM door_session WHERE token_hash = ?",
        await hashToken(token),
      );
    }
    return refusal("left");
  }

  /** The account whose visit this is, or null. */
  async #visitor(request: Request): Promise<string | null> {
    const token = cookieOf(request, VISIT_COOKIE);
    if (token === null || parseToken("dor", token) === null) return null;
    const [row] = this.#context.sql.all<{ account_id: string }>(
      "SELECT account_id FROM door_session WHERE token_hash = ? AND expires_at > ?",
      await hashToken(token),
      this.#context.clock.now(),
    );
    return row?.account_id ?? null;
  }

  #newToken(): string {
    const { random, deviceId } = this.#context;
    return newToken("dor", regionOf(deviceId) ?? "home", (count) => random.bytes(count));
  }
}

/**
 * The request that a visitor of the viewer would make for what they look at; null when the viewer has
 * no such address. The viewer's own files are for whoever may come in at all.
 */
function viewedThrough(request: Request, url: URL): Request | null {
  if (request.method !== "GET" && request.method !== "HEAD") return null;
  const isFile = url.pathname.startsWith(`${doorPaths.view}/`);
  if (!isFile && url.pathname !== doorPaths.view) return null;
  const path = isFile ? "/" : localPath(url.searchParams.get("path"));
  // What is the door's own is no document, and would lead here again.
  if (path === null || new URL(path, url).pathname.startsWith(doorPaths.prefix)) return null;
  return new Request(new URL(path, url), { method: request.method, headers: request.headers });
}

/** A fresh nonce for a browser at the door: 256 bits, base64url. */
export function newNonce(bytes: (count: number) => Uint8Array): string {
  return base64url(bytes(32));
}

/**
 * True when an unsafe request with a visit's cookie did not come from the device's own page. Doors of
 * other devices are same-site, so `SameSite` does not keep them out.
 */
export function isForged(request: Request): boolean {
  // Every browser says where a WebSocket is opened from; who says nothing is no browser.
  if (asksForWebSocket(request)) return originOf(request) !== null && !isOwnOrigin(request);
  if (SAFE_METHODS.has(request.method)) return false;
  const site = request.headers.get("sec-fetch-site");
  if (site !== null) return site !== "same-origin" && site !== "none";
  return !isOwnOrigin(request);
}

function originOf(request: Request): string | null {
  return request.headers.get("origin");
}

function isOwnOrigin(request: Request): boolean {
  return originOf(request) === new URL(request.url).origin;
}

/**
 * True for a WebSocket's handshake (RFC 6455 §4.1). Any other offer of a protocol may be ignored, and is
 * (RFC 9110 §7.8).
 */
export function asksForWebSocket(request: Request): boolean {
  return /^websocket$/i.test(request.headers.get("upgrade") ?? "");
}

/**
 * True when a page at another door of the zone made an unsafe request. To a browser the doors are one
 * site, so it sends the device's own cookies along. Other sites, and clients that are no browsers, may
 * use an open door.
 */
export function isFromSibling(request: Request): boolean {
  if (SAFE_METHODS.has(request.method) && !asksForWebSocket(request)) return false;
  if (request.headers.get("sec-fetch-site") === "same-site") return true;
  const origin = originOf(request);
  if (origin === null || !URL.canParse(origin)) return false;
  const [from, own] = [new URL(origin), new URL(request.url)];
  const zone = own.hostname.slice(own.hostname.indexOf(".") + 1);
  return from.host !== own.host && `.${from.hostname}`.endsWith(`.${zone}`);
}

/** An open door is for people who have its address, not for search engines. */
function unindexed(response: Response): Response {
  response.headers.append("x-robots-tag", "noindex");
  return response;
}

/** RFC 6265 §5.4: the value of the first cookie called `name`, or null. */
function cookieOf(request: Request, name: string): string | null {
  for (const pair of request.headers.get("cookie")?.split(";") ?? []) {
    const equals = pair.indexOf("=");
    if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
  }
  return null;
}
