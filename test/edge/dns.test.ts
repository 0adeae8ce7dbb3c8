/** The zone over DNS over HTTPS, read by an independent parser: every kind of question. */

import { env } from "cloudflare:workers";
import packet from "dns-packet";
import { beforeAll, describe, expect, it } from "vitest";
import { systemRandom } from "../../durable-objects/platform.ts";
import { newId } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { base64url } from "../../protocol/tokens.ts";
import { handle } from "../../workers/app.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";

const NAME_SERVERS = "ns1.ddns.test=192.0.2.53=2001:db8::53 ns2.elsewhere.example";
const ENDPOINT = "http://localhost:8787/dns-query";
const MEDIA_TYPE = "application/dns-message";

let world: TestPorts;

/** A device that is named `<label>.ddns.test` and has these addresses. */
async function device(label: string, ipv4: string | null, ipv6: string | null, on = true) {
  const id = newId("dev", "home", systemRandom.bytes);
  await world.ports.directory.claimLabel(label, id);
  const stub = world.ports.devices.get(id);
  await stub.register({ deviceId: id, accountId: "acc", publicKey: "key", label });
  if (on) await stub.setFeature("name", true);
  await stub.updateAddresses({
    secret: null,
    ipv4: ipv4 === null ? "keep" : { set: ipv4 },
    ipv6: ipv6 === null ? "keep" : { set: ipv6 },
  });
  return stub;
}

beforeAll(async () => {
  world = testPorts({ env, variables: { NAME_SERVERS } });
  await device("both", "203.0.113.4", "2001:db8::4");
  await device("four", "203.0.113.5", null);
  await device("bare", null, null);
  await device("gone", "203.0.113.6", null, false);
});

type Question = { name: string; type: string; class?: string };

function query(questions: Question[], extra: object = {}): Uint8Array<ArrayBuffer> {
  const flags = packet.RECURSION_DESIRED;
  return Uint8Array.from(
    packet.encode({ type: "query", id: 4660, flags, questions, ...extra } as packet.Packet),
  );
}

const post = (body: BodyInit, headers: Record<string, string> = { "content-type": MEDIA_TYPE }) =>
  handle(new Request(ENDPOINT, { method: "POST", body, headers }), world.ports);

async function decoded(response: Response) {
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe(MEDIA_TYPE);
  const octets = await response.arrayBuffer();
  expect(response.headers.get("content-length")).toBe(String(octets.byteLength));
  const answer = packet.decode(Buffer.from(octets)) as packet.DecodedPacket & { rcode: string };
  return { answer, cache: response.headers.get("cache-control") };
}

/** What came back, in short: `rcode aa`, the records as zone file lines, how long it may be kept. */
async function look(name: string, type: string, edns = false) {
  const opt = { type: "OPT", name: ".", udpPayloadSize: 1232, flags: 0, options: [] };
  const message = query([{ name, type }], edns ? { additionals: [opt] } : {});
  const { answer, cache } = await decoded(await post(message));
  expect(answer.id).toBe(4660);
  expect(answer.flag_ra).toBe(false);
  expect(answer.flag_rd).toBe(true);
  expect(answer.questions).toEqual([{ name, type, class: "IN" }]);
  const lines = (records: packet.Answer[] | undefined) =>
    (records ?? [])
      .filter((record) => record.type !== "OPT")
      .map((record) => `${record.name} ${"ttl" in record ? record.ttl : ""} ${record.type}`);
  return {
    verdict: `${answer.rcode}${answer.flag_aa ? " aa" : ""}`,
    answers: lines(answer.answers),
    data: (answer.answers ?? []).map((record) => "data" in record && record.data),
    authorities: lines(answer.authorities),
    additionals: lines(answer.additionals),
    hasOpt: (answer.additionals ?? []).some((record) => record.type === "OPT"),
    cache,
  };
}

const SOA_LINE = `ddns.test ${limits.negativeTtlSeconds} SOA`;

describe("the zone", () => {
  it("answers A and AAAA of a device", async () => {
    expect(await look("both.ddns.test", "A")).toMatchObject({
      verdict: "NOERROR aa",
      answers: ["both.ddns.test 60 A"],
      data: ["203.0.113.4"],
      authorities: [],
      cache: "max-age=60",
    });
    expect(await look("both.ddns.test", "AAAA")).toMatchObject({
      verdict: "NOERROR aa",
      answers: ["both.ddns.test 60 AAAA"],
      data: ["2001:db8::4"],
    });
  });

  it("answers its apex: SOA and NS, with the addresses of its own name servers", async () => {
    const soa = await look("ddns.test", "SOA");
    expect(soa).toMatchObject({ verdict: "NOERROR aa", answers: ["ddns.test 3600 SOA"] });
    expect(soa.data[0]).toEqual({
      mname: "ns1.ddns.test",
      rname: "hostmaster.ddns.test",
      serial: Math.floor(world.clock.now() / 3_600_000) * 3600,
      refresh: 3600,
      retry: 600,
      expire: 604_800,
      minimum: 60,
    });
    expect(await look("ddns.test", "NS")).toMatchObject({
      verdict: "NOERROR aa",
      data: ["ns1.ddns.test", "ns2.elsewhere.example"],
      additionals: ["ns1.ddns.test 3600 A", "ns1.ddns.test 3600 AAAA"],
    });
    expect((await look("ns1.ddns.test", "A")).data).toEqual(["192.0.2.53"]);
    expect((await look("ns1.ddns.test", "AAAA")).data).toEqual(["2001:db8::53"]);
  });

  it("answers a serial that grows with the hours and fits 32 bits", async () => {
    const serial = async () => ((await look("ddns.test", "SOA")).data[0] as packet.SoaData).serial;
    const before = await serial();
    world.clock.advance(limits.zoneSerialMs);
    expect(await serial()).toBe((before ?? 0) + 3600);
  });

  it.each([
    ["four.ddns.test", "AAAA"],
    ["bare.ddns.test", "A"],
    ["both.ddns.test", "TXT"],
    ["both.ddns.test", "MX"],
    ["both.ddns.test", "SOA"],
    ["both.ddns.test", "NS"],
    ["ddns.test", "A"],
    ["ddns.test", "DS"],
    ["ns1.ddns.test", "TXT"],
  ])("answers NODATA for %s %s, and for how long", async (name, type) => {
    expect(await look(name, type)).toMatchObject({
      verdict: "NOERROR aa",
      answers: [],
      authorities: [SOA_LINE],
      cache: "max-age=60",
    });
  });

  it.each([
    ["nobody.ddns.test", "A"],
    ["nobody.ddns.test", "ANY"],
    ["gone.ddns.test", "A"],
    ["www.both.ddns.test", "A"],
    ["_acme-challenge.both.ddns.test", "TXT"],
    ["a.b.c.ddns.test", "A"],
    ["both.both.ddns.test", "A"],
    ["both.nobody.ddns.test", "A"],
    ["-both.ddns.test", "A"],
    ["ns2.ddns.test", "A"],
    ["hostmaster.ddns.test", "A"],
    ["*.ddns.test", "A"],
  ])("answers NXDOMAIN for %s %s, and for how long", async (name, type) => {
    expect(await look(name, type)).toMatchObject({
      verdict: "NXDOMAIN aa",
      answers: [],
      authorities: [SOA_LINE],
      cache: "max-age=60",
    });
  });

  it.each([
    ["example.org", "A"],
    ["test", "SOA"],
    [".", "NS"],
    ["xddns.test", "A"],
    ["ddns.test.example", "A"],
  ])("refuses %s %s, which is not its own", async (name, type) => {
    expect(await look(name, type)).toMatchObject({
      verdict: "REFUSED",
      authorities: [],
      cache: "no-store",
    });
  });

  it("echoes the case of the question", async () => {
    expect(await look("BoTH.DDns.TEST", "A")).toMatchObject({
      verdict: "NOERROR aa",
      answers: ["BoTH.DDns.TEST 60 A"],
      data: ["203.0.113.4"],
    });
    expect((await look("NOBODY.DDNS.Test", "A")).verdict).toBe("NXDOMAIN aa");
  });

  it("answers ANY with one small record (RFC 8482)", async () => {
    for (const name of ["both.ddns.test", "bare.ddns.test", "ddns.test"]) {
      const any = await look(name, "ANY");
      expect(any).toMatchObject({ verdict: "NOERROR aa", answers: [`${name} 3600 HINFO`] });
      expect(any.data).toEqual([{ cpu: "RFC8482", os: "" }]);
    }
  });

  it("echoes EDNS, and only to who speaks it", async () => {
    expect((await look("both.ddns.test", "A", true)).hasOpt).toBe(true);
    expect((await look("nobody.ddns.test", "A", true)).hasOpt).toBe(true);
    expect((await look("example.org", "A", true)).hasOpt).toBe(true);
    expect((await look("both.ddns.test", "A", false)).hasOpt).toBe(false);
  });

  it("does not transfer", async () => {
    expect((await look("ddns.test", "AXFR")).verdict).toBe("REFUSED");
    expect((await look("ddns.test", "IXFR")).verdict).toBe("REFUSED");
  });

  it("[CON-5] lets a name go the moment it is switched off", async () => {
    const stub = await device("brief", "203.0.113.9", null);
    expect((await look("brief.ddns.test", "A")).data).toEqual(["203.0.113.9"]);
    await stub.setFeature("name", false);
    expect((await look("brief.ddns.test", "A")).verdict).toBe("NXDOMAIN aa");
    await stub.setFeature("name", true);
    expect((await look("brief.ddns.test", "A")).answers).toEqual([]);
  });

  it("reaches no object for a label that nobody has", async () => {
    const { devices } = world.ports;
    const reached: string[] = [];
    const watched = {
      ...world.ports,
      devices: {
        get: (id: string) => {
          reached.push(id);
          return devices.get(id);
        },
      },
    };
    for (const name of ["ghost.ddns.test", "a.ghost.ddns.test", "ddns.test", "www.ddns.test"]) {
      const body = query([{ name, type: "A" }]);
      const request = new Request(ENDPOINT, {
        method: "POST",
        body,
        headers: { "content-type": MEDIA_TYPE },
      });
      await decoded(await handle(request, watched));
    }
    expect(reached).toEqual([]);
  });

  it("answers SERVFAIL when a store is away, and logs no name", async () => {
    const broken = {
      ...world.ports,
      devices: {
        get: () => {
          throw new RangeError("both.ddns.test");
        },
      },
    };
    const request = new Request(ENDPOINT, {
      method: "POST",
      body: query([{ name: "both.ddns.test", type: "A" }]),
      headers: { "content-type": MEDIA_TYPE },
    });
    const { answer, cache } = await decoded(await handle(request, broken));
    expect([answer.rcode, cache]).toEqual(["SERVFAIL", "no-store"]);
    expect(JSON.stringify(world.lines)).not.toContain("both");
  });
});

describe("a message that is not an ordinary query", () => {
  const rcode = async (message: Uint8Array<ArrayBuffer>) =>
    (await decoded(await post(message))).answer.rcode;
  const good = () => query([{ name: "both.ddns.test", type: "A" }]);

  it("without a question, or with two, is a format error", async () => {
    expect(await rcode(query([]))).toBe("FORMERR");
    const two = { name: "both.ddns.test", type: "A" };
    expect(await rcode(query([two, two]))).toBe("FORMERR");
  });

  it.each([
    ["IQUERY", 1],
    ["STATUS", 2],
    ["NOTIFY", 4],
    ["an opcode that nobody assigned", 15],
  ])("with the opcode %s is not implemented", async (_what, opcode) => {
    const message = good();
    message[2] = ((message[2] ?? 0) & 0x87) | (opcode << 3);
    expect(await rcode(message)).toBe("NOTIMP");
  });

  it("with the opcode UPDATE and no zone is malformed, and refused without a signature", async () => {
    const message = good();
    message[2] = ((message[2] ?? 0) & 0x87) | (5 << 3);
    expect(await rcode(message)).toBe("FORMERR");
    const unsigned = query([{ name: "ddns.test", type: "SOA" }]);
    unsigned[2] = ((unsigned[2] ?? 0) & 0x87) | (5 << 3);
    expect(await rcode(unsigned)).toBe("REFUSED");
  });

  it("of another class is refused", async () => {
    for (const other of ["CH", "HS", "ANY"]) {
      expect(await rcode(query([{ name: "both.ddns.test", type: "A", class: other }]))).toBe(
        "REFUSED",
      );
    }
  });

  it("of a later EDNS gets BADVERS in its OPT record", async () => {
    const opt = {
      type: "OPT",
      name: ".",
      udpPayloadSize: 1232,
      ednsVersion: 1,
      flags: 0,
      options: [],
    };
    const message = query([{ name: "both.ddns.test", type: "A" }], { additionals: [opt] });
    const { answer } = await decoded(await post(message));
    expect(answer.answers).toEqual([]);
    expect(answer.additionals?.[0]).toMatchObject({
      type: "OPT",
      extendedRcode: 1,
      ednsVersion: 0,
    });
  });

  it("that is cut short is a format error with its id", async () => {
    const { answer } = await decoded(await post(good().slice(0, -1)));
    expect([answer.id, answer.rcode, answer.questions]).toEqual([4660, "FORMERR", []]);
  });
});

describe("DNS over HTTPS", () => {
  const good = query([{ name: "both.ddns.test", type: "A" }]);
  const get = (search: string, method = "GET") =>
    handle(new Request(`${ENDPOINT}${search}`, { method }), world.ports);

  it("answers GET as it answers POST", async () => {
    const { answer, cache } = await decoded(await get(`?dns=${base64url(good)}`));
    expect(answer.answers).toMatchObject([{ name: "both.ddns.test", data: "203.0.113.4" }]);
    expect(cache).toBe("max-age=60");
  });

  it.each([
    ["without a message", "", 400],
    ["with an empty one", "?dns=", 400],
    ["that is not base64url", "?dns=AAA+BBB%2F", 400],
    ["padded", `?dns=${base64url(good)}%3D`, 400],
    ["of half a header", "?dns=AAAB", 400],
    [
      "that is an answer",
      `?dns=${base64url(Uint8Array.from([0, 0, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0]))}`,
      400,
    ],
    ["that is too long", `?dns=${"A".repeat(limits.dnsMessageBytes * 2)}`, 413],
  ])("refuses a GET %s", async (_what, search, status) => {
    const response = await get(search);
    expect([response.status, response.headers.get("content-type")]).toEqual([
      status,
      "application/problem+json",
    ]);
  });

  it.each([
    ["of another type", { "content-type": "application/octet-stream" }, good, 415],
    ["of no type", {}, good, 415],
    [
      "that is too long",
      { "content-type": MEDIA_TYPE },
      new Uint8Array(limits.dnsMessageBytes + 1),
      413,
    ],
    ["without a body", { "content-type": MEDIA_TYPE }, new Uint8Array(), 400],
  ])("refuses a POST %s", async (_what, headers, body, status) => {
    expect((await post(body, headers as Record<string, string>)).status).toBe(status);
  });

  it("stops reading a body that does not say how long it is", async () => {
    let pulled = 0;
    const endless = new ReadableStream({
      pull(controller) {
        pulled++;
        controller.enqueue(new Uint8Array(1024));
      },
    });
    expect((await post(endless)).status).toBe(413);
    expect(pulled).toBeLessThan(200); // the platform reads 64 KiB ahead
  });

  it("has no other methods", async () => {
    expect((await get("", "PUT")).status).toBe(405);
    expect((await get("", "DELETE")).status).toBe(405);
  });
});
