/**
 * The zone's signatures before the validators of three houses, through the front: Debian's delv (BIND),
 * unbound with our DS as its trust anchor, and drill (ldns). And after the key was replaced.
 */

import { createHash } from "node:crypto";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type Front, startFront } from "../../front/front.ts";
import { readQuery, writeAnswer } from "../../protocol/dns/message.ts";
import type { RecordSet } from "../../protocol/dns/sets.ts";
import { dsLines } from "../../scripts/dns-ds.ts";
import { World } from "../contract/suite/world.ts";
import { workerd } from "../contract/workerd.ts";
import { startUnbound } from "../support/resolvers.ts";
import { type Scenario, withDevice } from "../support/scenario.ts";
import { memoryZone, newKey } from "../support/zone.ts";
import { run } from "./program.ts";

const TOKEN = "operator-".repeat(5);

let world: World;
let front: Front;
let nas: Scenario;
let folder: string;

beforeAll(async () => {
  const hash = createHash("sha256").update(TOKEN).digest("hex");
  world = await World.create(workerd, { OPERATOR_TOKEN_HASHES: hash, FRONT_TOKEN_HASHES: hash });
  nas = await withDevice(world);
  const authorization = `Basic ${btoa(`${nas.host}:${nas.updateSecret}`)}`;
  const query = `hostname=${nas.host}&myip=203.0.113.4,2001:db8::4`;
  await fetch(`${world.origin}/nic/update?${query}`, { headers: { authorization } });
  front = await newFront();
  folder = await mkdtemp(join(tmpdir(), "latchkey-dnssec-"));
  // The signatures of the update are on their way.
  await vi.waitFor(
    async () => expect(await delv(nas.host, "AAAA")).toContain("; fully validated"),
    {
      timeout: 30_000,
      interval: 50,
    },
  );
});
afterAll(async () => {
  await front.close();
  await world.close();
  await rm(folder, { recursive: true });
});

/** One that remembers nothing of before, and holds the zone. */
async function newFront(): Promise<Front> {
  const held = { zone: zone(), token: TOKEN };
  const started = await startFront({ edge: world.origin, host: "127.0.0.1", port: 0, held });
  await started.ready;
  return started;
}
const zone = () => world.ddnsZone;
/** `<tag> <algorithm> <digest type> <digest>` */
const anchors = async () =>
  (await dsLines(world.origin, zone())).map((line) => line.split(" ").slice(4));

/** What delv says after it has checked every signature itself. */
async function delv(...question: string[]): Promise<string> {
  const lines = (await anchors()).map(
    ([tag, algorithm, type, digest]) =>
      `"${zone()}." static-ds ${tag} ${algorithm} ${type} "${digest}";`,
  );
  const file = join(folder, "anchors");
  await writeFile(file, `trust-anchors { ${lines.join(" ")} };\n`);
  const args = ["@127.0.0.1", "-p", `${front.port}`, "-a", file, `+root=${zone()}`, ...question];
  const { stdout, stderr } = await run("delv", args, "apt-get install bind9-dnsutils");
  return stdout + stderr;
}

/** What drill makes of a chain up from the answer. */
async function drill(...question: string[]): Promise<string> {
  const file = join(folder, "ds");
  await writeFile(file, `${(await dsLines(world.origin, zone())).join("\n")}\n`);
  const args = ["-S", "-k", file, "-p", `${front.port}`, ...question, "@127.0.0.1"];
  const { stdout, stderr } = await run("drill", args, "apt-get install ldnsutils");
  return stdout + stderr;
}

interface Resolver {
  look(...question: string[]): Promise<{ status: string; flags: string[]; text: string }>;
  end(): Promise<void>;
}

/** unbound, which asks the front for the zone and trusts our DS only. */
async function unbound(anchor: string[], more = ""): Promise<Resolver> {
  const trust = `trust-anchor: "${zone()}. DS ${anchor.join(" ")}"\n  ${more}`;
  const { port, end } = await startUnbound(folder, { [zone()]: front.port }, trust);
  return {
    async look(...question) {
      const args = ["@127.0.0.1", "-p", `${port}`, "+tries=1", "+time=20", "+dnssec", ...question];
      const { stdout } = await run("dig", args, "apt-get install bind9-dnsutils");
      return {
        status: /status: (\w+)/.exec(stdout)?.[1] ?? stdout,
        flags: (/;; flags: ([a-z ]*);/.exec(stdout)?.[1] ?? "").split(" "),
        text: stdout,
      };
    },
    end,
  };
}

/** The time that resolvers need to learn of a new key has gone by. */
async function later(data: string): Promise<void> {
  for (const file of await readdir(data, { recursive: true })) {
    if (!file.endsWith(".sqlite")) continue;
    const database = new DatabaseSync(join(data, file));
    const [table] = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'zone_key'").all();
    if (table !== undefined) database.exec("UPDATE zone_key SET signs_at = created_at");
    database.close();
  }
}

const nobody = () => `nobody.${zone()}`;

describe("delv 9.18", () => {
  it.each([
    ["A", () => nas.host, "; fully validated", "203.0.113.4"],
    ["AAAA", () => nas.host, "; fully validated", "2001:db8::4"],
    ["SOA", zone, "; fully validated", "hostmaster"],
    ["NS", zone, "; fully validated", "ns1"],
    ["DNSKEY", zone, "; fully validated", "257 3 13"],
    ["CDS", zone, "; fully validated", "13 2"],
    ["CDNSKEY", zone, "; fully validated", "257 3 13"],
    ["ANY", () => nas.host, "; fully validated", "203.0.113.4"],
    ["TXT", () => nas.host, "; negative response, fully validated", "nxrrset"],
    ["DS", () => nas.host, "; negative response, fully validated", "nxrrset"],
    ["A", nobody, "; negative response, fully validated", "nxrrset"],
    ["A", () => `deep.below.${nobody()}`, "; negative response, fully validated", "nxrrset"],
    ["A", () => `www.${nas.host}`, "; negative response, fully validated", "nxrrset"],
    [
      "A",
      () => `NoBody.${zone().toUpperCase()}`,
      "; negative response, fully validated",
      "nxrrset",
    ],
    ["A", () => nas.host.toUpperCase(), "; fully validated", "203.0.113.4"],
  ])("validates %s of %o", async (type, name, verdict, data) => {
    const said = await delv(name(), type);
    expect(said).toContain(verdict);
    expect(said).toContain(data);
  });
});

describe("drill 1.8", () => {
  it("chases the signatures of an answer up to our DS", async () => {
    expect(await drill(nas.host, "A")).toContain("Chase successful");
    for (const [name, type] of [
      [nas.host, "TXT"],
      [nobody(), "A"],
    ] as const) {
      const said = await drill(name, type);
      expect(said).toContain("Existence denied or verifiably insecure");
      expect(said).toContain("Chase successful");
    }
  });
});

describe("unbound 1.17 with our DS as its trust anchor", () => {
  let resolver: Resolver;
  beforeAll(async () => {
    resolver = await unbound((await anchors())[0] ?? []);
  });
  afterAll(() => resolver.end());

  it.each([
    ["A", () => nas.host, "NOERROR"],
    ["AAAA", () => nas.host, "NOERROR"],
    ["TXT", () => nas.host, "NOERROR"],
    ["SOA", zone, "NOERROR"],
    ["DNSKEY", zone, "NOERROR"],
    ["A", () => `www.${nas.host}`, "NOERROR"],
    ["A", nobody, "NOERROR"],
  ])("sets AD on %s of %o", async (type, name, status) => {
    const answer = await resolver.look(name(), type);
    expect([answer.status, answer.flags]).toEqual([status, expect.arrayContaining(["ad"])]);
  });
});

describe("a name whose owner switched its wildcard on", () => {
  /** As the owner says; the front that holds the zone has it when delv sees it. */
  beforeAll(async () => {
    const put = (what: string, body: object) => nas.box.ask(`/name/${what}`, "PUT", body);
    for (const [what, body] of [
      ["records", { owner: "_dmarc", type: "TXT", values: ["v=DMARC1; p=reject"] }],
      ["records", { owner: "", type: "CAA", values: ['0 issue "ca.example"'] }],
      ["records", { owner: "", type: "HTTPS", values: ["1 . alpn=h2,h3"] }],
      ["neighbors", { owner: "tv", interface: "::211:32ff:fe12:3456" }],
      ["wildcard", { on: true }],
    ] as const) {
      expect((await put(what, body)).status).toBe(204);
    }
    const seen = async () => expect(await delv(`www.${nas.host}`, "A")).toContain("203.0.113.4");
    await vi.waitFor(seen, { timeout: 30_000, interval: 50 });
  });
  afterAll(() => nas.box.ask("/name/wildcard", "PUT", { on: false }));

  const yes = "; fully validated";
  const no = "; negative response, fully validated";
  const asked = [
    ["A", "www", yes, "203.0.113.4"],
    ["AAAA", "deep.www", yes, "2001:db8::4"],
    ["HTTPS", "WwW", yes, "h2,h3"],
    ["A", "*", yes, "203.0.113.4"],
    ["A", "zzz", yes, "203.0.113.4"],
    ["A", "", yes, "203.0.113.4"],
    ["CAA", "", yes, "ca.example"],
    ["HTTPS", "", yes, "h2,h3"],
    ["TXT", "_dmarc", yes, "DMARC1"],
    ["AAAA", "tv", yes, "2001:db8::211:32ff:fe12:3456"],
    // Of another type, of a name of its own, of a name below one of its own.
    ["TXT", "www", no, "nxrrset"],
    ["CAA", "deep.www", no, "nxrrset"],
    ["MX", "", no, "nxrrset"],
    ["A", "tv", no, "nxrrset"],
    ["A", "_dmarc", no, "nxrrset"],
    ["A", "x.tv", no, "nxdomain"],
    ["TXT", "x._dmarc", no, "nxdomain"],
  ] as const;
  const full = (owner: string) => (owner === "" ? nas.host : `${owner}.${nas.host}`);

  it.each(asked)("delv validates %s of %j", async (type, owner, verdict, data) => {
    const said = await delv(full(owner), type);
    expect(said).toContain(verdict);
    expect(said).toContain(data);
  });

  it("unbound sets AD on each of them, also when it makes answers of the proofs that it has", async () => {
    const resolver = await unbound((await anchors())[0] ?? [], "aggressive-nsec: yes");
    try {
      for (const round of [1, 2]) {
        for (const [type, owner, verdict, data] of asked) {
          const { status, flags, text } = await resolver.look(full(owner), type);
          const expected = data === "nxdomain" ? "NXDOMAIN" : "NOERROR";
          expect([round, owner, type, status, flags.includes("ad")]).toEqual([
            ...[round, owner, type, expected, true],
          ]);
          if (verdict === yes) expect(text).toContain(data.replace("h2,h3", 'alpn="h2,h3"'));
          else expect(text).toContain("ANSWER: 0");
        }
      }
    } finally {
      await resolver.end();
    }
  });

  it("drill chases an expanded answer, and the absence of a type and of a name", async () => {
    expect(await drill(`www.${nas.host}`, "A")).toContain("Chase successful");
    for (const [name, type] of [
      [`www.${nas.host}`, "TXT"],
      [`x.tv.${nas.host}`, "A"],
    ] as const) {
      expect(await drill(name, type)).toContain("Existence denied or verifiably insecure");
    }
  });
});

describe("a wildcard and the empty names between", () => {
  /** The zone's own rules with a device that publishes one, over HTTP. */
  async function near(): Promise<{ origin: string; close(): Promise<void> }> {
    const key = await newKey();
    const zone = await memoryZone(key, Date.now());
    const sets = [address("", "192.0.2.1"), address("*", "192.0.2.2"), address("a.b", "192.0.2.3")];
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const read = readQuery(Buffer.concat(chunks));
      if (read.kind !== "query") return void response.writeHead(400).end();
      const answer = await zone.answer(read.query, (label) => (label === "nas" ? sets : null));
      response.end(writeAnswer(read.query, answer));
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    return {
      origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      close: () => new Promise((closed) => server.close(() => closed())),
    };
  }
  const address = (owner: string, text: string): RecordSet => ({
    ...{ owner, type: "A", ttl: 60, data: [{ type: "A", address: text }] },
  });

  it("validate: expanded, not expanded, without the type, and beside a name of its own", async () => {
    const server = await near();
    await front.close();
    front = await startFront({ edge: server.origin, host: "127.0.0.1", port: 0 });
    const [anchor = []] = (await dsLines(server.origin, zone())).map((line) =>
      line.split(" ").slice(4),
    );
    const resolver = await unbound(anchor);
    try {
      for (const [name, type, status, data] of [
        ["nas", "A", "NOERROR", "192.0.2.1"],
        ["www.nas", "A", "NOERROR", "192.0.2.2"],
        ["x.y.nas", "A", "NOERROR", "192.0.2.2"],
        ["zzz.nas", "A", "NOERROR", "192.0.2.2"],
        ["*.nas", "A", "NOERROR", "192.0.2.2"],
        ["www.nas", "TXT", "NOERROR", ""],
        ["b.nas", "A", "NOERROR", ""],
        ["a.b.nas", "A", "NOERROR", "192.0.2.3"],
        ["c.b.nas", "A", "NXDOMAIN", ""],
        ["x.a.b.nas", "A", "NXDOMAIN", ""],
        ["zzz.nas", "AAAA", "NOERROR", ""],
        ["nasa", "A", "NOERROR", ""],
      ] as const) {
        const said = await resolver.look(`${name}.${zone()}`, type);
        expect([name, type, said.status, said.flags.includes("ad")]).toEqual([
          ...[name, type, status, true],
        ]);
        expect(said.text).toContain(data);
        if (data === "") expect(said.text).not.toMatch(/\sIN\s+A\s+192/);
      }
    } finally {
      await resolver.end();
      await front.close();
      front = await newFront();
      await server.close();
    }
  });
});

describe("after the key was replaced", () => {
  const operator = async (path: string, method = "POST") => {
    const headers = { authorization: `Bearer ${TOKEN}` };
    const answer = await fetch(`${world.origin}/api/operator/zone${path}`, { method, headers });
    return { status: answer.status, zone: await answer.json() };
  };

  it("answers validate with either DS at first, and then with the new one alone", async () => {
    const [old] = await anchors();
    const begun = await operator("/rollover");
    expect(begun.zone.keys).toMatchObject([{ in_use: true }, { in_use: false }]);
    // Nothing may be ended, and nothing begun again, while the new key is not even in use.
    expect([
      (await operator("/rollover")).status,
      (await operator("/rollover/end")).status,
    ]).toEqual([409, 409]);
    await front.close();
    front = await newFront();
    expect((await delv(zone(), "DNSKEY")).match(/257 3 13/g)).toHaveLength(2);
    expect(await anchors()).toEqual([old]);
    await front.close();
    await world.restart("gently", () => later(world.data));
    front = await newFront();
    const next = begun.zone.keys[1].ds.split(" ");
    expect(await anchors()).toEqual([next]);
    for (const anchor of [old, next]) {
      const resolver = await unbound(anchor ?? []);
      for (const name of [nas.host, nobody(), zone()]) {
        expect((await resolver.look(name, "A")).flags).toContain("ad");
      }
      await resolver.end();
    }
    // What the zone's front holds was signed before and is good until it is signed anew.
    await front.close();
    front = await startFront({ edge: world.origin, host: "127.0.0.1", port: 0 });
    const signedBy = async () =>
      /RRSIG\s+A 13 3 60 \d+ \d+ (\d+)/.exec(await delv(nas.host, "A"))?.[1];
    expect(await signedBy()).toBe(next[0]);
  });
});
