/**
 * Refreshing: each use of a refresh token gives its one successor (RFC 9700 §4.14.2). A response that
 * got lost can be asked for again, for a token stays good until its successor was used. What is older
 * than that is in two hands: its chain ends, and nothing else of its owner's.
 */

import { noteActiveDay } from "../../db/queries/accounts.ts";
import { deleteChain, tokenOf, useRefreshToken } from "../../db/queries/openid-tokens.ts";
import { limits } from "../../protocol/limits.ts";
import { hashToken, parseToken } from "../../protocol/tokens.ts";
import type { Ports } from "../ports.ts";
import { type Form, OAuthError } from "./answers.ts";
import type { Client } from "./clients.ts";
import { covers, scopesOf, scopeText } from "./scopes.ts";
import { idToken, newAccessToken, successorOf, type TokenAnswer, tokenAnswer } from "./tokens.ts";

const refused = (why: string) => new OAuthError("invalid_grant", why);

/** The grant type `refresh_token`. @throws OAuthError */
export async function refresh(ports: Ports, client: Client, form: Form): Promise<TokenAnswer> {
  const token = form.get("refresh_token");
  if (token === undefined) throw new OAuthError("invalid_request", "refresh_token is missing");
  const region = parseToken("ort", token)?.region;
  const db = region === undefined ? null : ports.regions.db(region);
  if (region === undefined || db === null) throw refused("this is no refresh token of ours");
  const now = ports.clock.now();
  const tokenHash = await hashToken(token);
  const found = await tokenOf(db, "refresh", tokenHash, now);
  if (found === null || found.clientId !== client.id) {
    throw refused("the refresh token is not known, ended, or another client's");
  }
  const granted = scopesOf(found.scope);
  const asked = form.get("scope");
  const scope = asked === undefined ? granted : scopesOf(asked);
  if (scope.length === 0 || !covers(granted, scope)) {
    throw new OAuthError("invalid_scope", "this was not allowed before");
  }
  const next = await successorOf(ports, token, region);
  const access = newAccessToken(ports, found.accountId);
  const expiresAt = Math.min(now + limits.refreshIdleMs, found.beganAt + limits.refreshMaxMs);
  const tokens = {
    chain: found.chain,
    accessHash: await hashToken(access),
    accessScope: scopeText(scope),
    accessExpiresAt: now + limits.accessTokenMs,
    refresh: { hash: await hashToken(next), expiresAt },
  };
  const signed = scope.includes("openid") ? await idToken(ports, client, found) : null;
  const olderUntil = now + limits.refreshReplayMs;
  if (!(await useRefreshToken(db, tokenHash, found, tokens, { now, olderUntil }))) {
    await deleteChain(db, found.chain);
    throw refused("the refresh token was replaced, and its successor used; the sign-in is ended");
  }
  // A device or app that stays signed in is use: its owner's account is not dormant (ACC-14).
  ports.background(noteActiveDay(db, found.accountId, now));
  return tokenAnswer({ access, scope, refresh: next, idToken: signed });
}
