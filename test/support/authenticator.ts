/**
 * An authenticator in software: makes credentials and signs, as W3C Web Authentication §6 describes,
 * and lies where a test asks it to. WebCrypto only, so it runs in Node and inside workerd.
 */

import { base64url, fromBase64url } from "../../protocol/tokens.ts";

export type Algorithm = "ES256" | "EdDSA";

/** What a test may bend. */
export interface Bend {
  readonly origin?: string;
  readonly rpId?: string;
  readonly challenge?: string;
  readonly type?: string;
  readonly crossOrigin?: boolean;
  /** The flags of authenticator data (§6.1); user present and verified when not given. */
  readonly flags?: number;
  readonly counter?: number;
  /** Signs as another credential would. */
  readonly signer?: Credential;
  readonly userHandle?: string | null;
  /** Attestation format and statement, in CBOR. */
  readonly attestation?: { readonly fmt: string; readonly attStmt: Uint8Array };
}

export interface Credential {
  readonly id: Uint8Array<ArrayBuffer>;
  readonly key: CryptoKeyPair;
  readonly algorithm: Algorithm;
  readonly rpId: string;
  readonly userHandle: string;
  counter: number;
}

export const UP = 0x01;
export const UV = 0x04;
const BE_BS = 0x18;
const AT = 0x40;

const utf8 = (text: string) => new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>;

export function joined(...parts: readonly (Uint8Array | readonly number[])[]) {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** The head of a CBOR item (RFC 8949 §3): its major type and its argument. */
function head(major: number, argument: number): number[] {
  const type = major << 5;
  if (argument < 24) return [type | argument];
  if (argument < 0x100) return [type | 24, argument];
  return [type | 25, argument >> 8, argument & 0xff];
}
const int = (value: number) => (value < 0 ? head(1, -1 - value) : head(0, value));
const bytesItem = (value: Uint8Array) => joined(head(2, value.length), value);
const textItem = (value: string) => joined(head(3, utf8(value).length), utf8(value));
export const mapItem = (...pairs: readonly (Uint8Array | number[])[]) =>
  joined(head(5, pairs.length / 2), ...pairs);

interface CreationLike {
  readonly challenge: string;
  readonly rp: { readonly id: string };
  readonly user: { readonly id: string };
}
interface RequestLike {
  readonly challenge: string;
  readonly rpId: string;
}

export class Authenticator {
  readonly origin: string;
  readonly credentials: Credential[] = [];

  constructor(origin: string) {
    this.origin = origin;
  }

  /** Makes a credential and answers as `navigator.credentials.create()` does, in JSON. */
  async create(options: CreationLike, bend: Bend = {}, algorithm: Algorithm = "ES256") {
    const credential: Credential = {
      id: crypto.getRandomValues(new Uint8Array(20)),
      key: await newKey(algorithm),
      algorithm,
      rpId: options.rp.id,
      userHandle: options.user.id,
      counter: 0,
    };
    this.credentials.push(credential);
    const authData = joined(
      await digest(utf8(bend.rpId ?? options.rp.id)),
      [(bend.flags ?? UP | UV | BE_BS) | AT],
      uint32(bend.counter ?? 0),
      new Uint8Array(16),
      [0, credential.id.length],
      credential.id,
      await coseKey(credential),
    );
    const { fmt, attStmt } = bend.attestation ?? { fmt: "none", attStmt: mapItem() };
    const object = mapItem(
      textItem("fmt"),
      textItem(fmt),
      textItem("attStmt"),
      attStmt,
      textItem("authData"),
      bytesItem(authData),
    );
    const id = base64url(credential.id);
    return {
      id,
      rawId: id,
      type: "public-key" as const,
      authenticatorAttachment: "platform",
      clientExtensionResults: {},
      response: {
        clientDataJSON: this.#clientData("webauthn.create", options.challenge, bend),
        attestationObject: base64url(object),
        transports: ["internal", "hybrid"],
      },
    };
  }

  /** Signs with `credential` (the last made) and answers as `navigator.credentials.get()` does. */
  async get(options: RequestLike, bend: Bend = {}, credential = this.credentials.at(-1)) {
    if (credential === undefined) throw new Error("this authenticator has no credential");
    const counter = bend.counter ?? ++credential.counter;
    const authenticatorData = joined(
      await digest(utf8(bend.rpId ?? options.rpId)),
      [bend.flags ?? UP | UV | BE_BS],
      uint32(counter),
    );
    const clientDataJSON = this.#clientData("webauthn.get", options.challenge, bend);
    const signed = joined(
      authenticatorData,
      await digest(fromBase64url(clientDataJSON) ?? new Uint8Array()),
    );
    const id = base64url(credential.id);
    const userHandle = bend.userHandle === undefined ? credential.userHandle : bend.userHandle;
    return {
      id,
      rawId: id,
      type: "public-key" as const,
      authenticatorAttachment: "platform",
      clientExtensionResults: {},
      response: {
        clientDataJSON,
        authenticatorData: base64url(authenticatorData),
        signature: base64url(await sign(bend.signer ?? credential, signed)),
        userHandle,
      },
    };
  }

  #clientData(type: string, challenge: string, bend: Bend): string {
    const data = {
      type: bend.type ?? type,
      challenge: bend.challenge ?? challenge,
      origin: bend.origin ?? this.origin,
      crossOrigin: bend.crossOrigin ?? false,
    };
    return base64url(utf8(JSON.stringify(data)));
  }
}

async function newKey(algorithm: Algorithm): Promise<CryptoKeyPair> {
  const parameters =
    algorithm === "ES256" ? { name: "ECDSA", namedCurve: "P-256" } : { name: "Ed25519" };
  return (await crypto.subtle.generateKey(parameters, true, ["sign", "verify"])) as CryptoKeyPair;
}

async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

const uint32 = (value: number) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff);

/** COSE_Key (RFC 9053 §7). */
async function coseKey({ key, algorithm }: Credential): Promise<Uint8Array> {
  const jwk = (await crypto.subtle.exportKey("jwk", key.publicKey)) as JsonWebKey;
  const x = bytesItem(fromBase64url(jwk.x ?? "") ?? new Uint8Array());
  if (algorithm === "EdDSA")
    return mapItem(int(1), int(1), int(3), int(-8), int(-1), int(6), int(-2), x);
  const y = bytesItem(fromBase64url(jwk.y ?? "") ?? new Uint8Array());
  return mapItem(int(1), int(2), int(3), int(-7), int(-1), int(1), int(-2), x, int(-3), y);
}

async function sign({ key, algorithm }: Credential, data: Uint8Array<ArrayBuffer>) {
  const parameters =
    algorithm === "ES256" ? { name: "ECDSA", hash: "SHA-256" } : { name: "Ed25519" };
  const signature = new Uint8Array(await crypto.subtle.sign(parameters, key.privateKey, data));
  return algorithm === "ES256" ? derSignature(signature) : signature;
}

/** WebAuthn §6.5.5: ECDSA signatures come as ASN.1 DER; WebCrypto makes r and s side by side. */
function derSignature(raw: Uint8Array): Uint8Array {
  const integer = (bytes: Uint8Array) => {
    let from = 0;
    while (from < bytes.length - 1 && bytes[from] === 0) from++;
    const trimmed = bytes.slice(from);
    const value = (trimmed[0] ?? 0) & 0x80 ? joined([0], trimmed) : trimmed;
    return joined([0x02, value.length], value);
  };
  const [r, s] = [integer(raw.slice(0, 32)), integer(raw.slice(32))];
  return joined([0x30, r.length + s.length], r, s);
}
