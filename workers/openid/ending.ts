/**
 * What a client may say and ask of its own tokens: that one shall end (RFC 7009), and whether one is
 * good (RFC 7662). Of another client's tokens it learns nothing, not even that they exist.
 */

import { deleteAccessToken, isRefreshGood } from "../../db/queries/openid-device.ts";
import { deleteChain, type TokenRow, tokenOf } from "../../db/queries/openid-tokens.ts";
import { hashToken, parseToken } from "../../protocol/tokens.ts";
import type { Ctx } from "../http.ts";
import type { Db, Ports } from "../ports.ts";
import { answer, type Form, OAuthError, readOAuthForm } from "./answers.ts";
import { authenticateClient } from "./client-auth.ts";
import type { Client } from "./clients.ts";
import { subjectOf } from "./subject.ts";

interface Found {
  readonly db: Db;
  readonly hash: string;
  readonly kind: "access" | "refresh";
  readonly row: TokenRow;
}

/** A live token of `client`; null for anything else. `token_type_hint` is not needed: tokens say it. */
async function ownToken(ports: Ports, client: Client, form: Form): Promise<Found | null> {
  const token = form.get("token");
  if (token === undefined) throw new OAuthError("invalid_request", "token is missing");
  for (const [kind, prefix] of [
    ["access", "oat"],
    ["refresh", "ort"],
  ] as const) {
    const region = parseToken(prefix, token)?.region;
    const db = region === undefined ? null : ports.regions.db(region);
    if (db === null) continue;
    const hash = await hashToken(token);
    const row = await tokenOf(db, kind, hash, ports.clock.now());
    return row === null || row.clientId !== client.id ? null : { db, hash, kind, row };
  }
  return null;
}

/**
 * `POST /oauth/revoke`: 200 whatever the token is (RFC 7009 §2.2). A refresh token takes along all that
 * came of the same sign-in.
 */
export async function revokeEndpoint(c: Ctx): Promise<Response> {
  return await answer(c, async () => {
    const form = await readOAuthForm(c);
    const client = await authenticateClient(c, form);
    const found = await ownToken(c.env, client, form);
    if (found?.kind === "access") await deleteAccessToken(found.db, found.hash, client.id);
    if (found?.kind === "refresh") await deleteChain(found.db, found.row.chain);
    return c.body(null, 200);
  });
}

/**
 * `POST /oauth/introspect`, for clients that can show who they are: anybody may call itself a public
 * client (RFC 7662 §2.1).
 */
export async function introspectEndpoint(c: Ctx): Promise<Response> {
  return await answer(c, async () => {
    const form = await readOAuthForm(c);
    const client = await authenticateClient(c, form);
    if (client.auth.method === "none") {
      throw new OAuthError("invalid_client", "a public client cannot show who it is");
    }
    const found = await ownToken(c.env, client, form);
    const good =
      found !== null &&
      (found.kind === "access" || (await isRefreshGood(found.db, found.row.chain, found.row.turn)));
    if (!good) return c.json({ active: false });
    const { row, kind } = found;
    return c.json({
      active: true,
      iss: c.env.config.origin,
      sub: await subjectOf(c.env, row.accountId, client.id),
      client_id: client.id,
      scope: row.scope,
      iat: Math.floor(row.createdAt / 1000),
      exp: Math.floor(row.expiresAt / 1000),
      ...(kind === "access" ? { token_type: "Bearer" } : {}),
    });
  });
}
