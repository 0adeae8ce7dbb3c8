/** openid-client 6.8 against a running edge: what a Node app does, with the library's own checks on. */

import * as oidc from "openid-client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { World } from "../contract/suite/world.ts";
import type { Client, Issuer } from "./openid/issuer.ts";
import { Run } from "./openid/issuer.ts";
import { latchkey, startProvider } from "./openid/latchkey.ts";

describe("openid-client 6.8", () => {
  let world: World;
  let issuer: Issuer;
  let run: Run;

  beforeAll(async () => {
    world = await startProvider();
    issuer = await latchkey(world);
    run = await Run.of(issuer);
  });
  afterAll(() => world?.close());

  const discover = (client: Client) =>
    oidc.discovery(
      new URL(issuer.url),
      client.id,
      client.secret ?? undefined,
      client.secret === null ? oidc.None() : oidc.ClientSecretBasic(client.secret),
      { execute: [oidc.allowInsecureRequests] },
    );

  /** The whole way through the person's browser; returns what the app got. */
  async function signIn(client: Client, scope: string) {
    const config = await discover(client);
    const verifier = oidc.randomPKCECodeVerifier();
    const [state, nonce] = [oidc.randomState(), oidc.randomNonce()];
    const url = oidc.buildAuthorizationUrl(config, {
      redirect_uri: client.redirectUri,
      scope,
      state,
      nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
    });
    const browser = issuer.browser();
    const { end } = await run.walk(url, { browser });
    const tokens = await oidc.authorizationCodeGrant(config, end.url, {
      pkceCodeVerifier: verifier,
      expectedState: state,
      expectedNonce: nonce,
      idTokenExpected: true,
    });
    return { config, tokens, browser };
  }

  it("signs in with a code, reads userinfo and refreshes", async () => {
    const { config, tokens } = await signIn(issuer.clients.web, "openid email offline_access");
    const sub = tokens.claims()?.sub ?? "";
    const about = await oidc.fetchUserInfo(config, tokens.access_token, sub);
    expect(about).toMatchObject({ sub, email_verified: true });
    const next = await oidc.refreshTokenGrant(config, tokens.refresh_token ?? "");
    expect(next.claims()?.sub).toBe(sub);
    expect(next.refresh_token).not.toBe(tokens.refresh_token);
    expect((await oidc.fetchUserInfo(config, next.access_token, sub)).sub).toBe(sub);
  });

  it("introspects and revokes", async () => {
    const { config, tokens } = await signIn(issuer.clients.web, "openid");
    const before = await oidc.tokenIntrospection(config, tokens.access_token);
    expect(before).toMatchObject({ active: true, client_id: "web" });
    await oidc.tokenRevocation(config, tokens.access_token);
    expect(await oidc.tokenIntrospection(config, tokens.access_token)).toEqual({ active: false });
    const sub = tokens.claims()?.sub ?? "";
    await expect(oidc.fetchUserInfo(config, tokens.access_token, sub)).rejects.toThrow();
  });

  it("takes the device grant, polling as it likes", async () => {
    const config = await discover(issuer.clients.native);
    const started = await oidc.initiateDeviceAuthorization(config, {
      scope: "openid offline_access",
    });
    await run.walk(started.verification_uri_complete ?? "");
    const tokens = await oidc.pollDeviceAuthorizationGrant(config, { ...started, interval: 1 });
    const sub = tokens.claims()?.sub ?? "";
    expect((await oidc.fetchUserInfo(config, tokens.access_token, sub)).sub).toBe(sub);
    expect((await oidc.refreshTokenGrant(config, tokens.refresh_token ?? "")).id_token).toBeTypeOf(
      "string",
    );
  });

  it("hears that somebody said no", async () => {
    const config = await discover(issuer.clients.native);
    const started = await oidc.initiateDeviceAuthorization(config, { scope: "openid" });
    await run.walk(started.verification_uri_complete ?? "", { allow: false });
    const polled = oidc.pollDeviceAuthorizationGrant(config, { ...started, interval: 1 });
    await expect(polled).rejects.toMatchObject({ error: "access_denied" });
  });

  it("signs out and comes back", async () => {
    const { config, tokens, browser } = await signIn(issuer.clients.web, "openid");
    const url = oidc.buildEndSessionUrl(config, {
      id_token_hint: tokens.id_token ?? "",
      post_logout_redirect_uri: issuer.postLogoutUri,
      state: "bye",
    });
    const { end, asked } = await run.walk(url, { browser });
    expect([end.url.href, asked]).toEqual([`${issuer.postLogoutUri}?state=bye`, ["sign-out"]]);
  });
});
