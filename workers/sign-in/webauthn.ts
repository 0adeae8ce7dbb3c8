/**
 * What an authenticator says, checked by W3C Web Authentication Level 3 §7.1 and §7.2. Pure but for
 * the signature; it knows no database.
 *
 * Attestation is never looked at: it would tell the make of a device, and checking one fetches lists
 * of revoked certificates from addresses that a stranger chose. The statement is replaced by "none"
 * before anything reads it.
 */

import * as z from "zod";
import { limits } from "../../protocol/limits.ts";
import { base64url, fromBase64url } from "../../protocol/tokens.ts";
import { Problem } from "../problem.ts";

const base64 = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^[A-Za-z0-9_-]+$/);
const field = base64(limits.authenticatorFieldLength);
const credentialId = base64(Math.ceil((limits.credentialIdBytes * 4) / 3));

/** The transports of WebAuthn §5.8.4; a browser may say others, which are not kept. */
const transports = ["ble", "cable", "hybrid", "internal", "nfc", "smart-card", "usb"] as const;
type Transport = (typeof transports)[number];

/**
 * `PublicKeyCredential.toJSON()` (WebAuthn §5.1). Browsers add members as the standard grows: what we
 * do not read is dropped, not refused.
 */
export const registrationResponse = z.object({
  id: credentialId,
  rawId: credentialId,
  type: z.literal("public-key"),
  response: z.object({
    clientDataJSON: field,
    attestationObject: field,
    transports: z.array(z.string().max(32)).max(16).optional(),
  }),
});
export type RegistrationResponse = z.infer<typeof registrationResponse>;

export const assertionResponse = z.object({
  id: credentialId,
  rawId: credentialId,
  type: z.literal("public-key"),
  response: z.object({
    clientDataJSON: field,
    authenticatorData: field,
    signature: field,
    userHandle: base64(128).nullish(),
  }),
});
export type AssertionResponse = z.infer<typeof assertionResponse>;

/** An answer as a form brings it. @throws Problem `bad-request` */
export function passkeyAnswer<T>(schema: z.ZodType<T>, text: string): T {
  try {
    const parsed = schema.safeParse(JSON.parse(text));
    if (parsed.success) return parsed.data;
  } catch {
    // It is no JSON.
  }
  throw new Problem("bad-request");
}

/** What is kept of a credential, sealed. */
export interface Credential {
  /** base64url. */
  readonly id: string;
  /** COSE_Key (RFC 9052 §7), base64url. */
  readonly publicKey: string;
  readonly transports: readonly Transport[];
}

/** COSE algorithms (RFC 9053, RFC 8812): EdDSA, ES256, RS256. */
export const algorithms: readonly number[] = [-8, -7, -257];

/** The RP ID (WebAuthn §5.1.2): the console's host. An origin below it is not ours, and is refused. */
export const relyingPartyId = (origin: string): string => new URL(origin).hostname;

/** The challenge that was signed, in base64url; null when the client's data is none. */
export function signedChallenge(clientDataJSON: string): string | null {
  const bytes = fromBase64url(clientDataJSON);
  if (bytes === null) return null;
  try {
    const data: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof data !== "object" || data === null) return null;
    const { challenge, crossOrigin } = data as Readonly<Record<string, unknown>>;
    // Our pages stand in no frame, so a ceremony inside one was not begun by them.
    if (crossOrigin === true || typeof challenge !== "string") return null;
    return challenge;
  } catch {
    return null;
  }
}

/** The text that an authenticator keeps as its user's handle; null when it is no text. */
export function userHandleText(userHandle: string | null | undefined): string | null {
  const bytes = fromBase64url(userHandle ?? "");
  if (bytes === null || bytes.length === 0) return null;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** What a ceremony must have been about. */
export interface Expected {
  /** base64url. */
  readonly challenge: string;
  readonly origin: string;
}

export interface Registered {
  readonly credential: Credential;
  readonly counter: number;
  readonly backedUp: boolean;
}

/** A new credential, when the response is a proper answer to what was asked (§7.1); else null. */
export async function verifyRegistration(
  response: RegistrationResponse,
  expected: Expected,
): Promise<Registered | null> {
  const { verifyRegistrationResponse, withoutAttestation } = await import("./webauthn-library.ts");
  try {
    const { verified, registrationInfo } = await verifyRegistrationResponse({
      response: withoutAttestation(response),
      expectedChallenge: expected.challenge,
      expectedOrigin: expected.origin,
      expectedRPID: relyingPartyId(expected.origin),
      requireUserVerification: false,
      supportedAlgorithmIDs: [...algorithms],
    });
    if (!verified || registrationInfo === undefined) return null;
    const { credential, credentialBackedUp } = registrationInfo;
    if (credential.id !== response.id) return null;
    const said = response.response.transports ?? [];
    return {
      credential: {
        id: credential.id,
        publicKey: base64url(credential.publicKey),
        transports: transports.filter((transport) => said.includes(transport)),
      },
      counter: credential.counter,
      backedUp: credentialBackedUp,
    };
  } catch {
    return null; // the library says by an error what is wrong; none of it is told
  }
}

export interface Asserted {
  readonly counter: number;
  readonly backedUp: boolean;
  /** True when the authenticator checked its user: a PIN, a finger, a face. */
  readonly userVerified: boolean;
}

/** What an authenticator showed, when the response is a proper answer to what was asked (§7.2). */
export async function verifyAssertion(
  response: AssertionResponse,
  { credential, counter }: { readonly credential: Credential; readonly counter: number },
  expected: Expected,
): Promise<Asserted | null> {
  const { verifyAuthenticationResponse } = await import("./webauthn-library.ts");
  const publicKey = fromBase64url(credential.publicKey);
  if (publicKey === null || response.id !== credential.id) return null;
  const { clientDataJSON, authenticatorData, signature } = response.response;
  try {
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response: {
        ...response,
        response: { clientDataJSON, authenticatorData, signature },
        clientExtensionResults: {},
      },
      expectedChallenge: expected.challenge,
      expectedOrigin: expected.origin,
      expectedRPID: relyingPartyId(expected.origin),
      credential: { id: credential.id, publicKey, counter },
      requireUserVerification: false,
    });
    if (!verified) return null;
    const { newCounter, credentialBackedUp, userVerified } = authenticationInfo;
    return { counter: newCounter, backedUp: credentialBackedUp, userVerified };
  } catch {
    return null;
  }
}
