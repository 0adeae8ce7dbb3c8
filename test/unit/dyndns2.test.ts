/** dyndns2 as text: what a client asks for, and what no client can break. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isFqdn, planUpdate } from "../../durable-objects/device/dyndns2.ts";
import { readCredentials } from "../../durable-objects/device/name-clients.ts";
import { fuzzDyndns2 } from "../../scripts/fuzz-dyndns2.ts";

const PEER = "198.51.100.7";
const changes = (query: string, peer: string | null = PEER) =>
  planUpdate(new URLSearchParams(query), peer).changes;
const set = (text: string) => ({ set: text });

describe("which addresses change", () => {
  it.each([
    ["", { ipv4: set(PEER), ipv6: "keep" }],
    ["myip=", { ipv4: set(PEER), ipv6: "keep" }],
    ["myip=%20", { ipv4: set(PEER), ipv6: "keep" }],
    ["myip=,", { ipv4: set(PEER), ipv6: "keep" }],
    ["myip=203.0.113.4", { ipv4: set("203.0.113.4"), ipv6: "keep" }],
    ["myip=2001:db8::1", { ipv4: "keep", ipv6: set("2001:db8::1") }],
    ["myip=203.0.113.4,2001:db8::1", { ipv4: set("203.0.113.4"), ipv6: set("2001:db8::1") }],
    ["myip=203.0.113.4&myip=2001:db8::1", { ipv4: set("203.0.113.4"), ipv6: set("2001:db8::1") }],
    ["myip=203.0.113.4,203.0.113.4", { ipv4: set("203.0.113.4"), ipv6: "keep" }],
    [
      "myip=203.0.113.4,2001:db8:1::/56",
      { ipv4: set("203.0.113.4"), ipv6: { prefix: "2001:db8:1::/56" } },
    ],
    ["myipv6=2001:DB8:1:ff::7/59", { ipv4: "keep", ipv6: { prefix: "2001:db8:1:e0::/59" } }],
    ["myip=203.0.113.4&myipv4=203.0.113.4", { ipv4: set("203.0.113.4"), ipv6: "keep" }],
    ["myipv4=203.0.113.4", { ipv4: set("203.0.113.4"), ipv6: "keep" }],
    ["myipv6=2001:DB8:0::1", { ipv4: "keep", ipv6: set("2001:db8::1") }],
    ["myip=&myipv6=2001:db8::1", { ipv4: "keep", ipv6: set("2001:db8::1") }],
    ["myip=203.0.113.4&myipv6=", { ipv4: set("203.0.113.4"), ipv6: "clear" }],
    ["myipv4=", { ipv4: "clear", ipv6: "keep" }],
    ["myipv6=", { ipv4: "keep", ipv6: "clear" }],
    ["myipv4=&myipv6=", { ipv4: "clear", ipv6: "clear" }],
    ["myipv4=203.0.113.4&myipv6=preserve", { ipv4: set("203.0.113.4"), ipv6: "keep" }],
    ["offline=YES&myip=203.0.113.4", { ipv4: "clear", ipv6: "clear" }],
    ["offline=yes", { ipv4: "clear", ipv6: "clear" }],
    ["offline=NO&myip=203.0.113.4", { ipv4: set("203.0.113.4"), ipv6: "keep" }],
  ] as const)("%s", (query, expected) => {
    expect(changes(query)).toEqual(expected);
  });

  it.each([
    "myip=203.0.113.04",
    "myip=203.0.113.4,nonsense",
    "myip=203.0.113.4,203.0.113.5",
    "myip=203.0.113.4&myipv4=203.0.113.5",
    "myipv4=2001:db8::1",
    "myipv6=203.0.113.4",
    "myipv6=::ffff:203.0.113.4",
    "myip=fe80::1%25eth0",
    "myip=203.0.113.4/32",
    "myip=2001:db8::/129",
    "myipv4=2001:db8::/56",
    "myipv6=2001:db8::/56,2001:db8::1",
    "myip=2001:db8:1::/56&myipv6=2001:db8:2::/56",
  ])("%s is a dnserr", (query) => {
    expect(changes(query)).toBeNull();
  });

  it("takes the source from a dual-stack socket, and nothing from nowhere", () => {
    expect(changes("", "::ffff:203.0.113.9")).toEqual({ ipv4: set("203.0.113.9"), ipv6: "keep" });
    expect(changes("", "2001:db8::9")).toEqual({ ipv4: "keep", ipv6: set("2001:db8::9") });
    expect(changes("", null)).toBeNull();
    expect(changes("", "unknown")).toBeNull();
  });

  it("never deletes unless the client says so", () => {
    const odd = fc.constantFrom("myip", "system", "wildcard", "hostname", "mx", "myipv", "offline");
    fc.assert(
      fc.property(fc.array(fc.tuple(odd, fc.string())), (pairs) => {
        fc.pre(!pairs.some(([field, value]) => field === "offline" && /^yes$/i.test(value)));
        const plan = planUpdate(new URLSearchParams(pairs), PEER);
        expect([plan.changes?.ipv4, plan.changes?.ipv6]).not.toContain("clear");
      }),
      { numRuns: 5000 },
    );
  });
});

describe("which hosts", () => {
  const plan = (hosts: string) => planUpdate(new URLSearchParams({ hostname: hosts }), PEER);

  it("keeps the client's order and trims", () => {
    expect(plan("b.example, a.example")).toMatchObject({
      hosts: ["b.example", "a.example"],
      refused: null,
    });
  });
  it("asks for at least one", () => {
    expect([plan("").refused, plan(" ").refused]).toEqual(["notfqdn", "notfqdn"]);
    expect(planUpdate(new URLSearchParams(), PEER).refused).toBe("notfqdn");
  });
  it("takes twenty, and not one more", () => {
    const many = (count: number) => plan(Array(count).fill("nas.ddns.test").join(",")).refused;
    expect([many(20), many(21)]).toEqual([null, "numhost"]);
  });
  it.each(["nas.ddns.test", "NAS.ddns.test.", "_x.ddns.test", "a.b"])("%s is a name", (host) => {
    expect(isFqdn(host)).toBe(true);
  });
  it.each([
    "nas",
    "nas.",
    ".test",
    "nas..test",
    "-nas.test",
    "nas-.test",
    "n as.test",
    "",
    "a.b\n",
  ])("%j is no name", (host) => {
    expect(isFqdn(host)).toBe(false);
  });
});

describe("credentials", () => {
  const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;

  it("reads user and password, where the password may hold colons", () => {
    expect(readCredentials(basic("nas.ddns.test:a:b"))).toEqual({
      user: "nas.ddns.test",
      password: "a:b",
    });
    expect(readCredentials(basic("ü:ö").replace("Basic", "basic"))).toEqual({
      user: "ü",
      password: "ö",
    });
  });
  it.each([
    null,
    "",
    "Basic",
    "Basic ",
    "Bearer abc",
    "Basic !!!",
    "Basic YQ",
    basic("nocolon"),
    basic(":password"),
    `Basic ${Buffer.from([0xff, 0x3a, 0xff]).toString("base64")}`,
    `Basic ${"A".repeat(10_000)}`,
  ])("finds none in %j", (header) => {
    expect(readCredentials(header)).toBeNull();
  });
  it("never throws", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        readCredentials(text);
        readCredentials(`Basic ${text}`);
      }),
      { numRuns: 5000 },
    );
  });
});

it("makes nothing wrong of any request (npm run fuzz:dyndns2 tries a million)", () => {
  expect(fuzzDyndns2(20_000, 7)).toEqual([]);
});
