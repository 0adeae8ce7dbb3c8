/** The range of a password and what is read from the service's answer; short codes. */

import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { isInRange, sha1 } from "../../workers/sign-in/breached.ts";
import { newCode, typedCode } from "../../workers/sign-in/codes.ts";

/** The service's published example: "password" is in the range 5BAA6. */
const SUFFIX = "1E4C9B93F3F0682250B6CF8331B7EE68FD8";
const RANGE = [
  "1D2DA4053E34E76F6576ED1DA63134B5E2A:2",
  "1D72CD07550416C216D8AD296BF5C0AE8E0:10",
  `${SUFFIX}:10437277`,
  "1E4C9B93F3F0682250B6CF8331B7EE68FD9:3",
  "1F2B668E8AABEF1C59E9EC6F82E3F3CD786:0",
].join("\r\n");

describe("[SEC-4] a breached password", () => {
  it("is named by the SHA-1 that the service publishes for its example", async () => {
    expect(await sha1("password")).toBe(`5BAA6${SUFFIX}`);
  });

  it("is found by its whole suffix only", () => {
    expect(isInRange(RANGE, SUFFIX)).toBe(true);
    expect(isInRange(RANGE.toLowerCase(), SUFFIX)).toBe(true);
    expect(isInRange(RANGE, SUFFIX.replace("8FD8", "8FD7"))).toBe(false);
    expect(isInRange(RANGE, SUFFIX.slice(0, 10))).toBe(false);
    expect(isInRange(RANGE, "")).toBe(false);
  });

  it("is not one that only pads the answer", () => {
    expect(isInRange(RANGE, "1F2B668E8AABEF1C59E9EC6F82E3F3CD786")).toBe(false);
    for (const odd of [`${SUFFIX}:`, `${SUFFIX}:x`, `${SUFFIX}:-1`, SUFFIX, `${SUFFIX}:00`]) {
      expect(isInRange(odd, SUFFIX)).toBe(false);
    }
  });

  it.each(["", "<html>not a range</html>", "\u0000"])("is not found in %j", (answer) => {
    expect(isInRange(answer, SUFFIX)).toBe(false);
  });
});

describe("a code to type", () => {
  it("has six digits, each as likely as any other", () => {
    const counts = new Map<string, number>();
    const random = { bytes: (count: number) => new Uint8Array(randomBytes(count)) };
    for (let round = 0; round < 5000; round++) {
      const code = newCode(random);
      expect(code).toMatch(/^[0-9]{6}$/);
      for (const digit of code) counts.set(digit, (counts.get(digit) ?? 0) + 1);
    }
    // 30,000 digits: 3,000 of each, give or take eight standard deviations.
    for (const count of counts.values()) expect(Math.abs(count - 3000)).toBeLessThan(420);
    expect(counts.size).toBe(10);
  });

  it("favors no digit where bytes are left over", () => {
    const bytes = (count: number) => Uint8Array.from({ length: count }, (_, at) => 250 + (at % 7));
    // 250 to 255 are passed over; what comes round to 256 is 0.
    expect(newCode({ bytes: (count) => bytes(count) })).toBe("000000");
  });

  it("may be typed with blanks and hyphens", () => {
    expect(typedCode(" 123 456 ")).toBe("123456");
    expect(typedCode("123-456")).toBe("123456");
  });
});
