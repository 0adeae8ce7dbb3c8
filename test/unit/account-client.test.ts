/** What is kept of a client: a name from a closed list and a masked network. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ipv4Octets, ipv6Octets } from "../../protocol/addresses.ts";
import { browserName, limitedNetwork, maskedNetwork } from "../../workers/sign-in/client.ts";

describe("a browser's name", () => {
  it.each([
    ["Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox on Linux"],
    [
      "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
      "Chrome on Windows",
    ],
    [
      "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0",
      "Edge on Windows",
    ],
    [
      "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 OPR/112.0.0.0",
      "Opera on Windows",
    ],
    [
      "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
      "Safari on Mac",
    ],
    [
      "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
      "Safari on iPhone",
    ],
    [
      "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0.6478.54 Mobile/15E148 Safari/604.1",
      "Chrome on iPad",
    ],
    [
      "Mozilla/5.0 (Linux; Android 14; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36",
      "Samsung Internet on Android",
    ],
    [
      "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
      "Chrome on ChromeOS",
    ],
    [
      "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/126.0.0.0 Safari/537.36",
      "Chrome on Linux",
    ],
    ["curl/8.5.0", "curl"],
    ["", "Unknown"],
    [null, "Unknown"],
  ])("%j is %j", (userAgent, name) => expect(browserName(userAgent)).toBe(name));

  it("keeps nothing of the text that a client sends", () => {
    const names =
      /^(Latchkey agent|Edge|Opera|Samsung Internet|Vivaldi|DuckDuckGo|Firefox|Chrome|Safari|curl|Unknown)( on (iPhone|iPad|Android|Windows|ChromeOS|Mac|Linux))?$/;
    const words = fc.constantFrom("Firefox/", "Chrome/", "Safari/", "Linux", "marker-7", "iPhone");
    fc.assert(
      fc.property(fc.array(fc.oneof(words, fc.string())), (parts) => {
        expect(browserName(parts.join(" "))).toMatch(names);
      }),
    );
  });
});

describe("a masked network", () => {
  it.each([
    ["203.0.113.77", "203.0.113.0/24"],
    ["::ffff:203.0.113.77", "203.0.113.0/24"],
    ["2001:db8:ff12:3456::9", "2001:db8:ff00::/40"],
    ["2001:db8:12:3456::9", "2001:db8::/40"],
    ["::1", "::/40"],
    ["not an address", null],
    [null, null],
  ])("of %j is %j", (peer, network) => expect(maskedNetwork(peer)).toBe(network));

  it("says nothing of an IPv4 address past 24 bits", () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.integer({ min: 0, max: 255 }), (peer, last) => {
        const neighbor = peer.replace(/\d+$/, String(last));
        expect(maskedNetwork(neighbor)).toBe(maskedNetwork(peer));
        expect(ipv4Octets((maskedNetwork(peer) ?? "").replace("/24", ""))?.[3]).toBe(0);
      }),
    );
  });

  it("says nothing of an IPv6 address past 40 bits, and all of what is before", () => {
    const octets = fc.uint8Array({ minLength: 16, maxLength: 16 });
    fc.assert(
      fc.property(octets, octets, (one, other) => {
        const neighbor = Uint8Array.from([...one.slice(0, 5), ...other.slice(5)]);
        const masked = maskedNetwork(text(one));
        expect(maskedNetwork(text(neighbor))).toBe(masked);
        const kept = ipv6Octets((masked ?? "").replace("/40", ""));
        expect(kept).toEqual([...one.slice(0, 5), ...Array(11).fill(0)]);
      }),
    );
  });
});

describe("a limited network", () => {
  it("is one IPv4 address, one IPv6 /64, and one for all that is unknown", () => {
    expect(limitedNetwork("203.0.113.7")).not.toBe(limitedNetwork("203.0.113.8"));
    expect(limitedNetwork("2001:db8::1")).toBe(limitedNetwork("2001:db8::ffff:1"));
    expect(limitedNetwork("2001:db8::1")).not.toBe(limitedNetwork("2001:db8:0:1::1"));
    expect(limitedNetwork("::ffff:203.0.113.7")).toBe(limitedNetwork("203.0.113.7"));
    expect(limitedNetwork("::ffff:cb00:7107")).toBe(limitedNetwork("203.0.113.7"));
    expect(limitedNetwork("::ffff:cb00:7107")).not.toBe(limitedNetwork("::ffff:cb00:7108"));
    expect(limitedNetwork(null)).toBe(limitedNetwork("nonsense"));
  });
});

function text(octets: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, at) =>
    ((octets[at * 2] ?? 0) * 256 + (octets[at * 2 + 1] ?? 0)).toString(16),
  );
  return groups.join(":");
}
