/**
 * What OAuth's endpoints answer with: errors as RFC 6749 §5.2 has them, nothing cached, and open to
 * pages of any origin, for no cookie counts here (`forgeryGuard`).
 */

import type { MiddlewareHandler } from "hono";
import { limits } from "../../protocol/limits.ts";
import { readBounded } from "../body.ts";
import type { AppEnv, Ctx } from "../http.ts";

/** Errors of RFC 6749 §5.2, RFC 7009 and RFC 8628 §3.5, with their status. */
const statuses = {
  invalid_request: 400,
  invalid_client: 401,
  invalid_grant: 400,
  unauthorized_client: 400,
  unsupported_grant_type: 400,
  unsupported_token_type: 400,
  invalid_scope: 400,
  authorization_pending: 400,
  slow_down: 400,
  access_denied: 400,
  expired_token: 400,
} as const;
export type OAuthErrorCode = keyof typeof statuses;

/** A refusal on its way to the client. The description is for its developer and names no person. */
export class OAuthError extends Error {
  readonly code: OAuthErrorCode;
  readonly description: string;

  constructor(code: OAuthErrorCode, description: string) {
    super(code);
    this.code = code;
    this.description = description;
  }
}

/** Runs an endpoint; an `OAuthError` becomes its answer, anything else goes on to the front door. */
export async function answer(c: Ctx, work: () => Promise<Response>): Promise<Response> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error;
    // RFC 6749 §5.2: a client that came by the Authorization header is told the scheme.
    if (error.code === "invalid_client" && c.req.header("authorization") !== undefined) {
      c.header("www-authenticate", `Basic realm="${c.env.config.origin}", charset="UTF-8"`);
    }
    const body = { error: error.code, error_description: error.description };
    return c.json(body, statuses[error.code]);
  }
}

/** The parameters of a form; each at most once (RFC 6749 §3.2). */
export type Form = ReadonlyMap<string, string>;

/** @throws OAuthError `invalid_request` when the body is no form, is too long or says a thing twice */
export async function readOAuthForm(c: Ctx): Promise<Form> {
  const type = (c.req.header("content-type") ?? "").split(";")[0]?.trim().toLowerCase();
  if (type !== "application/x-www-form-urlencoded") {
    throw new OAuthError("invalid_request", "send application/x-www-form-urlencoded");
  }
  const body = await readBounded(c.req.raw, limits.openidFormBytes);
  if (body === null) throw new OAuthError("invalid_request", "the body is too long");
  const form = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(new TextDecoder().decode(body))) {
    if (form.has(name)) throw new OAuthError("invalid_request", `${word(name)} stands there twice`);
    if (value !== "") form.set(name, value); // RFC 6749 §3.2: empty is as if it were not there
  }
  return form;
}

/** A parameter's name as it may stand in a description (RFC 6749 §5.2's characters). */
function word(name: string): string {
  return /^[a-z_]{1,40}$/.test(name) ? name : "a parameter";
}

/** Lets pages of any origin ask and read the answer; it never says that credentials may come along. */
export const anyOrigin: MiddlewareHandler<AppEnv> = async (c, next) => {
  if (c.req.method === "OPTIONS") {
    return new Response(null, {
      status: 204,
      headers: {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "GET, POST",
        "access-control-allow-headers": "authorization, content-type",
        "access-control-max-age": `${limits.preflightCacheSeconds}`,
      },
    });
  }
  await next();
  c.header("access-control-allow-origin", "*");
  c.header("access-control-expose-headers", "www-authenticate");
  return undefined;
};
