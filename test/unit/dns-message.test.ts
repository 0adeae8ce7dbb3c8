/** The DNS codec: any bytes are safe to read, and what it writes an independent parser reads. */

import packet from "dns-packet";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Answer,
  ednsPayloadBytes,
  empty,
  type Query,
  type ResourceRecord,
  rcodes,
  readQuery,
  udpBytes,
  writeAnswer,
  writeError,
  writeTruncated,
} from "../../protocol/dns/message.ts";
import { labelsUnder, nameOf, readName, writeName } from "../../protocol/dns/names.ts";

const bytes = (...parts: (number[] | string)[]) =>
  Uint8Array.from(
    parts.flatMap((part) =>
      typeof part === "string" ? [...part].map((char) => char.charCodeAt(0)) : part,
    ),
  );
const header = (questions: number, answers = 0, authorities = 0, additionals = 0) => [
  ...[0x12, 0x34, 0x01, 0x00],
  ...[questions, answers, authorities, additionals].flatMap((count) => [count >> 8, count & 0xff]),
];
const NAS = [...bytes([3], "nas", [4], "ddns", [4], "test", [0])];
const A_IN = [0, 1, 0, 1];
const opt = (...rdata: number[]) => [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, rdata.length, ...rdata];

function read(message: Uint8Array): Query {
  const result = readQuery(message);
  if (result.kind !== "query") throw new Error(`expected a query, not ${result.kind}`);
  return result.query;
}

const label = fc
  .stringMatching(/^[A-Za-z0-9_-]{1,63}$/)
  .filter((text) => !text.startsWith("-") && !text.endsWith("-"));
const name = fc
  .array(label, { minLength: 1, maxLength: 6 })
  .map((labels) => labels.join("."))
  .filter((text) => text.length < 250);
const questionType = fc.constantFrom("A", "AAAA", "NS", "SOA", "TXT", "MX", "CAA") as fc.Arbitrary<
  "A" | "AAAA"
>;
const generated = fc
  .record({
    id: fc.nat(0xffff),
    type: questionType,
    name,
    edns: fc.option(fc.integer({ min: 1, max: 0xffff })), // dns-packet writes 0 as 4096
    flags: fc.constantFrom(0, packet.RECURSION_DESIRED, packet.CHECKING_DISABLED),
  })
  .map((query) => ({
    query,
    message: new Uint8Array(
      packet.encode({
        type: "query",
        id: query.id,
        flags: query.flags,
        questions: [{ type: query.type, name: query.name }],
        ...(query.edns === null
          ? {}
          : {
              additionals: [
                {
                  type: "OPT",
                  name: ".",
                  udpPayloadSize: query.edns,
                  extendedRcode: 0,
                  ednsVersion: 0,
                  flags: 0,
                  flag_do: false,
                  options: [],
                },
              ],
            }),
      }),
    ),
  }));

/** One to four changes of the kinds that break parsers. */
const mutation = fc.array(
  fc.record({
    kind: fc.constantFrom("set", "insert", "cut", "pointer", "repeat"),
    at: fc.nat(600),
    value: fc.nat(255),
  }),
  { minLength: 1, maxLength: 4 },
);

function mutate(message: Uint8Array, changes: { kind: string; at: number; value: number }[]) {
  let octets = [...message];
  for (const { kind, at, value } of changes) {
    const where = octets.length === 0 ? 0 : at % octets.length;
    if (kind === "set") octets[where] = value;
    if (kind === "insert") octets.splice(where, 0, value);
    if (kind === "cut") octets = octets.slice(0, where);
    if (kind === "pointer") octets.splice(where, 2, 0xc0, value);
    if (kind === "repeat") octets = [...octets, ...octets.slice(where)];
  }
  return Uint8Array.from(octets);
}

/** Whatever was read must be answerable, and the answer readable by another parser. */
function answersWell(message: Uint8Array): void {
  const result = readQuery(message);
  if (result.kind === "unanswerable") return;
  const answer =
    result.kind === "malformed"
      ? writeError(result.head, rcodes.formatError)
      : writeAnswer(result.query, sample(result.query));
  const decoded = packet.decode(Buffer.from(answer));
  expect(decoded.id).toBe(((message[0] as number) << 8) | (message[1] as number));
  expect(decoded.type).toBe("response");
  expect(packet.decode.bytes).toBe(answer.length);
}

function sample(query: Query): Answer {
  const owner = query.questions[0]?.name ?? [];
  const apex = owner.slice(1);
  const records: ResourceRecord[] = [
    { name: owner, ttl: 60, data: { type: "A", address: "192.0.2.1" } },
    { name: owner, ttl: 60, data: { type: "AAAA", address: "2001:db8::1" } },
    { name: apex, ttl: 3600, data: { type: "NS", host: ["ns1", ...apex.slice(0, 3)] } },
  ];
  return { ...empty(rcodes.noError), authoritative: true, answers: records };
}

describe("reading a query", () => {
  it("reads what another library writes", () => {
    fc.assert(
      fc.property(generated, ({ query, message }) => {
        const got = read(message);
        expect(got.id).toBe(query.id);
        expect(got.opcode).toBe(0);
        expect(got.recursionDesired).toBe(query.flags === packet.RECURSION_DESIRED);
        expect(got.checkingDisabled).toBe(query.flags === packet.CHECKING_DISABLED);
        expect(got.questions.map((question) => question.name.join("."))).toEqual([query.name]);
        expect(got.edns?.payloadBytes ?? null).toBe(query.edns);
      }),
      { numRuns: 1000 },
    );
  });

  it("survives any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (message) => answersWell(message)),
      { numRuns: 20_000 },
    );
  });

  it("survives any bytes after a header of a query", () => {
    fc.assert(
      fc.property(
        fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3), fc.nat(3)),
        fc.uint8Array({ maxLength: 300 }),
        ([a, b, c, d], rest) => answersWell(bytes(header(a, b, c, d), [...rest])),
      ),
      { numRuns: 20_000 },
    );
  });

  it("survives mutated queries, and answers each so that another library reads it", () => {
    fc.assert(
      fc.property(generated, mutation, ({ message }, changes) =>
        answersWell(mutate(message, changes)),
      ),
      { numRuns: 20_000 },
    );
  });

  it.each([
    ["nothing", bytes([])],
    ["less than a header", bytes(header(0)).slice(0, 11)],
    ["an answer", bytes([0x12, 0x34, 0x81, 0x00], [0, 0, 0, 0, 0, 0, 0, 0])],
  ])("gives no answer to %s", (_what, message) => {
    expect(readQuery(message).kind).toBe("unanswerable");
  });

  it.each([
    ["a question that is missing", bytes(header(1))],
    ["a name that does not end", bytes(header(1), [3], "nas")],
    ["a label of 64 octets", bytes(header(1), [64], "a".repeat(64), [0], A_IN)],
    [
      "a name of 256 octets",
      bytes(
        header(1),
        ...[1, 2, 3].flatMap(() => [[63], "a".repeat(63)]),
        [62],
        "a".repeat(62),
        [0],
        A_IN,
      ),
    ],
    ["a pointer to itself", bytes(header(1), [0xc0, 12], A_IN)],
    ["a pointer forward", bytes(header(1), [0xc0, 18], A_IN, NAS)],
    ["two pointers in a ring", bytes(header(1), [1], "a", [0xc0, 16], [0xc0, 12], A_IN)],
    ["a name that points into its own middle", bytes(header(1), [1], "a", [0xc0, 12], A_IN)],
    ["a pointer into its own label", bytes(header(1), [3, 1, 120, 0], [0xc0, 13], A_IN)],
    ["half a pointer", bytes(header(1), [0xc0])],
    ["the obsolete label types", bytes(header(1), [0x41], "a", [0], A_IN)],
    ["octets after the end", bytes(header(1), NAS, A_IN, [0])],
    ["a question cut short", bytes(header(1), NAS, [0, 1, 0])],
    ["two OPT records", bytes(header(1, 0, 0, 2), NAS, A_IN, opt(), opt())],
    ["an OPT of a name", bytes(header(1, 0, 0, 1), NAS, A_IN, [1], "a", opt())],
    ["an OPT among the answers", bytes(header(1, 1), NAS, A_IN, opt())],
    ["an option cut short", bytes(header(1, 0, 0, 1), NAS, A_IN, opt(0, 10, 0, 8, 1))],
    [
      "RDATA beyond the end",
      bytes(header(1, 0, 0, 1), NAS, A_IN, [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 9]),
    ],
    ["more records than there are", bytes(header(1, 0xffff, 0xffff, 0xffff), NAS, A_IN)],
  ])("calls %s malformed", (_what, message) => {
    expect(readQuery(message)).toEqual({
      kind: "malformed",
      head: { id: 0x1234, opcode: 0, recursionDesired: true, checkingDisabled: false },
    });
  });

  it("follows pointers back, and takes the longest name there is", () => {
    const compressed = bytes(header(2), NAS, A_IN, [2], "ns", [0xc0, 16], A_IN);
    expect(read(compressed).questions.map(({ name }) => name.join("."))).toEqual([
      "nas.ddns.test",
      "ns.ddns.test",
    ]);
    const longest = bytes(
      header(1),
      ...[1, 2, 3].flatMap(() => [[63], "a".repeat(63)]),
      [61],
      "a".repeat(61),
      [0],
      A_IN,
    );
    expect(read(longest).questions[0]?.name).toHaveLength(4);
  });

  it("takes a dot inside a label as a part of the label", () => {
    const dotted = read(bytes(header(1), [8], "nas.ddns", [4], "test", [0], A_IN));
    expect(labelsUnder(dotted.questions[0]?.name ?? [], nameOf("ddns.test"))).toBeNull();
  });

  it("reads EDNS with options in full", () => {
    const query = read(bytes(header(1, 0, 0, 1), NAS, A_IN, opt(0, 10, 0, 2, 7, 7)));
    expect(query.edns).toEqual({
      payloadBytes: 1232,
      version: 0,
      dnssecOk: false,
      compactOk: false,
    });
  });
});

describe("writing an answer", () => {
  const query = read(bytes(header(1), [3], "NaS", [4], "DDns", [4], "test", [0], A_IN));

  it("echoes the case of the question, through pointers too", () => {
    const decoded = packet.decode(Buffer.from(writeAnswer(query, sample(query))));
    expect(decoded.questions?.[0]?.name).toBe("NaS.DDns.test");
    expect(decoded.answers?.map((record) => record.name)).toEqual([
      "NaS.DDns.test",
      "NaS.DDns.test",
      "DDns.test",
    ]);
    expect(decoded.answers?.map((record) => "data" in record && record.data)).toEqual([
      "192.0.2.1",
      "2001:db8::1",
      "ns1.DDns.test",
    ]);
  });

  it("writes names that read back the same, whatever the question was", () => {
    fc.assert(
      fc.property(name, name, (one, other) => {
        const known = nameOf(one);
        const target = nameOf(other);
        for (const written of [target, [...target.slice(0, 1), ...known.slice(1)]]) {
          if (written.join(".").length > 250) continue;
          const prefix = [...Array(12).fill(0), ...writeName(known, [], 0)];
          const message = Uint8Array.from([...prefix, ...writeName(written, known, 12)]);
          const got = readName(message, prefix.length);
          expect(got?.name.join(".").toLowerCase()).toBe(written.join(".").toLowerCase());
          expect(got?.next).toBe(message.length);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("truncates to the verdict, the question and the TC bit", () => {
    const edns: Query = {
      ...query,
      edns: { payloadBytes: 512, version: 0, dnssecOk: true, compactOk: false },
    };
    const whole = writeAnswer(edns, { ...sample(edns), rcode: rcodes.noError });
    const cut = packet.decode(Buffer.from(writeTruncated(edns, whole)));
    expect(cut).toMatchObject({ flag_tc: true, flag_aa: true, rcode: "NOERROR", answers: [] });
    expect(cut.questions).toHaveLength(1);
    expect(cut.additionals).toHaveLength(1);
  });

  it("never sends more over UDP than 1232 octets, nor less than 512 allow", () => {
    const sized = (payloadBytes: number) =>
      udpBytes({ ...query, edns: { payloadBytes, version: 0, dnssecOk: false, compactOk: false } });
    expect([udpBytes(query), sized(0), sized(700), sized(65_535)]).toEqual([
      512,
      512,
      700,
      ednsPayloadBytes,
    ]);
  });
});
