/**
 * Signing out by an app's wish (OpenID Connect RP-Initiated Logout 1.0). Whoever sent the browser, the
 * person is asked; and it goes back to no address that is not the app's.
 */

import type { Ports } from "../ports.ts";
import { type Client, clientOf } from "./clients.ts";
import { claimsWeSigned } from "./keys.ts";
import { isRegistered, withAnswer } from "./redirects.ts";

export type LogoutReason =
  | "hint-unknown"
  | "client-unknown"
  | "client-other"
  | "redirect-unknown"
  | "repeated";

export type LogoutRequest =
  | { readonly kind: "page"; readonly reason: LogoutReason }
  | {
      readonly kind: "request";
      /** Null: nobody we know asks. */
      readonly client: Client | null;
      /** Where to go afterwards; null: stay here. */
      readonly to: string | null;
    };

const NAMES = ["id_token_hint", "client_id", "post_logout_redirect_uri", "state"] as const;

/** Reads a request; others' parameters (`logout_hint`, `ui_locales`) are of no effect. */
export async function logoutRequest(ports: Ports, query: URLSearchParams): Promise<LogoutRequest> {
  const page = (reason: LogoutReason): LogoutRequest => ({ kind: "page", reason });
  if (NAMES.some((name) => query.getAll(name).length > 1)) return page("repeated");
  const [hint, named, back, state] = NAMES.map((name) => query.get(name) || null);
  const claims = hint == null ? null : await claimsWeSigned(ports, hint);
  if (hint != null && typeof claims?.aud !== "string") return page("hint-unknown");
  const meant = typeof claims?.aud === "string" ? claims.aud : null;
  if (named != null && meant !== null && named !== meant) return page("client-other");
  const id = meant ?? named ?? null;
  const client = id === null ? null : await clientOf(ports, id);
  if (id !== null && client === null) return page("client-unknown");
  // Without a client nobody can say whose address it is (§3): we stay here.
  if (client === null || back == null) return { kind: "request", client, to: null };
  if (!isRegistered(back, client.postLogoutRedirectUris)) return page("redirect-unknown");
  return { kind: "request", client, to: state == null ? back : withAnswer(back, { state }) };
}
