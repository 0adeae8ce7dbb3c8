/** How things end: RFC 7009 revocation, RFC 7662 introspection, OpenID RP-Initiated Logout 1.0. */

import assert from "node:assert/strict";
import type { Client, Run } from "./issuer.ts";
import { ended, names, refused, said, steps } from "./step.ts";
import { OFFLINE } from "./token.ts";

const revoke = (run: Run, client: Client | null, fields: Readonly<Record<string, string>>) =>
  run.ask(client, fields, run.metadata.revocation_endpoint);

const introspect = (run: Run, client: Client | null, token: string) =>
  run.ask(client, { token }, run.metadata.introspection_endpoint);

export const revocation = steps("revoke", {
  "an access token": async (run) => {
    const { web } = run.issuer.clients;
    const { access_token: access } = await run.tokens(web);
    assert.equal((await revoke(run, web, { token: access })).status, 200);
    assert.equal((await run.userinfo(access)).status, 401);
    return "dead";
  },
  "a refresh token takes its grant along": async (run) => {
    const { native } = run.issuer.clients;
    const tokens = await run.tokens(native, OFFLINE);
    const fields = { token: tokens.refresh_token, token_type_hint: "refresh_token" };
    assert.equal((await revoke(run, native, fields)).status, 200);
    refused(await run.refresh(native, tokens.refresh_token), "invalid_grant");
    assert.equal((await run.userinfo(tokens.access_token)).status, 401);
    return "dead";
  },
  "an access token leaves its refresh token, or not": async (run) => {
    const { native } = run.issuer.clients;
    const tokens = await run.tokens(native, OFFLINE);
    await revoke(run, native, { token: tokens.access_token });
    return said(await run.refresh(native, tokens.refresh_token));
  },
  "with a hint that is wrong": async (run) => {
    const { web } = run.issuer.clients;
    const { access_token: access } = await run.tokens(web);
    const fields = { token: access, token_type_hint: "refresh_token" };
    assert.equal((await revoke(run, web, fields)).status, 200);
    assert.equal((await run.userinfo(access)).status, 401);
    return "dead";
  },
  "what is no token": async (run) => {
    const answer = await revoke(run, run.issuer.clients.web, { token: "nonsense" });
    assert.equal(answer.status, 200);
    return said(answer);
  },
  "another client's: it lives on": async (run) => {
    const { web, post } = run.issuer.clients;
    const { access_token: access } = await run.tokens(web);
    const answer = await revoke(run, post, { token: access });
    assert.equal((await run.userinfo(access)).status, 200);
    return said(answer);
  },
  nothing: async (run) => refused(await revoke(run, run.issuer.clients.web, {}), "invalid_request"),
  "by nobody": async (run) => refused(await revoke(run, null, { token: "x" })),
  "with a wrong secret": async (run) =>
    refused(
      await revoke(run, { ...run.issuer.clients.web, secret: "wrong" }, { token: "x" }),
      "invalid_client",
    ),
});

export const introspection = steps("introspect", {
  "an access token": async (run) => {
    const { web } = run.issuer.clients;
    const { access_token: access } = await run.tokens(web);
    const { json } = await introspect(run, web, access);
    assert.equal(json.active, true);
    assert.equal(json.client_id, web.id);
    return names(json);
  },
  "a refresh token": async (run) => {
    const { web } = run.issuer.clients;
    const { refresh_token: token } = await run.tokens(web, OFFLINE);
    const { json } = await introspect(run, web, token);
    assert.equal(json.active, true);
    return names(json);
  },
  "a revoked one": async (run) => {
    const { web } = run.issuer.clients;
    const { access_token: access } = await run.tokens(web);
    await revoke(run, web, { token: access });
    assert.deepEqual((await introspect(run, web, access)).json, { active: false });
    return "inactive";
  },
  "what is no token": async (run) => {
    const { json } = await introspect(run, run.issuer.clients.web, "nonsense");
    assert.deepEqual(json, { active: false });
    return "inactive";
  },
  "another client's": async (run) => {
    const { web, post } = run.issuer.clients;
    const { access_token: access } = await run.tokens(web);
    assert.deepEqual((await introspect(run, post, access)).json, { active: false });
    return "inactive";
  },
  "by a public client": async (run) => {
    const { native } = run.issuer.clients;
    const { access_token: access } = await run.tokens(native);
    const answer = await introspect(run, native, access);
    return answer.status === 200 ? `200 active: ${answer.json.active}` : said(answer);
  },
  "by nobody": async (run) => refused(await introspect(run, null, "x")),
  "with a wrong secret": async (run) =>
    refused(
      await introspect(run, { ...run.issuer.clients.web, secret: "wrong" }, "x"),
      "invalid_client",
    ),
});

/** The address of a logout, and what a person sees there who signed in at `authorized`'s browser. */
async function signedIn(run: Run) {
  const { web } = run.issuer.clients;
  const authorized = await run.authorize(web);
  const { id_token: hint } = (await run.redeem(web, authorized)).json as { id_token: string };
  const leave = (fields: Readonly<Record<string, string>>, allow = true) => {
    const url = new URL(run.metadata.end_session_endpoint);
    for (const [name, value] of Object.entries(fields)) url.searchParams.set(name, value);
    return run.walk(url, { browser: authorized.browser, allow });
  };
  /** What a request that may ask nothing says: who is signed in gets a code. */
  const after = async () =>
    ended(
      await run.walk(run.authorizeUrl(web, { prompt: "none" }), { browser: authorized.browser }),
    );
  return { hint, leave, after };
}

export const logout = steps("logout", {
  "with a hint: asks, signs out, and goes back with the state": async (run) => {
    const { hint, leave, after } = await signedIn(run);
    const back = run.issuer.postLogoutUri;
    const fields = { id_token_hint: hint, post_logout_redirect_uri: back, state: "bye" };
    const walk = await leave(fields);
    assert.equal(walk.end.url.href, `${back}?state=bye`);
    assert(walk.asked.includes("sign-out"));
    assert.match(await after(), /login_required/);
    return `${walk.asked.join(", ")}; ${ended(walk)}`;
  },
  "with the client's id: asks, signs out, and goes back": async (run) => {
    const { leave, after } = await signedIn(run);
    const fields = {
      client_id: run.issuer.clients.web.id,
      post_logout_redirect_uri: run.issuer.postLogoutUri,
    };
    const walk = await leave(fields);
    assert.equal(walk.end.url.href, run.issuer.postLogoutUri);
    assert.match(await after(), /login_required/);
    return walk.asked.join(", ");
  },
  "with nothing: asks, and ends at a page of the issuer's": async (run) => {
    const { leave, after } = await signedIn(run);
    const walk = await leave({});
    assert.equal(walk.end.kind, "page");
    assert.match(await after(), /login_required/);
    return `${walk.asked.join(", ")}; ${ended(walk)}`;
  },
  declined: async (run) => {
    const { hint, leave, after } = await signedIn(run);
    const walk = await leave({ id_token_hint: hint }, false);
    return `${ended(walk)}, then ${await after()}`;
  },
  "an address that is not the client's": async (run) => {
    const { hint, leave } = await signedIn(run);
    const back = `${run.issuer.postLogoutUri}/more`;
    const walk = await leave({ id_token_hint: hint, post_logout_redirect_uri: back });
    assert.equal(walk.end.kind, "page", `an open redirect to ${walk.end.url}`);
    return ended(walk);
  },
  "an address without a client": async (run) => {
    const { leave } = await signedIn(run);
    const walk = await leave({ post_logout_redirect_uri: run.issuer.postLogoutUri });
    assert.equal(walk.end.kind, "page", `an open redirect to ${walk.end.url}`);
    return ended(walk);
  },
  "a hint that is none": async (run) => {
    const { leave } = await signedIn(run);
    const walk = await leave({ id_token_hint: "e30.e30.x" });
    assert.equal(walk.end.kind, "page");
    return ended(walk);
  },
  "a hint and another client's id": async (run) => {
    const { hint, leave } = await signedIn(run);
    const walk = await leave({ id_token_hint: hint, client_id: run.issuer.clients.post.id });
    assert.equal(walk.end.kind, "page");
    return ended(walk);
  },
  "nobody is signed in": async (run) => {
    const url = new URL(run.metadata.end_session_endpoint);
    url.searchParams.set("client_id", run.issuer.clients.web.id);
    url.searchParams.set("post_logout_redirect_uri", run.issuer.postLogoutUri);
    const walk = await run.walk(url);
    return `${walk.asked.join(", ")}; ${ended(walk)}`;
  },
});
