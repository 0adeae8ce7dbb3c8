/** The operator's list of clients (`OPENID_CLIENTS`): read once at start, refused with a sentence. Pure. */

import * as z from "zod";
import { isId } from "../../protocol/ids.ts";
import type { Client, ClientAuth } from "./clients.ts";
import { isRedirectUri } from "./redirects.ts";
import { scopes } from "./scopes.ts";

const uri = z.string().max(2000);
const registration = z.strictObject({
  id: z.string().regex(/^[A-Za-z0-9._~-]{1,100}$/),
  name: z.string().min(1).max(100),
  redirect_uris: z.array(uri).max(20).default([]),
  post_logout_redirect_uris: z.array(uri).max(20).default([]),
  secret_sha256: z.string().optional(),
  jwks: z.strictObject({ keys: z.array(z.looseObject({ kty: z.string() })).min(1) }).optional(),
  token_endpoint_auth_method: z
    .enum(["client_secret_basic", "client_secret_post", "private_key_jwt", "none"])
    .default("client_secret_basic"),
  scopes: z.array(z.enum(scopes)).default([...scopes]),
  device_grant: z.boolean().default(false),
  id_token_signed_response_alg: z.enum(["RS256", "EdDSA"]).default("RS256"),
});
type Registration = z.infer<typeof registration>;

/**
 * Reads the operator's list of clients.
 * @throws Error with a sentence that says what is wrong, and at which client
 */
export function readClients(text: string): Client[] {
  const list = parsed(text);
  const clients = list.map((entry, index) => {
    const result = registration.safeParse(entry);
    if (!result.success) {
      const issue = result.error.issues[0];
      const at = [index, ...(issue?.path ?? [])].join(".");
      throw new Error(`OPENID_CLIENTS is wrong at ${at}: ${issue?.message}.`);
    }
    return toClient(result.data);
  });
  const ids = clients.map(({ id }) => id);
  const twice = ids.find((id, index) => ids.indexOf(id) !== index);
  if (twice !== undefined) throw new Error(`OPENID_CLIENTS has the client "${twice}" twice.`);
  return clients;
}

function parsed(text: string): unknown[] {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    throw new Error("OPENID_CLIENTS is not JSON.");
  }
  if (!Array.isArray(list)) throw new Error("OPENID_CLIENTS must be a list of clients.");
  return list;
}

function toClient(entry: Registration): Client {
  const refuse = (what: string): never => {
    throw new Error(`The client "${entry.id}" of OPENID_CLIENTS ${what}.`);
  };
  if (isId("dev", entry.id)) refuse("has the identifier of a device");
  const auth = authOf(entry, refuse);
  for (const address of [...entry.redirect_uris, ...entry.post_logout_redirect_uris]) {
    if (!isRedirectUri(address, auth.method === "none")) {
      refuse(
        `has the redirect address "${address}"; it must be https without a fragment, http on this machine (127.0.0.1, [::1], localhost), or for a public client a scheme of its own with a dot`,
      );
    }
  }
  if (!entry.scopes.includes("openid")) refuse('has scopes without "openid"');
  return {
    id: entry.id,
    name: entry.name,
    kind: "operator",
    redirectUris: entry.redirect_uris,
    postLogoutRedirectUris: entry.post_logout_redirect_uris,
    auth,
    scopes: entry.scopes,
    idTokenAlg: entry.id_token_signed_response_alg,
    deviceGrant: entry.device_grant,
  };
}

function authOf(entry: Registration, refuse: (what: string) => never): ClientAuth {
  const { token_endpoint_auth_method: method, secret_sha256: secret, jwks } = entry;
  const secretHash = secret === undefined ? null : hashOf(secret);
  const secretMethod = method === "client_secret_basic" || method === "client_secret_post";
  if (secretMethod) {
    if (secretHash === null) {
      return refuse(
        "needs secret_sha256: the SHA-256 of its secret, 64 hexadecimal digits, never the secret itself",
      );
    }
    if (jwks !== undefined) refuse("has both a secret and keys");
    return { method, secretHash };
  }
  if (secret !== undefined) refuse(`has a secret, but its method is ${method}`);
  if (method === "none") {
    if (jwks !== undefined) refuse("has keys, but its method is none");
    return { method };
  }
  if (jwks === undefined) return refuse("needs jwks: its public keys");
  if (jwks.keys.some((key) => "d" in key || "k" in key)) {
    refuse("has a private or symmetric key in jwks; only public keys belong there");
  }
  return { method, jwks };
}

/** Hexadecimal digits as `hashToken` writes them; null when they are no SHA-256. */
function hashOf(hex: string): string | null {
  if (!/^[0-9a-f]{64}$/i.test(hex)) return null;
  const bytes =
    hex.match(/../g)?.map((pair) => String.fromCharCode(Number.parseInt(pair, 16))) ?? [];
  return btoa(bytes.join("")).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
