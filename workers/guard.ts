/** Who may ask: the session check in front of everything that belongs to somebody (see forgery.ts too). */

import type { MiddlewareHandler } from "hono";
import { limits } from "../protocol/limits.ts";
import { checkPersonalToken, type TokenScope } from "./account/personal-tokens.ts";
import { readCookie, setCookie } from "./cookies.ts";
import type { AppEnv, Ctx, Signed } from "./http.ts";
import { Problem } from "./problem.ts";
import { checkSession, signOut } from "./sign-in/sessions.ts";

/** The bearer secret of a request: from `Authorization`, else from the session cookie. */
export function sessionToken(c: Ctx): string | null {
  const bearer = /^Bearer (lk_ses_\S+)$/i.exec(c.req.header("authorization") ?? "")?.[1];
  return bearer ?? readCookie(c, "__Host-sid");
}

/** Gives a browser its new session, in place of the one it had: that one ends. */
export function keepSession(c: Ctx, token: string): void {
  const replaced = readCookie(c, "__Host-sid");
  if (replaced !== null) c.env.background(signOut(c.env, replaced));
  setCookie(c, "__Host-sid", token);
}

/** Whose session the request carries; null when none. For pages that show themselves to strangers too. */
export async function currentSession(c: Ctx): Promise<Signed | null> {
  const token = sessionToken(c);
  return token === null ? null : await checkSession(c.env, token);
}

/** Lets only signed-in people pass, and says who they are in `c.var`. */
export const signedIn: MiddlewareHandler<AppEnv> = async (c, next) => {
  const session = await currentSession(c);
  if (session === null) throw new Problem("not-signed-in");
  become(c, session);
  await next();
};

/**
 * Lets signed-in people pass, and programs that hold a personal access token with `scope`. A token has
 * no session and confirms nothing; anywhere else it is no proof at all.
 */
export function scoped(scope: TokenScope): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const bearer = /^Bearer (lk_pat_\S+)$/i.exec(c.req.header("authorization") ?? "")?.[1];
    if (bearer === undefined) return await signedIn(c, next);
    const token = await checkPersonalToken(c.env, bearer);
    if (token === null) throw new Problem("not-signed-in");
    if (!token.scopes.includes(scope)) throw new Problem("scope-missing");
    become(c, { accountId: token.accountId, sessionId: "", confirmedAt: 0 });
    await next();
  };
}

/** Notes who asks, for the handlers behind. */
export function become(c: Ctx, session: Signed): void {
  c.set("accountId", session.accountId);
  c.set("sessionId", session.sessionId);
  c.set("confirmedAt", session.confirmedAt);
}

/** Behind `signedIn`, before what cannot be undone: its owner showed a moment ago who they are. */
export const confirmed: MiddlewareHandler<AppEnv> = async (c, next) => {
  if (c.env.clock.now() - c.var.confirmedAt >= limits.confirmedMs) {
    throw new Problem("confirm-first");
  }
  await next();
};
