/**
 * Accounts elsewhere for tests of a running edge, on loopback: panva's oidc-provider, which is a real
 * one, and Facebook as its documentation has it answer. Each remembers what it gave out and took back.
 */

import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import Provider from "oidc-provider";
import { freePort } from "./browser.ts";
import { newMarker } from "./canary.ts";

export const OIDC_SECRET = "a secret of the operator and the provider";
export const FACEBOOK_SECRET = "an app secret";

export interface Elsewhere {
  readonly url: string;
  /** Access tokens that it gave out. */
  readonly given: string[];
  /** Those of them that still open something. */
  alive(): Promise<string[]>;
  /** Something it says of its users that nobody asked for. */
  readonly secretClaim: string;
  close(): Promise<void>;
}

/**
 * oidc-provider with its development pages: any name signs in, and is its own subject. The name before
 * a dot says what the address is: `unchecked.…` was not checked, `silent.…` has none.
 * @param consoles origins of the consoles that may send people
 * @param id what they call this provider
 */
export async function startOidcProvider(
  consoles: () => readonly string[],
  id = "oidc",
): Promise<Elsewhere> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const given: string[] = [];
  const secretClaim = newMarker();
  let provider: Provider | null = null;
  // Made with the first request: only then it is known where the console stands.
  const server = createServer((request, response) => {
    provider ??= newProvider(url, consoles(), id, secretClaim, given);
    provider.callback()(request, response);
  });
  await listen(server, port);
  const alive = async () => {
    const works = given.map(async (token) => {
      const authorization = `Bearer ${token}`;
      return (await fetch(`${url}/me`, { headers: { authorization } })).ok ? [token] : [];
    });
    return (await Promise.all(works)).flat();
  };
  return { url, given, alive, secretClaim, close: () => closed(server) };
}

function newProvider(
  url: string,
  consoles: readonly string[],
  id: string,
  secretClaim: string,
  given: string[],
): Provider {
  const provider = new Provider(url, {
    clients: [
      {
        client_id: "latchkey",
        client_secret: OIDC_SECRET,
        redirect_uris: consoles.map((origin) => `${origin}/sign-in/with/${id}/callback`),
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
        application_type: "native", // http on loopback
      },
    ],
    scopes: ["openid", "profile", "email"],
    claims: {
      openid: ["sub"],
      profile: ["name", "picture", "birthdate"],
      email: ["email", "email_verified"],
    },
    pkce: { required: () => true },
    issueRefreshToken: async () => true,
    cookies: { keys: [randomBytes(16).toString("hex")] },
    features: { revocation: { enabled: true }, rpInitiatedLogout: { enabled: false } },
    findAccount: (_: unknown, sub: string) => ({
      accountId: sub,
      claims: () => ({
        sub,
        name: `Name of ${sub}`,
        picture: `https://pictures.example/${secretClaim}`,
        birthdate: secretClaim,
        ...(sub.startsWith("silent.")
          ? {}
          : { email: `${sub}@example.test`, email_verified: !sub.startsWith("unchecked.") }),
      }),
    }),
  });
  provider.on("access_token.saved", ({ jti }) => given.push(jti));
  return provider;
}

/** Facebook's dialog, token endpoint and Graph API. Its one user is whoever `me` says. */
export async function startFacebook(me: Readonly<Record<string, string>>): Promise<Elsewhere> {
  const { createHmac } = await import("node:crypto");
  const port = await freePort();
  const [given, revoked]: [string[], string[]] = [[], []];
  const codes = new Map<string, string>();
  const secretClaim = newMarker();
  const user = { ...me, picture: secretClaim, birthday: secretClaim };
  const proofOf = (token: string) =>
    createHmac("sha256", FACEBOOK_SECRET).update(token).digest("hex");
  const server = createServer((request, response) => {
    const { pathname, searchParams: query } = new URL(request.url ?? "/", "http://here");
    const answer = (status: number, body: object) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    const failed = (message: string, code: number) =>
      answer(400, { error: { message, type: "OAuthException", code, fbtrace_id: "A" } });
    if (pathname.endsWith("/dialog/oauth")) {
      const code = `AQ${randomBytes(30).toString("base64url")}`;
      codes.set(code, query.get("redirect_uri") ?? "");
      const back = new URL(query.get("redirect_uri") ?? "");
      back.searchParams.set("code", code);
      back.searchParams.set("state", query.get("state") ?? "");
      response.writeHead(302, { location: `${back.href}#_=_` }).end();
      return;
    }
    if (pathname.endsWith("/oauth/access_token")) {
      const redirect = codes.get(query.get("code") ?? "");
      codes.delete(query.get("code") ?? "");
      if (query.get("client_secret") !== FACEBOOK_SECRET) return failed("Invalid secret", 1);
      if (redirect !== query.get("redirect_uri")) return failed("Invalid verification code", 100);
      const token = `EAA${randomBytes(30).toString("base64url")}`;
      given.push(token);
      return answer(200, { access_token: token, token_type: "bearer", expires_in: 5_183_944 });
    }
    const token = query.get("access_token") ?? "";
    if (!given.includes(token) || revoked.includes(token)) {
      return failed("Invalid OAuth access token.", 190);
    }
    if (query.get("appsecret_proof") !== proofOf(token)) {
      return failed("Invalid appsecret_proof provided in the API argument", 100);
    }
    if (isRevocation(request, pathname)) {
      revoked.push(token);
      return answer(200, { success: true });
    }
    const wanted = (query.get("fields") ?? "").split(",");
    answer(200, Object.fromEntries(Object.entries(user).filter(([name]) => wanted.includes(name))));
  });
  await listen(server, port);
  return {
    url: `http://127.0.0.1:${port}`,
    given,
    alive: async () => given.filter((token) => !revoked.includes(token)),
    secretClaim,
    close: () => closed(server),
  };
}

const isRevocation = (request: IncomingMessage, pathname: string) =>
  request.method === "DELETE" && pathname.endsWith("/me/permissions");

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve) => {
    server.listen(port, "127.0.0.1", () => resolve());
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.closeAllConnections();
    server.close(() => resolve());
  });
}

/** What the edge is told of them. */
export function elsewhereVariables(
  oidc: Pick<Elsewhere, "url">,
  facebook: Pick<Elsewhere, "url"> | null = null,
): Record<string, string> {
  const entries = [`oidc title=The_Other_House issuer=${oidc.url} client=latchkey emails=believed`];
  if (facebook !== null) {
    entries.push(`facebook client=5678 graph=${facebook.url} dialog=${facebook.url}`);
  }
  return {
    IDENTITY_PROVIDERS: entries.join("; "),
    IDENTITY_SECRET_OIDC: OIDC_SECRET,
    IDENTITY_SECRET_FACEBOOK: FACEBOOK_SECRET,
  };
}
