/** Bearer secrets: their checksum and what is refused before any query. */

import { expect, it } from "vitest";
import { systemRandom } from "../../durable-objects/system.ts";
import { crc32, crc32OfAscii, newToken, parseToken } from "../../protocol/tokens.ts";

it("has the check value of CRC-32 (ISO 3309), of bytes and of texts", () => {
  const bytes = new TextEncoder().encode("123456789");
  expect([crc32(bytes), crc32OfAscii("123456789")]).toEqual([0xcbf43926, 0xcbf43926]);
  expect([crc32(new Uint8Array()), crc32OfAscii("")]).toEqual([0, 0]);
  for (const text of ["é", "lk_\u0100", "\u{1f511}"]) {
    expect(() => crc32OfAscii(text)).toThrow(RangeError);
  }
});

it("knows a token of its kind by its checksum, and takes no other text for one", () => {
  const token = newToken("ses", "home", systemRandom.bytes);
  expect(parseToken("ses", token)).toEqual({ region: "home" });
  expect(parseToken("pat", token)).toBeNull();
  for (let at = 0; at < token.length; at++) {
    for (const char of [token[at] === "a" ? "b" : "a", "é", "\u0100"]) {
      expect(parseToken("ses", token.slice(0, at) + char + token.slice(at + 1))).toBeNull();
    }
  }
  // Made long ago: the form is for ever.
  const kept = "lk_ses_home_0000000000000000000000000000000000000000000";
  const sum = newToken("ses", "home", () => new Uint8Array(200));
  expect(sum.startsWith(kept)).toBe(true);
  expect(parseToken("ses", sum)).toEqual({ region: "home" });
});
