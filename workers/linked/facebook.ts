/**
 * Facebook: its manual login flow and the Graph API, which are OAuth without OpenID Connect. There is
 * no signed statement: whom the token belongs to is asked over TLS, with the app secret proof
 * (developers.facebook.com/docs/facebook-login/guides/advanced/manual-flow, …/docs/graph-api/guides/secure-requests).
 */

import { equalInConstantTime } from "../../protocol/tokens.ts";
import type { Ports } from "../ports.ts";
import type { FacebookProvider } from "./configuration.ts";
import {
  askProvider,
  callbackUrl,
  type Identity,
  IdentityError,
  identityOf,
  type Leave,
} from "./identity.ts";

/** Where its user goes to sign in there. */
export function leaveForFacebook(ports: Ports, provider: FacebookProvider, leave: Leave): string {
  const url = new URL(provider.dialogUrl);
  const parameters = {
    client_id: provider.clientId,
    redirect_uri: callbackUrl(ports.config.origin, provider),
    response_type: "code",
    scope: provider.scopes.join(","),
    state: leave.state,
    ...(leave.fresh ? { auth_type: "reauthenticate" } : {}),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}

/** Whom it sent back. @throws IdentityError */
export async function returnFromFacebook(
  ports: Ports,
  provider: FacebookProvider,
  leave: Leave,
  parameters: URLSearchParams,
): Promise<Identity> {
  const state = parameters.get("state") ?? "";
  if (!equalInConstantTime(state, leave.state)) throw new IdentityError("invalid", "state");
  if (parameters.has("error")) throw new IdentityError("declined", "error");
  const code = parameters.get("code");
  if (code === null) throw new IdentityError("invalid", "no-code");
  const token = (
    await answerOf(
      ports,
      provider,
      graph(provider, "oauth/access_token", {
        client_id: provider.clientId,
        redirect_uri: callbackUrl(ports.config.origin, provider),
        client_secret: provider.clientSecret,
        code,
      }),
    )
  ).access_token;
  if (typeof token !== "string") throw new IdentityError("invalid", "no-token");
  const proof = { access_token: token, appsecret_proof: await hmac(provider.clientSecret, token) };
  try {
    const me = await answerOf(
      ports,
      provider,
      graph(provider, "me", { fields: "id,name,email", ...proof }),
    );
    return identityOf(provider, { subject: me.id, name: me.name, email: me.email });
  } finally {
    ports.background(revoke(ports, provider, proof));
  }
}

/** Ends the token with the login that it stands for (Graph API, `DELETE /me/permissions`). */
async function revoke(
  ports: Ports,
  provider: FacebookProvider,
  proof: Readonly<Record<string, string>>,
): Promise<void> {
  try {
    const url = graph(provider, "me/permissions", proof);
    const response = await askProvider(ports, provider, { url, method: "DELETE" });
    if (!response.ok) throw new IdentityError("invalid", "refused");
  } catch (error) {
    const code = error instanceof IdentityError ? error.word : "unknown";
    ports.log({ event: "identity-token-not-revoked", code });
  }
}

function graph(
  provider: FacebookProvider,
  path: string,
  query: Readonly<Record<string, string>>,
): string {
  return `${provider.graphUrl}/${path}?${new URLSearchParams(query)}`;
}

async function answerOf(
  ports: Ports,
  provider: FacebookProvider,
  url: string,
): Promise<Readonly<Record<string, unknown>>> {
  const response = await askProvider(ports, provider, { url });
  if (!response.ok) throw new IdentityError("invalid", "refused");
  const answer: unknown = await response.json().catch(() => null);
  if (typeof answer !== "object" || answer === null) throw new IdentityError("invalid", "no-json");
  return answer as Readonly<Record<string, unknown>>;
}

/** HMAC-SHA-256 in hexadecimal: the app secret proof. */
async function hmac(secret: string, text: string): Promise<string> {
  const encoder = new TextEncoder();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const raw = encoder.encode(secret);
  const key = await crypto.subtle.importKey("raw", raw, algorithm, false, ["sign"]);
  const mac = new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(text)));
  return [...mac].map((octet) => octet.toString(16).padStart(2, "0")).join("");
}
