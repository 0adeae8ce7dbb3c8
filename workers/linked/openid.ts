/**
 * Providers of OpenID Connect: authorization code with PKCE (RFC 7636), state, nonce and, where the
 * provider names itself, `iss` (RFC 9207). `oauth4webapi` builds and checks every message; each request
 * of it passes the egress gate. Tokens live in the variables of one function and nowhere else.
 */

import * as oauth from "oauth4webapi";
import { limits } from "../../protocol/limits.ts";
import type { Config } from "../config.ts";
import type { Ports } from "../ports.ts";
import type { OpenIdProvider } from "./configuration.ts";
import {
  askProvider,
  callbackUrl,
  type Identity,
  IdentityError,
  identityOf,
  type Leave,
} from "./identity.ts";

/** Where the provider's user goes to sign in there. @throws IdentityError */
export async function leaveForOpenId(
  ports: Ports,
  provider: OpenIdProvider,
  leave: Leave,
): Promise<string> {
  const server = await serverOf(ports, provider);
  const endpoint = server.authorization_endpoint;
  if (endpoint === undefined || !isHttp(endpoint, provider)) {
    throw new IdentityError("unavailable", "metadata");
  }
  const url = new URL(endpoint);
  const parameters = {
    client_id: provider.clientId,
    redirect_uri: callbackUrl(ports.config.origin, provider),
    response_type: "code",
    scope: provider.scopes.join(" "),
    state: leave.state,
    nonce: leave.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(leave.verifier),
    code_challenge_method: "S256",
    ...(leave.fresh ? freshness(provider) : {}),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}

/** Asks for a new proof; where the provider gives none, at least for a choice that a person makes. */
function freshness(provider: OpenIdProvider): Readonly<Record<string, string>> {
  return provider.freshLogin ? { prompt: "login", max_age: "0" } : { prompt: "select_account" };
}

/**
 * Whom the provider sent back.
 * @param parameters the query of the callback
 * @throws IdentityError
 */
export async function returnFromOpenId(
  ports: Ports,
  provider: OpenIdProvider,
  leave: Leave,
  parameters: URLSearchParams,
): Promise<Identity> {
  const server = await serverOf(ports, provider);
  const client: oauth.Client = { client_id: provider.clientId };
  const options = requestOptions(ports, provider);
  const authentication = authenticationOf(server, provider);
  return await orInvalid(async () => {
    const validated = oauth.validateAuthResponse(server, client, parameters, leave.state);
    const response = await oauth.authorizationCodeGrantRequest(
      server,
      client,
      authentication,
      validated,
      callbackUrl(ports.config.origin, provider),
      leave.verifier,
      options,
    );
    const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, {
      expectedNonce: leave.nonce,
      requireIdToken: true,
    });
    try {
      // The token came over TLS from the provider itself, and still shows its signature (Core §3.1.3.7).
      await oauth.validateApplicationLevelSignature(server, response, options);
      const claims = oauth.getValidatedIdTokenClaims(tokens);
      if (claims === undefined) throw new IdentityError("invalid", "no-id-token");
      if (leave.fresh && provider.freshLogin) checkFresh(claims, leave);
      const more = await userInfo(ports, provider, server, claims, tokens.access_token);
      return identityOf(provider, { ...claims, ...more, subject: claims.sub });
    } finally {
      ports.background(revoke(ports, provider, server, tokens));
    }
  });
}

/** Core §3.1.2.1: with `max_age` the token says when its user signed in there. */
function checkFresh(claims: oauth.IDToken, leave: Leave): void {
  const at = claims.auth_time;
  if (at === undefined || at * 1000 < leave.leftAt - limits.identityFreshMs) {
    throw new IdentityError("invalid", "not-fresh");
  }
}

/** Name and address, where the token does not have them; its subject must be the same (Core §5.3.2). */
async function userInfo(
  ports: Ports,
  provider: OpenIdProvider,
  server: oauth.AuthorizationServer,
  claims: oauth.IDToken,
  accessToken: string,
): Promise<Partial<oauth.UserInfoResponse>> {
  if (claims.email !== undefined || server.userinfo_endpoint === undefined) return {};
  const client: oauth.Client = { client_id: provider.clientId };
  const options = requestOptions(ports, provider);
  const response = await oauth.userInfoRequest(server, client, accessToken, options);
  return await oauth.processUserInfoResponse(server, client, claims.sub, response);
}

/** Ends what the provider gave (RFC 7009), if it can; a token that nobody keeps ends by itself too. */
async function revoke(
  ports: Ports,
  provider: OpenIdProvider,
  server: oauth.AuthorizationServer,
  { access_token, refresh_token }: oauth.TokenEndpointResponse,
): Promise<void> {
  if (server.revocation_endpoint === undefined) return;
  const client: oauth.Client = { client_id: provider.clientId };
  const authentication = authenticationOf(server, provider);
  const options = requestOptions(ports, provider);
  for (const token of [refresh_token, access_token]) {
    if (token === undefined) continue;
    try {
      await oauth.processRevocationResponse(
        await oauth.revocationRequest(server, client, authentication, token, options),
      );
    } catch (error) {
      ports.log({ event: "identity-token-not-revoked", code: wordOf(error) });
    }
  }
}

function authenticationOf(
  server: oauth.AuthorizationServer,
  { clientSecret }: OpenIdProvider,
): oauth.ClientAuth {
  // Discovery §3: where nothing is said it is `client_secret_basic`. Where there is a choice it is the
  // other, for not every provider decodes the form in which RFC 6749 §2.3.1 has a secret written there.
  const methods = server.token_endpoint_auth_methods_supported ?? ["client_secret_basic"];
  return methods.includes("client_secret_post")
    ? oauth.ClientSecretPost(clientSecret)
    : oauth.ClientSecretBasic(clientSecret);
}

interface Known {
  readonly server: oauth.AuthorizationServer;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

/** Providers' metadata in the isolate's memory; nothing of a person. */
const known = new WeakMap<Config, Map<string, Known>>();

async function serverOf(
  ports: Ports,
  provider: OpenIdProvider,
): Promise<oauth.AuthorizationServer> {
  const ofConfig = known.get(ports.config) ?? new Map<string, Known>();
  known.set(ports.config, ofConfig);
  const now = ports.clock.now();
  const kept = ofConfig.get(provider.id);
  if (kept !== undefined && kept.until > now) return kept.server;
  const issuer = new URL(provider.issuer);
  const server = await orUnavailable(async () =>
    oauth.processDiscoveryResponse(
      issuer,
      await oauth.discoveryRequest(issuer, requestOptions(ports, provider)),
    ),
  );
  ofConfig.set(provider.id, { server, until: now + limits.identityMetadataMs });
  return server;
}

/** Makes the library send through the egress gate, and speak http only on this machine. */
function requestOptions(ports: Ports, provider: OpenIdProvider) {
  return {
    [oauth.allowInsecureRequests]: provider.loopback,
    [oauth.customFetch]: (
      url: string,
      sent: oauth.CustomFetchOptions<string, URLSearchParams | undefined>,
    ) =>
      askProvider(ports, provider, {
        url,
        method: sent.method,
        authorization: new Headers(sent.headers).get("authorization") ?? "",
        body: sent.body?.toString() ?? "",
      }),
  };
}

function isHttp(url: string, provider: OpenIdProvider): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol } = new URL(url);
  return protocol === "https:" || (protocol === "http:" && provider.loopback);
}

/** Anything wrong with what came back is `invalid`, unless it already says what it is. */
async function orInvalid<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof IdentityError) throw error;
    if (error instanceof oauth.AuthorizationResponseError) {
      const temporary = ["server_error", "temporarily_unavailable"].includes(error.error);
      throw new IdentityError(temporary ? "unavailable" : "declined", wordOf(error));
    }
    throw new IdentityError("invalid", wordOf(error));
  }
}

async function orUnavailable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof IdentityError) throw error;
    throw new IdentityError("unavailable", wordOf(error));
  }
}

/** The library's code for what was wrong, as a word for the log; never its text. */
function wordOf(error: unknown): string {
  if (error instanceof IdentityError) return error.word;
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string"
    ? code.toLowerCase().replaceAll("_", "-").slice(0, 40)
    : "unknown";
}
