/**
 * The one place that imports @simplewebauthn/server, and it is imported itself when the first passkey
 * is checked: its certificate readers cost start-up time that most requests never need.
 */

import { decodeAttestationObject } from "@simplewebauthn/server/helpers";
import { base64url, fromBase64url } from "../../protocol/tokens.ts";
import type { RegistrationResponse } from "./webauthn.ts";

export { verifyAuthenticationResponse, verifyRegistrationResponse } from "@simplewebauthn/server";

const text = (value: string) => new TextEncoder().encode(value);

/** CBOR (RFC 8949) of `{"fmt": "none", "attStmt": {}, "authData": …}`, up to the bytes of the last. */
const NONE_HEAD = [
  0xa3,
  0x63,
  ...text("fmt"),
  0x64,
  ...text("none"),
  0x67,
  ...text("attStmt"),
  0xa0,
  0x68,
  ...text("authData"),
  0x59, // a byte string whose length follows in two bytes
];

/** The response as if its authenticator had attested nothing. @throws when it is no attestation */
export function withoutAttestation({ id, rawId, type, response }: RegistrationResponse) {
  const decoded = decodeAttestationObject(
    fromBase64url(response.attestationObject) ?? new Uint8Array(),
  );
  const authData: unknown = decoded.get("authData");
  if (!(authData instanceof Uint8Array) || authData.length > 0xffff) throw new Error("no authData");
  const object = new Uint8Array([
    ...NONE_HEAD,
    authData.length >> 8,
    authData.length & 0xff,
    ...authData,
  ]);
  const { clientDataJSON } = response;
  return {
    id,
    rawId,
    type,
    response: { clientDataJSON, attestationObject: base64url(object) },
    clientExtensionResults: {},
  };
}
