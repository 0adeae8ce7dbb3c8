/** Signing in elsewhere with Latchkey: from the request to tokens, userinfo and back out again. */

import { env } from "cloudflare:workers";
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from "jose";
import { beforeEach, describe, expect, it } from "vitest";
import { profileField } from "../../db/schema/region/people.ts";
import { limits } from "../../protocol/limits.ts";
import { eraseAccount } from "../../workers/privacy/erase.ts";
import { revokeSession } from "../../workers/sign-in/sessions.ts";
import { native, ORIGIN, openidPorts, Peer, post, spa, web } from "../support/openid.ts";
import type { TestPorts } from "../support/ports.ts";

let test: TestPorts;
let peer: Peer;

beforeEach(async () => {
  test = await openidPorts(env);
  peer = await Peer.signedIn(test);
});

const jwks = async () => createLocalJWKSet((await peer.ask("/oauth/jwks")).json);
const verified = async (token: string, audience: string) =>
  (
    await jwtVerify(token, await jwks(), {
      issuer: ORIGIN,
      audience,
      currentDate: new Date(test.clock.now()),
    })
  ).payload;

describe("discovery", () => {
  it("says the same at both addresses, names only what is there, and may be read from anywhere", async () => {
    const one = await peer.ask("/.well-known/openid-configuration");
    const other = await peer.ask("/.well-known/oauth-authorization-server");
    expect(one.json).toEqual(other.json);
    expect(one.json).toMatchObject({
      issuer: ORIGIN,
      response_types_supported: ["code"],
      code_challenge_methods_supported: ["S256"],
      subject_types_supported: ["pairwise"],
      request_uri_parameter_supported: false,
      authorization_response_iss_parameter_supported: true,
    });
    expect(one.headers.get("access-control-allow-origin")).toBe("*");
    expect(one.headers.get("cache-control")).toMatch(/^public, max-age=\d+$/);
  });

  it("publishes public halves only", async () => {
    const answer = await peer.ask("/oauth/jwks");
    expect(
      answer.json.keys.map(({ alg, use }: Record<string, string>) => [alg, use]).sort(),
    ).toEqual([
      ["EdDSA", "sig"],
      ["RS256", "sig"],
    ]);
    for (const key of answer.json.keys) {
      for (const secret of ["d", "p", "q", "dp", "dq", "qi", "k"])
        expect(key).not.toHaveProperty(secret);
    }
  });
});

describe("signing in to an app", () => {
  it.each([
    ["RS256", web],
    ["EdDSA", post],
  ] as const)("ends in an ID token that jose verifies (%s)", async (alg, client) => {
    const back = await peer.authorize(client, { nonce: "n-0S6_WzA2Mj" });
    expect(Object.fromEntries(back.searchParams)).toMatchObject({ state: "a state", iss: ORIGIN });
    expect(back.href.startsWith(client.redirectUri)).toBe(true);
    const answer = await peer.token(client, {
      grant_type: "authorization_code",
      code: back.searchParams.get("code") ?? "",
      redirect_uri: client.redirectUri,
    });
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.json).toMatchObject({ token_type: "Bearer", expires_in: 3600, scope: "openid" });
    expect(answer.json).not.toHaveProperty("refresh_token");
    expect(decodeProtectedHeader(answer.json.id_token).alg).toBe(alg);
    const claims = await verified(answer.json.id_token, client.id);
    expect(claims).toMatchObject({
      nonce: "n-0S6_WzA2Mj",
      auth_time: Math.floor(test.clock.now() / 1000),
      amr: ["pwd"],
      acr: "urn:latchkey:one-step",
    });
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(limits.idTokenMs / 1000);
    expect((await peer.userinfo(answer.json.access_token)).json).toEqual({ sub: claims.sub });
  });

  it("knows a person by another subject at every app, and by the same at the next sign-in", async () => {
    const sub = async (client: typeof web) =>
      decodeJwt((await peer.tokens(client)).id_token ?? "").sub;
    const [one, again, other] = [await sub(web), await sub(web), await sub(post)];
    expect(one).toBe(again);
    expect(one).not.toBe(other);
    expect(one).not.toContain(peer.accountId);
    const somebody = await Peer.signedIn(test);
    expect(decodeJwt((await somebody.tokens(web)).id_token ?? "").sub).not.toBe(one);
  });

  it("asks with the real values, once, and again for more", async () => {
    const page = await peer.browse(peer.url(web, { scope: "openid email" }));
    expect(page.status).toBe(200);
    for (const text of ["Sign in to Photo Shelf?", "photos.example", "@example.org"]) {
      expect(page.text).toContain(text);
    }
    const policy = page.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("form-action 'self' https://photos.example;");
    expect(policy).toContain("frame-ancestors 'none'");
    await peer.authorize(web, { scope: "openid email" });
    expect((await peer.browse(peer.url(web, { scope: "openid" }))).status).toBe(303);
    expect((await peer.browse(peer.url(web, { scope: "openid phone" }))).status).toBe(200);
    expect((await peer.browse(peer.url(web, { prompt: "consent" }))).status).toBe(200);
  });

  it("gives userinfo what the scopes say, and a client no scope it may not have", async () => {
    const all = await peer.tokens(web, "openid email phone profile");
    const bare = (await peer.userinfo(all.access_token ?? "")).json;
    expect(bare).toEqual({
      sub: expect.any(String),
      email: expect.stringContaining("@"),
      email_verified: true,
    });
    for (const [field, value] of [
      ["name", "Mara Õ"],
      ["language", "et"],
      ["about", "not for apps"],
    ] as const) {
      const { ports } = test;
      const id = `${peer.accountId}/${field}`;
      const key = `person/${peer.accountId}` as const;
      const valueSealed = await ports.sealer.seal(key, `profile_field.value:${id}`, value);
      const db = ports.regions.db(peer.accountId);
      const row = { id, accountId: peer.accountId, field, valueSealed, changedAt: 1 };
      await db?.insert(profileField).values({ ...row, visibility: "nobody" });
    }
    const { sub: _, email: __, ...said } = (await peer.userinfo(all.access_token ?? "")).json;
    expect(said).toEqual({ email_verified: true, name: "Mara Õ", locale: "et" });
    const asked = await peer.browse(peer.url(web, { scope: "openid profile", prompt: "consent" }));
    expect(asked.text).toContain("Mara Õ · et");
    const few = await peer.tokens(post, "openid profile email offline_access other");
    expect(few).toMatchObject({ scope: "openid email" });
    expect(few).not.toHaveProperty("refresh_token");
  });

  it("leads a stranger to sign in and back to the same request", async () => {
    const stranger = new Peer(test);
    const path = peer.url(web, { login_hint: "mara@example.org", state: `ä&"?#%` });
    const step = await stranger.browse(path);
    expect(step.location?.pathname).toBe("/sign-in");
    const back = step.location?.searchParams.get("return") ?? "";
    expect(Object.fromEntries(new URLSearchParams(back.split("?")[1]))).toEqual(
      Object.fromEntries(new URLSearchParams(path.split("?")[1])),
    );
    const page = await stranger.browse(`${step.location?.pathname}${step.location?.search}`);
    expect(page.text).toContain("Photo Shelf");
    expect(page.text).toContain('value="mara@example.org"');
    expect(page.headers.get("content-security-policy")).toContain(
      "form-action 'self' https://photos.example;",
    );
    stranger.session = peer.session;
    expect((await stranger.browse(back)).text).toContain("Sign in to Photo Shelf?");
  });

  it("takes a form for the request, without any cookie's help", async () => {
    const body = new URLSearchParams(peer.url(web).split("?")[1]);
    const headers = { "sec-fetch-site": "cross-site", origin: "https://photos.example" };
    const step = await peer.ask("/oauth/authorize", { method: "POST", headers, body });
    expect([step.status, `${step.location?.pathname}${step.location?.search}`]).toEqual([
      303,
      peer.url(web),
    ]);
  });

  it("sends a no back as access_denied, and asks again next time", async () => {
    const back = await peer.authorize(web, {}, "deny");
    expect(Object.fromEntries(back.searchParams)).toMatchObject({
      error: "access_denied",
      state: "a state",
      iss: ORIGIN,
    });
    expect((await peer.browse(peer.url(web))).status).toBe(200);
  });

  it("takes no answer that a page of another origin sent", async () => {
    const headers = {
      cookie: `__Host-sid=${peer.session?.token}`,
      "sec-fetch-site": "cross-site",
      accept: "text/html",
    };
    const body = new URLSearchParams({
      request: peer.url(web).split("?")[1] ?? "",
      answer: "allow",
    });
    const step = await peer.ask("/oauth/consent", { method: "POST", headers, body });
    expect([step.status, step.location]).toEqual([403, null]);
    expect((await peer.browse(peer.url(web))).status).toBe(200);
  });

  it("lets another account in when the person says so", async () => {
    const request = peer.url(web).split("?")[1] ?? "";
    const step = await peer.browse("/oauth/consent", { request, answer: "switch" });
    expect(step.location?.pathname).toBe("/sign-in");
    expect(step.headers.get("set-cookie")).toMatch(/__Host-sid=;.*Max-Age=0/);
    await test.settle();
    expect((await peer.browse(peer.url(web))).location?.pathname).toBe("/sign-in");
  });

  it("keeps asking where any program of the machine can take the answer", async () => {
    const { challenge } = await peer.code(native).then(() => ({ challenge: "A".repeat(43) }));
    const again = { code_challenge: challenge, code_challenge_method: "S256" };
    expect((await peer.browse(peer.url(native, again))).status).toBe(200);
    await peer.code(spa);
    expect((await peer.browse(peer.url(spa, again))).status).toBe(303);
  });
});

describe("how fresh the sign-in must be", () => {
  const error = (url: URL | null) => url?.searchParams.get("error");

  it("answers prompt=none at once, or says why not", async () => {
    const stranger = new Peer(test);
    expect(error(await stranger.authorize(web, { prompt: "none" }))).toBe("login_required");
    expect(error(await peer.authorize(web, { prompt: "none" }))).toBe("consent_required");
    await peer.authorize(web);
    expect((await peer.authorize(web, { prompt: "none" })).searchParams.has("code")).toBe(true);
    test.clock.advance(11_000);
    const old = await peer.authorize(web, { prompt: "none", max_age: "10" });
    expect(error(old)).toBe("login_required");
  });

  it.each([{ prompt: "login" }, { max_age: "60" }, { max_age: "0" }])(
    "asks again who it is for %o, and then goes on",
    async (change) => {
      await peer.authorize(web);
      test.clock.advance(61_000);
      const step = await peer.browse(peer.url(web, change));
      expect(step.location?.pathname).toBe("/confirm");
      const back = step.location?.searchParams.get("return") ?? "";
      expect((await peer.browse(back)).location?.pathname).toBe("/confirm");
      test.clock.advance(1000);
      await peer.signInAgain();
      const done = await peer.browse(back);
      expect(done.location?.searchParams.has("code")).toBe(true);
      const { id_token } = (
        await peer.token(web, {
          grant_type: "authorization_code",
          code: done.location?.searchParams.get("code") ?? "",
          redirect_uri: web.redirectUri,
        })
      ).json;
      expect(decodeJwt(id_token).auth_time).toBe(Math.floor(test.clock.now() / 1000));
      test.clock.advance(limits.confirmedMs);
      expect((await peer.browse(back)).location?.pathname).toBe("/confirm");
    },
  );

  it("refuses when the hint means somebody else", async () => {
    const { id_token = "" } = await peer.tokens(web);
    const hinted = (who: Peer, hint: string) =>
      who.authorize(web, { id_token_hint: hint, prompt: "none" });
    expect((await hinted(peer, id_token)).searchParams.has("code")).toBe(true);
    test.clock.advance(limits.idTokenMs * 2);
    expect((await hinted(peer, id_token)).searchParams.has("code")).toBe(true);
    const other = await Peer.signedIn(test);
    await other.authorize(web);
    expect(error(await hinted(other, id_token))).toBe("login_required");
    expect(error(await hinted(peer, `${id_token.slice(0, -9)}AAAAAAAAA`))).toBe("login_required");
  });
});

describe("[SHR-3] the end of what was allowed", () => {
  const opened = async () => {
    const tokens = await peer.tokens(web, "openid offline_access");
    return { access: tokens.access_token ?? "", refresh: tokens.refresh_token ?? "" };
  };
  const dead = async ({ access, refresh }: Awaited<ReturnType<typeof opened>>) => {
    const info = await peer.userinfo(access);
    const again = await peer.refresh(web, refresh);
    return [info.status, again.status, again.json.error];
  };

  it("is listed with its last use, ended by its owner, and dead at once", async () => {
    const tokens = await opened();
    const { grants } = (
      await peer.ask("/api/grants", {
        headers: { authorization: `Bearer ${peer.session?.token}` },
      })
    ).json;
    expect(grants).toMatchObject([
      { app: "Photo Shelf", on: "Unknown", scopes: ["openid", "offline_access"] },
    ]);
    const page = await peer.browse("/account/apps");
    expect(page.text).toContain("Photo Shelf");
    expect(page.text).toContain("used today");
    const stranger = await Peer.signedIn(test);
    const form = { grant: grants[0].id };
    expect((await stranger.browse("/account/apps/end", form)).status).toBe(404);
    expect((await peer.userinfo(tokens.access)).status).toBe(200);
    const pending = await peer.code(web);
    expect((await peer.browse("/account/apps/end", form)).location?.search).toBe("?done=ended");
    expect(await dead(tokens)).toEqual([401, 400, "invalid_grant"]);
    expect((await peer.redeem(web, pending)).json.error).toBe("invalid_grant");
    expect((await peer.browse(peer.url(web))).status).toBe(200);
  });

  it("comes with the account's, and not with a session's", async () => {
    const tokens = await opened();
    const pending = await peer.code(web);
    await revokeSession(test.ports, peer.accountId, peer.session?.sessionId ?? "");
    expect((await peer.userinfo(tokens.access)).status).toBe(200);
    expect((await peer.refresh(web, tokens.refresh)).status).toBe(200);
    await eraseAccount(test.ports, peer.accountId);
    expect(await dead(tokens)).toEqual([401, 400, "invalid_grant"]);
    expect((await peer.redeem(web, pending)).json.error).toBe("invalid_grant");
  });

  it("comes for an access token after its hour, and not a moment before", async () => {
    const { access } = await opened();
    test.clock.advance(limits.accessTokenMs - 1);
    expect((await peer.userinfo(access)).status).toBe(200);
    test.clock.advance(1);
    expect((await peer.userinfo(access)).status).toBe(401);
  });

  it("tells the owner of a new app, once, by mail and in the activity", async () => {
    const before = test.mail.sent.length;
    await peer.authorize(web);
    await peer.authorize(web, { prompt: "consent" });
    await test.settle();
    const mails = test.mail.sent.slice(before).filter(({ text }) => text.includes("Photo Shelf"));
    expect(mails).toHaveLength(1);
  });
});
