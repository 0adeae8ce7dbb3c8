/** Requests and certificates as bytes: made, read, and refused when they are not what they should be. */

import { execFileSync } from "node:child_process";
import { generateKeyPairSync, sign, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import {
  certificateFacts,
  makeRequest,
  pemCertificates,
  readRequest,
} from "../../protocol/certificates.ts";
import { der, derOid, oidOf, readDer, tags } from "../../protocol/der.ts";
import { certificateBody } from "../support/authority.ts";

const folder = mkdtempSync(join(tmpdir(), "latchkey-certificates-"));
afterAll(() => rmSync(folder, { recursive: true }));

const openssl = (...args: string[]) =>
  execFileSync("openssl", args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });

/** A request that openssl makes, DER. */
function opensslRequest(key: string[], ...more: string[]): Uint8Array {
  const names = ["-subj", "/", "-addext", "subjectAltName=DNS:Nas.ddns.test,DNS:*.nas.ddns.test"];
  openssl(
    "req",
    "-new",
    "-nodes",
    "-keyout",
    "k",
    "-outform",
    "DER",
    "-out",
    "r",
    ...key,
    ...(more.length === 0 ? names : more),
  );
  return new Uint8Array(readFileSync(join(folder, "r")));
}
const P256 = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

function ownKey() {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const spki = new Uint8Array(publicKey.export({ type: "spki", format: "der" }));
  return { spki, sign: (bytes: Uint8Array) => sign("sha256", bytes, privateKey) };
}

describe("a request", () => {
  it("that we make is one for openssl: signed, and for exactly these names", async () => {
    const key = ownKey();
    const names = ["nas.ddns.test", "*.nas.ddns.test"];
    const request = await makeRequest(names, key.spki, key.sign);
    writeFileSync(join(folder, "own"), request);
    const text = String(
      openssl("req", "-verify", "-inform", "DER", "-in", "own", "-noout", "-text"),
    );
    expect(text).toContain("DNS:nas.ddns.test, DNS:*.nas.ddns.test");
    expect(readRequest(request)).toEqual({ names, key: "P-256", spki: key.spki });
  });

  it.each([
    ["P-256", P256],
    ["P-384", ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"]],
    ["RSA", ["-newkey", "rsa:2048"]],
  ])("that openssl makes with %s is read, its names in lower case", (kind, key) => {
    const read = readRequest(opensslRequest(key));
    expect(read).toMatchObject({ key: kind, names: ["nas.ddns.test", "*.nas.ddns.test"] });
  });

  it("may name the host by its common name alone", () => {
    expect(
      readRequest(
        opensslRequest(P256, "-subj", "/CN=nas.ddns.test", "-addext", "keyUsage=digitalSignature"),
      )?.names,
    ).toEqual(["nas.ddns.test"]);
  });

  it.each([
    ["for an address", ["-subj", "/", "-addext", "subjectAltName=IP:192.0.2.1"]],
    ["with an organization", ["-subj", "/O=Someone", "-addext", "subjectAltName=DNS:a.b"]],
    ["without a name", ["-subj", "/", "-addext", "keyUsage=digitalSignature"]],
  ])("%s is refused", (_, more) => {
    expect(readRequest(opensslRequest(P256, ...more))).toBeNull();
  });

  it.each([
    ["a short RSA key", ["-newkey", "rsa:1024"]],
    ["Ed25519, which no authority certifies", ["-newkey", "ed25519"]],
  ])("for %s is refused", (_, key) => {
    expect(readRequest(opensslRequest(key))).toBeNull();
  });

  it("cut, lengthened or changed is read or refused, and nothing is thrown", async () => {
    const key = ownKey();
    const whole = await makeRequest(["nas.ddns.test"], key.spki, key.sign);
    for (let length = 0; length < whole.length; length++) {
      expect(readRequest(whole.subarray(0, length))).toBeNull();
    }
    expect(readRequest(Uint8Array.from([...whole, 0]))).toBeNull();
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (changes) => {
          const bytes = Uint8Array.from(whole);
          for (const [at, byte] of changes) bytes[at] = byte;
          readRequest(bytes);
          certificateFacts(bytes);
        },
      ),
      { numRuns: 3000 },
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => void readRequest(bytes)));
  });
});

describe("a certificate", () => {
  it("says its names, times and key as Node reads them", () => {
    openssl(
      "req",
      "-x509",
      "-nodes",
      "-newkey",
      "rsa:2048",
      "-keyout",
      "k",
      "-out",
      "c",
      "-days",
      "90",
      "-subj",
      "/CN=x",
      "-addext",
      "subjectAltName=DNS:nas.ddns.test,DNS:*.nas.ddns.test",
    );
    const pem = readFileSync(join(folder, "c"), "utf8");
    const [bytes] = pemCertificates(pem) ?? [];
    const facts = certificateFacts(bytes as Uint8Array);
    const read = new X509Certificate(pem);
    expect(facts).toMatchObject({
      names: ["nas.ddns.test", "*.nas.ddns.test"],
      notBefore: Date.parse(read.validFrom),
      notAfter: Date.parse(read.validTo),
    });
    const spki = read.publicKey.export({ type: "spki", format: "der" });
    expect(facts?.spki).toEqual(new Uint8Array(spki));
  });

  it("has the renewal id of RFC 9773 §4.1", () => {
    const bytes = (hex: string) =>
      Uint8Array.from(hex.split(":"), (byte) => Number.parseInt(byte, 16));
    const authority = bytes("69:88:5B:6B:87:46:40:41:E1:B3:7B:84:7B:A0:AE:2C:DE:01:C8:D4");
    const body = certificateBody(["a.b"], ownKey().spki, bytes("00:87:65:43:21"), 0, authority);
    const whole = der(tags.sequence, body);
    expect(certificateFacts(whole)?.renewalId).toBe("aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
  });

  it("that is none is null, in PEM too", () => {
    expect(certificateFacts(new Uint8Array())).toBeNull();
    expect(pemCertificates("no certificate")).toBeNull();
    expect(pemCertificates("-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----")).toBeNull();
  });
});

describe("DER", () => {
  it.each(["1.2.840.113549.1.9.14", "2.5.29.17", "2.999.3", "0.0"])("keeps %s", (oid) => {
    expect(oidOf(readDer(derOid(oid)))).toBe(oid);
  });

  it.each([
    ["a length that is not the shortest", [0x04, 0x81, 0x01, 0x00]],
    ["an endless length", [0x30, 0x80, 0x00, 0x00]],
    ["more behind the end", [0x05, 0x00, 0x05, 0x00]],
    ["a length beyond the end", [0x04, 0x05, 0x00]],
  ])("refuses %s", (_, bytes) => {
    expect(() => readDer(Uint8Array.from(bytes))).toThrow("");
  });
});
