/** Which address of a box stays, and what becomes of it beside the one that its connection comes from. */

import { describe, expect, it } from "vitest";
import { keptOf } from "../../agent/addresses.ts";
import { ofConnection } from "../../durable-objects/device/name-addresses.ts";
import { keptAddress, parseAddressNotice } from "../../protocol/agent.ts";

/** As `cat /proc/net/if_inet6` shows them. */
const line = (address: string, scope: string, flags: string) =>
  `${address} 02 40 ${scope} ${flags}     eth0`;
const LOOPBACK = line("00000000000000000000000000000001", "10", "80");
const LINK = line("fe80000000000000021122fffe334455", "20", "80");
const TEMPORARY = line("20010db8000100050bad0bad0bad0bad", "00", "01");
const DEPRECATED = line("20010db8000200050211223344556677", "00", "20");
const LOCAL = line("fd120000000000050211223344556677", "00", "80");
const STAYS = line("20010db8000100050211223344556677", "00", "00");

describe("of a Linux box", () => {
  const kept = (lines: string[], trial = true) => keptOf(`${lines.join("\n")}\n`, trial);

  it("the global address that is neither temporary nor on its way out stays", () => {
    const all = [LOOPBACK, LINK, TEMPORARY, DEPRECATED, LOCAL, STAYS];
    expect(kept(all)).toBe("2001:db8:1:5:211:2233:4455:6677");
    expect(kept(all.toReversed())).toBe("2001:db8:1:5:211:2233:4455:6677");
    expect(kept(all, false)).toBeNull();
  });

  it("there may be none", () => {
    expect(kept([LOOPBACK, LINK, TEMPORARY, DEPRECATED, LOCAL])).toBeNull();
    for (const text of ["", "nonsense", STAYS.replace(" 00 ", " "), `x${STAYS}`]) {
      expect(kept([text])).toBeNull();
    }
  });
});

describe("beside where the connection comes from", () => {
  const changes = (from: string | null, stays: string | null) => ofConnection(from, stays, true);
  const set = (text: string) => ({ set: text });

  it("the address that stays counts, in the same network or where there is no other", () => {
    const [temporary, stays] = ["2001:db8:1:5::bad", "2001:db8:1:5::1"];
    expect(changes(temporary, stays)).toEqual({ ipv4: "keep", ipv6: set(stays) });
    expect(changes("203.0.113.4", stays)).toEqual({ ipv4: set("203.0.113.4"), ipv6: set(stays) });
    expect(changes(null, stays)).toEqual({ ipv4: "keep", ipv6: set(stays) });
  });

  it("an address of another network, or of none, does not", () => {
    const from = "2001:db8:1:5::bad";
    for (const stays of [null, "2001:db8:1:6::1", "fd00::1", "10.0.0.1", "nonsense"]) {
      expect([stays, changes(from, stays)]).toEqual([stays, { ipv4: "keep", ipv6: set(from) }]);
    }
    expect(changes("203.0.113.4", "fe80::1")).toEqual({ ipv4: set("203.0.113.4"), ipv6: "keep" });
    expect(changes(null, null)).toEqual({ ipv4: "keep", ipv6: "keep" });
  });
});

describe("what an agent says of it", () => {
  it("is an IPv6 address or nothing", () => {
    expect(parseAddressNotice('{"type":"address","ipv6":"2001:DB8::0:1"}')).toBe("2001:db8::1");
    const other = [
      "",
      "{",
      "null",
      '"address"',
      '{"type":"address"}',
      '{"type":"reach","ipv6":"::1"}',
    ];
    for (const text of [...other, '{"type":"address","ipv6":"10.0.0.1"}', " ".repeat(200)]) {
      expect([text, parseAddressNotice(text)]).toEqual([text, null]);
    }
    expect(keptAddress(null)).toBeNull();
  });
});
