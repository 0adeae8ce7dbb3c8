/**
 * Modules of the conformance suite that wait: on a clock that is told, to the second. And parameters
 * that we do not support: said so in discovery, and of no effect. docs/openid-conformance.md points here.
 */

import { env } from "cloudflare:workers";
import { base64url, decodeJwt, UnsecuredJWT } from "jose";
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { CALLBACK, ORIGIN, openidPorts, Peer, web } from "../support/openid.ts";
import type { TestPorts } from "../support/ports.ts";

let test: TestPorts;
let peer: Peer;
beforeEach(async () => {
  test = await openidPorts(env);
  peer = await Peer.signedIn(test);
});

const errorOf = (url: URL | null) => url?.searchParams.get("error");
const redeem = (code: string) =>
  peer.token(web, { grant_type: "authorization_code", code, redirect_uri: CALLBACK });
const authTime = async (back: URL | null) => {
  const { id_token } = (await redeem(back?.searchParams.get("code") ?? "")).json;
  return decodeJwt(id_token).auth_time as number;
};

describe("conformance", () => {
  it("max_age=1 asks again a second later, and auth_time is the new sign-in's", async () => {
    const before = await authTime(await peer.authorize(web));
    expect(before).toBe(test.clock.now() / 1000);
    test.clock.advance(1000);
    // A second is not more than a second.
    expect(await authTime(await peer.authorize(web, { max_age: "1" }))).toBe(before);
    test.clock.advance(1);
    const silent = await peer.authorize(web, { max_age: "1", prompt: "none" });
    expect(errorOf(silent)).toBe("login_required");
    const step = await peer.browse(peer.url(web, { max_age: "1" }));
    expect(step.location?.pathname).toBe("/confirm");
    test.clock.advance(4999);
    await peer.signInAgain();
    const done = await peer.browse(step.location?.searchParams.get("return") ?? "");
    const after = await authTime(done.location);
    expect(after - before).toBe(6);
  });

  it("the code again 30 seconds later: refused, and what came of it is dead", async () => {
    const back = await peer.authorize(web, { scope: "openid offline_access" });
    const code = back.searchParams.get("code") ?? "";
    const first = (await redeem(code)).json;
    expect((await peer.userinfo(first.access_token)).status).toBe(200);
    test.clock.advance(30_000);
    const again = await redeem(code);
    expect([again.status, again.json.error]).toEqual([400, "invalid_grant"]);
    expect((await peer.userinfo(first.access_token)).status).toBe(401);
    expect((await peer.refresh(web, first.refresh_token)).json.error).toBe("invalid_grant");
  });

  it("the code again, as long as it is remembered: what came of it ends with its second use", async () => {
    const once = async () => {
      const back = await peer.authorize(web, { scope: "openid" });
      const code = back.searchParams.get("code") ?? "";
      return { code, token: (await redeem(code)).json.access_token };
    };
    const one = await once();
    // Long after an unused one would have been too old.
    test.clock.advance(limits.openidUsedCodeMs - 1);
    expect((await redeem(one.code)).json.error).toBe("invalid_grant");
    expect((await peer.userinfo(one.token)).status).toBe(401);
  });

  it("an unused code is good for a minute, to the millisecond", async () => {
    const code = async () => (await peer.authorize(web)).searchParams.get("code") ?? "";
    const [one, other] = [await code(), await code()];
    test.clock.advance(limits.openidCodeMs - 1);
    expect((await redeem(one)).status).toBe(200);
    test.clock.advance(1);
    expect((await redeem(other)).json.error).toBe("invalid_grant");
  });
});

describe("what is not supported", () => {
  const text = (value: object) => base64url.encode(JSON.stringify(value));

  it("is said in discovery, word by word: what is left out there would be taken to be supported", async () => {
    const { json } = await peer.ask("/.well-known/openid-configuration");
    expect(json).toMatchObject({
      claims_parameter_supported: false,
      request_parameter_supported: false,
      request_uri_parameter_supported: false,
      require_request_uri_registration: false,
      response_types_supported: ["code"],
      response_modes_supported: ["query"],
      code_challenge_methods_supported: ["S256"],
      id_token_signing_alg_values_supported: ["RS256", "EdDSA"],
    });
    for (const absent of [
      "registration_endpoint",
      "request_object_signing_alg_values_supported",
      "pushed_authorization_request_endpoint",
      "check_session_iframe",
      "frontchannel_logout_supported",
      "backchannel_logout_supported",
    ]) {
      expect(json).not.toHaveProperty(absent);
    }
  });

  it("the claims parameter opens nothing, neither in the ID token nor at userinfo", async () => {
    const essential = { essential: true };
    const claims = JSON.stringify({
      id_token: { email: essential, name: essential, auth_time: essential, sub: { value: "x" } },
      userinfo: { email: essential, phone_number: essential, name: essential },
    });
    const bare = (await redeem((await peer.authorize(web)).searchParams.get("code") ?? "")).json;
    const back = await peer.authorize(web, { claims });
    const tokens = (await redeem(back.searchParams.get("code") ?? "")).json;
    const said = (token: string) => Object.keys(decodeJwt(token)).sort();
    expect(said(tokens.id_token)).toEqual(said(bare.id_token));
    expect(decodeJwt(tokens.id_token).sub).toBe(decodeJwt(bare.id_token).sub);
    expect((await peer.userinfo(tokens.access_token)).json).toEqual({
      sub: decodeJwt(bare.id_token).sub,
    });
    // It is no way past the consent either, and what is no JSON does no harm.
    const silent = { prompt: "none", scope: "openid email" };
    expect(errorOf(await peer.authorize(web, { ...silent, claims }))).toBe("consent_required");
    expect((await peer.authorize(web, { claims: "{" })).searchParams.has("code")).toBe(true);
  });

  it("a request object is refused before it is read, whatever it says and however it is signed", async () => {
    const inside = { client_id: web.id, redirect_uri: "https://evil.example/", scope: "openid" };
    for (const request of [
      new UnsecuredJWT(inside).encode(),
      `${text({ alg: "RS256" })}.${text(inside)}.AAAA`,
      "nonsense",
    ]) {
      const back = await peer.authorize(web, { request });
      expect([back.origin + back.pathname, errorOf(back)]).toEqual([
        CALLBACK,
        "request_not_supported",
      ]);
      expect(back.searchParams.get("state")).toBe("a state");
      expect(back.searchParams.get("iss")).toBe(ORIGIN);
    }
    for (const request_uri of ["https://evil.example/r", "urn:ietf:params:oauth:request_uri:x"]) {
      const back = await peer.authorize(web, { request_uri });
      expect(errorOf(back)).toBe("request_uri_not_supported");
    }
    // What only the object says is not said: without a redirect address there is nowhere to go back to.
    const request = new UnsecuredJWT(inside).encode();
    const page = await peer.browse(peer.url(web, { request, redirect_uri: null }));
    expect([page.status, page.location]).toEqual([400, null]);
    expect(test.egress.filter(({ recipient }) => recipient !== "mail")).toEqual([]);
  });
});
