/** The authorization endpoint: OpenID Connect Core 1.0 §3.1.2, RFC 7636, RFC 9207, RFC 8252 §7.3. */

import assert from "node:assert/strict";
import type { Client, Run } from "./issuer.ts";
import { backWith, ended, stays, steps } from "./step.ts";

type Change = Readonly<Record<string, string | null>>;

/** A request of the web client, changed in one thing. */
const asking = (run: Run, change: Change, how: Parameters<Run["walk"]>[1] = {}) =>
  run.walk(run.authorizeUrl(run.issuer.clients.web, change), how);

/** A step that asks with `change` and is told `error` at the client. */
const error =
  (change: Change, ...errors: string[]) =>
  async (run: Run) => {
    const walk = await asking(run, change);
    backWith(walk, { state: "a state" });
    assert(errors.includes(walk.end.url.searchParams.get("error") ?? ""), ended(walk));
    return ended(walk);
  };

/** A step that asks for the redirect address that `change` makes of the registered one. */
const address = (change: (registered: string) => string) => async (run: Run) =>
  stays(await asking(run, { redirect_uri: change(run.issuer.clients.web.redirectUri) }));

/** A step whose `change` is not understood, or of no effect, and does no harm. */
const harmless = (change: Change) => async (run: Run) => {
  const walk = await asking(run, change);
  backWith(walk, { state: "a state", iss: run.issuer.url });
  return ended(walk);
};

/** A step that asks for what passes the browser by: no token goes that way (RFC 9700 §2.1.2). */
const noToken = (responseType: string) => async (run: Run) => {
  const walk = await asking(run, { response_type: responseType });
  assert.doesNotMatch(walk.end.url.href, /[?#&](code|id_token|access_token)=/);
  return ended(walk);
};

const withRedirect = (client: Client, redirectUri: string): Client => ({ ...client, redirectUri });

export const authorize = steps("authorize", {
  "a code, the state and the issuer come back, and nothing else": async (run) => {
    const walk = await asking(run, {});
    backWith(walk, { state: "a state", iss: run.issuer.url });
    assert.equal(walk.end.url.href.split("?")[0], run.issuer.clients.web.redirectUri);
    return `${walk.asked.join(", ")}; ${ended(walk)}`;
  },
  "the state comes back as it was, whatever is in it": async (run) => {
    const state = `ä/?#&=%+ "<>\\'`;
    const walk = await asking(run, { state });
    backWith(walk, { state });
    return ended(walk);
  },
  "without a state": async (run) => ended(await asking(run, { state: null })),
  "without a nonce": harmless({ nonce: null }),
  "by POST": async (run) => {
    const url = run.authorizeUrl(run.issuer.clients.web);
    const walk = await run.walk(run.metadata.authorization_endpoint, { post: url.searchParams });
    backWith(walk, { state: "a state" });
    return ended(walk);
  },
  declined: async (run) => {
    const walk = await asking(run, {}, { allow: false });
    backWith(walk, { error: "access_denied", state: "a state", iss: run.issuer.url });
    return ended(walk);
  },
  "asked and given once, not asked again": async (run) => {
    const browser = run.issuer.browser();
    await asking(run, {}, { browser });
    const again = await asking(run, {}, { browser });
    backWith(again, { state: "a state" });
    return `asks: ${again.asked.join(", ")}`;
  },
  "more than was given asks again": async (run) => {
    const browser = run.issuer.browser();
    await asking(run, {}, { browser });
    const again = await asking(run, { scope: "openid email" }, { browser });
    assert(again.asked.includes("consent"));
    return `asks: ${again.asked.join(", ")}`;
  },

  "no response_type": error(
    { response_type: null },
    "invalid_request",
    "unsupported_response_type",
  ),
  "response_type=token": noToken("token"),
  "response_type=code id_token": noToken("code id_token"),
  "response_mode=query": harmless({ response_mode: "query" }),
  "response_mode=fragment": async (run) => ended(await asking(run, { response_mode: "fragment" })),
  "response_mode=form_post": async (run) =>
    ended(await asking(run, { response_mode: "form_post" })),
  "response_mode nobody knows": async (run) =>
    ended(await asking(run, { response_mode: "pigeon" })),

  "an unknown client": async (run) => stays(await asking(run, { client_id: "nobody" })),
  "no client": async (run) => stays(await asking(run, { client_id: null })),
  "no redirect address": async (run) => ended(await asking(run, { redirect_uri: null })),
  "another redirect address": address(() => "https://evil.example/callback"),
  "a longer path": address((registered) => `${registered}/more`),
  "a path with dots": address((registered) => `${registered}/../callback`),
  "a query added": address((registered) => `${registered}?a=b`),
  "a fragment added": address((registered) => `${registered}#a`),
  "another letter's case": address((registered) => registered.replace("callback", "Callback")),
  "a user before the host": address((registered) => registered.replace("//", "//client.example@")),
  "another host behind it": address((registered) =>
    registered.replace(".example", ".example.evil.test"),
  ),
  "the redirect address twice": async (run) => {
    const url = run.authorizeUrl(run.issuer.clients.web);
    url.searchParams.append("redirect_uri", "https://evil.example/callback");
    const walk = await run.walk(url);
    assert.notEqual(walk.end.url.hostname, "evil.example");
    return ended(walk);
  },
  "a loopback client at any port": async (run) => {
    const { native } = run.issuer.clients;
    const moved = withRedirect(
      native,
      native.redirectUri.replace(/127\.0\.0\.1(:\d+)?/, "127.0.0.1:51423"),
    );
    const walk = await run.walk(run.authorizeUrl(moved));
    backWith(walk, { state: "a state" });
    assert.equal(walk.end.url.port, "51423");
    return ended(walk);
  },
  "a loopback client at another path": async (run) => {
    const { native } = run.issuer.clients;
    return stays(
      await run.walk(run.authorizeUrl(withRedirect(native, `${native.redirectUri}/more`))),
    );
  },
  "a loopback client at another host": async (run) => {
    const { native } = run.issuer.clients;
    const moved = native.redirectUri.replace("127.0.0.1", "127.0.0.2");
    return stays(await run.walk(run.authorizeUrl(withRedirect(native, moved))));
  },

  "PKCE left out by a public client": async (run) => {
    const change = { code_challenge: null, code_challenge_method: null };
    const walk = await run.walk(run.authorizeUrl(run.issuer.clients.native, change));
    backWith(walk, { error: "invalid_request", state: "a state" });
    return ended(walk);
  },
  "PKCE left out by a confidential client": async (run) =>
    ended(await asking(run, { code_challenge: null, code_challenge_method: null })),
  "PKCE plain": error({ code_challenge_method: "plain" }, "invalid_request"),
  "PKCE without its method": error({ code_challenge_method: null }, "invalid_request"),
  "PKCE with a challenge too short": error({ code_challenge: "short" }, "invalid_request"),

  "an unknown scope beside openid": async (run) =>
    ended(await asking(run, { scope: "openid nonsense" })),
  "without openid": async (run) => ended(await asking(run, { scope: "profile" })),
  "no scope": async (run) => ended(await asking(run, { scope: null })),
  "scopes in another order": harmless({ scope: "email profile openid" }),
  "a parameter twice": async (run) => {
    const url = run.authorizeUrl(run.issuer.clients.web);
    url.searchParams.append("scope", "openid");
    const walk = await run.walk(url);
    assert(!ended(walk).includes("code"), ended(walk));
    return ended(walk);
  },
  "an unknown parameter": harmless({ extra: "foobar" }),
  "display=page": harmless({ display: "page" }),
  "display=popup": harmless({ display: "popup" }),
  ui_locales: harmless({ ui_locales: "de en" }),
  claims_locales: harmless({ claims_locales: "de en" }),
  acr_values: harmless({ acr_values: "1 2" }),
  login_hint: harmless({ login_hint: "someone@example.org" }),
  "claims with an essential name": async (run) =>
    ended(await asking(run, { claims: '{"userinfo":{"name":{"essential":true}}}' })),
  "a request object": error(
    { request: "e30.e30." },
    "request_not_supported",
    "invalid_request_object",
  ),
  "a request object by reference": error(
    { request_uri: "https://client.example/request" },
    "request_uri_not_supported",
    "invalid_request",
  ),
  registration: async (run) => ended(await asking(run, { registration: "{}" })),
});

export const prompts = steps("prompt", {
  "none, nobody is signed in": error({ prompt: "none" }, "login_required"),
  "none, nothing was given yet": async (run) => {
    const browser = run.issuer.browser();
    await asking(run, {}, { browser, allow: false });
    const walk = await asking(run, { prompt: "none" }, { browser });
    assert.deepEqual(walk.asked, []);
    return ended(walk);
  },
  "none, all was given": async (run) => {
    const browser = run.issuer.browser();
    await asking(run, {}, { browser });
    const walk = await asking(run, { prompt: "none" }, { browser });
    backWith(walk, { state: "a state", iss: run.issuer.url });
    assert(walk.end.url.searchParams.has("code"));
    assert.deepEqual(walk.asked, []);
    return ended(walk);
  },
  "none with another": error({ prompt: "none login" }, "invalid_request"),
  "login asks who it is, though signed in; auth_time is then": async (run) => {
    const { web } = run.issuer.clients;
    const browser = run.issuer.browser();
    await asking(run, {}, { browser });
    const walk = await asking(run, { prompt: "login", max_age: "1000" }, { browser });
    assert(walk.asked.includes("sign-in"));
    const code = walk.end.url.searchParams.get("code") ?? "";
    const authorized = { ...(await run.authorize(web, {}, { browser })), code };
    const claims = await run.verified((await run.redeem(web, authorized)).json.id_token, web);
    assert(Math.abs(Number(claims.auth_time) - Date.now() / 1000) < 60);
    return `asks: ${walk.asked.join(", ")}`;
  },
  "consent asks again": async (run) => {
    const browser = run.issuer.browser();
    await asking(run, {}, { browser });
    const walk = await asking(run, { prompt: "consent" }, { browser });
    assert(walk.asked.includes("consent"));
    return `asks: ${walk.asked.join(", ")}`;
  },
  "a prompt nobody knows": async (run) => ended(await asking(run, { prompt: "juggle" })),
  "max_age=10000 asks nothing of who just signed in, and auth_time is told": async (run) => {
    const { web } = run.issuer.clients;
    const browser = run.issuer.browser();
    await asking(run, {}, { browser });
    const walk = await asking(run, { max_age: "10000" }, { browser });
    assert.deepEqual(walk.asked, []);
    const code = walk.end.url.searchParams.get("code") ?? "";
    const authorized = { ...(await run.authorize(web, {}, { browser })), code };
    const claims = await run.verified((await run.redeem(web, authorized)).json.id_token, web);
    assert.equal(typeof claims.auth_time, "number");
    return "auth_time";
  },
  "max_age=0 asks who it is": async (run) => {
    const browser = run.issuer.browser();
    await asking(run, {}, { browser });
    const walk = await asking(run, { max_age: "0" }, { browser });
    assert(walk.asked.includes("sign-in"));
    return `asks: ${walk.asked.join(", ")}`;
  },
  "a max_age that is no number": async (run) => ended(await asking(run, { max_age: "soon" })),
  "id_token_hint of who is signed in": async (run) => {
    const { web } = run.issuer.clients;
    const authorized = await run.authorize(web);
    const { id_token: hint } = (await run.redeem(web, authorized)).json;
    const change = { prompt: "none", id_token_hint: hint };
    const walk = await asking(run, change, { browser: authorized.browser });
    backWith(walk, { state: "a state" });
    assert(walk.end.url.searchParams.has("code"), ended(walk));
    return ended(walk);
  },
  "id_token_hint of somebody else": async (run) => {
    const { web } = run.issuer.clients;
    const [, other] = run.issuer.people;
    const theirs = await run.authorize(web, {}, { person: other });
    const { id_token: hint } = (await run.redeem(web, theirs)).json;
    const mine = await run.authorize(web);
    const change = { prompt: "none", id_token_hint: hint };
    const walk = await asking(run, change, { browser: mine.browser });
    assert(!walk.end.url.searchParams.has("code"), ended(walk));
    return ended(walk);
  },
  "id_token_hint that is none": async (run) => {
    const walk = await asking(run, { prompt: "none", id_token_hint: "e30.e30.x" });
    return ended(walk);
  },
});
