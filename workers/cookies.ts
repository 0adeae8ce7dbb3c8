/**
 * The cookie registry: the only place that writes or reads a cookie of the console's host. Names and
 * attributes come from `cookieMap` of the data map, so an undeclared cookie does not compile (CKY-1).
 * A cookie ends with the browser session, unless the map gives it a `maxAgeMs` (CKY-7).
 */

import { generateCookie, getCookie, setCookie as honoSetCookie } from "hono/cookie";
import { type CookieName, type CookieRule, cookieMap } from "../db/data-map/outside.ts";
import type { Ctx } from "./http.ts";

function attributesOf(name: CookieName) {
  const rule: CookieRule = cookieMap[name];
  const { httpOnly, sameSite, maxAgeMs } = rule;
  const lasting = maxAgeMs === undefined ? {} : { maxAge: maxAgeMs / 1000 };
  return { httpOnly, sameSite, secure: true, path: "/", ...lasting } as const;
}

export function setCookie(c: Ctx, name: CookieName, value: string): void {
  honoSetCookie(c, name, value, attributesOf(name));
}

export function readCookie(c: Ctx, name: CookieName): string | null {
  return getCookie(c, name) ?? null;
}

/** Tells the browser to forget the cookie. */
export function clearCookie(c: Ctx, name: CookieName): void {
  honoSetCookie(c, name, "", { ...attributesOf(name), maxAge: 0 });
}

/** A `Set-Cookie` value, for responses that are made without a Hono context. */
export function cookieHeader(name: CookieName, value: string): string {
  return generateCookie(name, value, attributesOf(name));
}
