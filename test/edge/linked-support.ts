/**
 * For tests of accounts elsewhere inside workerd: a provider of OpenID Connect that stands behind the
 * egress gate and can be made to lie, Facebook as it documents itself, and a visitor's browser.
 */

import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from "jose";
import { base64url } from "../../protocol/tokens.ts";
import { handle } from "../../workers/app.ts";
import type { IdentityAnswer, Ports } from "../../workers/ports.ts";
import type { TestPorts } from "../support/ports.ts";

export const ORIGIN = "http://localhost:8787";

export const variables = {
  ORIGIN,
  IDENTITY_PROVIDERS: [
    "work title=The_Works issuer=https://login.works.test client=latchkey emails=believed",
    "other title=Other issuer=https://other.test/op client=other-client emails=believed",
    "doubt title=Doubt issuer=https://doubt.test client=latchkey",
    "google client=1234.apps.googleusercontent.com",
    "facebook client=5678",
  ].join("; "),
  IDENTITY_SECRET_WORK: "work-secret",
  IDENTITY_SECRET_OTHER: "other-secret",
  IDENTITY_SECRET_DOUBT: "doubt-secret",
  IDENTITY_SECRET_GOOGLE: "google-secret",
  IDENTITY_SECRET_FACEBOOK: "facebook-secret",
};

type Fields = Readonly<Record<string, string>>;
type Claims = Record<string, unknown>;

/** A person as a provider knows them. */
export interface Someone {
  readonly sub: string;
  readonly claims?: Claims;
}

interface Granted {
  readonly someone: Someone;
  readonly nonce: string;
  readonly challenge: string;
  readonly redirectUri: string;
  readonly authTime: number;
}

const json = (body: unknown, status = 200): IdentityAnswer => ({
  status,
  contentType: "application/json",
  body: JSON.stringify(body),
});

/** How a provider misbehaves. */
export interface Lie {
  readonly claims?: Claims;
  readonly header?: Claims;
  readonly key?: "another";
  readonly alg?: "none" | "HS256";
  readonly metadata?: Claims;
  readonly userinfo?: Claims;
  /** Answers any request in place of the provider. */
  readonly any?: (fields: Fields) => IdentityAnswer | null;
}

export class FakeProvider {
  readonly issuer: string;
  readonly #clientId: string;
  readonly #secret: string;
  readonly #keys = generateKeyPair("RS256", { extractable: true });
  readonly #others = generateKeyPair("RS256", { extractable: true });
  readonly #codes = new Map<string, Granted>();
  readonly asked: Fields[] = [];
  readonly revoked: string[] = [];
  readonly issued: string[] = [];
  lie: Lie = {};
  /** The subject of the last token. */
  #signedIn = "";
  #serial = 0;

  constructor(issuer: string, clientId: string, secret: string) {
    this.issuer = issuer;
    this.#clientId = clientId;
    this.#secret = secret;
  }

  /** Signs `someone` in where `url` leads. @returns the callback's path and query */
  authorize(url: URL, someone: Someone, extra: Claims = {}): string {
    const query = url.searchParams;
    const code = `code-${this.#serial++}-${Math.random()}`;
    this.#codes.set(code, {
      someone,
      nonce: query.get("nonce") ?? "",
      challenge: query.get("code_challenge") ?? "",
      redirectUri: query.get("redirect_uri") ?? "",
      authTime: Math.floor(Date.now() / 1000),
    });
    const back = new URL(query.get("redirect_uri") ?? "");
    const answer = { code, state: query.get("state") ?? "", iss: this.issuer, ...extra };
    for (const [name, value] of Object.entries(answer)) {
      if (value !== undefined) back.searchParams.set(name, String(value));
    }
    return back.pathname + back.search;
  }

  async answer(fields: Fields): Promise<IdentityAnswer> {
    this.asked.push(fields);
    const any = this.lie.any?.(fields);
    if (any != null) return any;
    const url = new URL(fields.url ?? "");
    const base = new URL(this.issuer);
    const path = url.pathname.slice(base.pathname === "/" ? 0 : base.pathname.length);
    if (path === "/.well-known/openid-configuration") return json(this.#metadata());
    if (path === "/jwks") {
      const jwk = await exportJWK((await this.#keys).publicKey);
      return json({ keys: [{ ...jwk, kid: "k1", alg: "RS256", use: "sig" }] });
    }
    if (path === "/userinfo") return json(this.lie.userinfo ?? { sub: this.#signedIn });
    const body = new URLSearchParams(fields.body);
    if (!this.#isClient(fields.authorization ?? "", body)) {
      return json({ error: "invalid_client" }, 401);
    }
    if (path === "/revoke") {
      this.revoked.push(body.get("token") ?? "");
      return { status: 200, contentType: "", body: "" };
    }
    return path === "/token" ? await this.#token(body) : json({ error: "not_found" }, 404);
  }

  /** RFC 6749 §2.3.1, both ways. */
  #isClient(authorization: string, body: URLSearchParams): boolean {
    const basic = /^Basic (.*)$/.exec(authorization)?.[1];
    const [id, secret] =
      basic === undefined
        ? [body.get("client_id"), body.get("client_secret")]
        : atob(basic).split(":").map(decodeURIComponent);
    return id === this.#clientId && secret === this.#secret;
  }

  #metadata() {
    const { issuer } = this;
    return {
      issuer,
      authorization_endpoint: `${issuer}/auth`,
      token_endpoint: `${issuer}/token`,
      jwks_uri: `${issuer}/jwks`,
      userinfo_endpoint: `${issuer}/userinfo`,
      revocation_endpoint: `${issuer}/revoke`,
      response_types_supported: ["code"],
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: ["RS256"],
      token_endpoint_auth_methods_supported: ["client_secret_basic"],
      authorization_response_iss_parameter_supported: true,
      ...this.lie.metadata,
    };
  }

  async #token(body: URLSearchParams): Promise<IdentityAnswer> {
    const granted = this.#codes.get(body.get("code") ?? "");
    this.#codes.delete(body.get("code") ?? "");
    const verifier = new TextEncoder().encode(body.get("code_verifier") ?? "");
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", verifier));
    const right =
      granted !== undefined &&
      base64url(digest) === granted.challenge &&
      body.get("redirect_uri") === granted.redirectUri;
    if (!right) return json({ error: "invalid_grant" }, 400);
    this.#signedIn = granted.someone.sub;
    const tokens = { access_token: this.#newToken("at"), refresh_token: this.#newToken("rt") };
    const id_token = await this.#idToken(granted);
    this.issued.push(id_token);
    return json({ ...tokens, id_token, token_type: "Bearer", expires_in: 3600 });
  }

  #newToken(kind: string): string {
    const token = `${kind}-${this.#serial++}-${Math.random().toString(36).slice(2)}CANARYTOKEN`;
    this.issued.push(token);
    return token;
  }

  async #idToken({ someone, nonce, authTime }: Granted): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: this.issuer,
      aud: this.#clientId,
      sub: someone.sub,
      nonce,
      iat: now,
      exp: now + 300,
      auth_time: authTime,
      ...someone.claims,
      ...this.lie.claims,
    };
    const { alg } = this.lie;
    if (alg === "none") return new UnsecuredJWT(claims).encode();
    if (alg === "HS256") {
      const key = new TextEncoder().encode(this.#secret.padEnd(32, "x"));
      return await new SignJWT(claims).setProtectedHeader({ alg }).sign(key);
    }
    const keys = this.lie.key === "another" ? this.#others : this.#keys;
    return await new SignJWT(claims)
      .setProtectedHeader({ alg: "RS256", kid: "k1", ...this.lie.header })
      .sign((await keys).privateKey);
  }
}

/** Facebook, as its documentation has it answer. */
export class FakeFacebook {
  readonly asked: Fields[] = [];
  readonly #codes = new Map<string, Record<string, string>>();
  readonly #tokens = new Map<string, Record<string, string>>();
  #serial = 0;

  authorize(url: URL, me: Record<string, string>): string {
    const code = `AQ${this.#serial++}${Math.random()}#_=_`;
    this.#codes.set(code, me);
    const back = new URL(url.searchParams.get("redirect_uri") ?? "");
    back.searchParams.set("code", code);
    back.searchParams.set("state", url.searchParams.get("state") ?? "");
    return back.pathname + back.search;
  }

  async answer(fields: Fields): Promise<IdentityAnswer> {
    this.asked.push(fields);
    const url = new URL(fields.url ?? "");
    const query = url.searchParams;
    const failed = (message: string, code: number) =>
      json({ error: { message, type: "OAuthException", code, fbtrace_id: "AbC" } }, 400);
    if (url.pathname.endsWith("/oauth/access_token")) {
      const me = this.#codes.get(query.get("code") ?? "");
      this.#codes.delete(query.get("code") ?? "");
      if (query.get("client_secret") !== "facebook-secret") return failed("bad secret", 1);
      if (me === undefined) return failed("This authorization code has been used.", 100);
      const access_token = `EAAG${this.#serial++}CANARYTOKEN${Math.random()}`;
      this.#tokens.set(access_token, me);
      return json({ access_token, token_type: "bearer", expires_in: 5183944 });
    }
    const token = query.get("access_token") ?? "";
    const me = this.#tokens.get(token);
    if (me === undefined) return failed("Invalid OAuth access token.", 190);
    if (query.get("appsecret_proof") !== (await proofOf(token))) {
      return failed("Invalid appsecret_proof provided in the API argument", 100);
    }
    if (fields.method === "DELETE" && url.pathname.endsWith("/me/permissions")) {
      this.#tokens.delete(token);
      return json({ success: true });
    }
    const wanted = (query.get("fields") ?? "").split(",");
    return json(Object.fromEntries(Object.entries(me).filter(([name]) => wanted.includes(name))));
  }
}

async function proofOf(token: string): Promise<string> {
  const raw = new TextEncoder().encode("facebook-secret");
  const key = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
  ]);
  const mac = await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(token));
  return [...new Uint8Array(mac)].map((octet) => octet.toString(16).padStart(2, "0")).join("");
}

/** Every provider of `variables`, behind one gate. */
export function fakeProviders(test: TestPorts) {
  const work = new FakeProvider("https://login.works.test", "latchkey", "work-secret");
  const other = new FakeProvider("https://other.test/op", "other-client", "other-secret");
  const doubt = new FakeProvider("https://doubt.test", "latchkey", "doubt-secret");
  const google = new FakeProvider(
    "https://accounts.google.com",
    "1234.apps.googleusercontent.com",
    "google-secret",
  );
  const facebook = new FakeFacebook();
  const all = { work, other, doubt, google, facebook };
  test.identity.answer = (fields) => all[fields.provider as keyof typeof all].answer(fields);
  return all;
}

/** A browser with its cookies. */
export class Visitor {
  readonly #ports: Ports;
  readonly cookies = new Map<string, string>();

  constructor(ports: Ports) {
    this.#ports = ports;
  }

  async go(
    path: string,
    form: Readonly<Record<string, string>> | null = null,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Visited> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const request = new Request(ORIGIN + path, {
      method: form === null ? "GET" : "POST",
      redirect: "manual",
      headers: {
        accept: "text/html",
        ...(cookie === "" ? {} : { cookie }),
        ...(form === null
          ? {}
          : {
              "content-type": "application/x-www-form-urlencoded",
              "sec-fetch-site": "same-origin",
            }),
        ...headers,
      },
      body: form === null ? null : new URLSearchParams(form).toString(),
    });
    const response = await handle(request, this.#ports);
    for (const line of response.headers.getSetCookie()) {
      const [pair = ""] = line.split(";");
      const [name = "", value = ""] = pair.split(/=(.*)/);
      if (/max-age=0/i.test(line)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return {
      status: response.status,
      text: await response.text(),
      location: response.headers.get("location"),
      refresh: /^0; url=(.*)$/.exec(response.headers.get("refresh") ?? "")?.[1] ?? null,
      setCookies: response.headers.getSetCookie(),
    };
  }

  /** Sets out to a provider. @returns its address */
  async setOut(provider: string, query = ""): Promise<URL> {
    const answer = await this.go(`/sign-in/with/${provider}${query}`);
    if (answer.refresh === null) throw new Error(`not on the way: ${answer.status} ${answer.text}`);
    return new URL(answer.refresh);
  }

  /** Comes back to `callback`, and goes on. */
  async comeBack(callback: string): Promise<Visited> {
    const back = await this.go(callback, null, { "sec-fetch-site": "cross-site" });
    return back.refresh === null ? back : await this.go(back.refresh);
  }
}

export interface Visited {
  readonly status: number;
  readonly text: string;
  readonly location: string | null;
  readonly refresh: string | null;
  readonly setCookies: readonly string[];
}
