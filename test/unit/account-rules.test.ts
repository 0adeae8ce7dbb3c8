/** What an address and a password must be. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { commonPasswords } from "../../workers/sign-in/common-passwords.ts";
import {
  isStrongPassword,
  normalizeAddress,
  normalizePassword,
} from "../../workers/sign-in/rules.ts";

describe("an address", () => {
  it.each([
    ["ada@example.org", "ada@example.org"],
    ["  Ada.Lovelace+nas@Example.ORG ", "Ada.Lovelace+nas@example.org"],
    ["ada@bücher.example", "ada@xn--bcher-kva.example"],
    ["o'hara@mail.example.co.uk", "o'hara@mail.example.co.uk"],
  ])("%j becomes %j", (text, address) => expect(normalizeAddress(text)).toBe(address));

  it.each([
    "",
    "ada",
    "@example.org",
    "ada@",
    "ada@localhost",
    "ada@127.0.0.1",
    "ada@0x7f.1",
    "ada@[127.0.0.1]",
    "ada@example.org:25",
    "ada@example.org/x",
    "ada@exa mple.org",
    "ada lovelace@example.org",
    "Ada <ada@example.org>",
    "ada@example.org, eve@example.org",
    "ada@example.org;eve@example.org",
    "ada,eve@example.org",
    '"ada eve"@example.org',
    "ada@example.org\r\nBcc: eve@example.org",
    "ada\n@example.org",
    "ada(comment)@example.org",
    "ada@eve@example.org",
    "ada@-example.org",
    "ada@example..org",
    "ada@example.org%00",
    `${"a".repeat(65)}@example.org`,
    `ada@${"a.".repeat(126)}org`,
  ])("refuses %j", (text) => expect(normalizeAddress(text)).toBeNull());

  it("is never two, whatever is typed: no separator, bracket, quote, space or line break passes", () => {
    const parts = fc.constantFrom("ada", "@", "example", ".", "org", ",", ";", "<", ">", '"', " ");
    const text = fc.array(fc.oneof(parts, fc.string({ unit: "binary" })), { maxLength: 10 });
    fc.assert(
      fc.property(text, (pieces) => {
        const address = normalizeAddress(pieces.join(""));
        if (address !== null)
          expect(address).toMatch(/^[^\s,;<>"():\\@[\]]+@[a-z0-9.-]+\.[a-z0-9-]+$/);
      }),
      { numRuns: 2000 },
    );
  });

  it("stays as it is when read again", () => {
    fc.assert(
      fc.property(fc.emailAddress(), (text) => {
        const once = normalizeAddress(text);
        if (once !== null) expect(normalizeAddress(once)).toBe(once);
      }),
    );
  });
});

describe("a password", () => {
  const address = "ada.lovelace@example.org";

  it.each([
    ["nine letters", "short one", false],
    ["ten letters", "short ones", true],
    ["as many as can be", `${"k1 ".repeat(85)}x`, true],
    ["one more", `${"k1 ".repeat(85)}xy`, false],
    ["ten letters of two units each", "🔑🗝️🔒🔓🚪🏠📡💾📷🤖", true],
    ["five letters of two units each", "🔑🔒🚪🏠📡", false],
    ["small letters only", "plain words of one case", true],
    ["digits only", "8203958102", true],
    ["one that everybody tries", "password123", false],
    ["the same in capitals", "PassWord123", false],
    ["the same in full width", "ｐａｓｓｗｏｒｄ１２３", false],
    ["one letter, again and again", "aaaaaaaaaaaa", false],
    ["four letters, again and again", "abcdabcdabcd", false],
    ["its own address", "ada.lovelace@example.org", false],
    ["its own name", "Ada.Lovelace", false],
    ["its own domain", "example.org", false],
  ])("[SEC-4] %s", (_what, password, good) => {
    expect(isStrongPassword(normalizePassword(password), address)).toBe(good);
  });

  it("[SEC-4] is refused for its length or for being common, never for which letters it has", () => {
    const letters = fc.string({ unit: "grapheme", minLength: 14, maxLength: 100 });
    fc.assert(
      fc.property(letters, (text) => {
        const password = normalizePassword(text);
        const length = [...password].length;
        const repeats = /^(.{1,4}?)\1+$/su.test(password.toLowerCase());
        fc.pre(length <= limits.passwordMaxLength && !repeats);
        expect(isStrongPassword(password, address)).toBe(
          length >= limits.passwordMinLength && !commonPasswords.has(password.toLowerCase()),
        );
      }),
    );
  });

  it("is the same however a keyboard composes it", () => {
    expect(normalizePassword("pa\u0308ssword")).toBe(normalizePassword("p\u00e4ssword"));
  });

  it("has a list without entries that its length refuses anyway", () => {
    for (const entry of commonPasswords) expect(entry).toBe(entry.toLowerCase());
    const short = [...commonPasswords].filter((entry) => entry.length < limits.passwordMinLength);
    expect(short).toEqual([]);
    expect(commonPasswords.size).toBeGreaterThan(200);
  });
});
