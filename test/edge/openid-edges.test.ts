/**
 * The edges of the provider, one by one: what another client, another moment or another writing of the
 * same request comes to.
 */

import { env } from "cloudflare:workers";
import { decodeJwt } from "jose";
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { answerDeviceRequest } from "../../workers/openid/device-grant.ts";
import { revokeSession } from "../../workers/sign-in/sessions.ts";
import { native, ORIGIN, openidPorts, Peer, type TestClient, web } from "../support/openid.ts";
import { CLIENT } from "../support/person.ts";
import type { TestPorts } from "../support/ports.ts";

const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";
const tv: TestClient = { id: "tv", redirectUri: "", headers: {}, fields: { client_id: "tv" } };
const tvEntry = {
  ...{ id: "tv", name: "The tv", device_grant: true, scopes: ["openid", "email"] },
  token_endpoint_auth_method: "none",
};
/** One that signs people out, too. */
const shop: TestClient = {
  ...{ id: "shop", redirectUri: "https://shop.example/in" },
  ...{ headers: {}, fields: { client_id: "shop" } },
};
const BYE = "https://shop.example/bye";
const shopEntry = {
  ...{ id: "shop", name: "Shop", token_endpoint_auth_method: "none" },
  redirect_uris: [shop.redirectUri],
  post_logout_redirect_uris: [BYE],
};

let test: TestPorts;
let peer: Peer;
beforeEach(async () => {
  test = await openidPorts(env, tvEntry, shopEntry);
  peer = await Peer.signedIn(test);
});

const post = (client: TestClient, path: string, form: Record<string, string>) =>
  peer.ask(path, {
    method: "POST",
    headers: client.headers,
    body: new URLSearchParams({ ...client.fields, ...form }),
  });
const start = async (scope = "openid") => (await post(tv, "/oauth/device", { scope })).json;
const poll = (device_code: string) => peer.token(tv, { grant_type: DEVICE_GRANT, device_code });
const sessionOf = ({ session }: Peer) => ({
  accountId: session?.accountId ?? "",
  sessionId: session?.sessionId ?? "",
  confirmedAt: 0,
});

describe("the device grant", () => {
  it("is asked for so often by one network, by its /64, and no more", async () => {
    const from = async (address: string) => {
      const { status } = await new Peer({
        ...test,
        ports: { ...test.ports, peer: address },
      }).ask("/oauth/device", { method: "POST", body: new URLSearchParams({ client_id: "tv" }) });
      return status;
    };
    for (let at = 0; at < limits.deviceCodesPerNetwork; at++) {
      expect(await from(`2001:db8::${at.toString(16)}`)).toBe(200);
    }
    expect(await from("2001:db8::1:0:0:1")).toBe(429);
    expect(await from("2001:db8:0:1::1")).toBe(200);
    expect(await from("203.0.113.7")).toBe(200);
    test.clock.advance(limits.deviceCodeMs);
    expect(await from("2001:db8::1")).toBe(200);
  });

  it("gives no more than the client may ask for", async () => {
    const { device_code: code, user_code: userCode } = await start("openid email phone profile");
    await peer.browse("/device", { user_code: userCode, answer: "allow", name: "" });
    const tokens = (await poll(code)).json;
    expect(tokens.scope).toBe("openid email");
    expect(tokens).not.toHaveProperty("refresh_token");
  });

  it("says when its owner showed who they are, not when they answered", async () => {
    const shown = Math.floor(test.clock.now() / 1000);
    test.clock.advance(300_000);
    const { device_code: code, user_code: userCode } = await start();
    await peer.browse("/device", { user_code: userCode, answer: "allow", name: "" });
    const claims = decodeJwt((await poll(code)).json.id_token);
    expect(claims).toMatchObject({ auth_time: shown, iat: shown + 300, aud: "tv" });
  });

  it("waits on when an answer fails: the next one is heard", async () => {
    const { device_code: code, user_code: userCode } = await start();
    const said = { userCode, allow: true, name: "TV" };
    const gone = sessionOf(peer);
    await revokeSession(test.ports, peer.accountId, gone.sessionId);
    await expect(answerDeviceRequest(test.ports, gone, said, CLIENT)).rejects.toMatchObject({
      code: "not-signed-in",
    });
    await peer.signInAgain();
    const long = { ...said, name: "x".repeat(limits.grantNameLength + 1) };
    await expect(
      answerDeviceRequest(test.ports, sessionOf(peer), long, CLIENT),
    ).rejects.toMatchObject({ code: "bad-request" });
    // The operator took the client away for a while.
    const without = await openidPorts(env);
    await expect(
      answerDeviceRequest(
        { ...test.ports, config: without.ports.config },
        sessionOf(peer),
        said,
        CLIENT,
      ),
    ).rejects.toMatchObject({ code: "code-expired" });
    expect((await poll(code)).json.error).toBe("authorization_pending");
    const fits = { ...said, name: "x".repeat(limits.grantNameLength) };
    await answerDeviceRequest(test.ports, sessionOf(peer), fits, CLIENT);
    expect((await poll(code)).status).toBe(200);
  });
});

describe("introspection", () => {
  const introspect = async (token: string) =>
    (await post(web, "/oauth/introspect", { token })).json;

  it("says exactly this of an access token, and this of a refresh token", async () => {
    const now = Math.floor(test.clock.now() / 1000);
    const tokens = await peer.tokens(web, "openid email offline_access");
    const { sub } = decodeJwt(tokens.id_token ?? "");
    const both = {
      ...{ active: true, iss: ORIGIN, sub, client_id: web.id, iat: now },
      scope: "openid email offline_access",
    };
    expect(await introspect(tokens.access_token ?? "")).toEqual({
      ...both,
      exp: now + limits.accessTokenMs / 1000,
      token_type: "Bearer",
    });
    expect(await introspect(tokens.refresh_token ?? "")).toEqual({
      ...both,
      exp: now + limits.refreshIdleMs / 1000,
    });
    expect(await introspect(tokens.id_token ?? "")).toEqual({ active: false });
  });

  it("a refresh token is good until its successor was used, and not longer", async () => {
    const first = (await peer.tokens(web, "openid offline_access")).refresh_token ?? "";
    const second = (await peer.refresh(web, first)).json.refresh_token;
    expect([(await introspect(first)).active, (await introspect(second)).active]).toEqual([
      true,
      true,
    ]);
    const third = (await peer.refresh(web, second)).json.refresh_token;
    expect(await introspect(first)).toEqual({ active: false });
    expect([(await introspect(second)).active, (await introspect(third)).active]).toEqual([
      true,
      true,
    ]);
  });

  it("another's refresh token and one that was revoked are nothing", async () => {
    const other = (await peer.tokens(native, "openid offline_access")).refresh_token ?? "";
    expect(await introspect(other)).toEqual({ active: false });
    const own = await peer.tokens(web, "openid offline_access");
    await post(web, "/oauth/revoke", { token: own.refresh_token ?? "" });
    expect(await introspect(own.refresh_token ?? "")).toEqual({ active: false });
    expect(await introspect(own.access_token ?? "")).toEqual({ active: false });
  });
});

describe("revoking", () => {
  it("does another client's tokens no harm, and tells nothing of them", async () => {
    const own = await peer.tokens(native, "openid offline_access");
    for (const token of [own.access_token ?? "", own.refresh_token ?? "", "nonsense"]) {
      const answer = await post(web, "/oauth/revoke", { token });
      expect([answer.status, answer.text]).toEqual([200, ""]);
    }
    expect((await peer.userinfo(own.access_token ?? "")).status).toBe(200);
    expect((await peer.refresh(native, own.refresh_token ?? "")).status).toBe(200);
  });

  it("a refresh token ends its own sign-in, and no other of the same app", async () => {
    const [one, other] = [
      await peer.tokens(native, "openid offline_access"),
      await peer.tokens(native, "openid offline_access"),
    ];
    await post(native, "/oauth/revoke", { token: one.refresh_token ?? "" });
    expect((await peer.userinfo(one.access_token ?? "")).status).toBe(401);
    expect((await peer.userinfo(other.access_token ?? "")).status).toBe(200);
    expect((await peer.refresh(native, other.refresh_token ?? "")).status).toBe(200);
  });
});

describe("refreshing with less", () => {
  it("has no ID token without openid, and takes no scope that is none", async () => {
    const token = (await peer.tokens(native, "openid email offline_access")).refresh_token ?? "";
    expect((await peer.refresh(native, token, { scope: "nonsense" })).json.error).toBe(
      "invalid_scope",
    );
    const less = (await peer.refresh(native, token, { scope: "email" })).json;
    expect(less.scope).toBe("email");
    expect(less).not.toHaveProperty("id_token");
    const again = (await peer.refresh(native, less.refresh_token)).json;
    expect(again.scope).toBe("openid email offline_access");
    expect(again).toHaveProperty("id_token");
  });
});

describe("signing out by an app's wish", () => {
  /** What happens at the address: the status, and where it would lead the person after a yes. */
  const ask = async (form: Record<string, string> | string) => {
    const query = new URLSearchParams(form);
    const asked = await peer.browse(`/oauth/logout?${query}`);
    if (asked.status !== 200) return [asked.status, asked.location?.href ?? null];
    const done = await peer.browse("/oauth/logout/confirm", { request: query.toString() });
    await test.settle();
    await peer.signInAgain();
    return [asked.status, done.location?.href ?? null];
  };
  const stays = [200, `${ORIGIN}/oauth/logout`];
  const refused = [400, null];
  const to = { post_logout_redirect_uri: BYE };

  it("leads to the address that is registered for it, with the state, by the hint or the name", async () => {
    const { id_token: hint = "" } = await peer.tokens(shop);
    expect(await ask({ ...to, client_id: "shop" })).toEqual([200, BYE]);
    expect(await ask({ ...to, id_token_hint: hint, state: "a b&c" })).toEqual([
      200,
      `${BYE}?state=a+b%26c`,
    ]);
    expect(await ask({ ...to, id_token_hint: hint, client_id: "shop" })).toEqual([200, BYE]);
    // A hint says who asks, not that they are here: it may be old.
    test.clock.advance(limits.idTokenMs * 3);
    expect(await ask({ ...to, id_token_hint: hint })).toEqual([200, BYE]);
    // Whoever is signed in is asked, also when the hint was somebody else's.
    const other = await Peer.signedIn(test);
    const { id_token: theirs = "" } = await other.tokens(shop);
    expect(await ask({ ...to, id_token_hint: theirs })).toEqual([200, BYE]);
  });

  it("leads nowhere else, whatever is said", async () => {
    const { id_token: hint = "" } = await peer.tokens(shop);
    const { id_token: others = "" } = await peer.tokens(native);
    for (const wrong of [
      { post_logout_redirect_uri: shop.redirectUri, client_id: "shop" },
      { post_logout_redirect_uri: `${BYE}/`, client_id: "shop" },
      { post_logout_redirect_uri: `${BYE}?x=1`, client_id: "shop" },
      { ...to, client_id: web.id },
      { ...to, client_id: "nobody" },
      { ...to, id_token_hint: others },
      { ...to, id_token_hint: others, client_id: "shop" },
      { ...to, id_token_hint: hint, client_id: native.id },
      { ...to, id_token_hint: "e30.e30.x", client_id: "shop" },
      { ...to, id_token_hint: `${hint.slice(0, -9)}AAAAAAAAA`, client_id: "shop" },
    ]) {
      expect([wrong, await ask(wrong)]).toEqual([wrong, refused]);
    }
    const twice = new URLSearchParams({ ...to, client_id: "shop" });
    twice.append("post_logout_redirect_uri", "https://evil.example/");
    expect(await ask(twice.toString())).toEqual(refused);
    // Nobody says whose address it is: it is not gone to.
    expect(await ask({ post_logout_redirect_uri: BYE })).toEqual(stays);
    expect(await ask({ client_id: "shop" })).toEqual(stays);
  });

  it("who is signed out already is led on by the same rules, without a question", async () => {
    peer.session = null;
    const done = await peer.browse(
      `/oauth/logout?${new URLSearchParams({ ...to, client_id: "shop" })}`,
    );
    expect([done.status, done.location?.href]).toEqual([303, BYE]);
    const wrong = { post_logout_redirect_uri: "https://evil.example/", client_id: "shop" };
    const refused = await peer.browse(`/oauth/logout?${new URLSearchParams(wrong)}`);
    expect([refused.status, refused.location]).toEqual([400, null]);
  });
});

describe("a consent", () => {
  it("given apart is not given at once: two grants do not add up", async () => {
    const headers = (userAgent: string) => ({
      accept: "text/html",
      "user-agent": userAgent,
      cookie: `__Host-sid=${peer.session?.token}`,
    });
    const say = async (scope: string, userAgent: string) => {
      const request = peer.url(web, { scope }).split("?")[1] ?? "";
      return await peer.ask("/oauth/consent", {
        method: "POST",
        headers: { ...headers(userAgent), "sec-fetch-site": "same-origin" },
        body: new URLSearchParams({ request, answer: "allow" }),
      });
    };
    expect((await say("openid email", "curl/8")).status).toBe(303);
    expect((await say("openid phone", "X11 Firefox/1")).status).toBe(303);
    const silent = async (scope: string) =>
      (await peer.browse(peer.url(web, { scope, prompt: "none" }))).location?.searchParams;
    const both = await silent("openid email phone");
    expect([both?.get("error"), both?.get("iss")]).toEqual(["consent_required", ORIGIN]);
    expect((await silent("openid email"))?.has("code")).toBe(true);
  });

  it("of one browser is widened, and keeps what it had", async () => {
    await peer.authorize(web, { scope: "openid email" });
    await peer.authorize(web, { scope: "openid phone" });
    const all = await peer.browse(peer.url(web, { scope: "openid email phone", prompt: "none" }));
    expect(all.location?.searchParams.has("code")).toBe(true);
  });
});
