/** The userinfo endpoint (OpenID Connect Core §5.3): who an access token is about, by its scopes. */

import type { Ctx } from "../http.ts";
import { answer, OAuthError, readOAuthForm } from "./answers.ts";
import { claimsOf } from "./claims.ts";
import { scopesOf } from "./scopes.ts";
import { subjectOf } from "./subject.ts";
import { checkAccessToken } from "./tokens.ts";

/** `GET|POST /oauth/userinfo`. A token in the address is not taken: addresses are written down. */
export async function userinfo(c: Ctx): Promise<Response> {
  return await answer(c, async () => {
    const token = await bearer(c);
    if (token === null) return unauthorized(c, null);
    const found = await checkAccessToken(c.env, token);
    if (found === null) return unauthorized(c, "invalid_token");
    const claims = await claimsOf(c.env, found.accountId, scopesOf(found.scope));
    if (claims === null) return unauthorized(c, "invalid_token");
    const sub = await subjectOf(c.env, found.accountId, found.clientId);
    return c.json({ sub, ...claims });
  });
}

/** RFC 6750 §2.1 and §2.2: in the header, or in a form; not in both. */
async function bearer(c: Ctx): Promise<string | null> {
  const header = /^Bearer +(\S+) *$/i.exec(c.req.header("authorization") ?? "")?.[1] ?? null;
  const type = c.req.header("content-type") ?? "";
  if (c.req.method !== "POST" || !type.startsWith("application/x-www-form-urlencoded")) {
    return header;
  }
  const typed = (await readOAuthForm(c)).get("access_token") ?? null;
  if (header !== null && typed !== null) {
    throw new OAuthError("invalid_request", "send the token in one place");
  }
  return header ?? typed;
}

/** RFC 6750 §3: who shows no token is told the scheme, and no error. */
function unauthorized(c: Ctx, error: "invalid_token" | null): Response {
  const why = error === null ? "" : `, error="${error}"`;
  c.header("www-authenticate", `Bearer realm="${c.env.config.origin}"${why}`);
  return c.json(error === null ? {} : { error, error_description: "the token is not known" }, 401);
}
