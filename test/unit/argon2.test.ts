/** Password hashes against Node's own argon2id, and their cost against OWASP's. */

import { argon2Sync, randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hashPassword, verifyPassword } from "../../workers/sign-in/argon2.ts";

const random = (count: number) => new Uint8Array(randomBytes(count));

/** What Node computes for the same password and salt. */
function oracle(phc: string, password: string): string {
  const [, , , , salt] = phc.split("$");
  return argon2Sync("argon2id", {
    message: Buffer.from(password, "utf8"),
    nonce: Buffer.from(salt ?? "", "base64"),
    memory: 19_456,
    passes: 2,
    parallelism: 1,
    tagLength: 32,
  })
    .toString("base64")
    .replaceAll("=", "");
}

describe("argon2id", () => {
  it("[ACC-12] costs what OWASP asks for: 19 MiB, two passes, one lane, a salt of its own", () => {
    const hashes = [hashPassword("correct horse", random), hashPassword("correct horse", random)];
    for (const phc of hashes) {
      expect(phc).toMatch(
        /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/,
      );
    }
    expect(hashes[0]).not.toBe(hashes[1]);
  });

  it("equals Node's digest for any password, also outside ASCII", { timeout: 30_000 }, () => {
    const password = fc.oneof(
      fc.string({ unit: "binary", maxLength: 64 }),
      fc.constantFrom("", "пароль-пароль", "密碼密碼密碼密碼密碼", "🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑", "a\0b"),
    );
    fc.assert(
      fc.property(password, (text) => {
        const phc = hashPassword(text, random);
        expect(phc.split("$")[5]).toBe(oracle(phc, text));
        expect(verifyPassword(phc, text)).toBe(true);
      }),
      { numRuns: 25 },
    );
  });

  it("tells passwords apart that differ in their last letter only", () => {
    const phc = hashPassword("密碼密碼密碼密碼密碼", random);
    expect(verifyPassword(phc, "密碼密碼密碼密碼密馬")).toBe(false);
    expect(verifyPassword(phc, "")).toBe(false);
  });

  it("refuses what is no hash", () => {
    expect(() => verifyPassword("$argon2id$nonsense", "password")).toThrow();
  });
});
