/** What an issuer says of itself: OpenID Connect Discovery 1.0, RFC 8414, RFC 7517. */

import assert from "node:assert/strict";
import { type Run, send } from "./issuer.ts";
import { sorted, steps } from "./step.ts";

/** A member of the metadata, as a step of its own. */
const member = (name: string) => async (run: Run) => sorted(run.metadata[name]);

export const discovery = steps("discovery", {
  "names its issuer and endpoints of its own": async (run) => {
    const { metadata, issuer } = run;
    assert.equal(metadata.issuer, issuer.url);
    const endpoints = Object.keys(metadata).filter((name) => /_(endpoint|uri)$/.test(name));
    for (const name of endpoints) {
      if (["op_policy_uri", "op_tos_uri", "service_documentation"].includes(name)) continue;
      assert.equal(new URL(String(metadata[name])).origin, new URL(issuer.url).origin, name);
    }
    return endpoints.sort().join(" ");
  },
  "response types": member("response_types_supported"),
  "response modes": member("response_modes_supported"),
  "grant types": member("grant_types_supported"),
  scopes: member("scopes_supported"),
  claims: member("claims_supported"),
  "subject types": member("subject_types_supported"),
  "id_token algorithms": async (run) => {
    const algorithms = run.metadata.id_token_signing_alg_values_supported as string[];
    assert(algorithms.includes("RS256"), "RS256 must be there (Discovery §3)");
    assert(!algorithms.includes("none") && !algorithms.some((one) => one.startsWith("HS")));
    return sorted(algorithms);
  },
  "PKCE methods": async (run) => {
    assert.deepEqual(run.metadata.code_challenge_methods_supported, ["S256"]);
    return "S256";
  },
  "client authentication": member("token_endpoint_auth_methods_supported"),
  "client assertions": member("token_endpoint_auth_signing_alg_values_supported"),
  "iss in answers (RFC 9207)": member("authorization_response_iss_parameter_supported"),
  "the request parameter": member("request_parameter_supported"),
  "the request_uri parameter": member("request_uri_parameter_supported"),
  "the claims parameter": member("claims_parameter_supported"),
  "prompt values": member("prompt_values_supported"),
  "keys are public, named and for signing": async (run) => {
    const { keys } = (await send(run.metadata.jwks_uri)).json;
    const ids = keys.map(({ kid }: { kid: string }) => kid);
    assert.equal(new Set(ids).size, keys.length);
    for (const key of keys) {
      assert.equal(key.use, "sig");
      for (const secret of ["d", "p", "q", "k", "dp", "dq", "qi"]) assert(!(secret in key), secret);
    }
    return sorted(keys.map(({ kty, alg }: { kty: string; alg: string }) => `${kty}/${alg}`));
  },
  "metadata is readable from any page": async (run) => {
    const url = `${run.issuer.url}/.well-known/openid-configuration`;
    const answer = await send(url, { headers: { origin: "https://elsewhere.example" } });
    return `access-control-allow-origin: ${answer.headers["access-control-allow-origin"]}`;
  },
});
