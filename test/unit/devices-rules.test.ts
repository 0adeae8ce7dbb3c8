/** Enrolment's decisions: codes that people type, polls that come too soon, fingerprints to compare. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { keyFingerprint } from "../../protocol/agent.ts";
import { limits } from "../../protocol/limits.ts";
import { base64url } from "../../protocol/tokens.ts";
import {
  formatUserCode,
  isOver,
  isPublicKey,
  judgePoll,
  newUserCode,
  parseUserCode,
} from "../../workers/devices/rules.ts";

const strong = (count: number) => crypto.getRandomValues(new Uint8Array(count));

describe("a user code", () => {
  it("is eight consonants of RFC 8628 §6.1, and none more likely than another", () => {
    const seen = new Map<string, number>();
    const rounds = 5000;
    for (let round = 0; round < rounds; round++) {
      const code = newUserCode(strong);
      expect(code).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{8}$/);
      for (const letter of code) seen.set(letter, (seen.get(letter) ?? 0) + 1);
    }
    expect(seen.size).toBe(20);
    const expected = (rounds * 8) / 20;
    for (const count of seen.values()) {
      expect(Math.abs(count - expected)).toBeLessThan(6 * Math.sqrt(expected));
    }
  });

  it("draws again for bytes that would favor the first letters", () => {
    const bytes = [240, 255, 0, 1, 2, 3, 250, 4, 19, 20, 39];
    expect(newUserCode(() => Uint8Array.from(bytes))).toBe("BCDFGZBZ");
  });

  it("is read in whatever case and with whatever between its letters", () => {
    for (const typed of ["BCDF-GHJK", "bcdfghjk", " bcdf ghjk ", "B.C.D.F–GHJK"]) {
      expect(parseUserCode(typed)).toBe("BCDFGHJK");
    }
    for (const typed of ["", "BCDF", "BCDF-GHJKL", "ABCD-EFGH", "BCDF-GHJ1", "💥"]) {
      expect(parseUserCode(typed)).toBeNull();
    }
  });

  it("comes back from its printed form, and nothing typed throws", () => {
    fc.assert(
      fc.property(fc.string(), (typed) => {
        const code = parseUserCode(typed);
        if (code !== null) expect(parseUserCode(formatUserCode(code))).toBe(code);
      }),
    );
    const code = newUserCode(strong);
    expect(parseUserCode(formatUserCode(code).toLowerCase())).toBe(code);
  });
});

describe("a poll", () => {
  const intervalMs = limits.enrolmentIntervalMs;
  it("that keeps the interval waits on", () => {
    const verdict = judgePoll({ polledAt: 10_000, intervalMs }, 10_000 + intervalMs);
    expect(verdict).toEqual({ error: "authorization_pending", intervalMs });
  });

  it("may be early by what networks are early by, and no more", () => {
    const early = 10_000 + intervalMs - limits.enrolmentSlackMs;
    expect(judgePoll({ polledAt: 10_000, intervalMs }, early).error).toBe("authorization_pending");
    expect(judgePoll({ polledAt: 10_000, intervalMs }, early - 1).error).toBe("slow_down");
  });

  it("that is too soon adds five seconds each time (RFC 8628 §3.5)", () => {
    const first = judgePoll({ polledAt: 10_000, intervalMs }, 10_001);
    expect(first).toEqual({ error: "slow_down", intervalMs: intervalMs + 5000 });
    const again = judgePoll({ polledAt: 10_001, intervalMs: first.intervalMs }, 10_002);
    expect(again.intervalMs).toBe(intervalMs + 10_000);
  });
});

it("a public key is 32 bytes of base64url and nothing else", () => {
  expect(isPublicKey(base64url(strong(32)))).toBe(true);
  for (const text of ["", "A".repeat(42), "A".repeat(44), `${"A".repeat(42)}+`, "=".repeat(43)]) {
    expect(isPublicKey(text)).toBe(false);
  }
});

it("a fingerprint is four groups that differ from key to key", async () => {
  const [one, other] = [base64url(strong(32)), base64url(strong(32))];
  expect(await keyFingerprint(one)).toMatch(/^([0-9a-f]{4} ){3}[0-9a-f]{4}$/);
  expect(await keyFingerprint(one)).toBe(await keyFingerprint(one));
  expect(await keyFingerprint(one)).not.toBe(await keyFingerprint(other));
});

it("an approval counts as broken off only when it can no longer be under way", () => {
  const device = { createdAt: 1000, endsAt: null };
  expect(isOver(device, 1000 + limits.enrolmentMs)).toBe(false);
  expect(isOver(device, 1001 + limits.enrolmentMs)).toBe(true);
  expect(isOver({ ...device, endsAt: 1000 }, 1000)).toBe(true);
});
