/** What an authorization request must be, where it may lead, and what comes next: pure decisions. */

import { describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { acrOf, amrOf } from "../../workers/openid/authentication.ts";
import type { Client } from "../../workers/openid/clients.ts";
import { meetsChallenge } from "../../workers/openid/codes.ts";
import { keyInUse, periodsDue } from "../../workers/openid/keys.ts";
import {
  formTarget,
  isExclusive,
  isRedirectUri,
  isRegistered,
  withAnswer,
} from "../../workers/openid/redirects.ts";
import { readClients } from "../../workers/openid/registrations.ts";
import {
  type AuthorizeRequest,
  decide,
  type Present,
  parseAuthorize,
  SINCE,
} from "../../workers/openid/rules.ts";
import type { Scope } from "../../workers/openid/scopes.ts";

const CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const client: Client = {
  id: "app",
  name: "App",
  kind: "operator",
  redirectUris: ["https://app.example/cb", "https://app.example/cb?a=b", "http://127.0.0.1/cb"],
  postLogoutRedirectUris: [],
  auth: { method: "client_secret_basic", secretHash: "x" },
  scopes: ["openid", "email", "offline_access"],
  idTokenAlg: "RS256",
  deviceGrant: false,
};
const publicClient: Client = { ...client, auth: { method: "none" } };

function query(change: Readonly<Record<string, string | null>> = {}): URLSearchParams {
  const all = new URLSearchParams({
    client_id: "app",
    redirect_uri: "https://app.example/cb",
    response_type: "code",
    scope: "openid",
    state: "s",
  });
  for (const [name, value] of Object.entries(change)) {
    if (value === null) all.delete(name);
    else all.set(name, value);
  }
  return all;
}

describe("PKCE", () => {
  it("meets RFC 7636 Appendix B", async () => {
    const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    expect(await meetsChallenge(verifier, CHALLENGE)).toBe(true);
    expect(await meetsChallenge(`${verifier.slice(0, -1)}j`, CHALLENGE)).toBe(false);
    for (const wrong of ["", "short", `${verifier}+`, "a".repeat(129), CHALLENGE]) {
      expect(await meetsChallenge(wrong, CHALLENGE)).toBe(false);
    }
  });
});

describe("a request that leads nowhere", () => {
  it.each([
    ["no client", { client_id: null }, client, "client-missing"],
    ["an empty client", { client_id: "" }, client, "client-missing"],
    ["an unknown client", {}, null, "client-unknown"],
    ["no address", { redirect_uri: null }, client, "redirect-missing"],
    ["another host", { redirect_uri: "https://evil.example/cb" }, client, "redirect-unknown"],
  ] as const)("is one with %s", (_what, change, who, reason) => {
    expect(parseAuthorize(query(change), who)).toEqual({ kind: "page", reason });
  });

  it.each([
    "https://app.example/cb/",
    "https://app.example/cb/../cb",
    "https://app.example/cb#",
    "https://app.example/cb?",
    "https://app.example/cb?a=b&c=d",
    "https://app.example/CB",
    "HTTPS://app.example/cb",
    "https://app.example:443/cb",
    "https://app.example.evil.test/cb",
    "https://app.example@evil.test/cb",
    "https://user@app.example/cb",
    "https://app.example\\@evil.test/cb",
    "//app.example/cb",
    "/cb",
    "javascript:alert(1)//https://app.example/cb",
    " https://app.example/cb",
    "https://app.example/cb\n",
    "http://127.0.0.1@evil.test/cb",
    "http://127.0.0.1:80@evil.test/cb",
    "http://127.0.0.1:99999/cb",
    "http://127.0.0.1:8/cb#a",
    "http://127.0.0.1.evil.test/cb",
    "http://127.0.0.2/cb",
    "http://localhost:8/cb",
    "https://127.0.0.1:8/cb",
  ])("is one to %j", (redirect_uri) => {
    expect(parseAuthorize(query({ redirect_uri }), client).kind).toBe("page");
  });

  it("is one that says two addresses or two clients, in either order", () => {
    for (const [name, value] of [
      ["redirect_uri", "https://evil.example/cb"],
      ["client_id", "other"],
    ] as const) {
      const [after, before] = [query(), new URLSearchParams([[name, value]])];
      after.append(name, value);
      for (const [key, of] of query()) before.append(key, of);
      expect(parseAuthorize(after, client).kind).toBe("page");
      expect(parseAuthorize(before, client).kind).toBe("page");
    }
  });
});

describe("a request that is refused at the client", () => {
  const cases: [string, Record<string, string | null>, string][] = [
    ["no response_type", { response_type: null }, "invalid_request"],
    ["implicit", { response_type: "token" }, "unsupported_response_type"],
    ["hybrid", { response_type: "code id_token" }, "unsupported_response_type"],
    ["response_type=none", { response_type: "none" }, "unsupported_response_type"],
    ["fragment", { response_mode: "fragment" }, "invalid_request"],
    ["no scope", { scope: null }, "invalid_scope"],
    ["a scope without openid", { scope: "email" }, "invalid_scope"],
    ["request", { request: "x.y.z" }, "request_not_supported"],
    ["request_uri", { request_uri: "https://app.example/r" }, "request_uri_not_supported"],
    ["registration", { registration: "{}" }, "registration_not_supported"],
    ["prompt=none login", { prompt: "none login" }, "invalid_request"],
    ["an unknown prompt", { prompt: "create" }, "invalid_request"],
    ["max_age=-1", { max_age: "-1" }, "invalid_request"],
    ["max_age=soon", { max_age: "soon" }, "invalid_request"],
    ["a long nonce", { nonce: "n".repeat(limits.openidParameterLength + 1) }, "invalid_request"],
    [
      "plain PKCE",
      { code_challenge: CHALLENGE, code_challenge_method: "plain" },
      "invalid_request",
    ],
    ["PKCE by default", { code_challenge: CHALLENGE }, "invalid_request"],
    ["a method alone", { code_challenge_method: "S256" }, "invalid_request"],
    [
      "a short challenge",
      { code_challenge: "x", code_challenge_method: "S256" },
      "invalid_request",
    ],
  ];

  it.each(cases)("is one with %s", (_what, change, error) => {
    expect(parseAuthorize(query(change), client)).toMatchObject({
      kind: "redirect",
      error,
      redirectUri: "https://app.example/cb",
      state: "s",
    });
  });

  it("is one of a public client without PKCE", () => {
    expect(parseAuthorize(query(), publicClient)).toMatchObject({ error: "invalid_request" });
    const asked = { code_challenge: CHALLENGE, code_challenge_method: "S256" };
    expect(parseAuthorize(query(asked), publicClient).kind).toBe("request");
  });

  it.each(["scope", "state", "nonce", "code_challenge", "prompt"])("says %s once", (name) => {
    const twice = query({ [name]: "openid" });
    twice.append(name, "other");
    expect(parseAuthorize(twice, client)).toMatchObject({
      error: "invalid_request",
      state: name === "state" ? undefined : "s",
    });
  });
});

describe("a request", () => {
  it("is read as it is; what nobody knows is ignored, and no client gets what it may not have", () => {
    const change = { scope: "email openid phone pets", claims: "{}", display: "popup", foo: "bar" };
    expect(parseAuthorize(query({ ...change, nonce: "" }), client)).toEqual({
      kind: "request",
      request: expect.objectContaining({
        scope: ["openid", "email"],
        prompts: [],
        nonce: undefined,
      }),
    });
  });

  it("may name a loopback address at any port, and its own query", () => {
    for (const one of [
      "http://127.0.0.1:4711/cb",
      "http://127.0.0.1/cb",
      "https://app.example/cb?a=b",
    ]) {
      expect(parseAuthorize(query({ redirect_uri: one }), client).kind).toBe("request");
    }
    expect(isRegistered("http://[::1]:9/", ["http://[::1]/"])).toBe(true);
  });
});

describe("what comes next", () => {
  const NOW = 1_800_000_000_000;
  const request: AuthorizeRequest = {
    clientId: "app",
    redirectUri: "https://app.example/cb",
    scope: ["openid", "email"],
    state: undefined,
    nonce: undefined,
    challenge: undefined,
    prompts: [],
    maxAge: undefined,
    idTokenHint: undefined,
    loginHint: undefined,
    since: undefined,
  };
  const allowed: readonly Scope[] = ["openid", "email"];
  const here: Present = { authAt: NOW - 5000, allowed, meant: true };
  const next = (change: Partial<AuthorizeRequest>, present: Present | null, consented = false) => {
    const decision = decide({ ...request, ...change }, present, NOW, { consented });
    return decision.kind === "refuse" ? decision.error : decision.kind;
  };
  const nothing = { ...here, allowed: [] };

  it.each([
    ["nobody", {}, null, "sign-in"],
    ["nobody, silently", { prompts: ["none"] }, null, "login_required"],
    ["somebody known", {}, here, "issue"],
    ["somebody known, silently", { prompts: ["none"] }, here, "issue"],
    ["somebody new", {}, nothing, "consent"],
    ["somebody new, silently", { prompts: ["none"] }, nothing, "consent_required"],
    ["less than is asked", { scope: ["openid", "email", "phone"] }, here, "consent"],
    ["prompt=consent", { prompts: ["consent"] }, here, "consent"],
    ["prompt=select_account", { prompts: ["select_account"] }, here, "consent"],
    ["prompt=login", { prompts: ["login"] }, here, "confirm"],
    ["prompt=login, shown since", { prompts: ["login"], since: NOW - 6000 }, here, "issue"],
    ["prompt=login, not since", { prompts: ["login"], since: NOW - 4000 }, here, "confirm"],
    [
      "prompt=login, in the future",
      { prompts: ["login"], since: NOW + 1 },
      { ...here, authAt: NOW + 2 },
      "confirm",
    ],
    ["a made-up beginning", { prompts: ["login"], since: 1 }, here, "confirm"],
    ["max_age met", { maxAge: 5 }, here, "issue"],
    ["max_age missed", { maxAge: 4 }, here, "confirm"],
    ["max_age missed, silently", { maxAge: 4, prompts: ["none"] }, here, "login_required"],
    ["max_age=0, shown since", { maxAge: 0, since: NOW - 5000 }, here, "issue"],
    ["somebody else is meant", {}, { ...here, meant: false }, "login_required"],
    ["any program could listen", { redirectUri: "http://127.0.0.1:1/cb" }, here, "consent"],
    ["a scheme of its own", { redirectUri: "org.example.app:/cb" }, here, "consent"],
  ] as const)("for %s", (_what, change, present, expected) => {
    expect(next(change as Partial<AuthorizeRequest>, present)).toBe(expected);
  });

  it("is a code after a yes, unless the sign-in is too old by then", () => {
    expect(next({ prompts: ["consent"] }, nothing, true)).toBe("issue");
    expect(next({ maxAge: 4 }, nothing, true)).toBe("confirm");
    expect(next({ prompts: ["login"] }, nothing, true)).toBe("confirm");
    expect(next({}, null, true)).toBe("sign-in");
  });

  it("reads the beginning from the address that it made itself", () => {
    const parsed = parseAuthorize(query({ [SINCE]: "17" }), client);
    expect(parsed).toMatchObject({ request: { since: 17 } });
  });
});

describe("redirect addresses", () => {
  it.each([
    ["https://a.example/cb", false, true],
    ["https://a.example/cb?x=1", false, true],
    ["http://127.0.0.1/cb", false, true],
    ["http://localhost:3000/", false, true],
    ["org.example.app:/cb", true, true],
    ["org.example.app:/cb", false, false],
    ["myapp:/cb", true, false],
    ["http://a.example/cb", false, false],
    ["https://a.example/cb#f", false, false],
    ["https://u:p@a.example/", false, false],
    ["javascript:alert(1)", true, false],
    ["data:text/html,x", true, false],
    ["/cb", true, false],
  ])("%s of a public client (%s): %s", (uri, isPublic, fine) => {
    expect(isRedirectUri(uri, isPublic)).toBe(fine);
  });

  it("take the answer into their query", () => {
    const answer = { code: "a b", state: undefined };
    expect(withAnswer("https://a.example/cb", answer)).toBe("https://a.example/cb?code=a+b");
    expect(withAnswer("https://a.example/cb?x=1", answer)).toBe(
      "https://a.example/cb?x=1&code=a+b",
    );
    expect(withAnswer("org.example:/cb", answer)).toBe("org.example:/cb?code=a+b");
  });

  it("say what a form may end at", () => {
    expect(formTarget("https://a.example:8443/cb?x=1")).toBe("https://a.example:8443");
    expect(formTarget("org.example.app:/cb")).toBe("org.example.app:");
    expect(isExclusive("https://a.example/cb")).toBe(true);
    expect(isExclusive("http://127.0.0.1:3/cb")).toBe(false);
  });
});

describe("the operator's list of clients", () => {
  const hash = "ab".repeat(32);
  const one = { id: "a", name: "A", redirect_uris: ["https://a.example/"], secret_sha256: hash };
  const read = (...list: object[]) => readClients(JSON.stringify(list));

  it("is read with what most need", () => {
    expect(read(one)[0]).toMatchObject({
      id: "a",
      auth: {
        method: "client_secret_basic",
        secretHash: "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s",
      },
      idTokenAlg: "RS256",
      deviceGrant: false,
      kind: "operator",
    });
    expect(readClients("[]")).toEqual([]);
  });

  const jwks = { keys: [{ kty: "OKP", crv: "Ed25519", x: "x" }] };
  it.each([
    ["no JSON", "{", "is not JSON"],
    ["no list", "{}", "must be a list"],
    ["an unknown field", [{ ...one, secret: "x" }], "wrong at 0"],
    ["a secret in clear", [{ ...one, secret_sha256: "hunter2" }], "64 hexadecimal digits"],
    ["no secret", [{ ...one, secret_sha256: undefined }], "needs secret_sha256"],
    [
      "a public client with a secret",
      [{ ...one, token_endpoint_auth_method: "none" }],
      "has a secret",
    ],
    ["http", [{ ...one, redirect_uris: ["http://a.example/"] }], 'address "http://a.example/"'],
    ["a bad way out", [{ ...one, post_logout_redirect_uris: ["x"] }], 'address "x"'],
    ["twice the same", [one, one], 'client "a" twice'],
    [
      "no keys",
      [{ ...one, secret_sha256: undefined, token_endpoint_auth_method: "private_key_jwt" }],
      "needs jwks",
    ],
    [
      "a private key",
      [
        {
          ...one,
          secret_sha256: undefined,
          token_endpoint_auth_method: "private_key_jwt",
          jwks: { keys: [{ ...jwks.keys[0], d: "d" }] },
        },
      ],
      "only public keys",
    ],
    [
      "a device's identifier",
      [{ ...one, id: "dev_home_0000000000000000" }],
      "identifier of a device",
    ],
    ["no openid", [{ ...one, scopes: ["email"] }], 'without "openid"'],
  ])("is refused with a sentence for %s", (_what, list, sentence) => {
    const text = typeof list === "string" ? list : JSON.stringify(list);
    expect(() => readClients(text)).toThrow(sentence);
  });
});

describe("signing keys", () => {
  const { signingKeyMs, signingKeyAheadMs, signingKeyPublishedMs, signingKeyAfterMs } = limits;
  const key = (period: number, createdAt: number) => ({
    alg: "EdDSA" as const,
    createdAt,
    startsAt: period * signingKeyMs,
    expiresAt: (period + 1) * signingKeyMs + signingKeyAfterMs,
  });

  it("are due for this period, and for the next some days ahead", () => {
    const end = 8 * signingKeyMs;
    expect(periodsDue(end - signingKeyAheadMs - 1)).toEqual([7]);
    expect(periodsDue(end - signingKeyAheadMs)).toEqual([7, 8]);
    expect(periodsDue(end)).toEqual([8]);
  });

  it("sign in their period, and never before clients had time to learn of them", () => {
    const start = 8 * signingKeyMs;
    const [old, punctual] = [key(7, 0), key(8, start - signingKeyAheadMs)];
    expect(keyInUse([punctual, old], "EdDSA", start - 1)).toBe(old);
    expect(keyInUse([punctual, old], "EdDSA", start)).toBe(punctual);
    const late = key(8, start);
    expect(keyInUse([late, old], "EdDSA", start)).toBe(old);
    expect(keyInUse([late, old], "EdDSA", start + signingKeyPublishedMs - 1)).toBe(old);
    expect(keyInUse([late, old], "EdDSA", start + signingKeyPublishedMs)).toBe(late);
    expect(keyInUse([late], "EdDSA", start)).toBe(late);
    expect(keyInUse([late, old], "RS256", start)).toBe(null);
  });

  it("sign nothing that outlives them", () => {
    const old = key(7, 0);
    const late = key(8, old.expiresAt - limits.idTokenMs);
    expect(keyInUse([late, old], "EdDSA", old.expiresAt - limits.idTokenMs - 1)).toBe(old);
    expect(keyInUse([late, old], "EdDSA", old.expiresAt - limits.idTokenMs)).toBe(late);
  });
});

describe("how a person showed who they are", () => {
  it.each([
    [["password"], ["pwd"], "one-step"],
    [["password", "totp"], ["pwd", "otp", "mfa"], "two-steps"],
    [["passkey-verified"], ["pop", "user", "mfa"], "two-steps"],
    [["linked"], [], "one-step"],
    [["phone", "sms"], ["sms", "mfa"], "two-steps"],
  ] as const)("%j", (methods, amr, acr) => {
    expect(amrOf(methods)).toEqual(amr);
    expect(acrOf(methods)).toContain(acr);
  });
});
