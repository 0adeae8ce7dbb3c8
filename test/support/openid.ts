/**
 * An OpenID client of a test inside workerd, which speaks to the app as a browser and as a program do:
 * over requests only.
 */

import { expect } from "vitest";
import { base64url, hashToken } from "../../protocol/tokens.ts";
import { handle } from "../../workers/app.ts";
import { completeSignIn, type NewSession, newPerson } from "./person.ts";
import { type TestPorts, testPorts } from "./ports.ts";

export const ORIGIN = "http://localhost:8787";
export const CALLBACK = "https://photos.example/callback";
export const SECRET = "a secret of forty random letters, say";

export interface TestClient {
  readonly id: string;
  readonly redirectUri: string;
  /** How it shows itself at the token endpoint, as headers and as form fields. */
  readonly headers: Readonly<Record<string, string>>;
  readonly fields: Readonly<Record<string, string>>;
}

const basic = (id: string, secret: string) => ({
  authorization: `Basic ${btoa(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`)}`,
});

/** Confidential; asks by Basic. */
export const web: TestClient = {
  id: "photos",
  redirectUri: CALLBACK,
  headers: basic("photos", SECRET),
  fields: {},
};
/** Confidential; asks in the form, and has EdDSA ID tokens. */
export const post: TestClient = {
  id: "notes",
  redirectUri: "https://notes.example/in?from=latchkey",
  headers: {},
  fields: { client_id: "notes", client_secret: SECRET },
};
/** Public, on its user's machine. */
export const native: TestClient = {
  id: "desk",
  redirectUri: "http://127.0.0.1:4711/callback",
  headers: {},
  fields: { client_id: "desk" },
};
/** Public, in a browser. */
export const spa: TestClient = {
  id: "board",
  redirectUri: "https://board.example/",
  headers: {},
  fields: { client_id: "board" },
};

async function hexHash(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The clients above, as an operator registers them, and `more`. */
export async function registered(...more: object[]): Promise<string> {
  const secret_sha256 = await hexHash(SECRET);
  return JSON.stringify([
    { id: web.id, name: "Photo Shelf", redirect_uris: [CALLBACK], secret_sha256 },
    {
      id: post.id,
      name: "Notes",
      redirect_uris: [post.redirectUri],
      secret_sha256,
      token_endpoint_auth_method: "client_secret_post",
      id_token_signed_response_alg: "EdDSA",
      scopes: ["openid", "email"],
    },
    {
      id: native.id,
      name: "Desk",
      redirect_uris: ["http://127.0.0.1/callback", "org.example.desk:/callback"],
      token_endpoint_auth_method: "none",
    },
    {
      id: spa.id,
      name: "Board",
      redirect_uris: [spa.redirectUri],
      token_endpoint_auth_method: "none",
    },
    ...more,
  ]);
}

export async function openidPorts(env: unknown, ...more: object[]): Promise<TestPorts> {
  return testPorts({ env, variables: { ORIGIN, OPENID_CLIENTS: await registered(...more) } });
}

/** A verifier and its challenge (RFC 7636). */
export async function pkce(): Promise<{ verifier: string; challenge: string }> {
  const verifier = base64url(crypto.getRandomValues(new Uint8Array(32)));
  return { verifier, challenge: await hashToken(verifier) };
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Where a redirect leads; null for none. */
  readonly location: URL | null;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever JSON came
  readonly json: any;
}

let people = 0;

/** One person at one browser, and the programs beside it. */
export class Peer {
  readonly test: TestPorts;
  session: NewSession | null;

  constructor(test: TestPorts, session: NewSession | null = null) {
    this.test = test;
    this.session = session;
  }

  /** Somebody new, signed in. */
  static async signedIn(test: TestPorts): Promise<Peer> {
    return new Peer(test, await newPerson(test, `openid${people++}@example.org`));
  }

  get accountId(): string {
    if (this.session === null) throw new Error("nobody is signed in");
    return this.session.accountId;
  }

  async signInAgain(): Promise<void> {
    const proof = { accountId: this.accountId, methods: ["password"] as const };
    this.session = await completeSignIn(this.test.ports, proof, { userAgent: null, peer: null });
  }

  async ask(path: string, init: RequestInit = {}): Promise<Answer> {
    const request = new Request(new URL(path, ORIGIN), { redirect: "manual", ...init });
    const response = await handle(request, this.test.ports);
    const text = await response.text();
    const location = response.headers.get("location");
    return {
      status: response.status,
      headers: response.headers,
      location: location === null ? null : new URL(location, ORIGIN),
      text,
      get json() {
        return JSON.parse(text);
      },
    };
  }

  /** As a browser: with its cookie, and what a browser says of itself. */
  async browse(path: string, form?: Readonly<Record<string, string>>): Promise<Answer> {
    const headers: Record<string, string> = { accept: "text/html" };
    if (this.session !== null) headers.cookie = `__Host-sid=${this.session.token}`;
    if (form === undefined) return await this.ask(path, { headers });
    headers["sec-fetch-site"] = "same-origin";
    const body = new URLSearchParams(form);
    return await this.ask(path, { method: "POST", headers, body });
  }

  /** An authorization request's address; a null takes a parameter out. */
  url(client: TestClient, change: Readonly<Record<string, string | null>> = {}): string {
    const query = new URLSearchParams({
      client_id: client.id,
      redirect_uri: client.redirectUri,
      response_type: "code",
      scope: "openid",
      state: "a state",
    });
    for (const [name, value] of Object.entries(change)) {
      if (value === null) query.delete(name);
      else query.set(name, value);
    }
    return `/oauth/authorize?${query}`;
  }

  /** Asks, says yes on the consent page if there is one, and comes back with what the client gets. */
  async authorize(
    client: TestClient,
    change: Readonly<Record<string, string | null>> = {},
    answer: "allow" | "deny" = "allow",
  ): Promise<URL> {
    let step = await this.browse(this.url(client, change));
    if (step.status === 200) {
      const request = /name="request" value="([^"]*)"/.exec(step.text)?.[1] ?? "";
      const form = { request: request.replaceAll("&amp;", "&"), answer };
      step = await this.browse("/oauth/consent", form);
    }
    expect(step.status).toBe(303);
    if (step.location === null) throw new Error("no redirect");
    return step.location;
  }

  /** A code with its verifier. */
  async code(client: TestClient, change: Readonly<Record<string, string | null>> = {}) {
    const { verifier, challenge } = await pkce();
    const asked = { code_challenge: challenge, code_challenge_method: "S256", ...change };
    const back = await this.authorize(client, asked);
    const code = back.searchParams.get("code");
    if (code === null) throw new Error(`no code: ${back.searchParams}`);
    return { code, verifier };
  }

  /** Asks the token endpoint, as a program without cookies. */
  async token(client: TestClient, form: Readonly<Record<string, string>>): Promise<Answer> {
    return await this.ask("/oauth/token", {
      method: "POST",
      headers: client.headers,
      body: new URLSearchParams({ ...client.fields, ...form }),
    });
  }

  async redeem(client: TestClient, { code, verifier }: { code: string; verifier: string }) {
    return await this.token(client, {
      grant_type: "authorization_code",
      code,
      redirect_uri: client.redirectUri,
      code_verifier: verifier,
    });
  }

  async refresh(client: TestClient, refresh_token: string, more: Record<string, string> = {}) {
    return await this.token(client, { grant_type: "refresh_token", refresh_token, ...more });
  }

  /** The whole way: tokens for `scope`. */
  async tokens(client: TestClient, scope = "openid"): Promise<Record<string, string>> {
    const answer = await this.redeem(client, await this.code(client, { scope }));
    expect([answer.status, answer.text]).toEqual([200, expect.any(String)]);
    return answer.json;
  }

  async userinfo(token: string): Promise<Answer> {
    return await this.ask("/oauth/userinfo", { headers: { authorization: `Bearer ${token}` } });
  }
}
