/** The token and userinfo endpoints: RFC 6749 §5–6, RFC 9700, OpenID Connect Core §3.1.3, §5.3, §12. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type Client, type Run, send } from "./issuer.ts";
import { names, refused, said, sorted, steps } from "./step.ts";

const other = (client: Client, secret: string): Client => ({ ...client, secret });

/** Leaves one field out of a request for tokens, or changes it. */
const redeeming =
  (change: Readonly<Record<string, string>>, ...errors: string[]) =>
  async (run: Run) => {
    const { web } = run.issuer.clients;
    return refused(await run.redeem(web, await run.authorize(web), change), errors);
  };

/** A request of the web client that is no use of a code. */
const asking =
  (fields: Readonly<Record<string, string>>, ...errors: string[]) =>
  async (run: Run) =>
    refused(await run.ask(run.issuer.clients.web, fields), errors);

export const token = steps("token", {
  "a code becomes tokens, once, and no cache keeps them": async (run) => {
    const { web } = run.issuer.clients;
    const answer = await run.redeem(web, await run.authorize(web));
    assert.equal(answer.status, 200, answer.text);
    assert.match(String(answer.headers["cache-control"]), /no-store/);
    assert.equal(answer.json.token_type.toLowerCase(), "bearer");
    assert.equal(typeof answer.json.expires_in, "number");
    return names(answer.json);
  },
  "the id_token is for this client, this request and this access token": async (run) => {
    const { web } = run.issuer.clients;
    const authorized = await run.authorize(web);
    const { id_token: idToken, access_token: access } = (await run.redeem(web, authorized)).json;
    const claims = await run.verified(idToken, web);
    assert.equal(claims.nonce, authorized.nonce);
    const half = createHash("sha256").update(access).digest().subarray(0, 16);
    assert.equal(claims.at_hash ?? half.toString("base64url"), half.toString("base64url"));
    const header = JSON.parse(Buffer.from(idToken.split(".")[0], "base64url").toString());
    assert.equal(typeof header.kid, "string");
    return `${header.alg}: ${names(claims)}`;
  },
  "without a nonce there is none in the id_token": async (run) => {
    const { web } = run.issuer.clients;
    const authorized = await run.authorize(web, { nonce: null });
    const claims = await run.verified((await run.redeem(web, authorized)).json.id_token, web);
    assert.equal(claims.nonce, undefined);
    return "none";
  },
  client_secret_post: async (run) => {
    const { post } = run.issuer.clients;
    return said(await run.redeem(post, await run.authorize(post)));
  },
  "a public client with PKCE": async (run) => {
    const { native } = run.issuer.clients;
    const answer = await run.redeem(native, await run.authorize(native));
    assert.equal(answer.status, 200, answer.text);
    return names(answer.json);
  },
  "a pairwise subject: another for another client, the same for the same": async (run) => {
    const { web, post } = run.issuer.clients;
    const sub = async (client: Client) =>
      (await run.verified((await run.tokens(client)).id_token, client)).sub;
    const [first, again, elsewhere] = [await sub(web), await sub(web), await sub(post)];
    assert.equal(first, again);
    return first === elsewhere ? "public" : "pairwise";
  },

  "the code again: refused, and what came of it is dead": async (run) => {
    const { web } = run.issuer.clients;
    const authorized = await run.authorize(web);
    const first = (await run.redeem(web, authorized)).json;
    const again = refused(await run.redeem(web, authorized), "invalid_grant");
    const access = await run.userinfo(first.access_token);
    assert.equal(access.status, 401, "RFC 6749 §4.1.2");
    return again;
  },
  "two at once with one code: one wins at most": async (run) => {
    const { web } = run.issuer.clients;
    const authorized = await run.authorize(web);
    const answers = await Promise.all([0, 1, 2].map(() => run.redeem(web, authorized)));
    assert(answers.filter(({ status }) => status === 200).length <= 1);
    return "one at most";
  },
  "another client's code": async (run) => {
    const { web, post } = run.issuer.clients;
    const authorized = await run.authorize(web);
    return refused(
      await run.redeem({ ...post, redirectUri: web.redirectUri }, authorized),
      "invalid_grant",
    );
  },
  "a code that is none": asking(
    {
      grant_type: "authorization_code",
      code: "nonsense",
      redirect_uri: "https://client.example/callback",
      code_verifier: "v".repeat(43),
    },
    "invalid_grant",
  ),
  "another verifier": redeeming({ code_verifier: "v".repeat(43) }, "invalid_grant"),
  "an empty verifier": redeeming({ code_verifier: "" }, "invalid_grant", "invalid_request"),
  "another redirect address": redeeming(
    { redirect_uri: "https://client.example/other" },
    "invalid_grant",
  ),
  "an empty redirect address": async (run) => {
    const { web } = run.issuer.clients;
    return said(await run.redeem(web, await run.authorize(web), { redirect_uri: "" }));
  },
  "a code that failed once is no code any more, or still is": async (run) => {
    const { web } = run.issuer.clients;
    const authorized = await run.authorize(web);
    await run.redeem(web, authorized, { code_verifier: "v".repeat(43) });
    return said(await run.redeem(web, authorized));
  },
  "a wrong secret in the header": async (run) => {
    const { web } = run.issuer.clients;
    const answer = await run.redeem(other(web, "wrong"), await run.authorize(web));
    assert.equal(answer.status, 401);
    assert.match(String(answer.headers["www-authenticate"]), /^Basic /);
    return refused(answer, "invalid_client");
  },
  "a wrong secret in the body": async (run) => {
    const { post } = run.issuer.clients;
    return refused(
      await run.redeem(other(post, "wrong"), await run.authorize(post)),
      "invalid_client",
    );
  },
  "a confidential client without its secret": async (run) => {
    const { web } = run.issuer.clients;
    const bare: Client = { ...web, method: "none" };
    return refused(await run.redeem(bare, await run.authorize(web)), "invalid_client");
  },
  "a client that shows its secret twice": async (run) => {
    const { web } = run.issuer.clients;
    const twice = { client_id: web.id, client_secret: web.secret ?? "" };
    return refused(await run.redeem(web, await run.authorize(web), twice));
  },
  "an unknown client": async (run) => {
    const { web } = run.issuer.clients;
    const fields = { grant_type: "refresh_token", refresh_token: "x" };
    return refused(await run.ask({ ...web, id: "nobody" }, fields), "invalid_client");
  },
  "no client": async (run) =>
    refused(await run.ask(null, { grant_type: "refresh_token", refresh_token: "x" })),
  "no grant_type": asking({}, "invalid_request", "unsupported_grant_type"),
  "a password": asking(
    { grant_type: "password", username: "a", password: "b" },
    "unsupported_grant_type",
  ),
  client_credentials: asking(
    { grant_type: "client_credentials" },
    "unsupported_grant_type",
    "unauthorized_client",
  ),
  "a field twice": async (run) => {
    const { web } = run.issuer.clients;
    const pair = btoa(`${web.id}:${web.secret}`);
    const answer = await send(run.metadata.token_endpoint, {
      form: "grant_type=refresh_token&grant_type=refresh_token&refresh_token=x",
      headers: { authorization: `Basic ${pair}` },
    });
    return refused(answer, "invalid_request");
  },
  "by GET": async (run) => {
    const answer = await send(`${run.metadata.token_endpoint}?grant_type=refresh_token`);
    assert(answer.status === 404 || answer.status === 405, answer.text);
    return `${answer.status}`;
  },
});

export const refresh = steps("refresh", {
  "a new access token and a new refresh token": async (run) => {
    const { native } = run.issuer.clients;
    const first = await run.tokens(native, OFFLINE);
    const answer = await run.refresh(native, first.refresh_token);
    assert.equal(answer.status, 200, answer.text);
    assert.notEqual(answer.json.refresh_token, first.refresh_token);
    assert.notEqual(answer.json.access_token, first.access_token);
    assert.equal((await run.userinfo(answer.json.access_token)).status, 200);
    return names(answer.json);
  },
  "the id_token names the same person and sign-in": async (run) => {
    const { native } = run.issuer.clients;
    const first = await run.tokens(native, OFFLINE);
    const before = await run.verified(first.id_token, native);
    const { id_token: idToken } = (await run.refresh(native, first.refresh_token)).json;
    const after = await run.verified(idToken, native);
    assert.equal(after.sub, before.sub);
    assert.equal(after.auth_time, before.auth_time);
    return names(after);
  },
  "the answer was lost: the same refresh token once more": async (run) => {
    const { native } = run.issuer.clients;
    const first = await run.tokens(native, OFFLINE);
    await run.refresh(native, first.refresh_token);
    return said(await run.refresh(native, first.refresh_token));
  },
  "an older one, after its successor was used: the grant is dead": async (run) => {
    const { native } = run.issuer.clients;
    const first = await run.tokens(native, OFFLINE);
    const second = (await run.refresh(native, first.refresh_token)).json;
    const third = (await run.refresh(native, second.refresh_token)).json;
    const stolen = refused(await run.refresh(native, first.refresh_token), "invalid_grant");
    refused(await run.refresh(native, third.refresh_token), "invalid_grant");
    assert.equal((await run.userinfo(third.access_token)).status, 401);
    return stolen;
  },
  "a dead grant leaves the person's other grants alone": async (run) => {
    const { native, web } = run.issuer.clients;
    const staying = await run.tokens(web, OFFLINE);
    const first = await run.tokens(native, OFFLINE);
    const second = (await run.refresh(native, first.refresh_token)).json;
    await run.refresh(native, second.refresh_token);
    await run.refresh(native, first.refresh_token);
    assert.equal((await run.userinfo(staying.access_token)).status, 200);
    return "alone";
  },
  "another client's": async (run) => {
    const { native, web } = run.issuer.clients;
    const first = await run.tokens(native, OFFLINE);
    return refused(await run.refresh(web, first.refresh_token), "invalid_grant");
  },
  "less than was given": async (run) => {
    const { native } = run.issuer.clients;
    const first = await run.tokens(native, { ...OFFLINE, scope: "openid email offline_access" });
    const answer = await run.refresh(native, first.refresh_token, { scope: "openid" });
    assert.equal(answer.status, 200, answer.text);
    assert.equal((await run.userinfo(answer.json.access_token)).json.email, undefined);
    return `scope: ${sorted(String(answer.json.scope).split(" "))}`;
  },
  "more than was given": async (run) => {
    const { native } = run.issuer.clients;
    const first = await run.tokens(native, OFFLINE);
    const change = { scope: "openid email" };
    return refused(await run.refresh(native, first.refresh_token, change), "invalid_scope");
  },
  "one that is none": asking({ grant_type: "refresh_token", refresh_token: "x" }, "invalid_grant"),
  "none at all": asking({ grant_type: "refresh_token" }, "invalid_request"),
  "an access token in its place": async (run) => {
    const { native } = run.issuer.clients;
    const first = await run.tokens(native, OFFLINE);
    return refused(await run.refresh(native, first.access_token), "invalid_grant");
  },
  "without offline_access": async (run) => {
    const { web } = run.issuer.clients;
    return "refresh_token" in (await run.tokens(web)) ? "a refresh token" : "none";
  },
});

/** OpenID Connect Core §11: what gets a refresh token everywhere. */
export const OFFLINE = { scope: "openid offline_access", prompt: "consent" };

const claimsOf = (scope: string) => async (run: Run) => {
  const { web } = run.issuer.clients;
  const { access_token: access, id_token: idToken } = await run.tokens(web, { scope });
  const { json } = await run.userinfo(access);
  assert.equal(json.sub, (await run.verified(idToken, web)).sub);
  return names(json);
};

export const userinfo = steps("userinfo", {
  "by GET": async (run) => {
    const { access_token: access } = await run.tokens(run.issuer.clients.web);
    const answer = await run.userinfo(access);
    assert.equal(answer.status, 200, answer.text);
    return names(answer.json);
  },
  "by POST, the token in the header": async (run) => {
    const { access_token: access } = await run.tokens(run.issuer.clients.web);
    const headers = { authorization: `Bearer ${access}` };
    return said(await send(run.metadata.userinfo_endpoint, { method: "POST", headers }));
  },
  "by POST, the token in the body": async (run) => {
    const { access_token: access } = await run.tokens(run.issuer.clients.web);
    return said(await send(run.metadata.userinfo_endpoint, { form: { access_token: access } }));
  },
  "the token in the address": async (run) => {
    const { access_token: access } = await run.tokens(run.issuer.clients.web);
    const answer = await send(`${run.metadata.userinfo_endpoint}?access_token=${access}`);
    assert(answer.status >= 400);
    return said(answer);
  },
  "no token": async (run) => {
    const answer = await send(run.metadata.userinfo_endpoint);
    assert(answer.status === 401 || answer.status === 400);
    return said(answer);
  },
  "a token that is none": async (run) => {
    const answer = await run.userinfo("nonsense");
    assert.equal(answer.status, 401);
    assert.match(String(answer.headers["www-authenticate"]), /^Bearer .*error="invalid_token"/);
    return said(answer);
  },
  "a refresh token in its place": async (run) => {
    const { refresh_token: wrong } = await run.tokens(run.issuer.clients.native, OFFLINE);
    assert.equal((await run.userinfo(wrong)).status, 401);
    return "401";
  },
  "scope profile": claimsOf("openid profile"),
  "scope email": claimsOf("openid email"),
  "scope address": claimsOf("openid address"),
  "scope phone": claimsOf("openid phone"),
  "every scope": claimsOf("openid profile email address phone"),
});
