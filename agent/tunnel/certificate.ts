/**
 * The certificate with which a box ends TLS: self-signed, made of the key that the cloud registered.
 * Nobody checks its name or its dates; a visitor compares the key inside with the one it knows, and
 * TLS proves that whoever answers holds it. The key never leaves the box.
 */

import {
  createPrivateKey,
  createPublicKey,
  type JsonWebKeyInput,
  sign,
  type X509Certificate,
} from "node:crypto";
import { AsnConvert } from "@peculiar/asn1-schema";
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  Certificate,
  Name,
  RelativeDistinguishedName,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from "@peculiar/asn1-x509";

/** What `tls.createSecureContext` wants, both as PEM. */
export interface TlsIdentity {
  readonly key: string;
  readonly cert: string;
}

const COMMON_NAME = "2.5.4.3";
const ED25519 = "1.3.101.112"; // RFC 8410 §3
/** RFC 5280 §4.1.2.5: no date after which it ends is meant; the registration ends it. */
const FOREVER = new Date("9999-12-31T23:59:59Z");
const SINCE = new Date("2000-01-01T00:00:00Z");

/** Makes the certificate of an Ed25519 key (RFC 8037 §2). Equal keys make equal certificates. */
export function tlsIdentity(jwk: JsonWebKey): TlsIdentity {
  const key = createPrivateKey({ key: jwk as JsonWebKeyInput["key"], format: "jwk" });
  const spki = createPublicKey(key).export({ type: "spki", format: "der" });
  const algorithm = new AlgorithmIdentifier({ algorithm: ED25519 });
  const name = new Name([
    new RelativeDistinguishedName([
      new AttributeTypeAndValue({
        type: COMMON_NAME,
        value: new AttributeValue({ utf8String: "Latchkey device" }),
      }),
    ]),
  ]);
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: Uint8Array.of(1).buffer,
    signature: algorithm,
    issuer: name,
    subject: name,
    validity: new Validity({ notBefore: SINCE, notAfter: FOREVER }),
    subjectPublicKeyInfo: AsnConvert.parse(spki, SubjectPublicKeyInfo),
  });
  const signature = sign(null, new Uint8Array(AsnConvert.serialize(tbsCertificate)), key);
  const certificate = new Certificate({
    tbsCertificate,
    signatureAlgorithm: algorithm,
    signatureValue: new Uint8Array(signature).buffer,
  });
  return {
    key: key.export({ type: "pkcs8", format: "pem" }) as string,
    cert: pem(new Uint8Array(AsnConvert.serialize(certificate))),
  };
}

function pem(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

/** The Ed25519 key in a peer's certificate, base64url of 32 bytes; null when it is of another kind. */
export function ed25519KeyOf(certificate: X509Certificate | undefined): string | null {
  if (certificate?.publicKey.asymmetricKeyType !== "ed25519") return null;
  return certificate.publicKey.export({ format: "jwk" }).x ?? null;
}
