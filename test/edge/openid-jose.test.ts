/**
 * Tokens that bring their own rules: no algorithm, the public key for a secret, a key of their own.
 * Where an ID token comes back to us as a hint, and where a device shows that it is a client.
 */

import { env } from "cloudflare:workers";
import {
  base64url,
  decodeJwt,
  decodeProtectedHeader,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  importJWK,
  type JWK,
  type JWTHeaderParameters,
  SignJWT,
} from "jose";
import { beforeEach, describe, expect, it } from "vitest";
import { ORIGIN, openidPorts, Peer, type TestClient, web } from "../support/openid.ts";
import type { TestPorts } from "../support/ports.ts";
import { type Enrolled, enroll } from "./devices-support.ts";

let test: TestPorts;
let peer: Peer;
beforeEach(async () => {
  test = await openidPorts(env);
  peer = await Peer.signedIn(test);
});

const text = (value: object) => base64url.encode(JSON.stringify(value));
const unsigned = (header: object, claims: object, signature = "") =>
  `${text(header)}.${text(claims)}.${signature}`;

/** A public key in each form in which somebody might take it for a secret of HMAC. */
async function secretsOf(jwk: JWK, alg: string): Promise<Uint8Array[]> {
  const key = (await importJWK(jwk, alg, { extractable: true })) as CryptoKey;
  const pem = await exportSPKI(key);
  const lines = [pem, `${pem}\n`, pem.trim(), JSON.stringify(jwk), jwk.n ?? jwk.x ?? ""];
  const der = new Uint8Array((await crypto.subtle.exportKey("spki", key)) as ArrayBuffer);
  return [
    ...lines.map((line) => new TextEncoder().encode(line)),
    base64url.decode(jwk.n ?? jwk.x ?? ""),
    der,
  ];
}

/** `claims` under every header and signature that must count for nothing. */
async function forged(
  claims: Record<string, unknown>,
  header: JWTHeaderParameters,
  jwk: JWK,
): Promise<string[]> {
  const mine = await generateKeyPair(header.alg, { extractable: true });
  const own = { ...(await exportJWK(mine.publicKey)), kid: header.kid ?? "mine" };
  const secrets = await secretsOf(jwk, header.alg);
  const hmac = await Promise.all(
    secrets.map(
      async (secret) =>
        await new SignJWT(claims).setProtectedHeader({ ...header, alg: "HS256" }).sign(
          // jose wants as many bytes as the hash has; HMAC pads with zeros by itself.
          secret.length < 32 ? Uint8Array.from({ length: 32 }, (_, at) => secret[at] ?? 0) : secret,
        ),
    ),
  );
  const sign = async (more: object) =>
    await new SignJWT(claims).setProtectedHeader({ ...header, ...more }).sign(mine.privateKey);
  return [
    ...["none", "None", "NONE", "nOnE"].map((alg) => unsigned({ ...header, alg }, claims)),
    unsigned({ ...header, alg: "none" }, claims, "AAAA"),
    unsigned({ alg: "none" }, claims),
    unsigned(header, claims),
    unsigned(header, claims, "AAAA"),
    ...hmac,
    await sign({}),
    await sign({ jwk: own }),
    await sign({ jku: "https://evil.example/jwks" }),
    await sign({ kid: undefined }),
    await sign({ kid: "another" }),
  ];
}

describe("an ID token as a hint", () => {
  it("counts for nothing unless we signed it, wherever it comes back", {
    timeout: 60_000,
  }, async () => {
    const { id_token: right = "" } = await peer.tokens(web);
    const header = decodeProtectedHeader(right) as JWTHeaderParameters;
    const { keys } = (await peer.ask("/oauth/jwks")).json as { keys: JWK[] };
    const jwk = keys.find(({ kid }) => kid === header.kid);
    if (jwk === undefined) throw new Error("the key is not published");
    const claims = decodeJwt(right);
    const silent = async (hint: string) => {
      const back = await peer.authorize(web, { prompt: "none", id_token_hint: hint });
      return back.searchParams.get("error") ?? "code";
    };
    const leaves = async (hint: string) =>
      (await peer.browse(`/oauth/logout?${new URLSearchParams({ id_token_hint: hint })}`)).status;
    expect([await silent(right), await leaves(right)]).toEqual(["code", 200]);
    const otherIssuer = { ...claims, iss: "https://elsewhere.example" };
    for (const wrong of [
      ...(await forged(claims, header, jwk)),
      ...(await forged(otherIssuer, header, jwk)).slice(0, 1),
    ]) {
      expect([wrong, await silent(wrong), await leaves(wrong)]).toEqual([
        wrong,
        "login_required",
        400,
      ]);
    }
  });
});

describe("a device's proof that it is the client", () => {
  let box: Enrolled;
  let client: TestClient;
  beforeEach(async () => {
    box = await enroll(test.ports, peer.accountId);
    const redirectUri = `https://${box.device.label}.${test.ports.config.ddnsZone}/.latchkey/callback`;
    client = { id: box.device.id, redirectUri, headers: {}, fields: { client_id: box.device.id } };
    await box.stub.setOpenid({ auth: "private_key_jwt", paths: [] });
  });

  it("is a signature by its own key and nothing that looks like one", {
    timeout: 60_000,
  }, async () => {
    const now = Math.floor(test.clock.now() / 1000);
    let serial = 0;
    const claims = () => ({
      ...{ iss: client.id, sub: client.id, aud: ORIGIN, iat: now, exp: now + 60 },
      jti: `${serial++}`,
    });
    const header = { alg: "EdDSA" } as const;
    const shown = async (client_assertion: string, code: { code: string; verifier: string }) => {
      const fields = {
        client_assertion,
        client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      };
      return (await peer.redeem({ ...client, fields }, code)).status;
    };
    const code = await peer.code(client);
    const jwk = { kty: "OKP", crv: "Ed25519", x: box.key.publicKey };
    // A device whose owner is somebody else is another client, though its key is as good.
    const other = await enroll(test.ports, (await Peer.signedIn(test)).accountId);
    const sign = (key: CryptoKey, change: object = {}, more: object = {}) =>
      new SignJWT({ ...claims(), ...change }).setProtectedHeader({ ...header, ...more }).sign(key);
    for (const wrong of [
      ...(await forged(claims(), header, jwk)),
      await sign(other.key.privateKey),
      await sign(box.key.privateKey, { sub: other.device.id, iss: other.device.id }),
      await sign(box.key.privateKey, { sub: other.device.id }),
      await sign(box.key.privateKey, { aud: `${ORIGIN}/` }),
      await sign(box.key.privateKey, { nbf: now + 3600 }),
      await sign(box.key.privateKey, { jti: 7 }),
      // What the device's agent signs for its socket is for its socket.
      await sign(box.key.privateKey, { aud: undefined }),
    ]) {
      expect([wrong, await shown(wrong, code)]).toEqual([wrong, 401]);
    }
    expect(await shown(await sign(box.key.privateKey), code)).toBe(200);
  });
});
