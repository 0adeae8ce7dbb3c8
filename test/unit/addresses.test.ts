/** Which texts are addresses, what each looks like in its one form, and which a public name may show. */

import { BlockList, isIPv4, isIPv6 } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  isInNetwork,
  isPublicAddress,
  joined,
  type Network,
  networkOf,
  networkText,
  parseAddress,
  parseNetwork,
  parsePeer,
} from "../../protocol/addresses.ts";

const isPublic = (text: string, trial = false) => {
  const address = parseAddress(text);
  if (address === null) throw new Error(`${text} is not an address`);
  return isPublicAddress(address, trial);
};

/** The first, a middle and the last address of each range that no public name may show. */
const REFUSED = `
  0.0.0.0 0.255.255.255 10.0.0.0 10.1.2.3 10.255.255.255 100.64.0.0 100.100.1.1 100.127.255.255
  169.254.0.0 169.254.169.254 169.254.255.255 172.16.0.0 172.20.1.1 172.31.255.255 192.0.0.0
  192.0.0.9 192.0.0.255 192.31.196.1 192.52.193.1 192.88.99.0 192.88.99.255 192.168.0.0
  192.168.1.10 192.168.255.255 192.175.48.1 198.18.0.0 198.19.255.255 224.0.0.0 224.0.0.251
  239.255.255.255 240.0.0.0 255.255.255.254 255.255.255.255
  :: ::2 ::ffff:cb00:7104 ::cb00:7104 64:ff9b::cb00:7104 64:ff9b:1::1 100::1 100:0:0:1::1
  2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:2::1 2001:10::1 2001:20::1 2001:30::1
  2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff 2002:cb00:7104::1 2620:4f:8000::1 4000::1 5f00::1 fc00::1
  fd12:3456::1 fe80::1 fec0::1 ff02::1 ff0e::1 2a00:1450:4001:81b::`
  .trim()
  .split(/\s+/);

/** Documentation and loopback. */
const TRIAL = `127.0.0.0 127.0.0.1 127.255.255.255 192.0.2.0 192.0.2.255 198.51.100.0 198.51.100.255
  203.0.113.0 203.0.113.255 ::1 2001:db8::1 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff 3fff::1
  3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff`
  .trim()
  .split(/\s+/);

/** Neighbors of the ranges above, and ordinary addresses. */
const PUBLIC = `1.0.0.0 1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0
  126.255.255.255 128.0.0.0 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255
  192.0.1.0 192.0.3.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 198.51.99.255
  198.51.101.0 203.0.112.255 203.0.114.0 223.255.255.255
  2000::1 2001:200::1 2001:db7:ffff::1 2001:db9::1 2003::1 2606:4700::1111 2a00:1450:4001:81b::200e
  2620:4f:7fff::1 2620:4f:8001::1 3ffe:ffff::1 3fff:1000::1`
  .trim()
  .split(/\s+/);

describe("an address in a public name", () => {
  it.each(REFUSED)("is never %s", (text) => {
    expect([isPublic(text), isPublic(text, true)]).toEqual([false, false]);
  });
  it.each(TRIAL)("is %s only while trying out", (text) => {
    expect([isPublic(text), isPublic(text, true)]).toEqual([false, true]);
  });
  it.each(PUBLIC)("may be %s", (text) => {
    expect([isPublic(text), isPublic(text, true)]).toEqual([true, true]);
  });

  it("agrees with Node's block list on every range, for any address", () => {
    const list = new BlockList();
    for (const [prefix, bits] of [
      ["0.0.0.0", 8],
      ["10.0.0.0", 8],
      ["100.64.0.0", 10],
      ["127.0.0.0", 8],
      ["169.254.0.0", 16],
      ["172.16.0.0", 12],
      ["192.0.0.0", 24],
      ["192.0.2.0", 24],
      ["192.31.196.0", 24],
      ["192.52.193.0", 24],
      ["192.88.99.0", 24],
      ["192.168.0.0", 16],
      ["192.175.48.0", 24],
      ["198.18.0.0", 15],
      ["198.51.100.0", 24],
      ["203.0.113.0", 24],
      ["224.0.0.0", 3],
    ] as const) {
      list.addSubnet(prefix, bits, "ipv4");
    }
    // Half of them near the ranges, where a mask that is wrong by a bit would show.
    const near = fc
      .tuple(fc.constantFrom(...REFUSED, ...TRIAL, ...PUBLIC).filter(isIPv4), fc.nat(31))
      .map(([text, bit]) => {
        const value = text.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
        const flipped = (value ^ (1 << bit)) >>> 0;
        return [24, 16, 8, 0].map((shift) => (flipped >>> shift) & 0xff).join(".");
      });
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), near), (text) => {
        expect(isPublic(text)).toBe(!list.check(text, "ipv4"));
      }),
      { numRuns: 5000 },
    );
  });
});

describe("reading an address", () => {
  it.each([
    ["2001:DB8::1", "2001:db8::1"],
    ["2001:db8:0:0:0:0:0:1", "2001:db8::1"],
    ["2001:0db8:0000:0001:0000:0000:0000:0001", "2001:db8:0:1::1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:db8::0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["1::", "1::"],
    ["192.0.2.1", "192.0.2.1"],
  ])("writes %s as %s (RFC 5952)", (text, canonical) => {
    expect(parseAddress(text)?.text).toBe(canonical);
  });

  it.each(
    `192.0.2 192.0.2.1.1 192.0.2.256 192.0.2.01 0192.0.2.1 0x7f.0.0.1 127.1 2130706433 192.0.2.1:53
    192.0.2.1/32 1.2.3.-4 1.2.3.1e1 ::ffff:192.0.2.1 64:ff9b::192.0.2.1 fe80::1%eth0 [2001:db8::1]
    2001:db8::1/64 2001:db8:::1 2001:db8::1::2 1:2:3:4:5:6:7 1:2:3:4:5:6:7:8:9 1:2:3:4:5:6:7:8::
    ::1:2:3:4:5:6:7:8 12345::1 g::1 : ::: 1: :1 preserve ２００１::1 192.0.2.１`.split(/\s+/),
  )("refuses %s", (text) => {
    expect(parseAddress(text)).toBeNull();
  });

  it("refuses what is empty or has a space, a line or a zero in it", () => {
    for (const text of ["", " ", " 192.0.2.1", "192.0.2.1\n", "192.0.2.1\0", "::1 ", "\t::1"]) {
      expect(parseAddress(text)).toBeNull();
    }
  });

  it("keeps to one form: what is read reads again the same", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const address = parseAddress(text);
        if (address === null) {
          expect(text).toMatch(/:.*\./); // an IPv6 with IPv4 inside
          return;
        }
        expect(address.family === "ipv4" ? isIPv4(address.text) : isIPv6(address.text)).toBe(true);
        expect(parseAddress(address.text)).toEqual(address);
        if (address.family === "ipv6") {
          expect(address.text).toBe(new URL(`http://[${text}]/`).hostname.slice(1, -1));
        }
      }),
      { numRuns: 5000 },
    );
  });

  it("never throws, and reads nothing that Node does not", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-fA-F:.x%]{0,40}$/)), (text) => {
        if (parseAddress(text) !== null) expect(isIPv4(text) || isIPv6(text)).toBe(true);
      }),
      { numRuns: 10_000 },
    );
  });

  it("sees an IPv4 peer through a dual-stack socket", () => {
    expect(parsePeer("::ffff:192.0.2.1")).toEqual({ family: "ipv4", text: "192.0.2.1" });
    for (const hex of ["::ffff:c000:201", "::FFFF:C000:0201", "0:0:0:0:0:ffff:c000:201"]) {
      expect([hex, parsePeer(hex)?.text]).toEqual([hex, "192.0.2.1"]);
    }
    for (const other of ["::c000:201", "::fffe:c000:201", "::1:ffff:c000:201", "2001:db8::1"]) {
      expect([other, parsePeer(other)?.family]).toEqual([other, "ipv6"]);
    }
    expect(parsePeer("::ffff:192.0.2.01")).toBeNull();
    expect(parsePeer("unknown")).toBeNull();
  });

  it("counts an IPv6 subscriber by its /64, an IPv4 one by its address", () => {
    const of = (text: string) => networkOf(parseAddress(text) ?? { family: "ipv4", text: "" });
    expect(of("2001:db8::1")).toBe(of("2001:db8::ffff:0:0:2"));
    expect(of("2001:db8::1")).not.toBe(of("2001:db8:0:1::1"));
    expect(of("192.0.2.1")).not.toBe(of("192.0.2.2"));
  });
});

describe("networks", () => {
  const network = (text: string): Network => {
    const read = parseNetwork(text);
    if (read === null) throw new Error(`${text} is no network`);
    return read;
  };

  it.each([
    ["192.0.2.77", "192.0.2.77"],
    ["192.0.2.77/32", "192.0.2.77"],
    ["192.0.2.77/24", "192.0.2.0/24"],
    ["192.0.2.77/23", "192.0.2.0/23"],
    ["192.0.3.77/0", "0.0.0.0/0"],
    ["2001:DB8:1:2:3:4:5:6/56", "2001:db8:1::/56"],
    ["2001:db8:1:ff:3:4:5:6/59", "2001:db8:1:e0::/59"],
    ["2001:db8::1/128", "2001:db8::1"],
    ["::1/0", "::/0"],
  ])("%s is %s", (text, canonical) => {
    expect(networkText(network(text))).toBe(canonical);
  });

  it.each(["", "/24", "192.0.2.0/33", "192.0.2.0/024", "192.0.2.0/-1", "192.0.2.0/2 4", "::/129"])(
    "%j is none",
    (text) => {
      expect(parseNetwork(text)).toBeNull();
    },
  );

  it("hold the addresses that Node's own list says", () => {
    const v4 = fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 }), fc.ipV4());
    const octet = fc.integer({ min: 0, max: 0xffff }).map((group) => group.toString(16));
    const ip6 = fc.array(octet, { minLength: 8, maxLength: 8 }).map((groups) => groups.join(":"));
    const v6 = fc.tuple(ip6, fc.integer({ min: 0, max: 128 }), ip6);
    fc.assert(
      fc.property(fc.oneof(v4, v6), fc.boolean(), ([base, bits, other], near) => {
        const { family } = network(base);
        const list = new BlockList();
        list.addSubnet(base, bits, family);
        const inside =
          near && family === "ipv6" ? joined(network(`${base}/${bits}`), at(other)) : at(other);
        const held = isInNetwork(inside, network(`${base}/${bits}`));
        expect(held).toBe(list.check(inside.text, family));
        if (near && family === "ipv6") expect(held).toBe(true);
      }),
    );
  });

  const at = (text: string) => {
    const address = parseAddress(text);
    if (address === null) throw new Error(`${text} is no address`);
    return address;
  };

  it("take an interface's own part into another prefix", () => {
    const move = (prefix: string, rest: string) => joined(network(prefix), at(rest)).text;
    expect(move("2001:db8:1::/56", "2001:db8:9:2207:a:b:c:d")).toBe("2001:db8:1:7:a:b:c:d");
    expect(move("2001:db8:1:5::/64", "2001:db8:9:2207:a:b:c:d")).toBe("2001:db8:1:5:a:b:c:d");
    expect(move("2001:db8:1::/0", "2001:db8:9::d")).toBe("2001:db8:9::d");
  });
});
