/** The zone's decisions for any query at all: always an answer, well formed, with its invariants. */

import packet from "dns-packet";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { empty, type Query, rcodes, writeAnswer } from "../../protocol/dns/message.ts";
import { nameOf } from "../../protocol/dns/names.ts";
import { type Data, types } from "../../protocol/dns/rdata.ts";
import type { RecordSet } from "../../protocol/dns/sets.ts";
import { type MemoryZone, memoryZone, newKey, questionOf } from "../support/zone.ts";

let plain: MemoryZone;
let signed: MemoryZone;
beforeAll(async () => {
  plain = await memoryZone(null);
  signed = await memoryZone(await newKey());
});

const sets: readonly RecordSet[] = [
  { owner: "", type: "A", ttl: 60, data: [{ type: "A", address: "192.0.2.1" }] },
  { owner: "_acme-challenge", type: "TXT", ttl: 60, data: [{ type: "TXT", texts: ["one"] }] },
  { owner: "*.deep", type: "A", ttl: 60, data: [{ type: "A", address: "192.0.2.2" }] },
];

const octetLabel = fc
  .uint8Array({ minLength: 1, maxLength: 63 })
  .map((octets) => String.fromCharCode(...octets));
const label = fc.oneof(
  fc.constantFrom("nas", "NAS", "ns1", "www", "*", "deep", "_acme-challenge", "ddns", "test"),
  octetLabel,
);
const name = fc
  .tuple(fc.array(label, { maxLength: 3 }), fc.constantFrom("ddns.test", "DDNS.Test", "test", ""))
  .map(([labels, suffix]) => [...labels, ...nameOf(suffix)])
  .filter((labels) => labels.join(".").length < 250);
const query: fc.Arbitrary<Query> = fc.record({
  id: fc.nat(0xffff),
  opcode: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.nat(15)),
  recursionDesired: fc.boolean(),
  checkingDisabled: fc.boolean(),
  questions: fc.array(
    fc.record({
      name,
      type: fc.oneof(fc.constantFrom(1, 2, 6, 16, 28, 46, 47, 48, 59, 255), fc.nat(0xffff)),
      class: fc.oneof({ weight: 9, arbitrary: fc.constant(1) }, fc.nat(0xffff)),
    }),
    { minLength: 0, maxLength: 2 },
  ),
  edns: fc.option(
    fc.record({
      payloadBytes: fc.nat(0xffff),
      version: fc.constantFrom(0, 0, 0, 1),
      dnssecOk: fc.boolean(),
      compactOk: fc.boolean(),
    }),
  ),
});

describe("the zone", () => {
  it.each([
    ["without keys", () => plain],
    ["signed", () => signed],
  ])("%s answers any query in a form that another library reads", async (_what, zone) => {
    const asked = new Set<string>();
    const proofs = new Set<string>();
    await fc.assert(
      fc.asyncProperty(query, async (any) => {
        const answer = await zone().answer(any, (text) => {
          asked.add(text);
          return text === "nas" ? sets : null;
        });
        const message = Buffer.from(writeAnswer(any, answer));
        const decoded = packet.decode(message) as packet.DecodedPacket & { rcode: string };
        expect(packet.decode.bytes).toBe(message.length);
        const records = (decoded.additionals ?? []).filter((record) => record.type !== "OPT");
        const authoritative = ["NOERROR", "NXDOMAIN"].includes(decoded.rcode) && answer.rcode < 16;
        expect(decoded.flag_aa).toBe(authoritative);
        if (!authoritative) {
          expect([decoded.answers, decoded.authorities, records]).toEqual([[], [], []]);
          return;
        }
        // Either what was asked for, or the SOA that says for how long there is nothing, with a proof.
        const above = (decoded.authorities ?? []).map((record) => record.type);
        const wants = zone() === signed && any.edns?.dnssecOk === true;
        const one = ["SOA", "RRSIG", "NSEC", "RRSIG"];
        const proof = wants ? [one, [...one, "NSEC", "RRSIG"]] : [["SOA"]];
        const stands = (decoded.answers ?? []).length > 0;
        expect(stands ? [[], ["NSEC", "RRSIG"]] : proof).toContainEqual(above);
        if (!stands) proofs.add(above.join(" "));
        const types = (decoded.answers ?? []).map(({ type }) => type);
        expect(types.includes("RRSIG")).toBe(
          stands && (wants || any.questions[0]?.type === 46) && zone() === signed,
        );
      }),
      { numRuns: 10_000 },
    );
    // Only a word that a device could have is ever looked up.
    expect([...asked].filter((text) => !/^[a-z0-9-]{3,63}$/.test(text))).toEqual([]);
    expect(asked.has("nas")).toBe(true);
    expect(proofs.size).toBe(zone() === signed ? 3 : 1);
  });
});

/** What a device with these sets answers: the verdict, and the data. */
async function look(name: string, type: keyof typeof types, published: readonly RecordSet[]) {
  const answer = await plain.answer(questionOf(name, types[type]), () => published);
  return {
    rcode: answer.rcode,
    owners: answer.answers.map((record) => record.name.join(".")),
    data: answer.answers.map((record) => record.data),
  };
}

describe("below a device's name", () => {
  const four = (owner: string, address: string): RecordSet => ({
    owner,
    type: "A",
    ttl: 60,
    data: [{ type: "A", address }],
  });
  const text: RecordSet = {
    owner: "_acme-challenge",
    type: "TXT",
    ttl: 60,
    data: [
      { type: "TXT", texts: ["one"] },
      { type: "TXT", texts: ["two"] },
    ],
  };
  const nothing = (rcode: number) => ({ rcode, owners: [], data: [] });

  it("a set is answered whole, and only for its type", async () => {
    expect(await look("_Acme-Challenge.nas.ddns.test", "TXT", [text])).toEqual({
      rcode: rcodes.noError,
      owners: ["_Acme-Challenge.nas.ddns.test", "_Acme-Challenge.nas.ddns.test"],
      data: text.data,
    });
    expect(await look("_acme-challenge.nas.ddns.test", "A", [text])).toEqual(
      nothing(rcodes.noError),
    );
  });

  it("a name that only has others below it is there, and has nothing (RFC 8020)", async () => {
    const deep = [four("a.b.c", "192.0.2.1")];
    for (const name of ["nas", "c.nas", "b.c.nas"]) {
      expect(await look(`${name}.ddns.test`, "A", deep)).toEqual(nothing(rcodes.noError));
    }
    for (const name of ["b.nas", "x.b.c.nas", "x.a.b.c.nas"]) {
      expect(await look(`${name}.ddns.test`, "A", deep)).toEqual(nothing(rcodes.nameError));
    }
  });

  it("a wildcard stands for what has no name of its own (RFC 4592)", async () => {
    const sets = [four("", "192.0.2.1"), four("*", "192.0.2.2"), text];
    const at = async (name: string) => (await look(`${name}.ddns.test`, "A", sets)).data;
    expect(await at("nas")).toEqual(four("", "192.0.2.1").data);
    for (const name of ["www.nas", "*.nas", "a.b.nas"]) {
      expect(await at(name)).toEqual(four("", "192.0.2.2").data);
    }
    expect(await look("www.nas.ddns.test", "A", sets)).toMatchObject({
      owners: ["www.nas.ddns.test"],
    });
    expect(await look("www.nas.ddns.test", "TXT", sets)).toEqual(nothing(rcodes.noError));
    expect(await look("_acme-challenge.nas.ddns.test", "A", sets)).toEqual(nothing(rcodes.noError));
    expect(await look("x._acme-challenge.nas.ddns.test", "A", sets)).toEqual(
      nothing(rcodes.nameError),
    );
  });

  it("a label with a dot in it is not two", async () => {
    const dotted: Query = {
      ...questionOf("", types.A),
      questions: [{ name: ["a.b", "nas", "ddns", "test"], type: types.A, class: 1 }],
    };
    const sets = [four("a.b", "192.0.2.1")];
    const answer = await plain.answer(dotted, () => sets);
    expect(answer.rcode).toBe(rcodes.nameError);
  });

  it("what a set holds, an independent parser reads", async () => {
    const sets: RecordSet[] = [
      {
        owner: "",
        type: "CAA",
        ttl: 60,
        data: [
          { type: "CAA", flags: 128, tag: "issue", value: "ca.example; validationmethods=dns-01" },
        ],
      },
      {
        owner: "",
        type: "HTTPS",
        ttl: 60,
        data: [
          {
            type: "HTTPS",
            priority: 1,
            target: [],
            params: { alpn: ["h2", "http/1.1"], port: 8443, ipv4hint: ["192.0.2.1"] },
          },
        ],
      },
      { owner: "", type: "TXT", ttl: 60, data: [{ type: "TXT", texts: ["a", "b".repeat(255)] }] },
    ];
    const caa = await look("nas.ddns.test", "CAA", sets);
    const message = (data: readonly Data[]) => {
      const query: Query = { ...questionOf("", types.A), questions: [] };
      const answers = data.map((one) => ({ name: nameOf("nas.ddns.test"), ttl: 60, data: one }));
      return packet.decode(Buffer.from(writeAnswer(query, { ...empty(0), answers }))).answers;
    };
    expect(message(caa.data)).toMatchObject([
      { type: "CAA", data: { issuerCritical: true, tag: "issue" } },
    ]);
    const https = await look("nas.ddns.test", "HTTPS", sets);
    const [binding] = message(https.data) ?? [];
    // Priority 1, the root, then alpn, port and ipv4hint by their numbers (RFC 9460 §2.2).
    expect(Buffer.from((binding as { data: Buffer }).data).toString("hex")).toBe(
      `000100${"0001000c02683208687474702f312e31"}${"0003000220fb"}${"00040004c0000201"}`,
    );
    const texts = await look("nas.ddns.test", "TXT", sets);
    expect(message(texts.data)).toMatchObject([
      { type: "TXT", data: [Buffer.from("a"), Buffer.from("b".repeat(255))] },
    ]);
  });
});
