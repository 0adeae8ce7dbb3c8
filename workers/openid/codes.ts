/**
 * Authorization codes: made when a person said yes, turned into tokens once (RFC 6749 §4.1). A second
 * use ends what came of the first (§4.1.2).
 */

import { personKey, sealedAt } from "../../db/queries/accounts.ts";
import { type CodeRow, codeOf, insertCode, useCode } from "../../db/queries/openid-codes.ts";
import { deleteChain } from "../../db/queries/openid-tokens.ts";
import { regionOf } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import {
  base64url,
  equalInConstantTime,
  hashToken,
  newToken,
  parseToken,
} from "../../protocol/tokens.ts";
import type { Db, Ports } from "../ports.ts";
import { type Form, OAuthError } from "./answers.ts";
import type { Client } from "./clients.ts";
import type { AuthorizeRequest } from "./rules.ts";
import { scopesOf, scopeText } from "./scopes.ts";
import {
  idToken,
  newAccessToken,
  newChain,
  newRefreshToken,
  type SignedInFacts,
  type TokenAnswer,
  tokenAnswer,
} from "./tokens.ts";

/** What a code stands for; sealed beside its hash. */
export interface CodeRequest extends Omit<SignedInFacts, "accountId"> {
  readonly redirectUri: string;
  readonly scope: string;
  readonly challenge?: string | undefined;
}

/** Makes a code for what `accountId` allowed by `grantId`; null when that was ended meanwhile. */
export async function newCode(
  ports: Ports,
  grantId: string,
  request: AuthorizeRequest,
  facts: Pick<SignedInFacts, "accountId" | "methods" | "authAt">,
): Promise<string | null> {
  const { accountId, methods, authAt } = facts;
  const [region, db] = [regionOf(accountId), ports.regions.db(accountId)];
  if (region === null || db === null) return null;
  const code = newToken("oac", region, ports.random.bytes);
  const codeHash = await hashToken(code);
  const { redirectUri, challenge, nonce } = request;
  const kept: CodeRequest = {
    ...{ redirectUri, challenge, nonce, methods, authAt },
    scope: scopeText(request.scope),
  };
  const requestSealed = await ports.sealer.seal(
    personKey(accountId),
    sealedAt.code(codeHash),
    JSON.stringify(kept),
  );
  const expiresAt = ports.clock.now() + limits.openidCodeMs;
  return (await insertCode(db, { codeHash, grantId, requestSealed, expiresAt })) ? code : null;
}

const refused = (why: string) => new OAuthError("invalid_grant", why);

/** The grant type `authorization_code`. @throws OAuthError */
export async function redeemCode(ports: Ports, client: Client, form: Form): Promise<TokenAnswer> {
  const code = form.get("code");
  if (code === undefined) throw new OAuthError("invalid_request", "code is missing");
  const region = parseToken("oac", code)?.region;
  const db = region === undefined ? null : ports.regions.db(region);
  if (db === null) throw refused("this is no code of ours");
  const codeHash = await hashToken(code);
  const now = ports.clock.now();
  const found = await codeOf(db, codeHash, now);
  if (found === null || found.clientId !== client.id) {
    throw refused("the code is not known, too old, or another client's");
  }
  if (found.chain !== null) {
    await deleteChain(db, found.chain);
    throw refused("the code was used before; what came of it is ended");
  }
  const tokens = await spendCode(ports, db, client, { codeHash, found }, (request) =>
    checkRequest(request, form),
  );
  if (tokens !== null) return tokens;
  // Another was a moment faster, which is a second use like any other.
  const used = await codeOf(db, codeHash, now);
  if (used?.chain != null) await deleteChain(db, used.chain);
  throw refused("the code was used before; what came of it is ended");
}

/**
 * Turns a code that was not used yet into tokens; null when another was a moment faster.
 * @param check refuses by throwing, before anything is used up
 */
export async function spendCode(
  ports: Ports,
  db: Db,
  client: Client,
  { codeHash, found }: { readonly codeHash: string; readonly found: CodeRow },
  check: (request: CodeRequest) => Promise<void> = async () => undefined,
): Promise<TokenAnswer | null> {
  const { accountId, requestSealed } = found;
  const now = ports.clock.now();
  const at = sealedAt.code(codeHash);
  const opened = await ports.sealer.open(personKey(accountId), at, requestSealed);
  if (opened === null) throw refused("the code is not known");
  const request = JSON.parse(opened) as CodeRequest;
  await check(request);

  const scope = scopesOf(request.scope);
  const facts = { accountId, methods: request.methods, authAt: request.authAt };
  const access = newAccessToken(ports, accountId);
  const refresh = scope.includes("offline_access") ? newRefreshToken(ports, accountId) : null;
  const tokens = {
    chain: newChain(ports),
    accessHash: await hashToken(access),
    accessScope: request.scope,
    accessExpiresAt: now + limits.accessTokenMs,
    refresh:
      refresh === null
        ? null
        : { hash: await hashToken(refresh), expiresAt: now + limits.refreshIdleMs },
  };
  const rememberedUntil = now + limits.openidUsedCodeMs;
  const signed = await idToken(ports, client, { ...facts, nonce: request.nonce });
  if (!(await useCode(db, codeHash, { ...request, rememberedUntil }, tokens, now))) return null;
  return tokenAnswer({ access, scope, refresh, idToken: signed });
}

/** The code belongs to this redirect address and this verifier (RFC 6749 §4.1.3, RFC 7636 §4.6). */
async function checkRequest(request: CodeRequest, form: Form): Promise<void> {
  if (form.get("redirect_uri") !== request.redirectUri) {
    throw refused("redirect_uri is not the one of the authorization request");
  }
  const verifier = form.get("code_verifier");
  if (request.challenge === undefined) {
    // RFC 9700 §4.8.2: the challenge may have been taken out on the way.
    if (verifier !== undefined) throw refused("there was no code_challenge");
    return;
  }
  if (verifier === undefined) throw refused("code_verifier is missing");
  if (!(await meetsChallenge(verifier, request.challenge))) {
    throw refused("code_verifier does not meet the challenge");
  }
}

/** RFC 7636 §4.6, method S256. */
export async function meetsChallenge(verifier: string, challenge: string): Promise<boolean> {
  if (!/^[A-Za-z0-9._~-]{43,128}$/.test(verifier)) return false;
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  return equalInConstantTime(base64url(new Uint8Array(digest)), challenge);
}
