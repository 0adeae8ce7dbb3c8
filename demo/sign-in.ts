/**
 * "Sign in with Latchkey" on a page of a box, in plain code: the authorization code with PKCE (RFC 7636)
 * and the two checks that matter, state and ID token. Copy it; nothing here is particular to the demo.
 * The box needs no secret: `latchkey openid` prints the issuer and the client that it is.
 */

import { createHash, randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createRemoteJWKSet, jwtVerify } from "jose";

/** What `latchkey openid` prints, as far as a page needs it. */
export interface SignInOptions {
  readonly issuer: string;
  readonly client_id: string;
}

export interface SignIn {
  /** Who is signed in at this page, as its visitor is called; null for nobody. */
  who(request: IncomingMessage): string | null;
  /** Answers the paths of signing in and out; false for any other path. */
  answer(request: IncomingMessage, response: ServerResponse): Promise<boolean>;
}

const CALLBACK = "/.latchkey/callback";
const MINUTE_MS = 60_000;
const MOST = 1000; // sign-ins under way, and people signed in: this page keeps them in memory

interface Metadata {
  readonly authorization_endpoint: string;
  readonly token_endpoint: string;
  readonly userinfo_endpoint: string;
  readonly jwks_uri: string;
}

export function signInWithLatchkey({ issuer, client_id }: SignInOptions): SignIn {
  const underWay = new Map<
    string,
    { verifier: string; nonce: string; to: string; until: number }
  >();
  const people = new Map<string, string>();
  const metadata = async (): Promise<Metadata> =>
    (await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()) as Metadata;

  /** Leads the visitor to Latchkey. The cookie binds the way back to this browser. */
  async function begin(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [state, nonce, verifier] = [secret(), secret(), secret()];
    const to = `${originOf(request)}${CALLBACK}`;
    if (underWay.size >= MOST) underWay.clear();
    underWay.set(state, { verifier, nonce, to, until: Date.now() + 10 * MINUTE_MS });
    const url = new URL((await metadata()).authorization_endpoint);
    url.search = new URLSearchParams({
      client_id,
      redirect_uri: to,
      response_type: "code",
      scope: "openid profile email",
      state,
      nonce,
      code_challenge: createHash("sha256").update(verifier).digest("base64url"),
      code_challenge_method: "S256",
    }).toString();
    redirect(response, url.href, cookie("nas-state", state, 600));
  }

  /** Turns the code into a person, once, and only in the browser that began. */
  async function finish(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const query = new URL(request.url ?? "/", "http://nas").searchParams;
    const state = query.get("state") ?? "";
    const begun = underWay.get(state);
    underWay.delete(state);
    const code = query.get("code");
    const same = cookieOf(request, "nas-state") === state && query.get("iss") === issuer;
    if (begun === undefined || begun.until < Date.now() || !same || code === null) {
      return redirect(response, "/");
    }
    const { token_endpoint, userinfo_endpoint, jwks_uri } = await metadata();
    const answer = await fetch(token_endpoint, {
      method: "POST",
      body: new URLSearchParams({
        grant_type: "authorization_code",
        client_id,
        code,
        redirect_uri: begun.to,
        code_verifier: begun.verifier,
      }),
    });
    if (!answer.ok) return redirect(response, "/");
    const tokens = (await answer.json()) as { id_token: string; access_token: string };
    const keys = createRemoteJWKSet(new URL(jwks_uri));
    const expected = { issuer, audience: client_id };
    const { payload } = await jwtVerify(tokens.id_token, keys, expected);
    if (payload.nonce !== begun.nonce) return redirect(response, "/");
    const headers = { authorization: `Bearer ${tokens.access_token}` };
    const about = (await (await fetch(userinfo_endpoint, { headers })).json()) as Record<
      string,
      unknown
    >;
    const session = secret();
    if (people.size >= MOST) people.clear();
    people.set(session, String(about.name ?? about.email ?? payload.sub));
    redirect(response, "/", cookie("nas-session", session, 12 * 3600));
  }

  return {
    who: (request) => people.get(cookieOf(request, "nas-session") ?? "") ?? null,
    async answer(request, response) {
      const { pathname } = new URL(request.url ?? "/", "http://nas");
      if (request.method === "GET" && pathname === "/sign-in") await begin(request, response);
      else if (request.method === "GET" && pathname === CALLBACK) await finish(request, response);
      else if (request.method === "POST" && pathname === "/sign-out") {
        people.delete(cookieOf(request, "nas-session") ?? "");
        redirect(response, "/", cookie("nas-session", "", 0));
      } else return false;
      return true;
    },
  };
}

const secret = () => randomBytes(32).toString("base64url");

/** Where the visitor sees this page: at the door, which says so (docs/link.md), or on the box itself. */
function originOf({ headers }: IncomingMessage): string {
  const scheme = headers["x-forwarded-proto"] ?? "http";
  return `${scheme}://${headers["x-forwarded-host"] ?? headers.host ?? "127.0.0.1"}`;
}

function cookie(name: string, value: string, seconds: number): string {
  return `${name}=${value}; HttpOnly; SameSite=Lax; Path=/; Max-Age=${seconds}`;
}

function cookieOf(request: IncomingMessage, name: string): string | null {
  const pairs = (request.headers.cookie ?? "").split(/;\s*/);
  return pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1) ?? null;
}

function redirect(response: ServerResponse, location: string, setCookie?: string): void {
  const more = setCookie === undefined ? {} : { "set-cookie": setCookie };
  response.writeHead(303, { location, "cache-control": "no-store", ...more }).end();
}
