/**
 * Who may come through the door: the one-time code that hands a signed-in visitor over from the
 * console's host to the device's host, and the visit that follows.
 *
 * It renders nothing and sets no cookie: it says what is the matter in `x-latchkey-door`, and the
 * edge (workers/link) turns that into a page, a redirect or a cookie.
 */

import { localPath } from "../../protocol/local-path.ts";
import { base64url } from "../../protocol/tokens.ts";
import { type Access, type Judgement, nobody, type Visitor } from "./access.ts";
import type { DeviceContext } from "./context.ts";
import { identitySaid } from "./said.ts";
import { type MayEnter, Visits } from "./visits.ts";

/** What the object says to the edge. No device can: its `x-latchkey-*` headers are dropped. */
export const doorHeader = "x-latchkey-door";
/** With `entered`: the visit's token, for the cookie. */
export const doorTokenHeader = "x-latchkey-door-token";

/** Why there is no response of the device, and the status that says so. */
export const doorVerdicts = {
  "sign-in": 401,
  forbidden: 403,
  "cross-site": 403,
  closed: 403,
  first: 200,
  unknown: 404,
  malformed: 400,
  method: 405,
  stalled: 408,
  "too-long": 414,
  upgrade: 501,
  failed: 502,
  offline: 503,
  busy: 503,
  spent: 503,
  "too-fast": 429,
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
  /** Leads to the console to sign in and back, where nothing else of the door would. */
  signIn: "/.well-known/latchkey/sign-in",
  /** Where a browser says that it was told what an open door is. */
  seen: "/.well-known/latchkey/seen",
  /** Ends with the secret of a link, and `/locked` where it wants a password. */
  share: "/.well-known/latchkey/share/",
  prefix: "/.well-known/latchkey/",
} as const;

const VISIT_COOKIE = "__Host-door";
const NONCE_COOKIE = "__Host-door-nonce";
const SEEN_COOKIE = "__Host-door-seen";
const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Passes a request on to the device.
 * @param pass by what it is let in, for `Access.holds`
 * @param identity the statement of who comes; null where the device wants none
 */
export type Relay = (request: Request, pass: string, identity: string | null) => Promise<Response>;

export class Door {
  readonly visits: Visits;
  readonly #context: DeviceContext;

  constructor(context: DeviceContext) {
    this.#context = context;
    this.visits = new Visits(context);
  }

  /** Answers at the door, or lets the request through. */
  async serve(request: Request, access: Access, relay: Relay): Promise<Response> {
    // Most paths are not ours, and parsing costs more than looking.
    const url = request.url.includes("latchkey/") ? new URL(request.url) : null;
    if (url?.pathname.startsWith(doorPaths.prefix)) {
      const mayEnter: MayEnter = (account, contact) => access.mayEnter(account, contact);
      if (url.pathname === doorPaths.enter) return await this.#enter(request, url, mayEnter);
      if (url.pathname === doorPaths.leave) return await this.#leave(request);
      if (url.pathname.startsWith(`${doorPaths.view}/`))
        return await this.#viewerFile(request, access);
      const viewed = viewedThrough(request, url);
      if (viewed === null) return refusal("unknown");
      // Whoever gets the document gets the viewer, and nobody else; the edge hands it over.
      return await this.serve(viewed, access, async () => refusal("view"));
    }
    const admitted = await this.admit(request, access);
    if (admitted instanceof Response) return admitted;
    const { pass, open, identity } = admitted;
    const response = await relay(request, pass, identity);
    return open ? unindexed(response) : response;
  }

  /** Judges who comes and from where; a refusal, or the pass with which the request goes on. */
  async admit(
    request: Request,
    access: Access,
  ): Promise<
    Response | { readonly pass: string; readonly open: boolean; readonly identity: string | null }
  > {
    const stated = access.identity === "off" ? null : identitySaid(request, this.#context);
    if (access.isOpen && stated === null) {
      const refused = refusedAtOpenDoor(request);
      return refused ?? { pass: access.openPass, open: true, identity: null };
    }
    await access.shares.ready();
    const visitor = await this.#visitor(request);
    const judged: Judgement = access.judge(new URL(request.url).pathname, visitor);
    if (judged.kind !== "pass") return refusal(judged.kind);
    const { pass, open } = judged;
    const refused = open ? refusedAtOpenDoor(request) : isForged(request) ? "cross-site" : null;
    if (refused !== null) return refused instanceof Response ? refused : refusal(refused);
    return { pass, open, identity: visitor.account === null ? null : stated };
  }

  /** Takes a code once: whatever is wrong with it, it is used up. */
  async #enter(request: Request, url: URL, mayEnter: MayEnter): Promise<Response> {
    if (request.method !== "GET") return refusal("unknown");
    const taken = await this.visits.take({
      code: url.searchParams.get("code") ?? "",
      nonce: cookieOf(request, NONCE_COOKIE),
      before: cookieOf(request, VISIT_COOKIE),
      mayEnter,
    });
    if (taken.kind !== "entered") return refusal(taken.kind);
    const response = refusal("entered");
    response.headers.set(doorTokenHeader, taken.visit);
    return response;
  }

  async #leave(request: Request): Promise<Response> {
    const token = cookieOf(request, VISIT_COOKIE);
    if (token !== null) await this.visits.end(token);
    return refusal("left");
  }

  /** The viewer's own files are for whoever may come in at all. */
  async #viewerFile(request: Request, access: Access): Promise<Response> {
    if (request.method !== "GET" && request.method !== "HEAD") return refusal("unknown");
    await access.shares.ready();
    const visitor = await this.#visitor(request);
    if (access.admitsSomewhere(visitor)) return refusal("view");
    return refusal(visitor.account === null ? "sign-in" : "forbidden");
  }

  async #visitor(request: Request): Promise<Visitor> {
    const token = cookieOf(request, VISIT_COOKIE);
    return token === null ? nobody : await this.visits.visitorOf(token);
  }
}

/** Why a request may not pass where everybody may go; null when it may. */
function refusedAtOpenDoor(request: Request): Response | null {
  if (isFromSibling(request)) return refusal("cross-site");
  return isFirstPage(request) ? refusal("first") : null;
}

/**
 * True for the first page that a browser asks for at an open door: it is told first whose page that
 * is. What belongs to pages, and programs, ask for no page and are not held up.
 */
function isFirstPage(request: Request): boolean {
  if (request.method !== "GET") return false;
  if (!(request.headers.get("accept")?.includes("text/html") ?? false)) return false;
  return cookieOf(request, SEEN_COOKIE) === null;
}

/**
 * The request that a visitor of the viewer would make for what they look at; null when the viewer has
 * no such address.
 */
function viewedThrough(request: Request, url: URL): Request | null {
  if (request.method !== "GET" && request.method !== "HEAD") return null;
  if (url.pathname !== doorPaths.view) return null;
  const path = localPath(url.searchParams.get("path"));
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
