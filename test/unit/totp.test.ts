/** Codes of an app against RFC 6238's own vectors, and recovery codes as people copy them. */

import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { Secret, TOTP } from "otpauth";
import { describe, expect, it } from "vitest";
import { newRecoveryCode, normalizeRecoveryCode } from "../../workers/sign-in/recovery-codes.ts";
import { newTotpSecret, totpCode, totpStep, totpUri } from "../../workers/sign-in/totp.ts";

const random = (count: number) => new Uint8Array(randomBytes(count));
/** Base32 of the RFC's ASCII secret `12345678901234567890`. */
const SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const STEP_MS = 30_000;

describe("[ACC-12] TOTP", () => {
  // RFC 6238 Appendix B, SHA-1; ours are the last six of its eight digits (RFC 4226 §5.3).
  it.each([
    [59, "94287082", 0x1],
    [1111111109, "07081804", 0x23523ec],
    [1111111111, "14050471", 0x23523ed],
    [1234567890, "89005924", 0x273ef07],
    [2000000000, "69279037", 0x3f940aa],
    [20000000000, "65353130", 0x27bc86aa],
  ])("is RFC 6238's at %s s", (seconds, eight, step) => {
    const code = eight.slice(2);
    expect(totpCode(SECRET, seconds * 1000)).toBe(code);
    expect(totpStep(SECRET, code, seconds * 1000)).toBe(step);
  });

  it("says which time step a code is of, one step each way and no further", () => {
    const at = fc.integer({ min: 10 * STEP_MS, max: 4_000_000_000_000 });
    fc.assert(
      fc.property(at, fc.integer({ min: -4, max: 4 }), (now, steps) => {
        const step = Math.floor(now / STEP_MS) + steps;
        const found = totpStep(SECRET, totpCode(SECRET, now + steps * STEP_MS), now);
        expect(found).toBe(Math.abs(steps) <= 1 ? step : null);
      }),
    );
  });

  it("is what an independent implementation says, for any secret and moment", () => {
    const at = fc.integer({ min: 0, max: 4_000_000_000_000 });
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 20, maxLength: 20 }), at, (bytes, now) => {
        const secret = newTotpSecret(() => new Uint8Array(bytes));
        const theirs = new TOTP({ secret: Secret.fromBase32(secret) });
        expect(theirs.secret.bytes).toEqual(new Uint8Array(bytes));
        expect(totpCode(secret, now)).toBe(theirs.generate({ timestamp: now }));
      }),
    );
  });

  it("takes six digits, also with the space that apps show, and nothing else", () => {
    const [now, code] = [59_000, "287082"];
    expect(totpStep(SECRET, "287 082", now)).toBe(1);
    for (const text of ["", "28708", "2870820", "94287082", "28708a", "-28708", "２８７０８２"]) {
      expect(totpStep(SECRET, text, now)).toBeNull();
    }
    expect(totpStep(SECRET, code, now + 10 * STEP_MS)).toBeNull();
  });

  it("makes secrets of 160 bits, and says in the QR code what an app must know", () => {
    const secrets = [newTotpSecret(random), newTotpSecret(random)];
    expect(secrets[0]).not.toBe(secrets[1]);
    for (const secret of secrets) expect(secret).toMatch(/^[A-Z2-7]{32}$/);
    const uri = new URL(totpUri(SECRET, "ada+x@example.org"));
    expect(uri.protocol + uri.host).toBe("otpauth:totp");
    expect(decodeURIComponent(uri.pathname)).toBe("/Latchkey:ada+x@example.org");
    expect(Object.fromEntries(uri.searchParams)).toEqual({
      issuer: "Latchkey",
      secret: SECRET,
      algorithm: "SHA1",
      digits: "6",
      period: "30",
    });
  });
});

describe("[ACC-12] recovery codes", () => {
  it("have 60 bits, no two alike, in letters that are hard to mix up", () => {
    const codes = Array.from({ length: 500 }, () => newRecoveryCode(random));
    expect(new Set(codes).size).toBe(codes.length);
    const used = new Set(codes.join("").replaceAll("-", ""));
    expect(used.size).toBe(32); // five bits a letter, twelve letters
    for (const code of codes) {
      expect(code).toMatch(/^[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}$/);
      expect(code).not.toMatch(/[ilou]/);
      expect(normalizeRecoveryCode(code)).toBe(code);
    }
  });

  it("are taken as they are copied from paper", () => {
    for (const typed of ["01AB-CD23-4567", " 0lab cd23 4567 ", "OIabcd234567", "o1ab–cd23–4567"]) {
      expect(normalizeRecoveryCode(typed)).toBe("01ab-cd23-4567");
    }
    for (const typed of ["", "01ab-cd23-456", "01ab-cd23-45678", "01ab-cd23-456u", "🔑"]) {
      expect(normalizeRecoveryCode(typed)).toBeNull();
    }
  });
});
