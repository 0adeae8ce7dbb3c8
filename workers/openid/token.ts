/** The token endpoint: a table of grant types; a new one is a line. */

import type { Ctx } from "../http.ts";
import type { Ports } from "../ports.ts";
import { answer, type Form, OAuthError, readOAuthForm } from "./answers.ts";
import { authenticateClient } from "./client-auth.ts";
import type { Client } from "./clients.ts";
import { redeemCode } from "./codes.ts";
import { DEVICE_GRANT, redeemDeviceCode } from "./device-grant.ts";
import { refresh } from "./refresh.ts";
import type { TokenAnswer } from "./tokens.ts";

/** What a client that has shown itself gets for what it brings. @throws OAuthError */
export type GrantType = (ports: Ports, client: Client, form: Form) => Promise<TokenAnswer>;

export const grantTypes: Readonly<Record<string, GrantType>> = {
  authorization_code: redeemCode,
  refresh_token: refresh,
  [DEVICE_GRANT]: redeemDeviceCode,
};

/** `POST /oauth/token` (RFC 6749 §3.2). */
export async function tokenEndpoint(c: Ctx): Promise<Response> {
  return await answer(c, async () => {
    const form = await readOAuthForm(c);
    const client = await authenticateClient(c, form);
    const type = form.get("grant_type");
    if (type === undefined) throw new OAuthError("invalid_request", "grant_type is missing");
    const grant = Object.hasOwn(grantTypes, type) ? grantTypes[type] : undefined;
    if (grant === undefined) throw new OAuthError("unsupported_grant_type", "no such grant type");
    return c.json(await grant(c.env, client, form));
  });
}
