/**
 * An OpenID issuer as the protocol script sees it: its address, the clients that it knows, people who
 * have an account, and how a person gets through its pages. Nothing here is ours or anybody's.
 */

import { createHash, randomBytes } from "node:crypto";
import { createRemoteJWKSet, type JWTPayload, jwtVerify } from "jose";
import { Agent, request } from "undici";
import type { Browser, Left, Page } from "./browser.ts";

const agent = new Agent({ keepAliveTimeout: 1 });

export interface Client {
  readonly id: string;
  /** Null for a public client. */
  readonly secret: string | null;
  readonly method: "client_secret_basic" | "client_secret_post" | "none";
  readonly redirectUri: string;
}

export interface Clients {
  /** Confidential, `client_secret_basic`; may ask for every scope. */
  readonly web: Client;
  /** Confidential, `client_secret_post`. */
  readonly post: Client;
  /** Public, at a loopback address; may use the device grant. */
  readonly native: Client;
}

/** What a page asks the person, and what to do so as to go on. */
export interface Prompt {
  readonly asks: "sign-in" | "consent" | "user-code" | "confirm-code" | "sign-out" | "nothing";
  /** Goes on, as `allow` says. */
  go(browser: Browser, allow: boolean): Promise<Page | Left>;
}

export interface Visitor {
  /** One of the issuer's people. */
  readonly person: string;
  /** What a device shows. */
  readonly userCode: string;
}

export interface Issuer {
  readonly url: string;
  readonly clients: Clients;
  /** Two people; each is a name that `prompt` signs in with. */
  readonly people: readonly [string, string];
  readonly postLogoutUri: string;
  /** What `page` asks of the visitor; null for a page that asks nothing, as of an error. */
  prompt(page: Page, visitor: Visitor): Prompt | null;
  browser(): Browser;
  /** Forgets what people allowed, so that a step begins like the first. */
  fresh(): Promise<void>;
}

export interface Metadata {
  readonly issuer: string;
  readonly authorization_endpoint: string;
  readonly token_endpoint: string;
  readonly userinfo_endpoint: string;
  readonly jwks_uri: string;
  readonly device_authorization_endpoint: string;
  readonly revocation_endpoint: string;
  readonly introspection_endpoint: string;
  readonly end_session_endpoint: string;
  readonly [name: string]: unknown;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever JSON came
  readonly json: any;
}

type Fields = Readonly<Record<string, string>>;

/** Where a person ended, and what was asked on the way. */
export interface Walk {
  readonly end: Page | Left;
  readonly asked: readonly Prompt["asks"][];
}

export interface Authorized {
  readonly code: string;
  readonly verifier: string;
  readonly nonce: string;
  readonly browser: Browser;
}

/** One run of the script against one issuer. */
export class Run {
  readonly issuer: Issuer;
  readonly metadata: Metadata;
  readonly #keys: ReturnType<typeof createRemoteJWKSet>;

  private constructor(issuer: Issuer, metadata: Metadata) {
    this.issuer = issuer;
    this.metadata = metadata;
    this.#keys = createRemoteJWKSet(new URL(metadata.jwks_uri));
  }

  static async of(issuer: Issuer): Promise<Run> {
    const found = await send(`${issuer.url}/.well-known/openid-configuration`);
    return new Run(issuer, found.json);
  }

  /** Walks a person through the issuer's pages from `url` until nothing more is asked. */
  async walk(
    url: URL | string,
    how: Partial<Visitor> & { browser?: Browser; allow?: boolean; post?: URLSearchParams } = {},
  ): Promise<Walk> {
    const { browser = this.issuer.browser(), allow = true } = how;
    const visitor = { person: this.issuer.people[0], userCode: "", ...how };
    const asked: Prompt["asks"][] = [];
    let end = await browser.open(url, how.post ?? null);
    for (let step = 0; step < 8 && end.kind === "page"; step++) {
      const prompt = this.issuer.prompt(end, visitor);
      if (prompt === null) break;
      if (prompt.asks !== "nothing") asked.push(prompt.asks);
      end = await prompt.go(browser, allow);
    }
    return { end, asked };
  }

  /** The address of a request for a code, with PKCE; null leaves a parameter out. */
  authorizeUrl(client: Client, change: Readonly<Record<string, string | null>> = {}): URL {
    const url = new URL(this.metadata.authorization_endpoint);
    const parameters = {
      client_id: client.id,
      response_type: "code",
      redirect_uri: client.redirectUri,
      scope: "openid",
      state: "a state",
      nonce: "a nonce",
      code_challenge: challengeOf(VERIFIER),
      code_challenge_method: "S256",
      ...change,
    };
    for (const [name, value] of Object.entries(parameters)) {
      if (value !== null) url.searchParams.set(name, value);
    }
    return url;
  }

  /** A code, the way a person gives one. */
  async authorize(
    client: Client,
    change: Readonly<Record<string, string | null>> = {},
    how: { browser?: Browser; person?: string } = {},
  ): Promise<Authorized> {
    const browser = how.browser ?? this.issuer.browser();
    const url = this.authorizeUrl(client, change);
    const { end } = await this.walk(url, { ...how, browser });
    const code = end.kind === "left" ? end.url.searchParams.get("code") : null;
    if (code === null) throw new Error(`no code at ${end.url}: ${describe(end)}`);
    return { code, verifier: VERIFIER, nonce: "a nonce", browser };
  }

  /** Asks the token endpoint, or `endpoint`, as `client`. */
  ask(client: Client | null, fields: Fields, endpoint = this.metadata.token_endpoint) {
    return send(endpoint, { form: { ...fields, ...inBody(client) }, headers: inHeader(client) });
  }

  redeem(client: Client, { code, verifier }: Authorized, change: Fields = {}): Promise<Answer> {
    return this.ask(client, {
      grant_type: "authorization_code",
      code,
      redirect_uri: client.redirectUri,
      code_verifier: verifier,
      ...change,
    });
  }

  /** Tokens for the first person. @throws when any step is refused */
  async tokens(client: Client, change: Readonly<Record<string, string>> = {}) {
    const answer = await this.redeem(client, await this.authorize(client, change));
    if (answer.status !== 200) throw new Error(`no tokens: ${answer.status} ${answer.text}`);
    return answer.json as { access_token: string; refresh_token: string; id_token: string };
  }

  refresh(client: Client, refreshToken: string, change: Fields = {}): Promise<Answer> {
    return this.ask(client, {
      grant_type: "refresh_token",
      refresh_token: refreshToken,
      ...change,
    });
  }

  userinfo(accessToken: string): Promise<Answer> {
    const headers = { authorization: `Bearer ${accessToken}` };
    return send(this.metadata.userinfo_endpoint, { headers });
  }

  /** The claims of an id_token whose signature, issuer, audience and times are right. */
  async verified(idToken: string, client: Client): Promise<JWTPayload> {
    const { payload } = await jwtVerify(idToken, this.#keys, {
      issuer: this.issuer.url,
      audience: client.id,
      requiredClaims: ["sub", "iat", "exp"],
    });
    return payload;
  }
}

/** RFC 7636 §4.1: 43 characters of the unreserved set. */
export const VERIFIER = randomBytes(32).toString("base64url");

export function challengeOf(verifier: string): string {
  return createHash("sha256").update(verifier).digest("base64url");
}

function inHeader(client: Client | null): Fields {
  if (client?.method !== "client_secret_basic") return {};
  const pair = [client.id, client.secret ?? ""].map(encodeURIComponent).join(":");
  return { authorization: `Basic ${btoa(pair)}` };
}

function inBody(client: Client | null): Fields {
  if (client === null || client.method === "client_secret_basic") return {};
  const secret =
    client.method === "client_secret_post" ? { client_secret: client.secret ?? "" } : {};
  return { client_id: client.id, ...secret };
}

/** Sends one request as a program: no cookies, no redirects. */
export async function send(
  url: string,
  how: { method?: string; form?: Fields | string; headers?: Fields } = {},
): Promise<Answer> {
  const target = new URL(url);
  const form = how.form === undefined ? null : new URLSearchParams(how.form as Fields).toString();
  const answer = await request(
    `http://127.0.0.1:${target.port}${target.pathname}${target.search}`,
    {
      method: (how.method ?? (form === null ? "GET" : "POST")) as "GET",
      headers: {
        host: target.host,
        ...(form === null ? {} : { "content-type": "application/x-www-form-urlencoded" }),
        ...how.headers,
      },
      body: form,
      dispatcher: agent,
    },
  );
  const text = await answer.body.text();
  return {
    status: answer.statusCode,
    headers: answer.headers,
    text,
    get json() {
      return JSON.parse(text);
    },
  };
}

/** What a failing step prints of where a person ended. */
export function describe(end: Page | Left): string {
  if (end.kind === "left") return `sent to ${end.url}`;
  return `${end.status} ${end.html.replace(/<style[\s\S]*?<\/style>|<[^>]+>|\s+/g, " ").slice(0, 300)}`;
}
