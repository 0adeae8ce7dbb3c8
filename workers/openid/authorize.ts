/**
 * The authorization endpoint: from a request and whoever sits at the browser to the one next step. The
 * rules are in rules.ts; here are the effects. It keeps nothing between two steps: every step reads the
 * request anew from its address and checks it from the beginning.
 */

import { sessionProof } from "../../db/queries/sessions.ts";
import type { Signed } from "../http.ts";
import type { Ports } from "../ports.ts";
import { type Client as Browser, browserName } from "../sign-in/client.ts";
import { type Client, clientOf } from "./clients.ts";
import { newCode } from "./codes.ts";
import { allow, allowedScopes } from "./grants.ts";
import { claimsWeSigned } from "./keys.ts";
import { withAnswer } from "./redirects.ts";
import {
  type AuthorizeError,
  type AuthorizeRequest,
  clientIdOf,
  type Decision,
  decide,
  type PageReason,
  type Present,
  parseAuthorize,
  SINCE,
} from "./rules.ts";
import { covers, type Scope } from "./scopes.ts";
import { subjectOf } from "./subject.ts";

export type Step =
  /** The request leads nowhere: say so here. */
  | { readonly kind: "page"; readonly reason: PageReason }
  /** Back to the client, with a code or an error. */
  | { readonly kind: "redirect"; readonly to: string }
  /** To sign in or to show again who one is, and then back to `path`. */
  | { readonly kind: "sign-in" | "confirm"; readonly path: string }
  | { readonly kind: "consent"; readonly client: Client; readonly request: AuthorizeRequest };

/** What a person says to a request: on the consent page, or nothing yet. */
export type Answer = "allow" | "deny" | null;

/** The one next step of the request `query` for whoever sits at the browser. */
export async function authorize(
  ports: Ports,
  query: URLSearchParams,
  session: Signed | null,
  browser: Browser,
  said: Answer = null,
): Promise<Step> {
  const clientId = clientIdOf(query);
  const client = clientId === null ? null : await clientOf(ports, clientId);
  const parsed = parseAuthorize(query, client);
  if (parsed.kind === "page") return parsed;
  if (parsed.kind === "redirect" || client === null) {
    return parsed.kind === "redirect"
      ? refusal(ports, parsed, parsed.error, parsed.description)
      : { kind: "page", reason: "client-unknown" };
  }
  const { request } = parsed;
  const person = session === null ? null : await personOf(ports, session, request);
  const now = ports.clock.now();
  const decision = decide(request, person, now, { consented: said === "allow" });
  if (said === "deny" && decision.kind !== "refuse") {
    return refusal(ports, request, "access_denied", "it was not allowed");
  }
  return await stepOf(ports, { decision, client, request, person, query, browser });
}

interface Person extends Present {
  readonly accountId: string;
  readonly methods: string;
}

interface Turn {
  readonly decision: Decision;
  readonly client: Client;
  readonly request: AuthorizeRequest;
  readonly person: Person | null;
  readonly query: URLSearchParams;
  readonly browser: Browser;
}

async function stepOf(ports: Ports, turn: Turn): Promise<Step> {
  const { decision, client, request, person, query } = turn;
  switch (decision.kind) {
    case "refuse":
      return refusal(ports, request, decision.error, decision.description);
    case "consent":
      return { kind: "consent", client, request };
    case "sign-in":
    case "confirm":
      return { kind: decision.kind, path: wayBack(ports, query, request) };
    case "issue": {
      if (person === null) throw new Error("a code needs a person");
      const to = await issue(ports, turn, person);
      if (to !== null) return { kind: "redirect", to };
      return refusal(ports, request, "access_denied", "the account or the app was ended");
    }
  }
}

/** Who is signed in: read from the database, not from what a page remembered a second ago. */
async function personOf(
  ports: Ports,
  { accountId, sessionId }: Signed,
  request: AuthorizeRequest,
): Promise<Person | null> {
  const db = ports.regions.db(accountId);
  const now = ports.clock.now();
  const proof = db === null ? null : await sessionProof(db, accountId, sessionId, now);
  if (proof === null) return null;
  return {
    accountId,
    methods: proof.methods,
    authAt: proof.confirmedAt,
    allowed: widest(await allowedScopes(ports, accountId, request.clientId), request.scope),
    meant: await isMeant(ports, accountId, request),
  };
}

/** The grant that allows all of `asked`, else nothing: what was allowed apart was not allowed at once. */
function widest(grants: readonly Scope[][], asked: readonly Scope[]): readonly Scope[] {
  return grants.find((granted) => covers(granted, asked)) ?? [];
}

/** Whether an `id_token_hint` means this account; one that says nothing to us means nobody (OIDC Core §3.1.2.1). */
async function isMeant(
  ports: Ports,
  accountId: string,
  { clientId, idTokenHint }: AuthorizeRequest,
) {
  if (idTokenHint === undefined) return true;
  const claims = await claimsWeSigned(ports, idTokenHint);
  return claims !== null && claims.sub === (await subjectOf(ports, accountId, clientId));
}

async function issue(ports: Ports, turn: Turn, person: Person): Promise<string | null> {
  const { client, request, browser } = turn;
  const { accountId } = person;
  const on = browserName(browser.userAgent);
  const allowing = { accountId, client, scope: request.scope, on, slot: "browser" };
  const grantId = await allow(ports, allowing, browser);
  const code = await newCode(ports, grantId, request, person);
  if (code === null) return null;
  return withAnswer(request.redirectUri, { code, state: request.state, iss: ports.config.origin });
}

/** RFC 6749 §4.1.2.1, with the issuer of RFC 9207. */
function refusal(
  ports: Ports,
  { redirectUri, state }: Pick<AuthorizeRequest, "redirectUri" | "state">,
  error: AuthorizeError,
  description: string,
): Step {
  const answer = { error, error_description: description, state, iss: ports.config.origin };
  return { kind: "redirect", to: withAnswer(redirectUri, answer) };
}

/** The same request, which remembers since when its owner must have shown who they are. */
function wayBack(ports: Ports, query: URLSearchParams, request: AuthorizeRequest): string {
  const back = new URLSearchParams(query);
  back.delete(SINCE);
  const fresh = request.maxAge !== undefined || request.prompts.includes("login");
  if (fresh) back.set(SINCE, String(ports.clock.now()));
  return `/oauth/authorize?${back}`;
}
