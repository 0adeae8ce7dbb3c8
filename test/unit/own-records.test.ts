/** What an owner puts below a name: which records, where, what becomes of them, and that they go with it. */

import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { completed } from "../../durable-objects/device/own-sets.ts";
import type { OwnRecords } from "../../durable-objects/device/records-rpc.ts";
import type { Publication } from "../../durable-objects/zone/rpc.ts";
import {
  isOneSet,
  type OwnType,
  ownerFrom,
  ownTypes,
  recordFrom,
  recordText,
} from "../../protocol/dns/presentation.ts";
import { writeData } from "../../protocol/dns/rdata.ts";
import type { RecordSet } from "../../protocol/dns/sets.ts";
import { limits } from "../../protocol/limits.ts";
import { type HeldDevice, heldDevice } from "../support/device.ts";
import { Shelf } from "../support/zone-shelf.ts";

describe("a record as one writes it", () => {
  it.each([
    ["CAA", '0 issue "letsencrypt.org"', '0 issue "letsencrypt.org"'],
    ["CAA", "0 issue letsencrypt.org", '0 issue "letsencrypt.org"'],
    ["CAA", '128 IssueWild ";"', '128 issuewild ";"'],
    [
      "CAA",
      '0 issue "ca.example; accounturi=https://ca.example/a/1; validationmethods=dns-01"',
      '0 issue "ca.example; accounturi=https://ca.example/a/1; validationmethods=dns-01"',
    ],
    ["CAA", '0 iodef "mailto:me@example.org"', '0 iodef "mailto:me@example.org"'],
    ["HTTPS", "1 . alpn=h2,h3 port=8443", "1 . alpn=h2,h3 port=8443"],
    ["HTTPS", '  1   .   alpn="h3"  ', "1 . alpn=h3"],
    ["HTTPS", "0 Other.Example.", "0 other.example"],
    ["SVCB", "16 dns.example port=853 alpn=dot", "16 dns.example alpn=dot port=853"],
    ["TXT", "v=spf1 -all", '"v=spf1 -all"'],
    ["TXT", '"one" "two \\" \\\\ three"', '"one" "two \\" \\\\ three"'],
    ["TXT", "x".repeat(300), `"${"x".repeat(255)}" "${"x".repeat(45)}"`],
  ] as const)("%s %s is understood", (type, text, canonical) => {
    const data = recordFrom(type, text);
    expect(data && recordText(data)).toBe(canonical);
    expect(recordFrom(type, canonical)).toEqual(data);
  });

  it.each([
    ["CAA", ""],
    ["CAA", '1 issue "a.example"'],
    ["CAA", '0 issuer "a.example"'],
    ["CAA", '0 issue "two words"'],
    ["CAA", '0 issue "a.example" more'],
    ["CAA", '0 issue "a.example'],
    ["CAA", '0 iodef "me@example.org"'],
    ["CAA", `0 issue "a.example; x=${"y".repeat(255)}"`],
    ["HTTPS", "1"],
    ["HTTPS", "65536 ."],
    ["HTTPS", "-1 ."],
    ["HTTPS", "0 ."],
    ["HTTPS", "0 other.example alpn=h2"],
    ["HTTPS", "1 . alpn=h2 alpn=h3"],
    ["HTTPS", "1 . alpn="],
    ["HTTPS", "1 . alpn=h2,"],
    ["HTTPS", "1 . port=0"],
    ["HTTPS", "1 . ipv4hint=192.0.2.1"],
    ["HTTPS", "1 . ech=AAAA"],
    ["HTTPS", "1 single"],
    ["HTTPS", "1 -bad.example"],
    ["TXT", " "],
    ["TXT", '"open'],
    ["TXT", '"a" b\\'],
    ["TXT", '"a\\065"'],
    ["TXT", "naïve"],
    ["TXT", "line\nbreak"],
  ] as const)("%s %j is refused", (type, text) => {
    expect(recordFrom(type, text)).toBeNull();
  });

  it("whatever text is taken reads back as the same, and fits its wire form", () => {
    const type = fc.constantFrom(...ownTypes);
    const word = fc.constantFrom(
      "0",
      "1",
      "128",
      ".",
      "issue",
      "a.example",
      "alpn=h2",
      "port=1",
      '"x"',
      "\\",
      ";",
      '"',
    );
    const text = fc.oneof(
      fc.string({ maxLength: 300 }),
      fc.array(word, { maxLength: 6 }).map((words) => words.join(" ")),
    );
    let taken = 0;
    fc.assert(
      fc.property(type, text, (of, any) => {
        const data = recordFrom(of, any);
        if (data === null) return;
        taken++;
        expect(recordFrom(of, recordText(data))).toEqual(data);
        expect(writeData(data, [], 0).every((octet) => octet >= 0 && octet < 256)).toBe(true);
      }),
      { numRuns: 5000 },
    );
    expect(taken).toBeGreaterThan(200);
  });

  it.each<[OwnType, string, string | null]>([
    ["CAA", "", ""],
    ["CAA", "@", ""],
    ["CAA", "WWW", "www"],
    ["CAA", "_acme-challenge", null],
    ["CAA", "*", null],
    ["HTTPS", "www", "www"],
    ["HTTPS", "_8443._https.www", "_8443._https.www"],
    ["HTTPS", "_8443._https", "_8443._https"],
    ["HTTPS", "_https", null],
    ["SVCB", "_dns", "_dns"],
    ["SVCB", "dns", null],
    ["SVCB", "", null],
    ["TXT", "", ""],
    ["TXT", "_dmarc", "_dmarc"],
    ["TXT", "key._domainkey", "key._domainkey"],
    ["TXT", "_acme-challenge", null],
    ["TXT", "_acme-challenge.www", null],
    ["TXT", "_ACME-Challenge", null],
    ["TXT", "*", null],
    ["TXT", "*.www", null],
    ["TXT", "a..b", null],
    ["TXT", ".", null],
    ["TXT", "a b", null],
    ["TXT", "a.b.c.d.e", null],
    ["TXT", "-a", null],
    ["TXT", "x".repeat(64), null],
    ["TXT", `${"x".repeat(60)}.${"y".repeat(60)}`, null],
  ])("%s at %j stands at %j", (type, typed, owner) => {
    expect(ownerFrom(type, typed)).toBe(owner);
  });

  it("stands once, an alias alone, and all of a set fits into one answer by UDP", () => {
    const of = (type: OwnType, ...texts: string[]) =>
      isOneSet(texts.map((text) => recordFrom(type, text) ?? expect.fail(text)));
    expect(of("TXT")).toBe(true);
    expect(of("TXT", "a", "b")).toBe(true);
    expect(of("TXT", "a", '"a"')).toBe(false);
    expect(of("HTTPS", "0 a.example")).toBe(true);
    expect(of("HTTPS", "0 a.example", "1 .")).toBe(false);
    expect(of("TXT", "x".repeat(limits.ownSetBytes - 4))).toBe(true);
    expect(of("TXT", "x".repeat(limits.ownSetBytes))).toBe(false);
    expect(of("TXT", ..."abcdefghijk")).toBe(false);
  });
});

const a = (owner: string, address: string): RecordSet => ({
  ...{ owner, type: address.includes(":") ? "AAAA" : "A", ttl: 60 },
  data: [{ type: address.includes(":") ? "AAAA" : "A", address }],
});
const none: OwnRecords = { wildcard: false, sets: [], neighbors: [] };
const own = (type: OwnType, owner: string, ...texts: string[]): OwnRecords["sets"][number] => ({
  ...{ type, owner },
  data: texts.map((text) => recordFrom(type, text) ?? expect.fail(text)),
});
/** `owner TYPE value`, sorted. */
const lines = (sets: readonly RecordSet[]) =>
  sets
    .flatMap(({ owner, type, data }) =>
      data.map((one) => `${owner || "@"} ${type} ${recordText(one)}`),
    )
    .sort();
const caa = (value: string): RecordSet => ({
  ...{ owner: "", type: "CAA", ttl: 60 },
  data: [{ type: "CAA", flags: 0, tag: "issue", value }],
});

describe("a name with its owner's wishes", () => {
  const home = [a("", "192.0.2.1"), a("", "2001:db8:1:2::a")];

  it("answers below as above when its wildcard is on", () => {
    expect(lines(completed(home, { ...none, wildcard: true }, true))).toEqual([
      ...["* A 192.0.2.1", "* AAAA 2001:db8:1:2::a", "@ A 192.0.2.1", "@ AAAA 2001:db8:1:2::a"],
    ]);
    expect(completed([], { ...none, wildcard: true }, true)).toEqual([]);
  });

  it("leads names that are there for another reason where the wildcard leads", () => {
    const sets = [
      ...[
        own("TXT", "www", "hello"),
        own("HTTPS", "", "1 . alpn=h3"),
        own("TXT", "_dmarc.mail", "x"),
      ],
      own("HTTPS", "www", "1 . alpn=h2"),
    ];
    const found = lines(completed([a("", "192.0.2.1")], { ...none, wildcard: true, sets }, true));
    expect(found.filter((line) => !line.includes("TXT"))).toEqual([
      ...["* A 192.0.2.1", "* HTTPS 1 . alpn=h3", "@ A 192.0.2.1", "@ HTTPS 1 . alpn=h3"],
      ...["mail A 192.0.2.1", "mail HTTPS 1 . alpn=h3", "www A 192.0.2.1", "www HTTPS 1 . alpn=h2"],
    ]);
  });

  it("knows its neighbors by their interfaces, and leaves them their own address", () => {
    const neighbors = [{ owner: "tv", interfaceId: "::211:32ff:fe12:3456" }];
    const wished = { ...none, neighbors, wildcard: true };
    expect(lines(completed(home, wished, true))).toContain(
      "tv AAAA 2001:db8:1:2:211:32ff:fe12:3456",
    );
    expect(
      lines(completed(home, wished, true)).filter((line) => line.startsWith("tv ")),
    ).toHaveLength(1);
    // No prefix is known, or none that a public name may show.
    expect(lines(completed([a("", "192.0.2.1")], wished, true)).join()).not.toContain("AAAA");
    expect(lines(completed(home, wished, false)).join()).not.toContain("tv ");
  });

  it("lets the owner's authorities certify it beside our account, below it too", () => {
    const ours = caa("ca.example; accounturi=https://ca.example/1");
    const merged = (...texts: string[]) =>
      lines(completed([ours], { ...none, sets: [own("CAA", "", ...texts)] }, true));
    expect(merged('0 issue "other.example"')).toEqual([
      '@ CAA 0 issue "ca.example; accounturi=https://ca.example/1"',
      '@ CAA 0 issue "other.example"',
    ]);
    // RFC 8659 §4.3: once issuewild is there, issue says nothing of names below.
    expect(merged('0 issuewild "other.example"')).toEqual([
      '@ CAA 0 issue "ca.example; accounturi=https://ca.example/1"',
      '@ CAA 0 issuewild "ca.example; accounturi=https://ca.example/1"',
      '@ CAA 0 issuewild "other.example"',
    ]);
  });
});

describe("in the device's object", () => {
  let told: Publication[];
  let held: HeldDevice;
  beforeEach(async () => {
    told = [];
    held = await heldDevice({ zone: { publish: async (said) => void told.push(said) } });
    await held.device.setFeature("name", true);
    await held.device.naming.updateAddresses({
      secret: null,
      ipv4: { set: "192.0.2.1" },
      ipv6: { set: "2001:db8::1" },
    });
    await held.settled();
  });
  const room = () => held.device.named.own;
  const atFronts = async () => {
    await held.settled();
    return lines((told.at(-1)?.name?.names ?? []).flatMap(({ sets }) => sets));
  };

  it("is told to the fronts with every change, and follows the address", async () => {
    await room().changeRecords({ wildcard: true });
    expect(await atFronts()).toContain("* A 192.0.2.1");
    await room().changeRecords({ set: own("TXT", "_dmarc", "v=DMARC1; p=reject") });
    await room().changeRecords({ neighbor: { owner: "tv", interfaceId: "::a:b:c:d" } });
    expect(await atFronts()).toEqual(
      expect.arrayContaining(['_dmarc TXT "v=DMARC1; p=reject"', "tv AAAA 2001:db8::a:b:c:d"]),
    );
    await held.device.naming.updateAddresses({
      secret: null,
      ipv4: { set: "192.0.2.2" },
      ipv6: { set: "2001:db8:0:9::1" },
    });
    expect(await atFronts()).toEqual(
      expect.arrayContaining(["* A 192.0.2.2", "tv AAAA 2001:db8:0:9:a:b:c:d"]),
    );
    await room().changeRecords({ set: own("TXT", "_dmarc") });
    await room().changeRecords({ neighbor: { owner: "tv", interfaceId: null } });
    await room().changeRecords({ wildcard: false });
    expect(await atFronts()).toEqual(["@ A 192.0.2.2", "@ AAAA 2001:db8:0:9::1"]);
  });

  it("stands after a sleep, and in clear on no disk", async () => {
    await room().changeRecords({ set: own("TXT", "_site", "a-word-of-the-owner") });
    expect(await held.wake().named.own.ownRecords()).toMatchObject({ sets: [{ owner: "_site" }] });
    expect(JSON.stringify(held.sql.all("SELECT * FROM name_own"))).not.toMatch(/_site|a-word/);
  });

  it("is bounded, and one that is there may still be changed", async () => {
    for (let at = 0; at < limits.ownSetsPerDevice; at++) {
      expect(await room().changeRecords({ set: own("TXT", `t${at}`, "x") })).toBe("changed");
    }
    expect(await room().changeRecords({ set: own("TXT", "more", "x") })).toBe("full");
    expect(await room().changeRecords({ set: own("TXT", "t3", "y") })).toBe("changed");
    for (let at = 0; at < limits.neighborsPerDevice; at++) {
      const neighbor = { owner: `n${at}`, interfaceId: "::1" };
      expect(await room().changeRecords({ neighbor })).toBe("changed");
    }
    const neighbor = { owner: "more", interfaceId: "::1" };
    expect(await room().changeRecords({ neighbor })).toBe("full");
  });

  it("is bounded in bytes: whatever is taken fits into its rows under every name, wherever they lead", async () => {
    const rows: number[] = [];
    const shelf = new Shelf();
    await shelf.add(0);
    const large = await heldDevice({
      signing: { apex: "ddns.test", keys: shelf.read() },
      zone: { publish: async ({ name }) => void rows.push(name?.sealed.length ?? 0) },
    });
    const room = large.device.named.own;
    await large.device.setFeature("name", true);
    for (let at = 1; at < limits.labelsPerDevice; at++) {
      const label = `${at}`.repeat(63);
      await large.device.labeling.expectLabel(label, null);
      await large.device.labeling.settleLabels([{ label, isOwn: true, wasHere: false }], true);
    }
    const alpn = Array.from({ length: 30 }, () => "h").join();
    const values = Array.from({ length: 10 }, (_, at) => `${at + 1} . alpn=${alpn} port=65535`);
    expect(await room.changeRecords({ set: own("HTTPS", "", ...values) })).toBe("changed");
    expect(await room.changeRecords({ wildcard: true })).toBe("changed");
    const hosts = async (at: number) => {
      const owner = [0, 1, 2, 3].map((level) => `${"x".repeat(20)}${at}-${level}`).join(".");
      return await room.changeRecords({ set: own("TXT", owner, "x".repeat(700)) });
    };
    let taken = 0;
    while (taken < limits.ownSetsPerDevice && (await hosts(taken)) === "changed") taken++;
    expect(taken).toBeGreaterThan(5);
    expect(taken).toBeLessThan(limits.ownSetsPerDevice - 1);
    const next = async (at: number) => {
      const neighbor = { owner: `${"n".repeat(50)}${at}`, interfaceId: "::1:2:3:4" };
      return await room.changeRecords({ neighbor });
    };
    let near = 0;
    while (near < limits.neighborsPerDevice && (await next(near)) === "changed") near++;
    expect(near).toBeLessThan(limits.neighborsPerDevice);
    // What its clients say of its addresses is taken all the same, and what makes less of it.
    const update = await large.device.naming.updateAddresses({
      ...{ secret: null, ipv4: { set: "203.0.113.250" } },
      ipv6: { set: "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff" },
    });
    expect(update.verdict).toBe("good");
    await large.settled();
    const [{ bytes } = { bytes: 0 }] = large.sql.all<{ bytes: number }>(
      "SELECT length(signatures_sealed) AS bytes FROM name_signature",
    );
    expect(bytes).toBeGreaterThan(limits.zoneRowBytes / 3);
    expect(Math.max(bytes, ...rows)).toBeLessThan(limits.zoneRowBytes);
    expect(await room.changeRecords({ wildcard: false })).toBe("changed");
    expect(await next(near)).toBe("changed");
    expect(await room.changeRecords({ wildcard: true })).toBe("large");
  });

  it("takes as much as it may at all while the wildcard is off", async () => {
    for (let at = 0; at < limits.ownSetsPerDevice; at++) {
      const set = own("TXT", `t${at}`, ...[1, 2, 3].map((one) => `"${one}${"\\\\".repeat(240)}"`));
      expect(await room().changeRecords({ set })).toBe("changed");
    }
  });

  it("[CON-5] [FEA-4] goes with the name: from the fronts, from the store, and its key with it", async () => {
    await room().changeRecords({ wildcard: true });
    await room().changeRecords({ set: own("TXT", "", "x") });
    await held.device.setFeature("name", false);
    expect(await atFronts()).toEqual([]);
    expect(held.sql.all("SELECT * FROM name_own")).toEqual([]);
    expect([...held.keys.kept.keys()]).toEqual([]);
    expect(await room().ownRecords()).toBeNull();
    expect(await room().changeRecords({ wildcard: true })).toBe("off");
    await held.device.setFeature("name", true);
    expect(await room().ownRecords()).toEqual(none);
  });

  it("[FEA-4] a change under way while the name is switched off writes nothing and makes no key again", async () => {
    const fresh = await heldDevice();
    await fresh.device.setFeature("name", true);
    fresh.keys.hold();
    const asked = fresh.keys.asked();
    const changing = fresh.device.named.own.changeRecords({ wildcard: true });
    await asked;
    const off = fresh.device.setFeature("name", false);
    fresh.keys.release();
    await Promise.all([changing, off]);
    expect(fresh.sql.all("SELECT * FROM name_own")).toEqual([]);
    expect([...fresh.keys.kept.keys()]).toEqual([]);
  });
});
