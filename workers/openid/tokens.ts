/**
 * Making tokens: ID tokens are signed for anyone to check; access and refresh tokens are random, known
 * by their hash only, and dead the moment their row is.
 */

import { type TokenRow, tokenOf } from "../../db/queries/openid-tokens.ts";
import { randomBase62, regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { fromBase64url, hashToken, newToken, parseToken } from "../../protocol/tokens.ts";
import type { Ports } from "../ports.ts";
import { methodsOf } from "../sign-in/requirements.ts";
import { acrOf, amrOf } from "./authentication.ts";
import type { Client } from "./clients.ts";
import { signToken } from "./keys.ts";
import { type Scope, scopeText } from "./scopes.ts";
import { subjectOf } from "./subject.ts";

/** The answer of the token endpoint (RFC 6749 §5.1, OpenID Connect Core §3.1.3.3). */
export interface TokenAnswer {
  readonly access_token: string;
  readonly token_type: "Bearer";
  /** Seconds. */
  readonly expires_in: number;
  readonly scope: string;
  readonly refresh_token?: string;
  readonly id_token?: string;
}

/** What tokens say of a sign-in. */
export interface SignedInFacts {
  readonly accountId: string;
  /** `SignInMethod`s separated by spaces. */
  readonly methods: string;
  /** When its owner last showed who they are; ms. */
  readonly authAt: number;
  readonly nonce?: string | undefined;
}

export function newAccessToken(ports: Ports, accountId: string): string {
  return newToken("oat", regionOf(accountId) as string, ports.random.bytes);
}

/** The name that all tokens of one authorization carry. */
export const newChain = (ports: Ports): string => randomBase62(22, ports.random.bytes);

export function newRefreshToken(ports: Ports, accountId: string): string {
  return newToken("ort", regionOf(accountId) as string, ports.random.bytes);
}

const DRAWS = 8; // of 32 bytes: far more than 43 letters take

/**
 * The successor of a refresh token: always the same one, so whoever did not get the answer can ask
 * again, and two who ask at once get one. Nobody makes it without the directory's key.
 */
export async function successorOf(ports: Ports, token: string, region: string): Promise<string> {
  const parts = await Promise.all(
    Array.from({ length: DRAWS }, (_, draw) => ports.names.hash("refresh", `${token}\n${draw}`)),
  );
  const stream = parts.flatMap((part) => [...(fromBase64url(part) ?? [])]);
  return newToken("ort", region, (count) => Uint8Array.from(stream.splice(0, count)));
}

/** The ID token of a sign-in. */
export async function idToken(ports: Ports, client: Client, facts: SignedInFacts): Promise<string> {
  const now = Math.floor(ports.clock.now() / 1000);
  const methods = methodsOf(facts.methods);
  return await signToken(ports, client.idTokenAlg, {
    iss: ports.config.origin,
    sub: await subjectOf(ports, facts.accountId, client.id),
    aud: client.id,
    iat: now,
    exp: now + limits.idTokenMs / 1000,
    auth_time: Math.floor(facts.authAt / 1000),
    acr: acrOf(methods),
    amr: amrOf(methods),
    ...(facts.nonce === undefined ? {} : { nonce: facts.nonce }),
  });
}

export function tokenAnswer(tokens: {
  readonly access: string;
  readonly scope: readonly Scope[];
  readonly refresh: string | null;
  readonly idToken: string | null;
}): TokenAnswer {
  return {
    access_token: tokens.access,
    token_type: "Bearer",
    expires_in: limits.accessTokenMs / 1000,
    scope: scopeText(tokens.scope),
    ...(tokens.refresh === null ? {} : { refresh_token: tokens.refresh }),
    ...(tokens.idToken === null ? {} : { id_token: tokens.idToken }),
  };
}

/** What an access token allows; null when it is none, ended or too old. One query. */
export async function checkAccessToken(ports: Ports, token: string): Promise<TokenRow | null> {
  const region = parseToken("oat", token)?.region;
  const db = region === undefined ? null : ports.regions.db(region);
  if (db === null) return null;
  return await tokenOf(db, "access", await hashToken(token), ports.clock.now());
}
