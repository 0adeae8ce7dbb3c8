/** In front of everything that changes something: no page that is not ours may ask for it. */

import type { MiddlewareHandler } from "hono";
import type { AppEnv } from "./http.ts";
import { Problem } from "./problem.ts";

const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/** True for a method that changes nothing (RFC 9110 §9.2.1). */
export const isSafe = (method: string): boolean => SAFE_METHODS.has(method);

/** What the guard decides by. Absent headers are null. */
export interface GuardedRequest {
  readonly method: string;
  readonly upgrade: string | null;
  readonly cookie: string | null;
  readonly authorization: string | null;
  readonly secFetchSite: string | null;
  readonly origin: string | null;
}

/**
 * True when a request may have been made by a page that is not ours, on a browser that lends it its
 * cookies. A device's door is a sibling host, which browsers call the same *site*: only the same
 * *origin* passes. A WebSocket is opened with GET and carries cookies, so it counts as a change.
 * Requests without a cookie are held to the same where a browser says where they come from: else a
 * strange page could sign its visitor in to an account of its choosing.
 */
export function isForged(request: GuardedRequest, ownOrigin: string): boolean {
  const changes = !isSafe(request.method) || /^websocket$/i.test(request.upgrade ?? "");
  if (!changes) return false;
  if (request.cookie === null && /^Bearer /i.test(request.authorization ?? "")) return false;
  if (request.secFetchSite !== null) return request.secFetchSite !== "same-origin";
  if (request.origin !== null) return request.origin !== ownOrigin;
  return request.cookie !== null;
}

/**
 * What apps call from wherever they are, also from pages of other origins: each request brings its own
 * proof, and cookies count for nothing. Sending a form to the authorization endpoint only leads on to
 * its GET.
 */
const COOKIELESS: ReadonlySet<string> = new Set([
  "POST /oauth/authorize",
  "POST /oauth/token",
  "POST /oauth/userinfo",
  "POST /oauth/revoke",
  "POST /oauth/introspect",
  "POST /oauth/device",
  "POST /oauth/logout",
]);

/** The same request without cookies, so that nothing behind can count on one. */
function withoutCookies(request: Request): Request {
  const headers = new Headers(request.headers);
  headers.delete("cookie");
  return new Request(request, { headers });
}

/** Refuses what `isForged` says, whatever the content type. */
export const forgeryGuard: MiddlewareHandler<AppEnv> = (c, next) => {
  // Most requests change nothing; they are spared the reading of headers that would not matter.
  if (isSafe(c.req.method) && c.req.header("upgrade") === undefined) return next();
  if (COOKIELESS.has(`${c.req.method} ${c.req.path}`)) {
    c.req.raw = withoutCookies(c.req.raw);
    return next();
  }
  const header = (name: string) => c.req.header(name) ?? null;
  const request: GuardedRequest = {
    method: c.req.method,
    upgrade: header("upgrade"),
    cookie: header("cookie"),
    authorization: header("authorization"),
    secFetchSite: header("sec-fetch-site"),
    origin: header("origin"),
  };
  if (isForged(request, c.env.config.origin)) throw new Problem("cross-site");
  return next();
};
