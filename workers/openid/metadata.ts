/**
 * What clients learn of us by themselves: OpenID Connect Discovery 1.0 and RFC 8414. It promises only
 * what is there.
 */

import type { Config } from "../config.ts";
import { signingAlgorithms } from "./keys.ts";
import { claimsOfScope, scopes } from "./scopes.ts";

/** How a person showed who they are: once, or twice (`acr`). */
export const authenticationContexts = {
  one: "urn:latchkey:one-step",
  two: "urn:latchkey:two-steps",
} as const;

export const clientAuthMethods = [
  "client_secret_basic",
  "client_secret_post",
  "private_key_jwt",
  "none",
] as const;

/** What a client may sign its assertions with. */
export const assertionAlgorithms = ["RS256", "ES256", "EdDSA"] as const;

/** The document of `/.well-known/openid-configuration`. */
export function metadata({ origin }: Config, grantTypes: readonly string[]) {
  return {
    issuer: origin,
    authorization_endpoint: `${origin}/oauth/authorize`,
    token_endpoint: `${origin}/oauth/token`,
    userinfo_endpoint: `${origin}/oauth/userinfo`,
    device_authorization_endpoint: `${origin}/oauth/device`,
    revocation_endpoint: `${origin}/oauth/revoke`,
    introspection_endpoint: `${origin}/oauth/introspect`,
    end_session_endpoint: `${origin}/oauth/logout`,
    jwks_uri: `${origin}/oauth/jwks`,
    scopes_supported: scopes,
    response_types_supported: ["code"],
    response_modes_supported: ["query"],
    grant_types_supported: grantTypes,
    subject_types_supported: ["pairwise"],
    id_token_signing_alg_values_supported: signingAlgorithms,
    token_endpoint_auth_methods_supported: clientAuthMethods,
    token_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
    revocation_endpoint_auth_methods_supported: clientAuthMethods,
    revocation_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
    introspection_endpoint_auth_methods_supported: clientAuthMethods.filter(
      (method) => method !== "none",
    ),
    introspection_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
    code_challenge_methods_supported: ["S256"],
    authorization_response_iss_parameter_supported: true,
    acr_values_supported: Object.values(authenticationContexts),
    claim_types_supported: ["normal"],
    claims_supported: [
      ...["iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr"],
      ...Object.values(claimsOfScope).flat(),
    ],
    prompt_values_supported: ["none", "login", "consent", "select_account"],
    claims_parameter_supported: false,
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
    require_request_uri_registration: false,
    service_documentation: `${origin}/privacy`,
  };
}
