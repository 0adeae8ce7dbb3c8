/**
 * Link at the edge: from a device's host name to its object, and what a visitor gets where there is
 * no response of the device. It relays and keeps nothing.
 */

import {
  asksForWebSocket,
  type DoorVerdict,
  doorHeader,
  doorPaths,
  doorTokenHeader,
  newNonce,
} from "../../durable-objects/device/door.ts";
import { base64url, hashToken } from "../../protocol/tokens.ts";
import { tunnelPath } from "../../protocol/tunnel.ts";
import { cookieHeader } from "../cookies.ts";
import type { FrontPorts } from "../ports.ts";
import { type ProblemCode, problemResponse } from "../problem.ts";
import { onward } from "./forwarded.ts";
import { identityFor } from "./identity.ts";
import {
  type DoorForm,
  type DoorPageName,
  type DoorPages,
  plainPages,
  problemOfPage,
} from "./pages.ts";
import { openLink, seenFirst } from "./share.ts";
import type { Viewer } from "./view.ts";
import { nonceOf, pathBehindDoor } from "./way-back.ts";

/** Where trying again makes sense, and after how many seconds. */
const RETRY_AFTER: { readonly [page in DoorPageName]?: number } = {
  offline: 10,
  failed: 2,
  busy: 2,
  timeout: 10,
};

/** One visitor at one door. */
interface Visit {
  readonly request: Request;
  readonly ports: FrontPorts;
  readonly label: string;
  readonly pages: DoorPages;
  readonly viewer: () => Promise<Viewer | null>;
}

/** Answers a request to `<label>.<link zone>`; an unknown label creates no object. */
export async function link(
  request: Request,
  ports: FrontPorts,
  label: string | null,
  pages: DoorPages = plainPages,
  viewer: () => Promise<Viewer | null> = async () => null,
): Promise<Response> {
  const visit = { request, ports, label: label ?? "", pages, viewer };
  try {
    return await serve(visit, label);
  } catch (error) {
    // The directory or the object is away; a reset object comes back with the next request.
    ports.log({ event: "internal-error", code: error instanceof Error ? error.name : "unknown" });
    return await page(visit, "failed", 503, "unavailable");
  }
}

async function serve(visit: Visit, label: string | null): Promise<Response> {
  const { request, ports } = visit;
  // RFC 9112 §3.2: a target has no fragment. Cut off, `DELETE /all/#one` would delete all.
  if (request.url.includes("#")) return problemResponse("bad-request");
  const own = request.url.includes("latchkey/") ? await ownAnswer(visit, label) : null;
  if (own !== null) return own;
  const deviceId = label === null ? null : await ports.names.deviceOfLabel(label);
  if (deviceId === null) return await page(visit, "unknown", 404);
  if (isTooLarge(request, ports.config.linkUploadBytes)) return await page(visit, "too-large", 413);
  // workerd would pass any request for a WebSocket on as a GET (RFC 6455 §4.1 knows no other).
  if (asksForWebSocket(request) && request.method !== "GET") return problemResponse("bad-request");
  if (isTunnel(request.url)) {
    return await (await import("./tunnel.ts")).tunnel(request, await ports.whole(), deviceId);
  }
  const object = ports.devices.get(deviceId);
  const identity = await identityFor(ports, deviceId, object, request);
  const response = await object.fetch(onward(request, ports, identity));
  const verdict = response.headers.get(doorHeader) as DoorVerdict | null;
  return verdict === null ? response : await answer(visit, verdict, response);
}

/** What the edge answers by itself at a door, there or not; null for everything else. */
async function ownAnswer(visit: Visit, label: string | null): Promise<Response | null> {
  const { request, ports } = visit;
  const { pathname } = new URL(request.url);
  if (pathname === doorPaths.seen) {
    const to = await seenFirst(request);
    if (to === null) return await page(visit, "cross-site", 403);
    return redirect(to, [cookieHeader("__Host-door-seen", "yes")]);
  }
  if (pathname === doorPaths.signIn && label !== null) return await toSignIn(visit, "/");
  if (`${pathname}/` === doorPaths.share) {
    // A device's own page may lead its owner to share what they look at.
    const target = new URL("/devices/share", ports.config.origin);
    target.searchParams.set("door", visit.label);
    target.searchParams.set("path", new URL(request.url).searchParams.get("path") ?? "");
    return redirect(target.href, []);
  }
  if (!pathname.startsWith(doorPaths.share)) return null;
  const isLocked = pathname.endsWith("/locked");
  const form = { action: pathname, to: null, isLocked, isWrong: request.method === "POST" };
  // The page says the same of every link, also of one that is none, at a door that is none.
  if (request.method !== "POST") return await page(visit, "share", 200, null, form);
  const opened = await openLink(request, ports, label, pathname);
  if (opened === "cross-site") return await page(visit, "cross-site", 403);
  if (opened === "too-many-tries") return problemResponse("too-many-tries");
  if (opened === null) return await page(visit, "share", 403, "share-refused", form);
  return redirect(pathBehindDoor(opened.path), [
    cookieHeader("__Host-door", opened.visit),
    cookieHeader("__Host-door-seen", "yes"),
  ]);
}

/** Parsing costs more than looking, and most paths are not ours. */
function isTunnel(url: string): boolean {
  return url.includes(tunnelPath) && new URL(url).pathname === tunnelPath;
}

/**
 * True for an upload of which the platform would cut off the rest. One without a length passes: nobody
 * knows yet.
 */
function isTooLarge(request: Request, most: number | null): boolean {
  return most !== null && Number(request.headers.get("content-length") ?? 0) > most;
}

/** Makes something of the object's own word. */
async function answer(visit: Visit, verdict: DoorVerdict, response: Response): Promise<Response> {
  switch (verdict) {
    case "sign-in":
      return wantsPage(visit.request) ? await toSignIn(visit) : problemResponse("not-signed-in");
    case "entered":
      return entered(visit, response.headers.get(doorTokenHeader) ?? "");
    case "left":
      return await left(visit);
    case "view":
      return (await viewed(visit)) ?? (await page(visit, "unknown", 404));
    case "malformed":
      return problemResponse("bad-request");
    case "method":
      return methodNotAllowed();
    case "stalled":
      return problemResponse("request-timeout");
    case "first": {
      const to = placeOf(visit.request);
      const form = { action: doorPaths.seen, to, isLocked: false, isWrong: false };
      return await page(visit, "first", 200, null, form);
    }
    case "revoked":
      return await page(visit, "forbidden", 403);
    default:
      return await page(
        visit,
        verdict,
        response.status,
        undefined,
        undefined,
        retryAfterOf(response),
      );
  }
}

/** Sends the visitor to the console's host, which knows who they are, with a way back. */
async function toSignIn({ request, ports, label }: Visit, to = placeOf(request)) {
  // One nonce for all tabs of this browser, so that none takes the way back from another.
  const nonce = nonceOf(request) ?? newNonce(ports.random.bytes);
  const target = new URL("/door", ports.config.origin);
  target.searchParams.set("label", label);
  target.searchParams.set("nonce", await hashToken(nonce));
  target.searchParams.set("to", to);
  return redirect(target.href, [cookieHeader("__Host-door-nonce", nonce)]);
}

/** Path and query that a visitor asked for. */
function placeOf(request: Request): string {
  const url = new URL(request.url);
  return url.pathname + url.search;
}

/** The viewer, for whom the object has let in; null where no viewer is mounted or it has no such file. */
async function viewed({ request, ports, label, viewer }: Visit): Promise<Response | null> {
  const mounted = await viewer();
  if (mounted === null) return null;
  const { view } = await import("./view.ts");
  return await view(request, ports, label, mounted);
}

/** RFC 9110 §15.5.6: says which methods are taken. A device may take more, and says so itself. */
function methodNotAllowed(): Response {
  const response = problemResponse("method-not-allowed");
  response.headers.set("allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
  return response;
}

function entered({ request }: Visit, token: string): Response {
  const to = pathBehindDoor(new URL(request.url).searchParams.get("to"));
  return redirect(to, [cookieHeader("__Host-door", token), forget("__Host-door-nonce")]);
}

async function left(visit: Visit): Promise<Response> {
  const response = await page(visit, "left", 200);
  response.headers.append("set-cookie", forget("__Host-door"));
  return response;
}

function forget(name: "__Host-door" | "__Host-door-nonce"): string {
  return `${cookieHeader(name, "")}; Max-Age=0`;
}

/** 303 (RFC 9110 §15.4.4): the browser comes with GET, whatever it came with before. */
function redirect(location: string, cookies: readonly string[]): Response {
  const headers = new Headers({
    location,
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
  });
  for (const cookie of cookies) headers.append("set-cookie", cookie);
  return new Response(null, { status: 303, headers });
}

function wantsPage(request: Request): boolean {
  return request.headers.get("accept")?.includes("text/html") ?? false;
}

/** Seconds after which trying again makes sense, where the object says; null where it does not. */
function retryAfterOf(response: Response): number | null {
  const seconds = response.headers.get("retry-after");
  return seconds === null ? null : Number(seconds);
}

/**
 * A page for people, a problem for programs.
 * @param after seconds after which trying again makes sense; null: what the page itself says
 */
async function page(
  visit: Visit,
  name: DoorPageName,
  status: number,
  problem: ProblemCode | null = name === "left" ? null : problemOfPage[name],
  form?: DoorForm,
  after: number | null = null,
): Promise<Response> {
  const { request, ports, label, pages } = visit;
  const retryAfter = after ?? RETRY_AFTER[name] ?? null;
  const headers = new Headers({ "cache-control": "no-store", "x-robots-tag": "noindex" });
  if (retryAfter !== null) headers.set("retry-after", String(retryAfter));
  if (!wantsPage(request) && problem !== null) {
    const response = problemResponse(problem);
    for (const [header, value] of headers) response.headers.set(header, value);
    return response;
  }
  const nonce = base64url(ports.random.bytes(16));
  const { origin, linkUploadBytes: uploadBytes } = ports.config;
  const known = { label, console: origin, nonce, retryAfter, uploadBytes };
  const facts = form === undefined ? known : { ...known, form };
  headers.set("content-type", "text/html; charset=utf-8");
  headers.set("referrer-policy", "no-referrer");
  headers.set(
    "content-security-policy",
    `default-src 'none'; style-src 'nonce-${nonce}'; img-src 'self' data:; base-uri 'none'; form-action ${form === undefined ? "'none'" : "'self'"}; frame-ancestors 'none'`,
  );
  return new Response(await pages[name](facts), { status, headers });
}
