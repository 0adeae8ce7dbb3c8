/**
 * The token endpoint under fire: who may ask, what is used once, what two who ask at once get, and
 * what a lost answer, a stolen token and a replay come to.
 */

import { env } from "cloudflare:workers";
import fc from "fast-check";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { newToken } from "../../protocol/tokens.ts";
import {
  CALLBACK,
  native,
  ORIGIN,
  openidPorts,
  Peer,
  post,
  SECRET,
  spa,
  type TestClient,
  web,
} from "../support/openid.ts";
import type { TestPorts } from "../support/ports.ts";

let test: TestPorts;
let peer: Peer;

beforeEach(async () => {
  test = await openidPorts(env);
  peer = await Peer.signedIn(test);
});

const OFFLINE = "openid email offline_access";
const errorOf = (answer: { status: number; json: { error?: string } }) => [
  answer.status,
  answer.json.error,
];

describe("who asks", () => {
  const basic = (text: string) => ({ authorization: `Basic ${btoa(text)}` });
  const bad: [string, Partial<TestClient>, Record<string, string>, number, string][] = [
    ["nobody", { headers: {} }, {}, 401, "invalid_client"],
    ["a wrong secret", { headers: basic(`photos:${SECRET}x`) }, {}, 401, "invalid_client"],
    ["no secret", { headers: basic("photos:") }, {}, 401, "invalid_client"],
    ["an unknown client", { headers: basic(`nobody:${SECRET}`) }, {}, 401, "invalid_client"],
    ["no base64", { headers: { authorization: "Basic !" } }, {}, 401, "invalid_client"],
    ["no colon", { headers: basic("photos") }, {}, 401, "invalid_client"],
    ["bad encoding", { headers: basic("photos:%zz") }, {}, 401, "invalid_client"],
    [
      "a secret where Basic is due",
      { headers: {} },
      { client_id: "photos", client_secret: SECRET },
      401,
      "invalid_client",
    ],
    ["a name alone", { headers: {} }, { client_id: "photos" }, 401, "invalid_client"],
    [
      "a public client with a secret",
      { headers: {} },
      { client_id: "desk", client_secret: "x" },
      401,
      "invalid_client",
    ],
    ["two proofs", {}, { client_id: "photos", client_secret: SECRET }, 400, "invalid_request"],
    ["another name beside it", {}, { client_id: "notes" }, 401, "invalid_client"],
    [
      "an empty assertion",
      { headers: {} },
      { client_id: "photos", client_assertion: "x" },
      401,
      "invalid_client",
    ],
  ];

  it.each(bad)("is refused with %s", async (_what, change, fields, status, error) => {
    const { code, verifier } = await peer.code(web);
    const form = { grant_type: "authorization_code", code, code_verifier: verifier };
    const answer = await peer.token(
      { ...web, ...change },
      { ...form, redirect_uri: CALLBACK, ...fields },
    );
    expect(errorOf(answer)).toEqual([status, error]);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    const basicAsked = (change.headers ?? web.headers) as { authorization?: string };
    const challenged = answer.headers.get("www-authenticate")?.startsWith("Basic ") ?? false;
    expect(challenged).toBe(status === 401 && basicAsked.authorization !== undefined);
    // It cost the client nothing.
    expect((await peer.redeem(web, { code, verifier })).status).toBe(200);
  });

  it("is known by its own key, for five minutes, and once", async () => {
    const pair = await generateKeyPair("ES256", { extractable: true });
    const jwks = { keys: [await exportJWK(pair.publicKey)] };
    const entry = {
      ...{ id: "signed", name: "Signed", redirect_uris: [CALLBACK], jwks },
      token_endpoint_auth_method: "private_key_jwt",
    };
    test = await openidPorts(env, entry);
    peer = await Peer.signedIn(test);
    let serial = 0;
    const assertion = async (change: Record<string, unknown> = {}, key = pair.privateKey) => {
      const now = Math.floor(test.clock.now() / 1000);
      const claims = {
        iss: "signed",
        sub: "signed",
        aud: ORIGIN,
        exp: now + 60,
        jti: `${serial++}`,
      };
      return await new SignJWT({ ...claims, ...change })
        .setProtectedHeader({ alg: "ES256" })
        .sign(key);
    };
    const as = (client_assertion: string): TestClient => ({
      ...{ id: "signed", redirectUri: CALLBACK, headers: {} },
      fields: {
        client_assertion,
        client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      },
    });
    const code = await peer.code(as(""));
    const stranger = await generateKeyPair("ES256");
    const now = Math.floor(test.clock.now() / 1000);
    for (const wrong of [
      await assertion({}, stranger.privateKey),
      await assertion({ aud: "https://elsewhere.example" }),
      await assertion({ iss: "photos" }),
      await assertion({ sub: "photos", iss: "photos" }),
      await assertion({ exp: now - 1 }),
      await assertion({ exp: now + limits.clientAssertionMs / 1000 + 1 }),
      await assertion({ exp: undefined }),
      await assertion({ jti: undefined }),
      "x.y.z",
    ]) {
      expect(errorOf(await peer.redeem(as(wrong), code))).toEqual([401, "invalid_client"]);
    }
    const right = await assertion();
    expect((await peer.redeem(as(right), code)).status).toBe(200);
    expect(errorOf(await peer.redeem(as(right), code))).toEqual([401, "invalid_client"]);
  });

  it("may be a page of any origin, whose cookies count for nothing", async () => {
    const { code, verifier } = await peer.code(spa);
    const headers = {
      origin: "https://board.example",
      "sec-fetch-site": "cross-site",
      cookie: `__Host-sid=${peer.session?.token}`,
    };
    const preflight = await peer.ask("/oauth/token", { method: "OPTIONS", headers });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-origin")).toBe("*");
    expect(preflight.headers.get("access-control-allow-credentials")).toBeNull();
    const answer = await peer.redeem({ ...spa, headers }, { code, verifier });
    expect([answer.status, answer.headers.get("access-control-allow-origin")]).toEqual([200, "*"]);
    expect(answer.headers.get("set-cookie")).toBeNull();
    const refused = await peer.redeem({ ...spa, headers }, { code, verifier });
    expect(refused.headers.get("access-control-allow-origin")).toBe("*");
    // A cookie alone is nobody there.
    for (const method of ["GET", "POST"]) {
      expect((await peer.ask("/oauth/userinfo", { method, headers })).status).toBe(401);
    }
  });
});

describe("what is asked", () => {
  it.each([
    ["no grant type", {}, "invalid_request"],
    ["an unknown grant type", { grant_type: "password" }, "unsupported_grant_type"],
    ["a name every object has", { grant_type: "constructor" }, "unsupported_grant_type"],
    ["client_credentials", { grant_type: "client_credentials" }, "unsupported_grant_type"],
    ["no code", { grant_type: "authorization_code" }, "invalid_request"],
    ["a made-up code", { grant_type: "authorization_code", code: "x" }, "invalid_grant"],
    ["no refresh token", { grant_type: "refresh_token" }, "invalid_request"],
    ["a made-up one", { grant_type: "refresh_token", refresh_token: "x" }, "invalid_grant"],
  ])("is refused with %s", async (_what, form, error) => {
    expect(errorOf(await peer.token(web, form))).toEqual([400, error]);
  });

  it("is a form, each parameter once", async () => {
    const send = (type: string, body: string) => {
      const headers = { ...web.headers, "content-type": type };
      return peer.ask("/oauth/token", { method: "POST", headers, body });
    };
    const form = "application/x-www-form-urlencoded";
    const json = await send("application/json", '{"grant_type":"authorization_code"}');
    expect(errorOf(json)).toEqual([400, "invalid_request"]);
    expect(errorOf(await send(form, "grant_type=a&grant_type=b"))).toEqual([
      400,
      "invalid_request",
    ]);
    const long = await send(form, `code=${"x".repeat(limits.openidFormBytes)}`);
    expect(errorOf(long)).toEqual([400, "invalid_request"]);
  });

  it("fits the code: client, address, verifier, time", async () => {
    const given = await peer.code(web);
    const right = {
      ...{ grant_type: "authorization_code", code: given.code, redirect_uri: CALLBACK },
      code_verifier: given.verifier,
    };
    const { redirect_uri: _, ...noAddress } = right;
    const { code_verifier: __, ...noVerifier } = right;
    for (const [client, form] of [
      [post, right],
      [native, right],
      [web, { ...right, redirect_uri: `${CALLBACK}/` }],
      [web, { ...right, redirect_uri: "https://evil.example/" }],
      [web, noAddress],
      [web, noVerifier],
      [web, { ...right, code_verifier: `${given.verifier}x` }],
      [web, { ...right, code: newToken("oac", "home", test.ports.random.bytes) }],
      [web, { ...right, code: given.code.replace("lk_oac_home", "lk_oac_mars") }],
    ] as const) {
      expect(errorOf(await peer.token(client, form))).toEqual([400, "invalid_grant"]);
    }
    test.clock.advance(limits.openidCodeMs);
    expect(errorOf(await peer.token(web, right))).toEqual([400, "invalid_grant"]);
  });

  it("brings no verifier where the request had no challenge (RFC 9700 §4.8.2)", async () => {
    const back = await peer.authorize(web);
    const code = back.searchParams.get("code") ?? "";
    const downgraded = await peer.redeem(web, { code, verifier: "v".repeat(43) });
    expect(errorOf(downgraded)).toEqual([400, "invalid_grant"]);
  });
});

describe("a code", () => {
  it("used eight times at once has one winner, and what it won is ended", async () => {
    const given = await peer.code(web, { scope: OFFLINE });
    const answers = await Promise.all(Array.from({ length: 8 }, () => peer.redeem(web, given)));
    const won = answers.filter(({ status }) => status === 200);
    expect(won).toHaveLength(1);
    const { access_token, refresh_token } = won[0]?.json ?? {};
    expect((await peer.userinfo(access_token)).status).toBe(401);
    expect(errorOf(await peer.refresh(web, refresh_token))).toEqual([400, "invalid_grant"]);
  });

  it("used again later ends what came of it, and only that", async () => {
    const other = await peer.tokens(web, OFFLINE);
    const given = await peer.code(web, { scope: OFFLINE });
    const tokens = (await peer.redeem(web, given)).json;
    const next = (await peer.refresh(web, tokens.refresh_token)).json;
    test.clock.advance(limits.openidUsedCodeMs - 1);
    // Another client that got hold of the code ends nothing.
    expect((await peer.redeem(post, given)).status).toBe(400);
    expect((await peer.userinfo(next.access_token)).status).toBe(200);
    expect(errorOf(await peer.redeem(web, given))).toEqual([400, "invalid_grant"]);
    for (const token of [tokens.access_token, next.access_token]) {
      expect((await peer.userinfo(token)).status).toBe(401);
    }
    expect((await peer.refresh(web, next.refresh_token)).status).toBe(400);
    expect((await peer.userinfo(other.access_token ?? "")).status).toBe(200);
    expect((await peer.refresh(web, other.refresh_token ?? "")).status).toBe(200);
  });
});

describe("a refresh token", () => {
  it("gives the same successor to all who ask at once, and nobody loses the sign-in", async () => {
    const { refresh_token = "" } = await peer.tokens(web, OFFLINE);
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => peer.refresh(web, refresh_token)),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
    const next = new Set(answers.map(({ json }) => json.refresh_token));
    expect(next.size).toBe(1);
    expect(next.has(refresh_token)).toBe(false);
    for (const { json } of answers)
      expect((await peer.userinfo(json.access_token)).status).toBe(200);
    expect((await peer.refresh(web, [...next][0])).status).toBe(200);
  });

  it("survives a lost answer: it works until its successor was used", async () => {
    const { refresh_token: first = "" } = await peer.tokens(web, OFFLINE);
    await peer.refresh(web, first); // the answer got lost
    test.clock.advance(limits.refreshIdleMs - 1);
    const second = (await peer.refresh(web, first)).json.refresh_token;
    const third = (await peer.refresh(web, second)).json.refresh_token;
    expect(third).toMatch(/^lk_ort_home_/);
  });

  it("that is older is in two hands: its chain ends, and no other", async () => {
    const other = await peer.tokens(web, OFFLINE);
    const { refresh_token: first = "" } = await peer.tokens(web, OFFLINE);
    const second = (await peer.refresh(web, first)).json.refresh_token;
    const third = (await peer.refresh(web, second)).json;
    expect(errorOf(await peer.refresh(web, first))).toEqual([400, "invalid_grant"]);
    expect((await peer.userinfo(third.access_token)).status).toBe(401);
    expect((await peer.refresh(web, third.refresh_token)).status).toBe(400);
    expect((await peer.refresh(web, other.refresh_token ?? "")).status).toBe(200);
  });

  it("is its client's alone, and another's try does it no harm", async () => {
    const { refresh_token = "" } = await peer.tokens(web, OFFLINE);
    for (const client of [native, spa, post]) {
      expect(errorOf(await peer.refresh(client, refresh_token))).toEqual([400, "invalid_grant"]);
    }
    expect((await peer.refresh(web, refresh_token)).status).toBe(200);
  });

  it("allows less when asked to, never more, and its successor allows all", async () => {
    const { refresh_token = "" } = await peer.tokens(web, OFFLINE);
    const less = (await peer.refresh(web, refresh_token, { scope: "openid" })).json;
    expect(less.scope).toBe("openid");
    expect((await peer.userinfo(less.access_token)).json).not.toHaveProperty("email");
    const more = await peer.refresh(web, less.refresh_token, { scope: "openid phone" });
    expect(errorOf(more)).toEqual([400, "invalid_scope"]);
    const all = (await peer.refresh(web, less.refresh_token)).json;
    expect(all.scope).toBe(OFFLINE);
    expect((await peer.userinfo(all.access_token)).json).toHaveProperty("email");
  });

  it("ends without use", async () => {
    const { refresh_token = "" } = await peer.tokens(web, OFFLINE);
    test.clock.advance(limits.refreshIdleMs - 1);
    expect((await peer.refresh(web, refresh_token)).status).toBe(200);
    test.clock.advance(1);
    expect((await peer.refresh(web, refresh_token)).status).toBe(400);
  });

  it("ends after a year, however often it is used", async () => {
    let token = (await peer.tokens(web, OFFLINE)).refresh_token ?? "";
    const end = test.clock.now() + limits.refreshMaxMs;
    while (test.clock.now() < end - 1) {
      test.clock.time = Math.min(test.clock.now() + limits.refreshIdleMs - 1, end - 1);
      const answer = await peer.refresh(web, token);
      expect(answer.status).toBe(200);
      token = answer.json.refresh_token;
    }
    test.clock.advance(1);
    expect((await peer.refresh(web, token)).status).toBe(400);
  });

  it("keeps when its owner signed in, and is no access token", async () => {
    const signedInAt = Math.floor(test.clock.now() / 1000);
    const { refresh_token = "", access_token = "" } = await peer.tokens(web, OFFLINE);
    test.clock.advance(limits.accessTokenMs);
    const { id_token } = (await peer.refresh(web, refresh_token)).json;
    const claims = JSON.parse(
      atob(id_token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")),
    );
    expect(claims.auth_time).toBe(signedInAt);
    expect(claims).not.toHaveProperty("nonce");
    expect((await peer.userinfo(refresh_token)).status).toBe(401);
    expect((await peer.refresh(web, access_token)).status).toBe(400);
  });

  it("holds in any order of uses, as a model of it says", { timeout: 120_000 }, async () => {
    // What is used: how many turns back from the latest token, by one who holds them all.
    const step = fc.integer({ min: 0, max: 3 });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 10 }), async (steps) => {
        const tokens = [(await peer.tokens(web, OFFLINE)).refresh_token ?? ""];
        let alive = true;
        for (const back of steps) {
          const at = tokens.length - 1 - back;
          if (at < 0) continue;
          const answer = await peer.refresh(web, tokens[at] as string);
          // The latest goes on, the one before it is asked for again, anything older ends it all.
          const good = alive && back <= 1;
          expect([steps, back, answer.status]).toEqual([steps, back, good ? 200 : 400]);
          if (!good) alive = false;
          else if (back === 0) tokens.push(answer.json.refresh_token);
          else expect(answer.json.refresh_token).toBe(tokens.at(-1));
        }
        const last = await peer.refresh(web, tokens.at(-1) as string);
        expect([steps, last.status]).toEqual([steps, alive ? 200 : 400]);
      }),
      { numRuns: 15, seed: 20_261_122 },
    );
  });
});

describe("userinfo", () => {
  it("takes the token in the header or in a form, in one place, and not in the address", async () => {
    const { access_token = "" } = await peer.tokens(web);
    const inForm = (headers: Record<string, string> = {}) =>
      peer.ask("/oauth/userinfo", {
        ...{ method: "POST", headers },
        body: new URLSearchParams({ access_token }),
      });
    expect((await peer.userinfo(access_token)).status).toBe(200);
    expect((await inForm()).status).toBe(200);
    expect((await inForm({ authorization: `Bearer ${access_token}` })).status).toBe(400);
    expect((await peer.ask(`/oauth/userinfo?access_token=${access_token}`)).status).toBe(401);
  });

  it("says which scheme to a stranger, and what is wrong to who brings a token (RFC 6750 §3)", async () => {
    const stranger = await peer.ask("/oauth/userinfo");
    expect(stranger.headers.get("www-authenticate")).toMatch(/^Bearer (?!.*error=)/);
    const wrong = await peer.userinfo(newToken("oat", "home", test.ports.random.bytes));
    expect(wrong.status).toBe(401);
    expect(wrong.headers.get("www-authenticate")).toContain('error="invalid_token"');
    expect((await peer.userinfo(peer.session?.token ?? "")).status).toBe(401);
  });

  it("opens no API of the console with an app's token", async () => {
    const { access_token } = await peer.tokens(web, OFFLINE);
    for (const path of ["/api/account", "/api/grants", "/api/sessions"]) {
      const headers = { authorization: `Bearer ${access_token}` };
      expect((await peer.ask(path, { headers })).status).toBe(401);
    }
  });
});
