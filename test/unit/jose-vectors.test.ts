/**
 * Signatures that must not pass, after Wycheproof's cases for JSON Web Signatures (C2SP/wycheproof,
 * testvectors_v1/json_web_signature_test.json, Apache-2.0): its keys and valid signatures as they are,
 * its ways of spoiling one applied to them and to what our devices sign.
 */

import { compactVerify, importJWK, SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { signAssertion, verifyAssertion } from "../../protocol/assertion.ts";
import { base64url } from "../../protocol/tokens.ts";

/** tcId 18 and its key. */
const ec = {
  jwk: {
    kty: "EC",
    crv: "P-256",
    x: "04N0xi21hshyvBp7I167sbE_bXqyqkAPfefdklMO7wY",
    y: "UI8exy-C06a7DUnjIdENkxeFtHM4-l_41LqEw9nVgmw",
  },
  valid:
    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImtpZC1lYy1zaWduIn0.Zm9v.5cA0OHyMP7ezamUd5c9kV-FrGxdx4hbGXOdplQkutrqWrte5P-pAvsE3Ve6xSyU3YDQwUHjVVOtvcrEbbnZ8yA",
};
/** tcId 33 and its key. */
const rsa = {
  jwk: {
    kty: "RSA",
    n: "kqGboBfAWttWPCA-0cGRgsY6SaYoIARt0B_PkaEcIq9HPYNdu9n6UuWHuuTHrjF_ZoQW97r5HaAorNvrMEGTGdxCHZdEtkHvNVVmrtxTBLiQCbCozXhFoIrVcr3qUBrdGnNn_M3jJi7Wg7p_-x62nS5gNG875oyheRkutHsQXikFZwsN3q_TsPNOVlCiHy8mxzaFTUQGm-X8UYexFyAivlDSjgDJLAZSWfxd7k9Gxuwa3AUfQqQcVcegmgKGCaErQ3qQbh1x7WB6iopE3_-GZ8HMAVtR9AmrVscqYsnjhaCehfAI0iKKs8zXr8tISc0ORbaalrkk03H1ZrsEnDKEWQ",
    e: "AQAB",
  },
  valid:
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImtpZC1yc2Etc2lnbiJ9.Zm9v.HUwxI1-cZrZgcuOgBQ7G7NE-GrqK79l6GV1KT4DKXnSMFwC8pfZCzE7pmLE7mYpLCIvzC87yuOjuhT0uW5oe6aaAEtR978cm-q8dfly45flqMrd_ifhi9GCsMlyi8dpQ42Ou1etZljFZuWjfyk8CN1c5DaHRwhqjScAPIFp6xmzKIRUJ_xdQfUSfSlujLaixtScU518EoNP4oo1v7E8RAz6ZO4g2N4Xqs8OvSxYydcoTEg42QnLHe9JnXgI37Q5gSwinwaPsG3Ry56UYiLoL8mCUa74S51y02VsIgVmmGWgaXjM-i_lCiKQDBiBnvWlka4XhVuvd6ZWibM9cbCPtPg",
};
/** tcId 32: signed by the key that its own header brings. */
const embedded =
  "eyJhbGciOiJFUzI1NiIsImtpZCI6ImtpZC1lYy1zaWduIiwiandrIjp7Imt0eSI6IkVDIiwia2lkIjoia2lkLWVjLXNpZ24iLCJ1c2UiOiJzaWciLCJhbGciOiJFUzI1NiIsIngiOiJNZG5UWkRJaERKYmZBU2RGcWFtY3BPMkNoOUdOS0sybTBNUWxoNDAyU3BvIiwieSI6Ijdhdko0bHFfV3l4LW5MUERCUTJZcHl0dUh5TWlvMDdCVXl2bDNqYUMtMVkiLCJjcnYiOiJQLTI1NiJ9fQ.Zm9v.4jmsollQD8ZxvySzXYnIEYA4fwaZi2ZbC0aI1J4LYmW2Bn31NhKdjms2N6o51Dff5-InWXQF9m45VtTexl6yjg";

const ALGORITHMS = ["RS256", "ES256", "EdDSA"];
const text = (value: object) => base64url(new TextEncoder().encode(JSON.stringify(value)));

/** A letter that is not `letter`, and stands for other bits. */
const other = (letter: string | undefined) => (letter === "X" ? "Y" : "X");

/** Wycheproof's ways of spoiling a valid signature, by its names for them. */
const spoil: Readonly<
  Record<string, (head: string, payload: string, signature: string) => string>
> = {
  ModifiedSignature: (h, p, s) => `${h}.${p}.${other(s[0])}${s.slice(1)}`,
  MissingSignature: (h, p) => `${h}.${p}.`,
  MissingSignatureAndSeparator: (h, p) => `${h}.${p}`,
  ModifiedPayload: (h, p, s) => `${h}.${other(p[0])}${p.slice(1)}.${s}`,
  MissingPayload: (h, _, s) => `${h}..${s}`,
  MissingPayloadAndSeparator: (h, _, s) => `${h}.${s}`,
  ModifiedHeader: (h, p, s) => `${text({ ...JSON.parse(atob(h)), kid: "Xid" })}.${p}.${s}`,
  MissingHeader: (_, p, s) => `.${p}.${s}`,
  MissingHeaderAndSeparator: (_, p, s) => `${p}.${s}`,
  MissingHeaderAndSignature: (_, p) => `.${p}.`,
  MissingHeaderSignatureAndSeparators: (_, p) => p,
  EmptyString: () => "",
  ExtraEmptyComponent: (h, p, s) => `${h}.${p}.${s}.`,
  ExtraComponent: (h, p, s) => `${h}.${p}.${s}.foo`,
  NoneAlgorithmAndMissingSignature: (_, p) => `${text({ alg: "none" })}.${p}.`,
  NoneAlgorithm: (_, p, s) => `${text({ alg: "none" })}.${p}.${s}`,
  NoneAlgorithmInOtherCase: (_, p) => `${text({ alg: "NoNe" })}.${p}.`,
  JsonSerialization: (h, p, s) =>
    JSON.stringify({ payload: p, signatures: [{ protected: h, signature: s }] }),
};
const ways = Object.keys(spoil);
const spoiled = (way: string, token: string) =>
  spoil[way]?.(...(token.split(".") as [string, string, string])) ?? "";

describe.each([
  ["ES256", ec],
  ["RS256", rsa],
])("a signature by %s", (alg, { jwk, valid }) => {
  const passes = async (token: string) => {
    const key = await importJWK(jwk, alg);
    return await compactVerify(token, key, { algorithms: ALGORITHMS }).then(
      () => true,
      () => false,
    );
  };

  it("passes as it was made", async () => expect(await passes(valid)).toBe(true));
  it.each(ways)("does not pass with %s", async (way) => {
    expect(await passes(spoiled(way, valid))).toBe(false);
  });
  it("does not pass by a key that it brings itself", async () => {
    expect(await passes(embedded)).toBe(false);
  });
});

describe("a device's assertion", async () => {
  const NOW = 1_800_000_000_000;
  const AUDIENCE = "https://latchkey.example";
  const pair = (await crypto.subtle.generateKey("Ed25519", true, [
    "sign",
    "verify",
  ])) as CryptoKeyPair;
  const raw = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const publicKey = base64url(raw);
  const valid = await signAssertion(pair.privateKey, "dev_home_0000000000000000", AUDIENCE, NOW);
  const passes = async (token: string) =>
    (await verifyAssertion(publicKey, token, AUDIENCE, NOW)) !== null;
  const claims = JSON.parse(atob(valid.split(".")[1] ?? "")) as Record<string, unknown>;
  const typ = "latchkey-agent+jwt";

  it("passes as it was made", async () => expect(await passes(valid)).toBe(true));
  it.each(ways)("does not pass with %s", async (way) => {
    expect(await passes(spoiled(way, valid))).toBe(false);
  });

  it("does not pass signed by HMAC under the public key", async () => {
    for (const secret of [raw, new TextEncoder().encode(publicKey)]) {
      const token = await new SignJWT(claims)
        .setProtectedHeader({ alg: "HS256", typ })
        .sign(secret);
      expect(await passes(token)).toBe(false);
    }
  });

  it("does not pass by a key that it brings itself or points at", async () => {
    const mine = (await crypto.subtle.generateKey("Ed25519", true, [
      "sign",
      "verify",
    ])) as CryptoKeyPair;
    const jwk = (await crypto.subtle.exportKey("jwk", mine.publicKey)) as {
      kty: string;
      x: string;
    };
    for (const extra of [{ jwk }, { jku: "https://evil.example/keys" }, { kid: publicKey }]) {
      const header = { alg: "EdDSA", typ, ...extra };
      const token = await new SignJWT(claims).setProtectedHeader(header).sign(mine.privateKey);
      expect(await passes(token)).toBe(false);
    }
  });

  it("does not pass as another kind of token, or with a header that must be understood", async () => {
    for (const header of [{ alg: "EdDSA", typ: "JWT" }, { alg: "EdDSA" }]) {
      const token = await new SignJWT(claims).setProtectedHeader(header).sign(pair.privateKey);
      expect(await passes(token)).toBe(false);
    }
    const head = text({ alg: "EdDSA", typ, crit: ["x-mine"], "x-mine": 1 });
    const signed = `${head}.${valid.split(".")[1]}`;
    const bytes = await crypto.subtle.sign(
      "Ed25519",
      pair.privateKey,
      new TextEncoder().encode(signed),
    );
    expect(await passes(`${signed}.${base64url(new Uint8Array(bytes))}`)).toBe(false);
  });

  it("does not pass with the order of the curve added to its signature", async () => {
    const [head, payload, signature] = valid.split(".") as [string, string, string];
    const bytes = Uint8Array.from(
      atob(signature.replaceAll("-", "+").replaceAll("_", "/")),
      (char) => char.charCodeAt(0),
    );
    const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
    let s = ORDER;
    for (let at = 63; at >= 32; at--) s += BigInt(bytes[at] ?? 0) << BigInt(8 * (at - 32));
    for (let at = 32; at < 64; at++) bytes[at] = Number((s >> BigInt(8 * (at - 32))) & 255n);
    expect(await passes(`${head}.${payload}.${base64url(bytes)}`)).toBe(false);
  });
});
