/**
 * Clients: the apps that may ask for a sign-in. An operator registers them by configuration
 * (`OPENID_CLIENTS`); a device's own page is one by itself. There is no open registration, and nothing
 * of a client is ever fetched.
 */

import type { JSONWebKeySet } from "jose";
import { isId } from "../../protocol/ids.ts";
import type { Ports } from "../ports.ts";
import { deviceClient } from "./device-clients.ts";
import type { Scope } from "./scopes.ts";

/** How a client shows at the token endpoint that it is itself (OpenID Connect Core §9). */
export type ClientAuth =
  /** It cannot keep a secret: PKCE only. */
  | { readonly method: "none" }
  /** @param secretHash `hashToken` of the secret: SHA-256 in base64url */
  | {
      readonly method: "client_secret_basic" | "client_secret_post";
      readonly secretHash: string;
    }
  | { readonly method: "private_key_jwt"; readonly jwks: JSONWebKeySet };

export interface Client {
  readonly id: string;
  /** As the person reads it. */
  readonly name: string;
  /** Registered by the operator, or a device of somebody's. */
  readonly kind: "operator" | "device";
  readonly redirectUris: readonly string[];
  readonly postLogoutRedirectUris: readonly string[];
  readonly auth: ClientAuth;
  /** What it may ask for at all. */
  readonly scopes: readonly Scope[];
  readonly idTokenAlg: "RS256" | "EdDSA";
  /** May ask for a sign-in by a code that it shows (RFC 8628). */
  readonly deviceGrant: boolean;
}

/** The client of `clientId`; null when there is none. */
export async function clientOf(ports: Ports, clientId: string): Promise<Client | null> {
  if (isId("dev", clientId)) return await deviceClient(ports, clientId);
  const clients = await ports.config.openidClients();
  return clients.find(({ id }) => id === clientId) ?? null;
}
