/** The front's memory against the edge's own decisions: the same zone, the same questions, the same answers. */

import { createSocket } from "node:dgram";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Answerer, type Manner } from "../../front/answerer.ts";
import { Budgets, newCounters } from "../../front/budgets.ts";
import { Claims } from "../../front/claims.ts";
import type { Edge } from "../../front/edge.ts";
import { Kept } from "../../front/kept.ts";
import { overUdp, startUdp } from "../../front/udp.ts";
import { verdict } from "../../front/wire.ts";
import { readQuery, udpBytes, writeAnswer, writeTruncated } from "../../protocol/dns/message.ts";
import type { PublishedSet } from "../../protocol/dns/sets.ts";
import type { FeedAnswer, FeedName } from "../../protocol/feed.ts";
import { parseAnswer, parseAsk } from "../../protocol/feed.ts";
import { Floods } from "../../protocol/floods.ts";
import { limits } from "../../protocol/limits.ts";
import { type Kind, type Looked, question, readAnswer } from "../support/dns.ts";
import { memoryZone } from "../support/zone.ts";

const APEX = "ddns.test";
const NOW = 1_800_000_000_000;
const zone = await memoryZone(null, NOW);

const set = (owner: string, type: "A" | "TXT", value: string): PublishedSet => ({
  owner,
  type,
  ttl: 60,
  data: [type === "A" ? { type, address: value } : { type, texts: [value] }],
  signatures: [],
});
const published: Readonly<Record<string, readonly PublishedSet[]>> = {
  nas: [set("", "A", "192.0.2.1"), set("_acme-challenge", "TXT", "one")],
  deep: [set("a.b", "TXT", "far below"), set("*", "A", "192.0.2.2"), set("x.*", "A", "192.0.2.9")],
  bare: [],
};

/** The edge without a network between: it answers as `/dns-query` does, while it is there. */
class NearEdge {
  there = true;
  asked = 0;
  readonly names: Record<string, readonly PublishedSet[]> = { ...published };

  async ask(message: Uint8Array): Promise<Buffer | null> {
    this.asked++;
    if (!this.there) return null;
    const read = readQuery(message);
    if (read.kind !== "query") return null;
    const lookup = (label: string) => this.names[label] ?? null;
    return Buffer.from(writeAnswer(read.query, await zone.answer(read.query, lookup)));
  }
}

function page(names: readonly FeedName[], whole = true): FeedAnswer {
  return { kind: "page", whole, names, to: { epoch: "e", seq: 9 }, end: true };
}

const feedNames = (): FeedName[] =>
  Object.entries(published).map(([label, sets]) => ({ id: label, names: [{ label, sets }] }));

async function holding(): Promise<{ answerer: Answerer; edge: NearEdge }> {
  const edge = new NearEdge();
  const answerer = new Answerer({ edge: edge as unknown as Edge, zone: APEX, now: () => NOW });
  answerer.hear(page(feedNames()));
  await answerer.refresh();
  return { answerer, edge };
}

const udp: Manner = { udp: true, mayAsk: () => true, mayInvent: () => true };
const ask = async (answerer: Answerer, message: Buffer, manner = udp) => {
  const answer = await answerer.answer(message, manner);
  return answer === null ? null : readAnswer(answer);
};

describe("a front that holds the zone", () => {
  const owners = fc.constantFrom(
    ...["", "nas", "NAS", "_acme-challenge.nas", "x.nas", "deep", "b.deep", "a.b.deep", "c.b.deep"],
    ...["y.deep", "z.y.deep", "*.deep", "x.q.deep", "x.y.z.deep", "bare", "x.bare", "nobody"],
    ...["x.nobody", "ns1", "x.ns1", "www", "a--b", "xn--a", "..".replaceAll(".", "w")],
  );
  const kinds = fc.constantFrom<Kind>("A", "AAAA", "TXT", "SOA", "NS", "ANY", "NSEC");
  const edns = fc.constantFrom(null, false, true);

  it("says what the edge would say, of every name and type, with EDNS and without", async () => {
    const { answerer, edge } = await holding();
    await fc.assert(
      fc.asyncProperty(owners, kinds, edns, async (owner, kind, dnssecOk) => {
        const name = owner === "" ? APEX : `${owner}.${APEX}`;
        const message = question(name, kind, dnssecOk);
        const read = readQuery(message);
        if (read.kind !== "query") throw new Error("no query");
        const said = (await answerer.answer(message, udp)) as Buffer;
        const whole = (await edge.ask(message)) as Buffer;
        const expected =
          whole.length <= udpBytes(read.query)
            ? whole
            : Buffer.from(writeTruncated(read.query, whole));
        expect(readAnswer(said)).toEqual(readAnswer(expected));
        expect([...said.subarray(0, 4)]).toEqual([...expected.subarray(0, 4)]);
      }),
      { numRuns: 2000 },
    );
  });

  it("[CON-6] keeps a name that changed hands, whatever the device before it still says", async () => {
    const { answerer } = await holding();
    const at = (address: string, ...labels: string[]) =>
      labels.map((label) => ({
        label,
        sets: [set("", "A", address), ...(address.endsWith("1") ? [set("old", "A", address)] : [])],
      }));
    let seq = 9;
    const tell = (id: string, names: FeedName["names"]) =>
      answerer.hear({
        ...{ kind: "change", before: { epoch: "e", seq }, to: { epoch: "e", seq: ++seq } },
        name: { id, names },
      });
    const addressOf = async (owner: string) => {
      const answer = await ask(answerer, question(`${owner}.${APEX}`, "A"));
      const [record] = answer?.answers ?? [];
      return record === undefined ? answer?.rcode : JSON.stringify(record);
    };
    const both = async () => [await addressOf("moved"), await addressOf("old.moved")];
    tell("giver", at("192.0.2.1", "stays", "moved"));
    expect(await both()).toEqual([
      expect.stringContaining("192.0.2.1"),
      expect.stringContaining("192.0.2.1"),
    ]);
    tell("taker", at("192.0.2.2", "moved"));
    const taken = [expect.stringContaining("192.0.2.2"), "NXDOMAIN"];
    expect(await both()).toEqual(taken);
    // What the giver tells late: the name once more, then without it, then all of it read anew.
    tell("giver", at("192.0.2.1", "stays", "moved"));
    expect(await both()).toEqual(taken);
    tell("giver", at("192.0.2.1", "stays"));
    expect([await both(), await addressOf("stays")]).toEqual([
      taken,
      expect.stringContaining("192.0.2.1"),
    ]);
    tell("giver", at("192.0.2.1", "stays", "moved"));
    answerer.hear(page([{ id: "giver", names: at("192.0.2.1", "stays") }, ...feedNames()]));
    expect(await both()).toEqual(["NXDOMAIN", "NXDOMAIN"]);
    expect(await addressOf("nas")).toContain("192.0.2.1");
  });

  it("has of each name what the last of those says that came to it, in any order", () => {
    const wire = (text: string) => String.fromCharCode(text.length) + text;
    // The end of the third is the second as it stands on the wire, but for where it begins.
    const labels = ["one", "x".repeat(45), `a-${"x".repeat(45)}`].map(wire);
    const told = fc.record({
      id: fc.constantFrom("a", "b", "c"),
      labels: fc.subarray(labels),
      since: fc.constantFrom(0, 1, 2),
    });
    type Node = { id: string; since: number; at: number };
    fc.assert(
      fc.property(fc.array(told, { maxLength: 40 }), (all) => {
        const claims = new Claims<Node>();
        /** By label: who tells it, who came to it last at the end. */
        const model = new Map(labels.map((label) => [label, [] as Node[]]));
        for (const [at, { id, labels: own, since }] of all.entries()) {
          const node = { id, since, at };
          const names = (label: string) =>
            new Map([label, wire(`${at % 2}`) + label].map((name) => [name, node]));
          claims.put(id, new Map(own.map((label) => [label, names(label)])));
          let size = 0;
          for (const [label, holders] of model) {
            const place = holders.findIndex((one) => one.id === id);
            if (!own.includes(label)) place < 0 || holders.splice(place, 1);
            else if (place < 0) holders.push(node);
            else holders[place] = node;
            holders.sort((one, other) => one.since - other.since);
            const last = holders.at(-1);
            expect(claims.get(label)).toEqual(last);
            if (last === undefined) continue;
            expect(claims.get(wire(`${last.at % 2}`) + label)).toEqual(last);
            size += 2;
          }
          expect(claims.size).toBe(size);
        }
        claims.begin();
        claims.finish();
        expect(claims.size).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  it("that reads all anew has a name at who came to it last, whoever changed last", async () => {
    const named = (address: string, since?: number) => [
      { label: "moved", sets: [set("", "A", address)], ...(since !== undefined && { since }) },
    ];
    const [giver, taker] = [
      { id: "giver", names: named("192.0.2.1", 1000) },
      { id: "taker", names: named("192.0.2.2", 2000) },
    ];
    for (const names of [
      [giver, taker],
      // The giver reports another address, and has not heard yet that the name is not its own.
      [taker, giver],
      [taker, { id: "giver", names: named("192.0.2.1") }],
    ]) {
      const { answerer } = await holding();
      answerer.hear(page([...feedNames(), ...names]));
      const answer = await ask(answerer, question(`moved.${APEX}`, "A"));
      expect(JSON.stringify(answer?.answers)).toContain("192.0.2.2");
    }
  });

  it("asks nobody about what it holds, nor about what does not exist", async () => {
    const { answerer, edge } = await holding();
    const before = edge.asked;
    for (const owner of ["nas", "x.nas", "nobody", "y.deep", "b.deep"]) {
      await ask(answerer, question(`${owner}.${APEX}`, "A", true));
    }
    expect(edge.asked).toBe(before);
  });

  it("asks about what it has not read yet, and says no to nothing until it has read all", async () => {
    const edge = new NearEdge();
    const answerer = new Answerer({ edge: edge as unknown as Edge, zone: APEX, now: () => NOW });
    await answerer.refresh();
    const [first, ...rest] = feedNames() as [FeedName, ...FeedName[]];
    const part = (names: FeedName[], whole: boolean, end: boolean): FeedAnswer => ({
      ...{ kind: "page", whole, names, to: { epoch: "e", seq: 1 }, end },
    });
    answerer.hear(part([first], true, false));
    const before = edge.asked;
    expect((await ask(answerer, question(`y.deep.${APEX}`)))?.answers).toHaveLength(1);
    expect(edge.asked).toBe(before + 1);
    answerer.hear(part(rest, false, true));
    expect((await ask(answerer, question(`z.y.deep.${APEX}`)))?.answers).toHaveLength(1);
    expect((await ask(answerer, question(`nobody.${APEX}`)))?.rcode).toBe("NXDOMAIN");
    expect(edge.asked).toBe(before + 1);
  });

  it("takes changes, and forgets what no page names any more", async () => {
    const { answerer } = await holding();
    const change = (name: FeedName): FeedAnswer => {
      const at = { epoch: "e", seq: 9 };
      return { kind: "change", before: at, to: at, name };
    };
    const a = async (label: string) => (await ask(answerer, question(`${label}.${APEX}`)))?.answers;
    answerer.hear(
      change({ id: "nas", names: [{ label: "nas", sets: [set("", "A", "192.0.2.77")] }] }),
    );
    expect(await a("nas")).toEqual([`nas.${APEX} A 192.0.2.77`]);
    expect((await ask(answerer, question(`_acme-challenge.nas.${APEX}`, "TXT")))?.rcode).toBe(
      "NXDOMAIN",
    );
    answerer.hear(
      change({ id: "nas", names: [{ label: "box", sets: [set("", "A", "192.0.2.78")] }] }),
    );
    expect([await a("nas"), await a("box")]).toEqual([[], [`box.${APEX} A 192.0.2.78`]]);
    answerer.hear(change({ id: "nas", names: [] }));
    expect((await ask(answerer, question(`box.${APEX}`)))?.rcode).toBe("NXDOMAIN");
    answerer.hear(page([{ id: "bare", names: [{ label: "bare", sets: [] }] }]));
    expect((await ask(answerer, question(`y.deep.${APEX}`)))?.rcode).toBe("NXDOMAIN");
    expect((await ask(answerer, question(`bare.${APEX}`)))?.rcode).toBe("NOERROR");
  });

  it("[CON-6] keeps a name that changed hands when the device before lets it go, and drops it then with the other", async () => {
    const { answerer } = await holding();
    const at = { epoch: "e", seq: 9 };
    const hear = (name: FeedName) => answerer.hear({ kind: "change", before: at, to: at, name });
    const named = (address: string) => [{ label: "nas", sets: [set("", "A", address)] }];
    const a = async () => (await ask(answerer, question(`nas.${APEX}`)))?.answers;
    hear({ id: "other", names: named("192.0.2.77") });
    hear({ id: "nas", names: [] });
    expect(await a()).toEqual([`nas.${APEX} A 192.0.2.77`]);
    hear({ id: "other", names: [{ label: "tv", sets: [] }] });
    expect((await ask(answerer, question(`nas.${APEX}`)))?.rcode).toBe("NXDOMAIN");
  });

  it("goes on while the edge is away, also about the zone itself", async () => {
    const { answerer, edge } = await holding();
    edge.there = false;
    expect((await ask(answerer, question(`nas.${APEX}`)))?.answers).toHaveLength(1);
    expect((await ask(answerer, question(APEX, "SOA")))?.answers).toHaveLength(1);
    expect((await ask(answerer, question(`nobody.${APEX}`)))?.rcode).toBe("NXDOMAIN");
    expect((await ask(answerer, question(`ns1.${APEX}`)))?.rcode).toBe("SERVFAIL");
  });

  it("is silent to answers and to less than a header, and tells malformed from unknown", async () => {
    const { answerer } = await holding();
    const good = question(`nas.${APEX}`);
    const answer = Buffer.from(good);
    answer[2] = 0x80;
    expect(await answerer.answer(answer, udp)).toBeNull();
    expect(await answerer.answer(good.subarray(0, 11), udp)).toBeNull();
    expect((await ask(answerer, good.subarray(0, -1)))?.rcode).toBe("FORMERR");
    const notify = Buffer.from(good);
    notify[2] = 0x20;
    expect((await ask(answerer, notify))?.rcode).toBe("NOTIMP");
    expect((await ask(answerer, question("example.org")))?.rcode).toBe("REFUSED");
    expect((await ask(answerer, question(`x${APEX}`)))?.rcode).toBe("REFUSED");
  });

  it("answers mutated messages without failing, each with the client's number", async () => {
    const { answerer } = await holding();
    const bytes = fc.uint8Array({ minLength: 0, maxLength: 80 });
    const mutated = fc
      .tuple(owners, kinds, edns, fc.array(fc.tuple(fc.nat(120), fc.nat(255)), { maxLength: 4 }))
      .map(([owner, kind, dnssecOk, changes]) => {
        const message = question(owner === "" ? APEX : `${owner}.${APEX}`, kind, dnssecOk);
        for (const [at, octet] of changes) message[at % message.length] = octet;
        return message;
      });
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          bytes.map((octets) => Buffer.from(octets)),
          mutated,
        ),
        async (message) => {
          const answer = await answerer.answer(message, udp);
          if (answer === null) return;
          expect([answer[0], answer[1]]).toEqual([message[0], message[1]]);
          expect((answer[2] as number) & 0x80).toBe(0x80);
          expect(answer.length).toBeLessThanOrEqual(1232);
          readAnswer(answer);
        },
      ),
      { numRuns: 3000 },
    );
  });

  it("asks the edge once for many who ask the same, and not at all for who asks too much", async () => {
    const { answerer, edge } = await holding();
    const before = edge.asked;
    const same = question(`mail.${APEX}`, "TXT");
    await Promise.all([ask(answerer, same), ask(answerer, same), ask(answerer, same)]);
    expect(edge.asked).toBe(before + 1);
    const greedy = { ...udp, mayAsk: () => false };
    expect(await ask(answerer, question(`www.${APEX}`), greedy)).toMatchObject({ truncated: true });
    expect(edge.asked).toBe(before + 1);
  });
});

describe("what is kept of the edge's answers", () => {
  const entry = (label: string | null) => ({
    ...{ part: verdict(0), label, freshUntil: 1, staleUntil: 1 },
  });

  it("is bounded: the least recently used goes first", () => {
    const kept = new Kept(2);
    kept.set("a", entry("a"));
    kept.set("b", entry("b"));
    kept.get("a");
    kept.set("c", entry("c"));
    expect(["a", "b", "c"].map((key) => kept.get(key) !== undefined)).toEqual([true, false, true]);
  });

  it("goes with its label", () => {
    const kept = new Kept(9);
    for (const key of ["a1", "a2", "b1"]) kept.set(key, entry(key[0] ?? ""));
    kept.set("own", entry(null));
    kept.forget("a");
    expect(kept.size).toBe(2);
    kept.forgetLabels();
    expect([kept.size, kept.get("own")]).toEqual([1, entry(null)]);
  });
});

describe("a flood", () => {
  const many = (floods: Floods, address: string, count: number, now = 0) =>
    Array.from({ length: count }, () => floods.take(address, now)).filter(Boolean).length;

  it("is counted by its /24 or /56, and a second later forgotten", () => {
    const floods = new Floods(3, 7);
    expect(many(floods, "192.0.2.1", 2)).toBe(2);
    expect(many(floods, "192.0.2.200", 5)).toBe(1);
    expect(many(floods, "192.0.3.1", 5)).toBe(3);
    expect(many(floods, "192.0.2.1", 5, 1000)).toBe(3);
    expect(many(floods, "2001:db8:1:20::1", 2)).toBe(2);
    expect(many(floods, "2001:db8:1:2f:9::1", 5)).toBe(1);
    expect(many(floods, "2001:db8:1:120::1", 5)).toBe(3);
  });

  it("of before the clock was set back holds nobody up, and a millisecond back gives nothing", () => {
    const [floods, hour] = [new Floods(3, 7), 3_600_000];
    expect(many(floods, "192.0.2.1", 5, hour)).toBe(3);
    expect(many(floods, "192.0.2.1", 5, hour - 1)).toBe(0);
    expect(many(floods, "192.0.2.1", 5, hour / 2)).toBe(3);
    expect(many(floods, "192.0.2.1", 5, hour / 2 + 1000)).toBe(3);
    const trickling = new Floods(3, 7, undefined, 1);
    expect(many(trickling, "192.0.2.1", 5, hour)).toBe(3);
    expect(many(trickling, "192.0.2.1", 5, hour / 2)).toBe(3);
  });

  it("that goes on has a trickle, until a second passes in which it asks for no more than that", () => {
    const floods = new Floods(60, 7, undefined, 15);
    const address = "192.0.2.1";
    const evenly = (rate: number, from: number, seconds: number) => {
      let taken = 0;
      for (let at = 0; at < rate * seconds; at++) {
        if (floods.take(address, from + (at * 1000) / rate)) taken++;
      }
      return taken;
    };
    expect(evenly(60, 0, 10)).toBe(600);
    expect(many(floods, "198.51.100.1", 100)).toBe(60);
    expect(evenly(500, 20_000, 1)).toBeLessThanOrEqual(85);
    expect(evenly(500, 21_000, 10)).toBeGreaterThanOrEqual(149);
    expect(evenly(500, 31_000, 10)).toBeLessThanOrEqual(151);
    expect(evenly(14, 41_000, 1)).toBe(14);
    expect(evenly(60, 43_000, 10)).toBe(600);
  });

  it("is refused without counting what it may still ask, and that it was refused counts", () => {
    const floods = new Floods(3, 7, undefined, 1);
    expect(floods.refuses("192.0.2.1", 0)).toBe(false);
    expect(many(floods, "192.0.2.1", 3)).toBe(3);
    expect(floods.refuses("192.0.2.1", 0)).toBe(true);
    expect(floods.refuses("192.0.3.1", 0)).toBe(false);
    // Without the refusal, a third of a second would do for one more.
    expect(floods.take("192.0.2.1", 400)).toBe(false);
    expect(floods.take("192.0.2.1", 1400)).toBe(true);
  });
});

describe("the words of the feed", () => {
  it("are read back as they were said, and nothing else is understood", () => {
    const said = page(feedNames());
    expect(parseAnswer(JSON.stringify(said))).toEqual(said);
    const ask = { from: { epoch: "e", seq: 3 }, reading: false };
    expect(parseAsk(JSON.stringify(ask))).toEqual(ask);
    expect(parseAsk(JSON.stringify({ from: null, reading: true }))).not.toBeNull();
    for (const wrong of ["", "null", "{}", '{"from":{"epoch":1,"seq":0},"reading":true}', "[1]"]) {
      expect([wrong, parseAsk(wrong), parseAnswer(wrong)]).toEqual([wrong, null, null]);
    }
    const crowd = Array.from({ length: limits.feedPageNames + 1 }, () => feedNames()[0]);
    expect(parseAnswer(JSON.stringify({ ...said, names: crowd }))).toBeNull();
    expect(
      parseAnswer(
        JSON.stringify({ ...said, names: [{ id: "a", names: [{ label: 1, sets: [] }] }] }),
      ),
    ).toBeNull();
  });
});

describe("UDP", () => {
  it("says what is in memory while an edge that hangs keeps as many waiting as may", async () => {
    const edge = {
      waiting: 0,
      ask: () => {
        edge.waiting++;
        return new Promise<null>(() => undefined);
      },
    };
    const answerer = new Answerer({ edge, zone: APEX, now: () => NOW });
    answerer.hear(page(feedNames()));
    const budgets = new Budgets({ askRate: 1e9, inventedRate: 1e9 }, newCounters(7), () => NOW);
    const udp = await startUdp("127.0.0.1", 0, overUdp(answerer, budgets));
    const client = createSocket("udp4");
    const send = (owner: string) =>
      new Promise((sent) =>
        client.send(question(`${owner}${APEX}`, "TXT"), udp.port, "127.0.0.1", sent),
      );
    // What stands at ns1 and www only the edge knows; who asks for the same twice waits for one answer.
    for (let at = 0; at < limits.dnsFrontInFlight; at++) {
      await send(`x${at}.www.`);
      while (edge.waiting <= at) await new Promise((next) => setImmediate(next));
    }
    const answers: Looked[] = [];
    for (const owner of ["_acme-challenge.nas.", "x.ns1."]) {
      const heard = new Promise<Buffer>((resolve) => client.once("message", resolve));
      await send(owner);
      answers.push(readAnswer(await heard));
    }
    expect(answers).toMatchObject([
      { answers: { length: 1 }, truncated: false },
      { answers: [], truncated: true },
    ]);
    expect(edge.waiting).toBe(limits.dnsFrontInFlight);
    client.close();
    await udp.close();
  });
});
