/** The reader of signatures in the bundle, against what Node's OpenSSL writes and takes. */

import { generateKeyPairSync, randomBytes, sign, verify } from "node:crypto";
import { describe, expect, it } from "vitest";
import { AsnParser, ECDSASigValue } from "../../workers/sign-in/ecdsa-signature.ts";

const ours = (der: Uint8Array<ArrayBuffer>) => AsnParser.parse(der, ECDSASigValue);
const curves = Object.entries({ "P-256": 32, "P-384": 48, "P-521": 66 }).map(([name, length]) => ({
  name,
  length,
  ...generateKeyPairSync("ec", { namedCurve: name }),
}));

/** The one way to write a signature in DER. */
function written({ r, s }: ReturnType<typeof ours>): Buffer {
  const content = Buffer.concat([r, s].map((n) => Buffer.from([2, n.length, ...n])));
  const length = content.length > 0x7f ? [0x81, content.length] : [content.length];
  return Buffer.from([0x30, ...length, ...content]);
}
const padded = (n: Uint8Array, length: number) =>
  Buffer.from(n)
    .toString("hex")
    .replace(/^(00)+/, "")
    .padStart(length * 2, "0");

describe("a signature in DER", () => {
  it.each(curves)("of $name is read", ({ publicKey, privateKey, length }) => {
    for (let i = 0; i < 100; i++) {
      const message = randomBytes(20);
      const { r, s } = ours(new Uint8Array(sign("sha256", message, privateKey)));
      const flat = Buffer.from(padded(r, length) + padded(s, length), "hex");
      const key = { key: publicKey, dsaEncoding: "ieee-p1363" } as const;
      expect(verify("sha256", message, key, flat)).toBe(true);
    }
  });

  it("has one form: what is read is what would be written", () => {
    const seen = { read: 0, refused: 0 };
    for (let i = 0; i < 3000; i++) {
      const { privateKey } = curves[i % curves.length] as (typeof curves)[number];
      const der = new Uint8Array(sign("sha256", randomBytes(20), privateKey));
      const [at = 0, bits = 0] = randomBytes(2);
      const place = at % (i % 2 === 0 ? der.length : 8);
      der[place] = (der[place] ?? 0) ^ bits;
      try {
        expect(written(ours(der))).toEqual(Buffer.from(der));
        seen.read++;
      } catch (error) {
        if (!/^(?:not|cut)/.test((error as Error).message)) throw error;
        seen.refused++;
      }
    }
    expect(seen.read).toBeGreaterThan(500);
    expect(seen.refused).toBeGreaterThan(500);
  }, 60_000);

  it.each([
    ["nothing", ""],
    ["another type", "040401020304"],
    ["only r", "3003020101"],
    ["a third number", "3009020101020101020101"],
    ["bytes after it", "300602010102010100"],
    ["a number below zero", "3006020181020101"],
    ["an empty number", "30050200020101"],
    ["a padded number", "300702020001020101"],
    ["a longer length than needed", "308106020101020101"],
    ["an endless length", "3080020101020101"],
    ["more than there is", "3007020101020101"],
  ])("is refused when it is %s", (_, hex) => {
    expect(() => ours(new Uint8Array(Buffer.from(hex, "hex")))).toThrow();
  });

  it("is all that is read", () => {
    expect(() => AsnParser.parse(new Uint8Array([0x30, 0]), class Certificate {})).toThrow("only");
  });
});
