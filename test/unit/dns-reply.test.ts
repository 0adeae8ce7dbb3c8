/** What a resolver says, read from the wire: written by an independent implementation of the protocol. */

import packet from "dns-packet";
import { describe, expect, it } from "vitest";
import { type Lookup, readReply, writeQuestion } from "../../protocol/dns/reply.ts";

const answered = (
  answers: packet.Answer[],
  { name = "own.test", type = "A" as Lookup, flags = 0, rcode = 0, id = 0 } = {},
) =>
  new Uint8Array(
    packet.encode({
      ...{ type: "response", id, flags: packet.RECURSION_AVAILABLE | flags | rcode },
      questions: [{ name, type }],
      answers,
      authorities: [{ type: "NS", name: "test", data: "ns.test" }],
    }),
  );
const read = (message: Uint8Array, type: Lookup = "A") => readReply(message, "own.test", type);

describe("a question", () => {
  it.each<Lookup>(["A", "AAAA", "CNAME"])("asks for %s with the id 0", (type) => {
    expect(packet.decode(Buffer.from(writeQuestion("own.test", type)))).toMatchObject({
      ...{ id: 0, type: "query", flag_rd: true },
      questions: [{ name: "own.test", type, class: "IN" }],
    });
  });
});

describe("an answer", () => {
  it("tells addresses and other names, in one form, and nothing else", () => {
    const message = answered([
      { type: "CNAME", name: "OWN.test", data: "Nas.DDNS.test" },
      { type: "A", name: "nas.ddns.test", data: "192.0.2.7" },
      { type: "AAAA", name: "nas.ddns.test", data: "2001:db8:0:0:0:0:0:7" },
      { type: "TXT", name: "nas.ddns.test", data: "no" },
    ]);
    expect(read(message)).toEqual({
      rcode: 0,
      records: [
        { name: "own.test", type: "CNAME", value: "nas.ddns.test" },
        { name: "nas.ddns.test", type: "A", value: "192.0.2.7" },
        { name: "nas.ddns.test", type: "AAAA", value: "2001:db8::7" },
      ],
    });
  });

  it.each([0, 2, 3, 5])("says its code %i", (rcode) => {
    expect(read(answered([], { rcode }))).toEqual({ rcode, records: [] });
  });

  it("is none when it is about something else, cut off, or a question", () => {
    expect(read(answered([], { name: "other.test" }))).toBe(null);
    expect(read(answered([]), "AAAA")).toBe(null);
    expect(read(answered([], { id: 7 }))).toBe(null);
    expect(read(answered([], { flags: packet.TRUNCATED_RESPONSE }))).toBe(null);
    expect(read(writeQuestion("own.test", "A"))).toBe(null);
  });

  it("is none when it ends too early, wherever that is, and never breaks the reader", () => {
    const whole = answered([{ type: "CNAME", name: "own.test", data: "nas.ddns.test" }]);
    const end = 12 + 14 + 10 + 10 + 15; // what stands after the answers is not looked at
    for (let length = 0; length < end; length++) {
      expect(read(whole.slice(0, length)), `${length} octets`).toBe(null);
    }
    for (let at = 0; at < whole.length; at++) {
      for (const octet of [0, 0x3f, 0xc0, 0xff]) {
        const junk = whole.slice();
        junk[at] = octet;
        expect(() => read(junk)).not.toThrow();
      }
    }
  });

  it("takes a name for no other that only looks like it", () => {
    const labels = ["nas.ddns", "test"].flatMap((label) => [
      ...[label.length, ...Buffer.from(label)],
    ]);
    const header = [0, 0, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
    const own = [3, ...Buffer.from("own"), 4, ...Buffer.from("test"), 0];
    const message = Uint8Array.from([
      ...[...header, ...own, 0, 5, 0, 1],
      ...[0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, labels.length + 1, ...labels, 0],
    ]);
    const reply = readReply(message, "own.test", "CNAME");
    expect(reply?.records).toEqual([{ name: "own.test", type: "CNAME", value: "nas?ddns.test" }]);
  });
});
