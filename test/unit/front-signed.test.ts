/**
 * A front that holds a signed zone, against the edge's own decisions: the same records, the same proofs;
 * and below a name with a wildcard nobody but the front is needed for them. That validators take them is
 * shown in clients/dnssec.test.ts.
 */

import packet from "dns-packet";
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { Answerer, type Manner } from "../../front/answerer.ts";
import { Budgets, newCounters } from "../../front/budgets.ts";
import type { Edge } from "../../front/edge.ts";
import { readQuery, udpBytes, writeAnswer, writeTruncated } from "../../protocol/dns/message.ts";
import type { RecordSet } from "../../protocol/dns/sets.ts";
import type { FeedAnswer, FeedName } from "../../protocol/feed.ts";
import { limits } from "../../protocol/limits.ts";
import { type Kind, question } from "../support/dns.ts";
import { memoryZone, newKey } from "../support/zone.ts";

const APEX = "ddns.test";
const NOW = 1_800_000_000_000;
const zone = await memoryZone(await newKey(), NOW);

const set = (owner: string, type: "A" | "TXT", value: string): RecordSet => ({
  ...{ owner, type, ttl: 60 },
  data: [type === "A" ? { type, address: value } : { type, texts: [value] }],
});
const devices: Readonly<Record<string, readonly RecordSet[]>> = {
  nas: [set("", "A", "192.0.2.1"), set("_acme-challenge", "TXT", "one")],
  wild: [
    ...[set("", "A", "192.0.2.1"), set("*", "A", "192.0.2.1"), set("tv", "A", "192.0.2.3")],
    ...[set("a.b", "TXT", "far below"), set("_acme-challenge", "TXT", "one")],
  ],
  deep: [set("*.x", "A", "192.0.2.2"), set("y", "TXT", "beside")],
  bare: [],
};

/** The edge without a network between, which signs as `/dns-query` does. */
class NearEdge {
  asked = 0;
  readonly names: Record<string, readonly RecordSet[]> = { ...devices };

  async ask(message: Uint8Array): Promise<Buffer | null> {
    this.asked++;
    const read = readQuery(message);
    if (read.kind !== "query") return null;
    const answer = await zone.answer(read.query, (label) => this.names[label] ?? null);
    return Buffer.from(writeAnswer(read.query, answer));
  }
}

const feedName = async (label: string, sets: readonly RecordSet[]): Promise<FeedName> => ({
  id: label,
  names: [{ label, sets: await zone.published(label, sets) }],
});
const at = { epoch: "e", seq: 9 };
const change = (name: FeedName): FeedAnswer => ({ kind: "change", before: at, to: at, name });

let edge: NearEdge;
let front: Answerer;
let now: number;

beforeEach(async () => {
  edge = new NearEdge();
  now = NOW;
  front = new Answerer({ edge: edge as unknown as Edge, zone: APEX, now: () => now });
  const names = await Promise.all(
    Object.entries(devices).map(([label, sets]) => feedName(label, sets)),
  );
  front.hear({ kind: "page", whole: true, names, to: at, end: true });
  await front.refresh();
  edge.asked = 0;
});

const udp: Manner = { udp: true, mayAsk: () => true, mayInvent: () => true };

/** Every record but for the signature's own octets, which are others each time. */
function read(message: Buffer) {
  const { rcode, flag_tc, flag_aa, answers, authorities } = packet.decode(
    message,
  ) as packet.DecodedPacket & { rcode: string };
  const plain = (records: packet.Answer[] | undefined) =>
    (records ?? []).map((record) => {
      const data = "data" in record ? record.data : "";
      const said = record.type === "RRSIG" ? { ...record.data, signature: "" } : data;
      return `${record.name} ${record.type} ${"ttl" in record ? record.ttl : ""} ${JSON.stringify(said)}`;
    });
  return { rcode, flag_tc, flag_aa, answers: plain(answers), above: plain(authorities) };
}
const ask = async (name: string, kind: Kind, dnssecOk: boolean | null = true) =>
  read((await front.answer(question(name, kind, dnssecOk), udp)) as Buffer);

const below = [
  "",
  "www",
  "*",
  "tv",
  "x.tv",
  "b",
  "a.b",
  "c.b",
  "z.a.b",
  "deep.www",
  "_acme-challenge",
];
const owners = fc.constantFrom(
  ...below.map((owner) => (owner === "" ? "wild" : `${owner}.wild`)),
  ...["", "nas", "x.nas", "nobody", "x.nobody", "NAS", "WWW.Wild", "deep", "q.x.deep", "x.deep"],
  ...["q.deep", "y.deep", "q.y.deep", "bare", "q.bare", "ns1", "wilda", "wil", "zzz.wild"],
);
const kinds = fc.constantFrom<Kind>("A", "AAAA", "TXT", "SOA", "NS", "ANY", "NSEC");

describe("a front that holds a signed zone", () => {
  it("says what the edge would say, proofs and all", async () => {
    const edns = fc.constantFrom(null, false, true);
    await fc.assert(
      fc.asyncProperty(owners, kinds, edns, async (owner, kind, dnssecOk) => {
        const message = question(owner === "" ? APEX : `${owner}.${APEX}`, kind, dnssecOk);
        const asked = readQuery(message);
        if (asked.kind !== "query") throw new Error("no query");
        const said = (await front.answer(message, udp)) as Buffer;
        const whole = (await edge.ask(message)) as Buffer;
        const expected =
          whole.length <= udpBytes(asked.query)
            ? whole
            : Buffer.from(writeTruncated(asked.query, whole));
        expect(read(said)).toEqual(read(expected));
        expect([...said.subarray(0, 4)]).toEqual([...expected.subarray(0, 4)]);
      }),
      { numRuns: 3000 },
    );
  });

  it("proves by itself whatever stands, or does not, below a name with a wildcard", async () => {
    for (const owner of below) {
      for (const kind of ["A", "AAAA", "TXT", "NSEC"] as const) {
        const name = `${owner === "" ? "" : `${owner}.`}wild.${APEX}`;
        const { answers, above } = await ask(name, kind);
        if (answers.length === 0)
          expect([name, kind, above[2]]).toEqual([name, kind, expect.stringContaining("NSEC")]);
      }
    }
    expect(edge.asked).toBe(0);
    const expanded = await ask(`www.wild.${APEX}`, "A");
    expect(expanded).toMatchObject({
      rcode: "NOERROR",
      answers: { length: 2 },
      above: { length: 2 },
    });
    expect(expanded.above[0]).toContain("tv.wild.ddns.test NSEC");
    expect(await ask(`x.tv.wild.${APEX}`, "A")).toMatchObject({ rcode: "NXDOMAIN", answers: [] });
    // Elsewhere only the edge can.
    await ask(`x.nas.${APEX}`, "A");
    expect(edge.asked).toBe(1);
  });

  it("asks the edge while a part of the chain is not signed", async () => {
    const name = await feedName("wild", devices.wild ?? []);
    const torn = name.names.map(({ label, sets }) => ({
      label,
      sets: sets.map((one) =>
        one.type === "NSEC" && one.owner === "tv" ? { ...one, signatures: [] } : one,
      ),
    }));
    front.hear(change({ ...name, names: torn }));
    expect((await ask(`www.wild.${APEX}`, "A")).above).toHaveLength(2);
    expect(edge.asked).toBe(1);
  });

  it("forgets the denials of a name when it comes, and the name's proofs when it goes", async () => {
    const gone = await ask(`later.${APEX}`, "A");
    expect(gone).toMatchObject({ rcode: "NOERROR", answers: [], above: { length: 4 } });
    await ask(`later.${APEX}`, "A");
    expect(edge.asked).toBe(1);
    const sets = [set("", "A", "192.0.2.7"), set("*", "A", "192.0.2.7")];
    edge.names.later = sets;
    front.hear(change(await feedName("later", sets)));
    expect((await ask(`later.${APEX}`, "A")).answers).toHaveLength(2);
    expect((await ask(`www.later.${APEX}`, "A")).answers).toHaveLength(2);
    expect(edge.asked).toBe(1);
    delete edge.names.later;
    front.hear(change({ id: "later", names: [] }));
    expect((await ask(`www.later.${APEX}`, "A")).answers).toEqual([]);
    expect((await ask(`later.${APEX}`, "A")).answers).toEqual([]);
    expect(edge.asked).toBe(3);
  });
});

describe("a flood of names that are not there", () => {
  const most = limits.dnsFrontInventedRate;
  let budgets: Budgets;
  beforeEach(() => {
    budgets = new Budgets({}, newCounters(7), () => now);
  });
  /** As many random names, each from a network of its own, for a source over UDP can be made up. */
  const flood = async (count: number, isUdp = true, owner = (at: number) => `random${at}`) => {
    let truncated = 0;
    for (let at = 0; at < count; at++) {
      const manner = budgets.of(`10.${at >> 8}.${at & 255}.1`, isUdp);
      const message = question(`${owner(at)}.${APEX}`, "A", true);
      const said = read((await front.answer(message, manner)) as Buffer);
      if (said.flag_tc) truncated++;
    }
    return truncated;
  };
  const honest = async (name: string, isUdp = true, kind: Kind = "A") =>
    read(
      (await front.answer(
        question(`${name}.${APEX}`, kind, true),
        budgets.of("192.0.2.1", isUdp),
      )) as Buffer,
    );

  it("asks the edge for no more than a second's turn of all networks together, and sends the rest to TCP", async () => {
    expect(await flood(500)).toBe(500 - most);
    expect(edge.asked).toBe(most);
    now += 1000;
    expect(await flood(10, true, (at) => `other${at}`)).toBe(0);
  });

  it("takes nothing from who asks for what is there, what was asked before, and who comes by TCP", async () => {
    await honest("often");
    await flood(500);
    const asked = edge.asked;
    const often = await honest("often");
    expect([often.flag_tc, often.above.length, edge.asked]).toEqual([false, 4, asked]);
    expect((await honest("nas")).answers).toHaveLength(2);
    expect((await honest("nas", true, "AAAA")).above).toHaveLength(4);
    expect((await honest("new")).flag_tc).toBe(true);
    expect((await honest("new", false)).above).toHaveLength(4);
    // Its denial has run out: it is not one of those that were made up just now.
    now += 61_000;
    await flood(500, true, (at) => `later${at}`);
    expect((await honest("often")).above).toHaveLength(4);
  });

  it("is not helped by other types, other labels below, nor by asking for the code of RFC 9824", async () => {
    await honest("often");
    edge.asked = 0;
    for (const kind of ["AAAA", "TXT", "SOA", "ANY"] as const) await honest("often", true, kind);
    expect(edge.asked).toBe(0);
    for (const owner of [(at: number) => `x${at}.nas`, (at: number) => `x${at}.ns1`]) {
      now += 1000;
      edge.asked = 0;
      expect(await flood(100, true, owner)).toBe(100 - most);
      expect(edge.asked).toBe(most);
    }
    now += 1000;
    edge.asked = 0;
    for (let at = 0; at < 100; at++) {
      const message = question(`co${at}.${APEX}`, "A", true);
      message[message.length - 4] = 0xc0; // DO and CO
      await front.answer(message, budgets.of(`10.0.${at}.1`, true));
    }
    expect(edge.asked).toBe(most);
  });
});
