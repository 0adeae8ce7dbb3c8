/** The zone's decisions for any query at all: always an answer, well formed, with its invariants. */

import packet from "dns-packet";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Query, writeAnswer } from "../../protocol/dns/message.ts";
import { nameOf } from "../../protocol/dns/names.ts";
import { answerQuery, type Zone } from "../../workers/name/zone.ts";

const zone: Zone = {
  apex: "ddns.test",
  nameServers: [{ host: "ns1.ddns.test", ipv4: ["192.0.2.53"], ipv6: ["2001:db8::53"] }],
};

const octetLabel = fc
  .uint8Array({ minLength: 1, maxLength: 63 })
  .map((octets) => String.fromCharCode(...octets));
const label = fc.oneof(
  fc.constantFrom("nas", "NAS", "ns1", "www", "*", "ddns", "test"),
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
      type: fc.oneof(fc.constantFrom(1, 2, 6, 28, 255), fc.nat(0xffff)),
      class: fc.oneof({ weight: 9, arbitrary: fc.constant(1) }, fc.nat(0xffff)),
    }),
    { minLength: 0, maxLength: 2 },
  ),
  edns: fc.option(
    fc.record({ payloadBytes: fc.nat(0xffff), version: fc.nat(2), dnssecOk: fc.boolean() }),
  ),
});

describe("the zone", () => {
  it("answers any query in a form that another library reads", async () => {
    const asked = new Set<string>();
    await fc.assert(
      fc.asyncProperty(query, async (any) => {
        const answer = await answerQuery(
          any,
          zone,
          async (text) => {
            asked.add(text);
            return text === "nas" ? { ipv4: "192.0.2.1", ipv6: null } : null;
          },
          1_800_000_000_000,
        );
        const message = Buffer.from(writeAnswer(any, answer));
        const decoded = packet.decode(message) as packet.DecodedPacket & { rcode: string };
        expect(packet.decode.bytes).toBe(message.length);
        const records = (decoded.additionals ?? []).filter((record) => record.type !== "OPT");
        const authoritative = ["NOERROR", "NXDOMAIN"].includes(decoded.rcode) && answer.rcode < 16;
        expect(decoded.flag_aa).toBe(authoritative);
        if (!authoritative) {
          expect([decoded.answers, decoded.authorities, records]).toEqual([[], [], []]);
        } else {
          // Either what was asked for, or the SOA that says for how long there is nothing.
          const soa = decoded.authorities?.map((record) => record.type);
          expect(soa).toEqual(decoded.answers?.length === 0 ? ["SOA"] : []);
        }
      }),
      { numRuns: 20_000 },
    );
    // Only a word that a device could have is ever looked up.
    expect([...asked].filter((text) => !/^[a-z0-9-]{3,63}$/.test(text))).toEqual([]);
    expect(asked.has("nas")).toBe(true);
  });
});
