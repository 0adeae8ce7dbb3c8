/**
 * What a form that signs somebody in ends at, beyond this origin: its redirects lead on to a device's
 * door or to an app, and browsers count those as where the form goes (CSP `form-action`).
 */

import { checkLabel } from "../protocol/names.ts";
import { doorOrigin } from "../workers/config.ts";
import { clientOf } from "../workers/openid/clients.ts";
import { formTarget } from "../workers/openid/redirects.ts";
import { clientIdOf, parseAuthorize } from "../workers/openid/rules.ts";
import type { Ports } from "../workers/ports.ts";

/** Who sent a visitor here to sign in. */
export type Sender =
  | { readonly kind: "door"; readonly label: string }
  /** @param hint whom the app expects (`login_hint`); typed for the person, never trusted */
  | { readonly kind: "app"; readonly name: string; readonly hint: string | undefined };

export interface WayBack {
  readonly sender: Sender | null;
  /** For `form-action`; undefined when everything stays here. */
  readonly formTarget: string | undefined;
}

const STAYS: WayBack = { sender: null, formTarget: undefined };

/** Reads where `returnTo` leads; it is a path of ours (`localPath`) or null. */
export async function wayBackOf(ports: Ports, returnTo: string | null): Promise<WayBack> {
  const [path = "", search = ""] = (returnTo ?? "").split(/\?(.*)/s);
  const query = new URLSearchParams(search);
  if (path === "/door") {
    const label = query.get("label") ?? "";
    if (checkLabel(label) !== null) return STAYS;
    return { sender: { kind: "door", label }, formTarget: doorOrigin(ports.config, label) };
  }
  if (path !== "/oauth/authorize") return STAYS;
  const clientId = clientIdOf(query);
  const client = clientId === null ? null : await clientOf(ports, clientId);
  const parsed = parseAuthorize(query, client);
  if (parsed.kind === "page" || client === null) return STAYS;
  const hint = parsed.kind === "request" ? parsed.request.loginHint : undefined;
  const to = parsed.kind === "request" ? parsed.request.redirectUri : parsed.redirectUri;
  return { sender: { kind: "app", name: client.name, hint }, formTarget: formTarget(to) };
}
