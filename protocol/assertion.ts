/**
 * How a device proves who it is: a short-lived JWT signed with its Ed25519 key (RFC 8037, the shape
 * of RFC 7523). The cloud holds the public key only, so nothing it holds can impersonate a device.
 */

import { importJWK, jwtVerify, SignJWT } from "jose";
import { limits } from "./limits.ts";

const TYPE = "latchkey-agent+jwt";
const CLOCK_SKEW_SECONDS = 30;

export interface Assertion {
  readonly deviceId: string;
  readonly jti: string;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
}

/** Signs an assertion for `audience` (the API's origin), valid for `limits.agentAssertionMs`. */
export async function signAssertion(
  privateKey: CryptoKey,
  subject: string,
  audience: string,
  nowMs: number,
): Promise<string> {
  const issuedAt = Math.floor(nowMs / 1000);
  return await new SignJWT({})
    .setProtectedHeader({ alg: "EdDSA", typ: TYPE })
    .setSubject(subject)
    .setAudience(audience)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + limits.agentAssertionMs / 1000)
    .setJti(crypto.randomUUID())
    .sign(privateKey);
}

/** The subject that an assertion claims, before any check: for routing only. */
export function claimedSubject(token: string): string | null {
  try {
    const payload = JSON.parse(
      atob((token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/")),
    );
    return typeof payload.sub === "string" ? payload.sub : null;
  } catch {
    return null;
  }
}

/** Verifies an assertion against the registered key; null when anything is off. */
export async function verifyAssertion(
  publicKey: string,
  token: string,
  audience: string,
  nowMs: number,
): Promise<Assertion | null> {
  try {
    const key = await importJWK({ kty: "OKP", crv: "Ed25519", x: publicKey }, "EdDSA");
    const { payload } = await jwtVerify(token, key, {
      typ: TYPE,
      audience,
      algorithms: ["EdDSA"],
      currentDate: new Date(nowMs),
      clockTolerance: CLOCK_SKEW_SECONDS,
      maxTokenAge: limits.agentAssertionMs / 1000 + CLOCK_SKEW_SECONDS,
      requiredClaims: ["sub", "iat", "exp", "jti"],
    });
    return {
      deviceId: payload.sub as string,
      jti: payload.jti as string,
      expiresAt: payload.exp as number,
    };
  } catch {
    return null;
  }
}
