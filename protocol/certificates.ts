/**
 * Certificates between a device and the cloud (docs/certificates.md): the request that the device makes
 * for a key that never leaves it (PKCS #10, RFC 2986), what a certificate says of itself (RFC 5280), and
 * what the two say to each other. No I/O.
 */

import {
  bitsOf,
  childrenOf,
  type Der,
  DerError,
  der,
  derOid,
  expect,
  oidOf,
  readDer,
  sequenceOf,
  tags,
  timeOf,
} from "./der.ts";
import { base64url } from "./tokens.ts";

const oids = {
  commonName: "2.5.4.3",
  extensionRequest: "1.2.840.113549.1.9.14",
  subjectAltName: "2.5.29.17",
  authorityKeyIdentifier: "2.5.29.35",
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  ecPublicKey: "1.2.840.10045.2.1",
  rsaEncryption: "1.2.840.113549.1.1.1",
} as const;

const curves: Readonly<Record<string, CertifiedKey>> = {
  "1.2.840.10045.3.1.7": "P-256",
  "1.3.132.0.34": "P-384",
};

/** Keys that public authorities certify. */
export type CertifiedKey = "P-256" | "P-384" | "RSA";

const RSA_MIN_BYTES = 256;
const RSA_MAX_BYTES = 512;
/** GeneralName's dNSName (RFC 5280 §4.2.1.6). */
const DNS_NAME = 0x82;
const VERSION = 0xa0;
const ATTRIBUTES = 0xa0;
const EXTENSIONS = 0xa3;
const KEY_IDENTIFIER = 0x80;

/** What a request asks for. */
export interface CertificateRequest {
  /** Lower case, in the request's order, each once. */
  readonly names: readonly string[];
  readonly key: CertifiedKey;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
}

/**
 * Makes a request for `names` without a subject.
 * @param sign ECDSA with SHA-256 by the P-256 key of `spki`; the signature in DER (RFC 3279 §2.2.3)
 */
export async function makeRequest(
  names: readonly string[],
  spki: Uint8Array,
  sign: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array | Promise<Uint8Array>,
): Promise<Uint8Array<ArrayBuffer>> {
  const general = names.map((name) => der(DNS_NAME, new TextEncoder().encode(name)));
  const extension = der(
    tags.sequence,
    derOid(oids.subjectAltName),
    der(tags.octets, der(tags.sequence, ...general)),
  );
  const attribute = der(
    tags.sequence,
    derOid(oids.extensionRequest),
    der(tags.set, der(tags.sequence, extension)),
  );
  const version = der(tags.integer, Uint8Array.of(0));
  const info = der(tags.sequence, version, der(tags.sequence), spki, der(ATTRIBUTES, attribute));
  const algorithm = der(tags.sequence, derOid(oids.ecdsaWithSha256));
  const signature = der(tags.bits, Uint8Array.of(0), await sign(info));
  return der(tags.sequence, info, algorithm, signature);
}

/**
 * Reads a request; null when it is none, asks for anything but names, or is for a key that no authority
 * certifies. That its signature is right the authority checks.
 */
export function readRequest(bytes: Uint8Array): CertificateRequest | null {
  try {
    const [info, , signature, ...more] = sequenceOf(readDer(bytes));
    if (more.length > 0) throw new DerError("three parts");
    bitsOf(signature);
    const [version, subject, spki, attributes] = sequenceOf(info);
    if (expect(version, tags.integer).bytes.join() !== "0" || spki === undefined) return null;
    const key = keyOf(spki);
    const found = [...commonNames(subject), ...requestedNames(expect(attributes, ATTRIBUTES))];
    const names = [...new Set(found.map((name) => name.toLowerCase()))];
    return key === null || names.length === 0 ? null : { names, key, spki: spki.whole };
  } catch (error) {
    if (error instanceof DerError) return null;
    throw error;
  }
}

function keyOf(spki: Der): CertifiedKey | null {
  const [algorithm, key] = sequenceOf(spki);
  const [kind, parameters] = sequenceOf(algorithm);
  const bits = bitsOf(key);
  if (oidOf(kind) === oids.ecPublicKey) return curves[oidOf(parameters)] ?? null;
  if (oidOf(kind) !== oids.rsaEncryption) return null;
  const [modulus] = sequenceOf(readDer(bits));
  const number = expect(modulus, tags.integer).bytes;
  const size = number[0] === 0 ? number.length - 1 : number.length;
  return size >= RSA_MIN_BYTES && size <= RSA_MAX_BYTES ? "RSA" : null;
}

/** A subject may name nothing but hosts, and then by its common name. */
function commonNames(subject: Der | undefined): string[] {
  return sequenceOf(subject).flatMap((part) =>
    childrenOf(expect(part, tags.set)).map((attribute) => {
      const [kind, value] = sequenceOf(attribute);
      if (oidOf(kind) !== oids.commonName || value === undefined) throw new DerError("a name");
      return textOf(value);
    }),
  );
}

function requestedNames(attributes: Der): string[] {
  return childrenOf(attributes).flatMap((attribute) => {
    const [kind, values] = sequenceOf(attribute);
    if (oidOf(kind) !== oids.extensionRequest) return [];
    return childrenOf(expect(values, tags.set)).flatMap((list) =>
      namesAmong(extensionsOf(list), true),
    );
  });
}

type Extensions = ReadonlyMap<string, Uint8Array>;

function extensionsOf(list: Der): Extensions {
  return new Map(
    sequenceOf(list).map((extension) => {
      const parts = sequenceOf(extension);
      return [oidOf(parts[0]), expect(parts.at(-1), tags.octets).bytes];
    }),
  );
}

/** @param only refuses names of other kinds, such as addresses */
function namesAmong(extensions: Extensions, only: boolean): string[] {
  const value = extensions.get(oids.subjectAltName);
  if (value === undefined) return [];
  return sequenceOf(readDer(value)).flatMap((name) => {
    if (name.tag !== DNS_NAME && only) throw new DerError("a name of a host");
    return name.tag === DNS_NAME ? [textOf(name)] : [];
  });
}

const textOf = ({ bytes }: Der) => new TextDecoder("latin1").decode(bytes);

/** What a certificate says of itself. */
export interface CertificateFacts {
  readonly names: readonly string[];
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** What asks for its renewal information (RFC 9773 §4.1); null where it names no authority's key. */
  readonly renewalId: string | null;
  readonly spki: Uint8Array;
}

/** Reads a certificate, DER; null when it is none. */
export function certificateFacts(bytes: Uint8Array): CertificateFacts | null {
  try {
    const [body] = sequenceOf(readDer(bytes));
    const parts = sequenceOf(body);
    const [serial, , , validity, , spki] = parts[0]?.tag === VERSION ? parts.slice(1) : parts;
    const [notBefore, notAfter] = sequenceOf(validity);
    const wrapped = parts.find(({ tag }) => tag === EXTENSIONS);
    const list = wrapped === undefined ? undefined : childrenOf(wrapped)[0];
    const extensions: Extensions = list === undefined ? new Map() : extensionsOf(list);
    return {
      names: namesAmong(extensions, false).map((name) => name.toLowerCase()),
      notBefore: timeOf(notBefore),
      notAfter: timeOf(notAfter),
      renewalId: renewalId(extensions, expect(serial, tags.integer)),
      spki: expect(spki, tags.sequence).whole,
    };
  } catch (error) {
    if (error instanceof DerError) return null;
    throw error;
  }
}

function renewalId(extensions: Extensions, serial: Der): string | null {
  const value = extensions.get(oids.authorityKeyIdentifier);
  if (value === undefined) return null;
  const key = sequenceOf(readDer(value)).find(({ tag }) => tag === KEY_IDENTIFIER);
  if (key === undefined) return null;
  return `${base64url(Uint8Array.from(key.bytes))}.${base64url(Uint8Array.from(serial.bytes))}`;
}

/** The certificates of a PEM file (RFC 7468), DER each, the leaf first; null when it holds none. */
export function pemCertificates(pem: string): Uint8Array<ArrayBuffer>[] | null {
  const pattern = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g;
  try {
    const found = [...pem.matchAll(pattern)].map(([, body = ""]) =>
      Uint8Array.from(atob(body.replaceAll(/\s/g, "")), (char) => char.charCodeAt(0)),
    );
    return found.length === 0 ? null : found;
  } catch {
    return null;
  }
}

/** Where a device asks for a certificate, and how its order stands. */
export const certificatePath = "/api/agent/certificate";

/**
 * - `none`: nothing was asked for
 * - `waiting`: the authority's limit for the zone is used up for now, or an attempt failed and is repeated
 * - `under-way`: the authority is being shown that the name is the device's
 * - `ready`: there is a certificate
 * - `failed`: the authority refused for good, or too often; `problem` says why
 */
export const certificateStates = ["none", "waiting", "under-way", "ready", "failed"] as const;
export type CertificateStatus = (typeof certificateStates)[number];

/** What the cloud answers a device. Times as in RFC 3339. */
export interface CertificateAnswer {
  readonly status: CertificateStatus;
  /** The names that `certificate` or, before there is one, the order is for. */
  readonly names: readonly string[];
  /** PEM, the leaf first; null before there is one, and once it was revoked. */
  readonly certificate: string | null;
  readonly not_after: string | null;
  /** When the device should come with a new request; null without a certificate. */
  readonly renew_at: string | null;
  /** How many orders are before it; null when it does not wait for its turn. */
  readonly queue: number | null;
  /** What went wrong last, in the authority's words. */
  readonly problem: string | null;
  /** Domains of the owner's that lead to the device and may be certified beside its name. */
  readonly domains: readonly string[];
  /** Seconds until asking again can tell more. */
  readonly retry_after: number;
}
