/**
 * What an authorization request must be (RFC 6749 §4.1.1, RFC 7636, OpenID Connect Core §3.1.2), and
 * what it takes to answer it. Pure: parameters, client, session and time come in, a decision goes out.
 */

import { limits } from "../../protocol/limits.ts";
import type { Client } from "./clients.ts";
import { isExclusive, isRegistered } from "./redirects.ts";
import { covers, type Scope, scopesOf } from "./scopes.ts";

export type Prompt = "none" | "login" | "consent" | "select_account";

/** A request that may be answered. */
export interface AuthorizeRequest {
  readonly clientId: string;
  readonly redirectUri: string;
  readonly scope: readonly Scope[];
  readonly state: string | undefined;
  readonly nonce: string | undefined;
  /** RFC 7636 S256; undefined for a confidential client that sends none. */
  readonly challenge: string | undefined;
  readonly prompts: readonly Prompt[];
  /** Seconds; undefined: any sign-in will do. */
  readonly maxAge: number | undefined;
  readonly idTokenHint: string | undefined;
  readonly loginHint: string | undefined;
  /** Since when its owner must have shown who they are: set by us on the way back, ms. */
  readonly since: number | undefined;
}

/** Errors that go back to the client (RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6). */
export type AuthorizeError =
  | "invalid_request"
  | "unauthorized_client"
  | "access_denied"
  | "unsupported_response_type"
  | "invalid_scope"
  | "login_required"
  | "consent_required"
  | "request_not_supported"
  | "request_uri_not_supported"
  | "registration_not_supported";

/** Why a request never leads anywhere: its client or address is not one we know (RFC 6749 §3.1.2.4). */
export type PageReason =
  | "client-missing"
  | "client-unknown"
  | "redirect-missing"
  | "redirect-unknown"
  | "repeated";

export type Parsed =
  | { readonly kind: "request"; readonly request: AuthorizeRequest }
  | { readonly kind: "page"; readonly reason: PageReason }
  | {
      readonly kind: "redirect";
      readonly redirectUri: string;
      readonly state: string | undefined;
      readonly error: AuthorizeError;
      readonly description: string;
    };

/** The parameter in which the way back from a sign-in says since when it counts. */
export const SINCE = "latchkey_since";

/** The client that a request names; null when it names none, or more than one. */
export function clientIdOf(query: URLSearchParams): string | null {
  const all = query.getAll("client_id");
  return all.length === 1 && all[0] !== "" ? (all[0] ?? null) : null;
}

/** Reads a request of `client` (null: nobody knows it). Unknown parameters are ignored (RFC 6749 §3.1). */
export function parseAuthorize(query: URLSearchParams, client: Client | null): Parsed {
  const page = (reason: PageReason): Parsed => ({ kind: "page", reason });
  const one = (name: string) => query.get(name) || undefined; // empty is as if it were not there
  if (clientIdOf(query) === null) return page("client-missing");
  if (client === null) return page("client-unknown");
  const redirectUri = one("redirect_uri");
  if (query.getAll("redirect_uri").length > 1) return page("repeated");
  if (redirectUri === undefined) return page("redirect-missing");
  if (!isRegistered(redirectUri, client.redirectUris)) return page("redirect-unknown");

  const state = query.getAll("state").length === 1 ? one("state") : undefined;
  const refuse = (error: AuthorizeError, description: string): Parsed => {
    return { kind: "redirect", redirectUri, state, error, description };
  };
  const refusal = refusalOf(query, client);
  if (refusal !== null) return refuse(...refusal);
  const scope = scopesOf(one("scope") ?? "").filter((one) => client.scopes.includes(one));
  if (!scope.includes("openid")) return refuse("invalid_scope", "scope must contain openid");
  const prompts = promptsOf(one("prompt"));
  if (prompts === null) return refuse("invalid_request", "prompt is not understood");
  const [maxAge, since] = [wholeNumber(one("max_age")), wholeNumber(one(SINCE))];
  if (maxAge === null || since === null) {
    return refuse("invalid_request", "max_age must be a whole number of seconds");
  }
  return {
    kind: "request",
    request: {
      clientId: client.id,
      redirectUri,
      scope,
      state,
      nonce: one("nonce"),
      challenge: one("code_challenge"),
      prompts,
      maxAge,
      idTokenHint: one("id_token_hint"),
      loginHint: one("login_hint"),
      since,
    },
  };
}

/** What is wrong with a request whose client and address are right. */
function refusalOf(query: URLSearchParams, client: Client): [AuthorizeError, string] | null {
  const names = [...query.keys()];
  const twice = names.find((name, index) => names.indexOf(name) !== index && KNOWN.has(name));
  if (twice !== undefined) return ["invalid_request", `${twice} stands there twice`];
  const long = names.find(
    (name) => KNOWN.has(name) && (query.get(name) ?? "").length > limits.openidParameterLength,
  );
  if (long !== undefined) return ["invalid_request", `${long} is too long`];
  if (query.has("request")) return ["request_not_supported", "request objects are not taken"];
  if (query.has("request_uri")) {
    return ["request_uri_not_supported", "request objects are not taken"];
  }
  if (query.has("registration")) {
    return ["registration_not_supported", "clients are registered by the operator"];
  }
  const type = query.get("response_type") || null;
  if (type === null) return ["invalid_request", "response_type is missing"];
  if (type !== "code") return ["unsupported_response_type", "response_type must be code"];
  const mode = query.get("response_mode") || "query";
  if (mode !== "query") return ["invalid_request", "response_mode must be query"];
  return challengeRefusal(query, client);
}

/** RFC 7636 §4.4.1, RFC 9700 §2.1.1: S256 only, and never without it for a client without a secret. */
function challengeRefusal(query: URLSearchParams, client: Client): [AuthorizeError, string] | null {
  const challenge = query.get("code_challenge") || null;
  const method = query.get("code_challenge_method") || null;
  if (challenge === null) {
    if (method !== null) return ["invalid_request", "code_challenge is missing"];
    const needed = client.auth.method === "none";
    return needed ? ["invalid_request", "code_challenge is missing; use PKCE with S256"] : null;
  }
  if (method !== "S256") return ["invalid_request", "code_challenge_method must be S256"];
  if (/^[A-Za-z0-9_-]{43}$/.test(challenge)) return null;
  return ["invalid_request", "code_challenge must be 43 characters of base64url"];
}

/** Parameters that count, and so may stand there once. */
const KNOWN: ReadonlySet<string> = new Set([
  ...["client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce"],
  ...["code_challenge", "code_challenge_method", "prompt", "max_age", "id_token_hint"],
  ...["login_hint", "request", "request_uri", "registration", SINCE],
]);

const PROMPTS: readonly Prompt[] = ["none", "login", "consent", "select_account"];

function promptsOf(text: string | undefined): Prompt[] | null {
  if (text === undefined) return [];
  const words = text.split(" ").filter((word) => word !== "");
  const prompts = PROMPTS.filter((prompt) => words.includes(prompt));
  const alone = !prompts.includes("none") || prompts.length === 1;
  return words.every((word) => PROMPTS.includes(word as Prompt)) && alone ? prompts : null;
}

function wholeNumber(text: string | undefined): number | undefined | null {
  if (text === undefined) return undefined;
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** Who sits at the browser, as far as the decision needs it. */
export interface Present {
  /** When they last showed who they are; ms. */
  readonly authAt: number;
  /** What they allowed this client before. */
  readonly allowed: readonly Scope[];
  /** False when an `id_token_hint` says that the client means somebody else. */
  readonly meant: boolean;
}

export type Decision =
  /** Nobody is signed in. */
  | { readonly kind: "sign-in" }
  /** Somebody is, but must show again who they are. */
  | { readonly kind: "confirm" }
  | { readonly kind: "consent" }
  | { readonly kind: "issue" }
  | { readonly kind: "refuse"; readonly error: AuthorizeError; readonly description: string };

/**
 * What comes next. `consented`: they said yes on our page just now.
 * A redirect that any program of a machine can receive is never answered without asking, for who asks
 * is not known there (RFC 8252 §8.6).
 */
export function decide(
  request: AuthorizeRequest,
  present: Present | null,
  now: number,
  { consented = false } = {},
): Decision {
  const { prompts, maxAge, since = 0 } = request;
  const silent = prompts.includes("none");
  const refuse = (error: AuthorizeError, description: string): Decision => {
    return { kind: "refuse", error, description };
  };
  if (present === null) {
    return silent ? refuse("login_required", "nobody is signed in") : { kind: "sign-in" };
  }
  if (!present.meant) return refuse("login_required", "somebody else is signed in");
  const old = maxAge !== undefined && now - present.authAt > maxAge * 1000;
  const again = prompts.includes("login");
  // On the way back from showing it, a `max_age` of 0 is met by having shown it since.
  const shown = since > now - limits.confirmedMs && since <= now && present.authAt >= since;
  if ((old || again) && !shown) {
    return silent ? refuse("login_required", "the sign-in is too old") : { kind: "confirm" };
  }
  if (consented) return { kind: "issue" };
  const asks = prompts.includes("consent") || prompts.includes("select_account");
  const known = covers(present.allowed, request.scope) && isExclusive(request.redirectUri);
  if (known && !asks) return { kind: "issue" };
  return silent ? refuse("consent_required", "this was not allowed yet") : { kind: "consent" };
}
