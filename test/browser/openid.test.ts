/** Signing in to an app with Latchkey, the way a person does: by keyboard, without scripts, on a phone. */

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createLocalJWKSet, jwtVerify } from "jose";
import * as client from "openid-client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { keepPicture, phone, visit } from "../support/browser.ts";
import {
  openAccount,
  password,
  signInBrowser,
  startWorld,
  type World,
} from "../support/console.ts";

let world: World;
let app: Server;
let callback: string;
let config: client.Configuration;
/** Where the app's visitors came back to. */
const arrived: URL[] = [];

beforeAll(async () => {
  world = await startWorld();
  app = createServer((request, response) => {
    const url = new URL(request.url ?? "/", callback);
    if (url.pathname === "/callback") arrived.push(url);
    response.end("<title>The app</title><h1>Welcome</h1>");
  });
  await new Promise<void>((resolve) => app.listen(0, "127.0.0.1", resolve));
  callback = `http://127.0.0.1:${(app.address() as AddressInfo).port}/callback`;
  config = await client.discovery(new URL(world.origin), "photos", {}, client.None(), {
    execute: [client.allowInsecureRequests],
  });
});

afterAll(async () => {
  app.close();
  await world.close();
});

async function request(scope: string, more: Record<string, string> = {}) {
  const verifier = client.randomPKCECodeVerifier();
  const code_challenge = await client.calculatePKCECodeChallenge(verifier);
  const [state, nonce] = [client.randomState(), client.randomNonce()];
  const url = client.buildAuthorizationUrl(config, {
    ...{ redirect_uri: callback, scope, state, nonce, ...more },
    ...{ code_challenge, code_challenge_method: "S256" },
  });
  return { url, verifier, state, nonce };
}

describe("signing in to an app", () => {
  it.each([
    ["a desk with scripts", {}],
    ["a phone without", { viewport: phone, javaScriptEnabled: false }],
  ])("works by keyboard alone, on %s", async (name, options) => {
    const person = await openAccount(world, `app-${name.replaceAll(" ", "")}@example.org`);
    const { page, context, complaints } = await visit(world.browser, options);
    const asked = await request("openid email offline_access", { login_hint: person.address });
    await page.goto(asked.url.href);
    expect(await page.getByLabel("E-mail address").inputValue()).toBe(person.address);
    expect(await page.locator("main").textContent()).toContain("Photo Shelf");
    await page.getByLabel("Password").focus();
    await page.keyboard.type(password);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Sign in to Photo Shelf?" }).waitFor();
    expect(await page.locator("main").textContent()).toContain(person.address);
    await keepPicture(page, `openid-consent-${name.replaceAll(" ", "-")}`);
    await page.getByRole("button", { name: "Sign in", exact: true }).focus();
    await page.keyboard.press("Enter");
    await page.waitForURL(`${callback}?*`);
    const { verifier, state, nonce } = asked;
    const tokens = await client.authorizationCodeGrant(config, new URL(page.url()), {
      ...{ pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce },
    });
    const jwks = (await (await fetch(`${world.origin}/oauth/jwks`)).json()) as never;
    const verified = await jwtVerify(tokens.id_token ?? "", createLocalJWKSet(jwks), {
      ...{ issuer: world.origin, audience: "photos" },
    });
    const info = await client.fetchUserInfo(
      config,
      tokens.access_token,
      verified.payload.sub ?? "",
    );
    expect(info.email).toBe(person.address);

    await page.goto(`${world.origin}/account/apps`);
    await keepPicture(page, `openid-apps-${name.replaceAll(" ", "-")}`);
    await page.getByRole("button", { name: /^End it/ }).focus();
    await page.keyboard.press("Enter");
    await page.getByText("That app is out.").waitFor();
    await expect(
      client.refreshTokenGrant(config, tokens.refresh_token ?? ""),
    ).rejects.toMatchObject({ error: "invalid_grant" });
    expect(complaints).toEqual([]);
    await context.close();
  });

  it("goes back with a no, and asks again where the sign-in is too old", async () => {
    const person = await openAccount(world, "app-no@example.org");
    const { page, context, complaints } = await visit(world.browser);
    await signInBrowser(world, context, person);
    await page.goto((await request("openid")).url.href);
    await page.getByRole("button", { name: "No, go back" }).click();
    await page.waitForURL(`${callback}?*`);
    expect(new URL(page.url()).searchParams.get("error")).toBe("access_denied");
    await page.goto((await request("openid", { prompt: "login" })).url.href);
    await page.waitForURL("**/confirm?**");
    await page.getByLabel("Password").fill(password);
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await page.waitForURL(`${callback}?*`);
    expect(new URL(page.url()).searchParams.has("code")).toBe(true);
    expect(complaints).toEqual([]);
    await context.close();
  });
});
