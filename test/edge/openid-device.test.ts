/** The device grant, and how an app's keys end: by the app's word, by its owner's, with its device. */

import { env } from "cloudflare:workers";
import { SignJWT } from "jose";
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { unregisterDevice } from "../../workers/devices/devices.ts";
import { eraseAccount } from "../../workers/privacy/erase.ts";
import { native, ORIGIN, openidPorts, Peer, type TestClient, web } from "../support/openid.ts";
import type { TestPorts } from "../support/ports.ts";
import { bindings, type Enrolled, enroll } from "./devices-support.ts";

const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";
const tv: TestClient = { id: "tv", redirectUri: "", headers: {}, fields: { client_id: "tv" } };
const radio: TestClient = { ...tv, id: "radio", fields: { client_id: "radio" } };
const registration = ({ id }: TestClient) => ({
  id,
  name: `The ${id}`,
  token_endpoint_auth_method: "none",
  device_grant: true,
});

let test: TestPorts;
let peer: Peer;
beforeEach(async () => {
  test = await openidPorts(env, registration(tv), registration(radio));
  peer = await Peer.signedIn(test);
});

const post = (client: TestClient, path: string, form: Record<string, string>) =>
  peer.ask(path, {
    method: "POST",
    headers: client.headers,
    body: new URLSearchParams({ ...client.fields, ...form }),
  });
const start = async (scope = "openid offline_access") =>
  (await post(tv, "/oauth/device", { scope })).json;
const poll = (code: string, client = tv) =>
  peer.token(client, { grant_type: DEVICE_GRANT, device_code: code });
const say = (answer: "allow" | "deny", user_code: string, name = "") =>
  peer.browse("/device", { user_code, answer, name });

describe("the device grant", () => {
  it("asks with both codes, and names nobody until somebody answers", async () => {
    const started = await start();
    expect(started).toMatchObject({
      verification_uri: `${ORIGIN}/device`,
      verification_uri_complete: `${ORIGIN}/device?user_code=${started.user_code}`,
      expires_in: limits.deviceCodeMs / 1000,
      interval: 5,
    });
    await peer.browse(`/device?user_code=${started.user_code}`);
    const { results } = await bindings.DB_HOME.prepare("SELECT * FROM oauth_device_code").all();
    const text = JSON.stringify(results);
    expect(text).not.toContain(peer.accountId);
    expect(text).not.toContain(started.user_code.replace("-", ""));
    expect(text).not.toContain(started.device_code);
  });

  it("waits five seconds longer for each time it is asked too soon (RFC 8628 §3.5)", async () => {
    const { device_code: code } = await start();
    const error = async () => (await poll(code)).json.error;
    expect(await error()).toBe("authorization_pending");
    expect(await error()).toBe("slow_down");
    test.clock.advance(9000);
    expect(await error()).toBe("slow_down");
    test.clock.advance(15_000);
    expect(await error()).toBe("authorization_pending");
  });

  it("tells a yes once, and is a grant of its own with the name that its owner gave it", async () => {
    const [one, two] = [await start(), await start()];
    expect((await say("allow", one.user_code, "Living room")).location?.search).toBe(
      "?done=allowed",
    );
    await say("allow", two.user_code.toLowerCase().replace("-", " "));
    const answers = await Promise.all([1, 2, 3].map(() => poll(one.device_code)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400, 400]);
    const again = await poll(one.device_code);
    expect([again.status, again.json.error]).toEqual([400, "invalid_grant"]);
    const tokens = answers.find(({ status }) => status === 200)?.json;
    expect((await peer.userinfo(tokens.access_token)).status).toBe(200);
    const headers = { authorization: `Bearer ${peer.session?.token}` };
    const { grants } = (await peer.ask("/api/grants", { headers })).json;
    expect(grants.map(({ on }: { on: string }) => on).sort()).toEqual(["A device", "Living room"]);
    const first = grants.find(({ on }: { on: string }) => on === "Living room");
    await peer.ask(`/api/grants/${first.id}`, { method: "DELETE", headers });
    expect((await peer.userinfo(tokens.access_token)).status).toBe(401);
    expect((await poll(two.device_code)).status).toBe(200);
  });

  it("tells a no, and nothing more can be answered", async () => {
    const { device_code: code, user_code: userCode } = await start();
    await say("deny", userCode);
    expect((await poll(code)).json.error).toBe("access_denied");
    expect((await say("allow", userCode)).status).toBe(410);
    expect((await poll(code)).json.error).toBe("access_denied");
  });

  it("ends in time, allowed or not", async () => {
    const [one, two] = [await start(), await start()];
    await say("allow", two.user_code);
    test.clock.advance(limits.deviceCodeMs);
    await peer.signInAgain();
    expect((await say("allow", one.user_code)).status).toBe(410);
    for (const { device_code: code } of [one, two]) {
      expect((await poll(code)).json.error).toBe("expired_token");
    }
  });

  it("is another client's business only as far as nothing", async () => {
    const { device_code: code, user_code: userCode } = await start();
    expect((await poll(code, radio)).json.error).toBe("invalid_grant");
    await say("allow", userCode);
    expect((await poll(code, radio)).json.error).toBe("invalid_grant");
    expect((await poll(code)).status).toBe(200);
    expect((await poll("nonsense")).json.error).toBe("invalid_grant");
  });

  it("counts the codes that an account tries, and asks who is signed in only", async () => {
    const { user_code: userCode } = await start();
    const stranger = new Peer(test);
    expect((await stranger.browse("/device")).location?.pathname).toBe("/sign-in");
    const statuses: number[] = [];
    for (let at = 0; at <= limits.userCodePerAccount; at++) {
      statuses.push((await peer.browse("/device?user_code=BBBB-BBBB")).status);
    }
    expect(statuses.at(-2)).toBe(410);
    expect(statuses.at(-1)).toBe(429);
    expect((await say("allow", userCode)).status).toBe(429);
  });

  it("is of no use to a client that was not registered for it", async () => {
    const refused = await post(web, "/oauth/device", { scope: "openid" });
    expect([refused.status, refused.json.error]).toEqual([400, "unauthorized_client"]);
    expect((await post(tv, "/oauth/device", { scope: "email" })).json.error).toBe("invalid_scope");
  });

  it("[RGT-14] is dead with the account that answered it, before and after the tokens", async () => {
    const [one, two] = [await start(), await start()];
    for (const { user_code: userCode } of [one, two]) await say("allow", userCode);
    const tokens = (await poll(one.device_code)).json;
    await eraseAccount(test.ports, peer.accountId);
    expect((await poll(two.device_code)).json.error).toBe("expired_token");
    expect((await peer.userinfo(tokens.access_token)).status).toBe(401);
    expect((await peer.refresh(tv, tokens.refresh_token)).json.error).toBe("invalid_grant");
  });
});

describe("revoking and introspecting", () => {
  it("an access token ends alone, a refresh token takes its sign-in along", async () => {
    const one = await peer.tokens(native, "openid offline_access");
    const token = one.access_token ?? "";
    expect((await post(native, "/oauth/revoke", { token })).status).toBe(200);
    expect((await peer.userinfo(token)).status).toBe(401);
    const next = (await peer.refresh(native, one.refresh_token ?? "")).json;
    await post(native, "/oauth/revoke", { token: next.refresh_token });
    expect((await peer.userinfo(next.access_token)).status).toBe(401);
    expect((await peer.refresh(native, next.refresh_token)).json.error).toBe("invalid_grant");
  });

  it("a client learns of its own tokens only, and must show who it is", async () => {
    const { access_token: token = "" } = await peer.tokens(web, "openid email");
    const own = (await post(web, "/oauth/introspect", { token })).json;
    expect(own).toMatchObject({ active: true, client_id: web.id, scope: "openid email" });
    expect(JSON.stringify(own)).not.toContain(peer.accountId);
    const { access_token: other = "" } = await peer.tokens(native);
    expect((await post(web, "/oauth/introspect", { token: other })).json).toEqual({
      active: false,
    });
    expect((await post(native, "/oauth/introspect", { token: other })).status).toBe(401);
    test.clock.advance(limits.accessTokenMs);
    expect((await post(web, "/oauth/introspect", { token })).json).toEqual({ active: false });
  });
});

describe("signing out by an app's wish", () => {
  const bye = "https://photos.example/bye";
  it("asks, and goes nowhere that is not the app's", async () => {
    const path = `/oauth/logout?client_id=${web.id}&post_logout_redirect_uri=${bye}`;
    const refused = await peer.browse(path);
    expect([refused.status, refused.location]).toEqual([400, null]);
    const asked = await peer.browse(`/oauth/logout?client_id=${web.id}`);
    expect(asked.status).toBe(200);
    expect((await peer.browse("/account")).status).toBe(200);
    const done = await peer.browse("/oauth/logout/confirm", { request: `client_id=${web.id}` });
    expect(done.location?.pathname).toBe("/oauth/logout");
    expect((await peer.browse("/account")).location?.pathname).toBe("/sign-in");
  });

  it("by a form from elsewhere goes on as a question, and signs nobody out by itself", async () => {
    const headers = {
      cookie: `__Host-sid=${peer.session?.token}`,
      "sec-fetch-site": "cross-site",
      accept: "text/html",
    };
    const body = new URLSearchParams({ client_id: web.id });
    const step = await peer.ask("/oauth/logout", { method: "POST", headers, body });
    expect([step.status, step.location?.pathname]).toEqual([303, "/oauth/logout"]);
    const forged = await peer.ask("/oauth/logout/confirm", { method: "POST", headers, body });
    expect(forged.status).toBe(403);
    expect((await peer.browse("/account")).status).toBe(200);
  });
});

describe("a device as a client", () => {
  let box: Enrolled;
  let client: TestClient;
  beforeEach(async () => {
    box = await enroll(test.ports, peer.accountId);
    const redirectUri = `https://${box.device.label}.${test.ports.config.ddnsZone}:8443/.latchkey/callback`;
    client = { id: box.device.id, redirectUri, headers: {}, fields: { client_id: box.device.id } };
  });

  it("signs its visitors in at its own hosts and nowhere else", async () => {
    const tokens = await peer.tokens(client, "openid");
    expect((await peer.userinfo(tokens.access_token ?? "")).status).toBe(200);
    const { label } = box.device;
    const { ddnsZone } = test.ports.config;
    for (const redirect_uri of [
      `https://${label}.${ddnsZone}.evil.example/.latchkey/callback`,
      `https://x${label}.${ddnsZone}/.latchkey/callback`,
      `http://${label}.${ddnsZone}/.latchkey/callback`,
      `https://${label}.${ddnsZone}:*/.latchkey/callback`,
      `https://${label}.${ddnsZone}:99999/.latchkey/callback`,
      `https://${label}.${ddnsZone}/other`,
    ]) {
      const answer = await peer.browse(peer.url(client, { redirect_uri }));
      expect([redirect_uri, answer.status, answer.location]).toEqual([redirect_uri, 400, null]);
    }
  });

  it("shows its key at the token endpoint once it said so, each assertion once", async () => {
    const assertion = async (claims: Record<string, unknown> = {}, key = box.key.privateKey) =>
      await new SignJWT({ iss: client.id, sub: client.id, aud: ORIGIN, ...claims })
        .setProtectedHeader({ alg: "EdDSA" })
        .setJti(crypto.randomUUID())
        .setIssuedAt(test.clock.now() / 1000)
        .setExpirationTime(test.clock.now() / 1000 + 60)
        .sign(key);
    const signed = async (client_assertion: string): Promise<TestClient> => ({
      ...client,
      fields: {
        client_assertion,
        client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      },
    });
    const redeem = async (text: string) =>
      (await peer.redeem(await signed(text), await peer.code(client))).status;
    expect(await redeem(await assertion())).toBe(401);
    await box.stub.setOpenid({ auth: "private_key_jwt", paths: [] });
    expect((await peer.redeem(client, await peer.code(client))).status).toBe(401);
    const once = await assertion();
    expect(await redeem(once)).toBe(200);
    expect(await redeem(once)).toBe(401);
    const stranger = (await crypto.subtle.generateKey("Ed25519", true, [
      "sign",
      "verify",
    ])) as CryptoKeyPair;
    expect(await redeem(await assertion({}, stranger.privateKey))).toBe(401);
    expect(await redeem(await assertion({ iss: "somebody" }))).toBe(401);
    expect(await redeem(await assertion({ aud: "https://elsewhere.example" }))).toBe(401);
  });

  it("[CON-11] is gone with the device: no code, no token, no grant of anybody's is left", async () => {
    const tokens = await peer.tokens(client, "openid offline_access");
    const guest = await Peer.signedIn(test);
    const theirs = await guest.tokens(client, "openid");
    const unused = await peer.code(client);
    await unregisterDevice(test.ports, peer.accountId, box.device.id);
    expect((await peer.userinfo(tokens.access_token ?? "")).status).toBe(401);
    expect((await guest.userinfo(theirs.access_token ?? "")).status).toBe(401);
    expect((await peer.refresh(client, tokens.refresh_token ?? "")).status).toBe(401);
    expect((await peer.redeem(client, unused)).status).toBe(401);
    expect((await peer.browse(peer.url(client))).status).toBe(400);
    for (const table of ["oauth_grant", "oauth_code", "oauth_token"]) {
      const rows = await bindings.DB_HOME.prepare(
        `SELECT count(*) AS n FROM ${table} WHERE client_id = ?`,
      )
        .bind(box.device.id)
        .first<number>("n");
      expect([table, rows]).toEqual([table, 0]);
    }
  });
});
