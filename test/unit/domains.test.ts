/** Whether a domain leads to a device, and what is made of that: the rules, without a resolver. */

import { describe, expect, it } from "vitest";
import type { OwnDomain } from "../../durable-objects/device/domains-rpc.ts";
import type { Lookup, Reply } from "../../protocol/dns/reply.ts";
import { DAY, HOUR, limits } from "../../protocol/limits.ts";
import { readConfig } from "../../workers/config.ts";
import {
  afterLook,
  type Checked,
  certifiableDomains,
  checkDomain,
  domainFrom,
  type Look,
  nextLook,
} from "../../workers/name/domains-check.ts";

const target = {
  hosts: ["nas.ddns.test", "box.ddns.test"],
  addresses: ["192.0.2.7", "2001:db8::7"],
};
const PROOF = { "_acme-challenge.own.test": "CNAME _acme-challenge.nas.ddns.test" };

/** A resolver that knows these; `!2` is a code, `?` no answer. Names that are not there do not exist. */
function resolver(zone: Readonly<Record<string, string>>) {
  const asked: string[] = [];
  const look: Look = async (name: string, type: Lookup): Promise<Reply | null> => {
    asked.push(`${name} ${type}`);
    const said = zone[name];
    if (said === "?") return null;
    if (said?.startsWith("!")) return { rcode: Number(said.slice(1)), records: [] };
    if (said === undefined) return { rcode: 3, records: [] };
    const records = said.split(" | ").map((one) => {
      const [kind, value = ""] = one.split(" ");
      return { name, type: kind as Lookup, value };
    });
    return { rcode: 0, records: records.filter((one) => one.type === type) };
  };
  return { look, asked };
}

const verdictOf = async (zone: Readonly<Record<string, string>>, to = target) => {
  const { verdict, certifiable } = await checkDomain("own.test", to, resolver(zone).look);
  return [verdict, certifiable];
};

describe("a domain", () => {
  it.each<[string, Readonly<Record<string, string>>, string, boolean | null]>([
    ["another name for the device's", { "own.test": "CNAME nas.ddns.test" }, "here", false],
    ["another name for its second", { "own.test": "CNAME box.ddns.test" }, "here", false],
    ["the same, and proved", { "own.test": "CNAME nas.ddns.test", ...PROOF }, "here", true],
    [
      "another name over three others",
      {
        "own.test": "CNAME a.test",
        "a.test": "CNAME b.test",
        "b.test": "CNAME nas.ddns.test",
      },
      "here",
      false,
    ],
    ["one for another device's name", { "own.test": "CNAME tv.ddns.test" }, "elsewhere", false],
    ["one below the device's", { "own.test": "CNAME www.nas.ddns.test" }, "elsewhere", false],
    ["a circle", { "own.test": "CNAME a.test", "a.test": "CNAME own.test" }, "loop", false],
    ["itself", { "own.test": "CNAME own.test" }, "loop", false],
    ["nothing", {}, "unset", false],
    ["there with nothing of use", { "own.test": "TXT hello" }, "unset", false],
    ["at name servers that fail", { "own.test": "!2" }, "broken", false],
    ["refused", { "own.test": "!5" }, "broken", false],
    ["answered with junk, or not", { "own.test": "?" }, "silent", false],
    ["not answered behind a CNAME", { "own.test": "CNAME a.test", "a.test": "?" }, "silent", false],
    ["the same address, unproved", { "own.test": "A 192.0.2.7" }, "unproved", false],
    ["the same address, proved", { "own.test": "A 192.0.2.7", ...PROOF }, "here", true],
    ["both, proved", { "own.test": "A 192.0.2.7 | AAAA 2001:db8::7", ...PROOF }, "here", true],
    [
      "proved for another device",
      {
        "own.test": "A 192.0.2.7",
        "_acme-challenge.own.test": "CNAME _acme-challenge.tv.ddns.test",
      },
      "unproved",
      false,
    ],
    [
      "one address more than ours",
      { "own.test": "A 192.0.2.7 | A 192.0.2.8", ...PROOF },
      "other-address",
      true,
    ],
    ["elsewhere by address", { "own.test": "AAAA 2001:db8::8" }, "other-address", false],
    [
      "at our address while the proof is not answered",
      { "own.test": "A 192.0.2.7", "_acme-challenge.own.test": "?" },
      "silent",
      null,
    ],
    [
      "at our address while the proof's servers fail",
      { "own.test": "A 192.0.2.7", "_acme-challenge.own.test": "!2" },
      "broken",
      null,
    ],
  ])("that is %s", async (_, zone, verdict, certifiable) => {
    expect(await verdictOf(zone)).toEqual([verdict, certifiable]);
  });

  it("cannot be compared with a name that has no address now", async () => {
    const none = { ...target, addresses: [] };
    expect(await verdictOf({ "own.test": "A 192.0.2.7", ...PROOF }, none)).toEqual([
      ...["no-address", true],
    ]);
    expect(await verdictOf({ "own.test": "CNAME nas.ddns.test" }, none)).toEqual(["here", false]);
  });

  it("asks so many questions and no more, however long the way is", async () => {
    const long = Object.fromEntries(
      Array.from({ length: 100 }, (_, at) => [
        at === 0 ? "own.test" : `n${at}.test`,
        `CNAME n${at + 1}.test`,
      ]),
    );
    const { look, asked } = resolver(long);
    expect((await checkDomain("own.test", target, look)).verdict).toBe("loop");
    expect(asked).toHaveLength(limits.domainChain + 1);
  });

  it("says what was asked and what came", async () => {
    const zone = { "own.test": "A 192.0.2.9" };
    const { steps } = await checkDomain("own.test", target, resolver(zone).look);
    expect(steps).toEqual([
      { name: "_acme-challenge.own.test", type: "CNAME", values: [], said: "no-name" },
      { name: "own.test", type: "CNAME", values: [], said: "answer" },
      { name: "own.test", type: "A", values: ["192.0.2.9"], said: "answer" },
      { name: "own.test", type: "AAAA", values: [], said: "answer" },
    ]);
  });

  it("believes an answer about the name that was asked for alone", async () => {
    const look: Look = async () => ({
      rcode: 0,
      records: [{ name: "other.test", type: "CNAME", value: "nas.ddns.test" }],
    });
    expect((await checkDomain("own.test", target, look)).verdict).toBe("unset");
  });
});

const at = 1_800_000_000_000;
const fresh: OwnDomain = {
  ...{ name: "own.test", addedAt: at, seen: null, since: null, certifiable: false },
  ...{ lostAt: null, tries: 0, misses: 0, silences: 0, dueAt: at },
};
const saw = (verdict: Checked["verdict"], certifiable: boolean | null = true): Checked => ({
  ...{ verdict, certifiable, steps: [] },
});

describe("what is made of a look", () => {
  it("leads here from the first time on, and is looked at daily", () => {
    const first = afterLook(fresh, saw("here"), at);
    expect(first).toMatchObject({ news: "here", domain: { since: at, dueAt: at + DAY } });
    const second = afterLook(first.domain, saw("here"), at + DAY);
    expect(second).toMatchObject({ news: null, domain: { since: at, dueAt: at + 2 * DAY } });
    expect(certifiableDomains([second.domain])).toEqual(["own.test"]);
    expect(certifiableDomains([{ ...second.domain, certifiable: false }, fresh])).toEqual([]);
  });

  it("is asked for more and more seldom where it was never set, and not for ever", () => {
    let [domain, now] = [fresh, at];
    const waits: number[] = [];
    while (domain.dueAt !== null) {
      now = domain.dueAt;
      domain = afterLook(domain, saw("unset"), now).domain;
      if (domain.dueAt !== null) waits.push((domain.dueAt - now) / HOUR);
    }
    expect(waits.slice(0, 7)).toEqual([1, 2, 4, 8, 16, 24, 24]);
    expect(now - at).toBeLessThanOrEqual(limits.domainUnsetMs);
    expect(waits.length).toBeLessThan(40);
    expect(afterLook(domain, saw("here"), now + DAY)).toMatchObject({ news: "here" });
  });

  it("is lost after three looks, still counts for a week, and is over then", () => {
    let { domain } = afterLook(fresh, saw("here"), at);
    const told: (string | null)[] = [];
    let now = at;
    while (domain.dueAt !== null) {
      now = domain.dueAt;
      const after = afterLook(domain, saw("elsewhere", null), now);
      domain = after.domain;
      told.push(after.news);
      expect(certifiableDomains([domain]).length).toBe(after.news === "over" ? 0 : 1);
    }
    expect(told.slice(0, 4)).toEqual([null, null, "lost", null]);
    expect(told.filter((news) => news !== null)).toEqual(["lost", "over"]);
    expect(domain).toMatchObject({ since: null, lostAt: null });
  });

  it("is told of once when it comes back in time", () => {
    const lost = { ...fresh, since: at, lostAt: at + DAY, tries: 3, misses: 3, silences: 0 };
    const back = afterLook(lost, saw("here"), at + 2 * DAY);
    expect(back).toMatchObject({ news: "here", domain: { since: at, lostAt: null, misses: 0 } });
  });

  it("loses nothing while the name has no address to compare with", () => {
    let domain: OwnDomain = { ...fresh, since: at, certifiable: true };
    for (let look = 0; look < 40; look++) {
      const after = afterLook(domain, saw("no-address", null), at + look * DAY);
      expect(after.news).toBe(null);
      domain = after.domain;
    }
    expect(domain).toMatchObject({ lostAt: null, certifiable: true, since: at });
  });

  it("loses nothing by a resolver that is away for a week, and is kept by silence for no longer", () => {
    let domain: OwnDomain = { ...fresh, since: at, certifiable: true, dueAt: at };
    const look = (verdict: Checked["verdict"]) => {
      const after = afterLook(domain, saw(verdict, null), domain.dueAt ?? 0);
      domain = after.domain;
      return after.news;
    };
    for (let left = limits.domainSilences; left > 0; left--) expect(look("silent")).toBe(null);
    expect((domain.dueAt ?? 0) - at).toBeGreaterThan(7 * DAY);
    expect(domain).toMatchObject({ misses: 0, lostAt: null, certifiable: true, since: at });
    // One look that shows something begins the count anew.
    expect([look("no-address"), look("silent"), domain.misses]).toEqual([null, null, 0]);
    const news = Array.from({ length: limits.domainSilences + limits.domainMisses - 1 }, () =>
      look("silent"),
    );
    expect([news.indexOf("lost"), news.length - 1]).toEqual([news.length - 1, news.length - 1]);
    while (domain.dueAt !== null) look("silent");
    expect(domain).toMatchObject({ since: null, lostAt: null });
    expect(certifiableDomains([domain])).toEqual([]);
    expect(look("here")).toBe("here");
  });

  it("is certified no more as soon as its proof is gone, though it leads here", () => {
    const { domain } = afterLook(
      { ...fresh, since: at, certifiable: true },
      saw("here", false),
      at,
    );
    expect(certifiableDomains([domain])).toEqual([]);
  });

  it("comes again when the first of all is due", () => {
    expect(nextLook([])).toBe(null);
    const due = (dueAt: number | null) => ({ ...fresh, dueAt });
    expect(nextLook([due(null), due(9), due(4)])).toBe(4);
    expect(nextLook([due(null)])).toBe(null);
  });
});

describe("a domain as one writes it", () => {
  it.each([
    ["Cloud.Example.ORG", "cloud.example.org"],
    [" example.org. ", "example.org"],
    ["bücher.example", "xn--bcher-kva.example"],
    ["xn--bcher-kva.example", "xn--bcher-kva.example"],
  ])("%s is %s", (typed, name) => {
    expect(domainFrom(typed)).toBe(name);
  });

  it.each([
    ...["", ".", "org", "https://a.example", "a.example/", "a.example:443", "a b.example"],
    ...["192.0.2.1", "2001:db8::1", "-a.example", "a-.example", "*.example.org", "_x.example.org"],
    ...["a..example", "a.example?", "a@b.example", `${"a".repeat(64)}.example`, "a.1"],
    `${"abcdefg.".repeat(30)}example`,
  ])("%s is none", (typed) => {
    expect(domainFrom(typed)).toBe(null);
  });
});

describe("RESOLVER", () => {
  const vars = {
    ...{ ORIGIN: "https://l.example", LINK_ZONE: "l.test", DDNS_ZONE: "d.test" },
    ...{ REGIONS: "home:Home:DB", SOURCE_ADDRESS: "socket", MAIL_FROM: "a@l.example" },
  };
  it.each([
    [undefined, null],
    ["https://dns.example/dns-query", "https://dns.example/dns-query"],
    ["http://127.0.0.1:8053/dns-query", "http://127.0.0.1:8053/dns-query"],
  ])("%s", (value, resolver) => {
    expect(readConfig({ ...vars, RESOLVER: value }).resolver).toBe(resolver);
  });
  it.each(["http://dns.example/dns-query", "9.9.9.9", "tls://dns.example"])(
    "refuses %s",
    (value) => {
      expect(() => readConfig({ ...vars, RESOLVER: value })).toThrow("RESOLVER must be");
    },
  );
});
