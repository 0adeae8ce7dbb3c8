/** Signing in to an app with Latchkey, as the app's program and its visitor's browser see it. */

import { createHash, randomBytes } from "node:crypto";
import { createLocalJWKSet, jwtVerify } from "jose";
import { describe, expect, it } from "vitest";
import { ask } from "./http.ts";
import { newPerson, type Person } from "./person.ts";
import type { World } from "./world.ts";

const CALLBACK = "https://app.example/callback";
const SECRET = randomBytes(32).toString("base64url");
const secret_sha256 = createHash("sha256").update(SECRET).digest("hex");

/** What the operator of the contract's edge registers. */
export const OPENID_CLIENTS = JSON.stringify([
  { id: "contract", name: "Contract", redirect_uris: [CALLBACK], secret_sha256 },
  {
    ...{ id: "curve", name: "Curve", redirect_uris: [CALLBACK], secret_sha256 },
    id_token_signed_response_alg: "EdDSA",
  },
]);

const basic = (id: string) => ({
  authorization: `Basic ${Buffer.from(`${id}:${SECRET}`).toString("base64")}`,
  "content-type": "application/x-www-form-urlencoded",
});

/** Asks as the person's browser, says yes, and comes back with a code and its verifier. */
async function codeOf(world: World, person: Person, clientId: string, scope: string) {
  const verifier = randomBytes(32).toString("base64url");
  const query = new URLSearchParams({
    ...{ client_id: clientId, redirect_uri: CALLBACK, response_type: "code", scope, state: "s" },
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    ...{ code_challenge_method: "S256", nonce: "n", prompt: "consent" },
  });
  const cookie = `__Host-sid=${person.token}`;
  const page = await ask(world, `/oauth/authorize?${query}`, { headers: { cookie } });
  expect(page.status).toBe(200);
  const answer = await ask(world, "/oauth/consent", {
    method: "POST",
    headers: {
      ...{ cookie, "sec-fetch-site": "same-origin" },
      "content-type": "application/x-www-form-urlencoded",
    },
    body: new URLSearchParams({ request: `${query}`, answer: "allow" }).toString(),
  });
  const back = new URL(String(answer.headers.location));
  expect(back.searchParams.get("iss")).toBe(world.origin);
  return { code: back.searchParams.get("code") ?? "", code_verifier: verifier };
}

async function token(world: World, clientId: string, form: Record<string, string>) {
  const body = new URLSearchParams(form).toString();
  return await ask(world, "/oauth/token", { method: "POST", headers: basic(clientId), body });
}

const redeem = (world: World, clientId: string, code: Record<string, string>) =>
  token(world, clientId, {
    ...{ grant_type: "authorization_code", redirect_uri: CALLBACK },
    ...code,
  });
const refresh = (world: World, refresh_token: string) =>
  token(world, "contract", { grant_type: "refresh_token", refresh_token });
const userinfo = (world: World, access: string) =>
  ask(world, "/oauth/userinfo", { headers: { authorization: `Bearer ${access}` } });

export function openid(world: () => World): void {
  describe("signing in elsewhere", () => {
    it.each([
      ["contract", "RS256"],
      ["curve", "EdDSA"],
    ])("gives %s an ID token of %s that the published keys verify", async (clientId, alg) => {
      const person = await newPerson(world());
      const code = await codeOf(world(), person, clientId, "openid email");
      const tokens = (await redeem(world(), clientId, code)).json;
      const jwks = (await ask(world(), "/oauth/jwks")).json;
      const { payload, protectedHeader } = await jwtVerify(
        tokens.id_token,
        createLocalJWKSet(jwks),
        { issuer: world().origin, audience: clientId },
      );
      expect([protectedHeader.alg, payload.nonce]).toEqual([alg, "n"]);
      expect((await userinfo(world(), tokens.access_token)).json).toEqual({
        sub: payload.sub,
        email: person.address,
        email_verified: true,
      });
    });

    it("uses a code once, however many use it at once", async () => {
      const person = await newPerson(world());
      const code = await codeOf(world(), person, "contract", "openid");
      const answers = await Promise.all(
        Array.from({ length: 8 }, () => redeem(world(), "contract", code)),
      );
      const won = answers.filter(({ status }) => status === 200);
      expect(won).toHaveLength(1);
      expect((await userinfo(world(), won[0]?.json.access_token)).status).toBe(401);
    });

    it("refreshes once for all who ask at once, and again after a lost answer", async () => {
      const person = await newPerson(world());
      const code = await codeOf(world(), person, "contract", "openid offline_access");
      const first = (await redeem(world(), "contract", code)).json.refresh_token;
      const answers = await Promise.all(Array.from({ length: 6 }, () => refresh(world(), first)));
      expect(answers.map(({ status }) => status)).toEqual(Array(6).fill(200));
      const next = new Set(answers.map(({ json }) => json.refresh_token));
      expect(next.size).toBe(1);
      const third = (await refresh(world(), [...next][0])).json;
      expect((await refresh(world(), first)).json.error).toBe("invalid_grant");
      expect((await userinfo(world(), third.access_token)).status).toBe(401);
    });

    it("[SHR-3] ends at once when its owner ends it", async () => {
      const person = await newPerson(world());
      const code = await codeOf(world(), person, "contract", "openid offline_access");
      const tokens = (await redeem(world(), "contract", code)).json;
      const { grants } = (await ask(world(), "/api/grants", { token: person.token })).json;
      expect(grants).toMatchObject([{ app: "Contract", client_id: "contract" }]);
      const end = { method: "DELETE", token: person.token };
      expect((await ask(world(), `/api/grants/${grants[0].id}`, end)).status).toBe(204);
      expect((await userinfo(world(), tokens.access_token)).status).toBe(401);
      expect((await refresh(world(), tokens.refresh_token)).json.error).toBe("invalid_grant");
    });
  });
}
