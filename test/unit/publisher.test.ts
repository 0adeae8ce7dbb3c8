/** The zone at Cloudflare's own DNS: what is pushed, against a stand-in that takes what the API's schema takes. */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { beforeEach, describe, expect, it } from "vitest";
import * as z from "zod";
import { completed } from "../../durable-objects/device/own-sets.ts";
import { wildcardChain } from "../../protocol/dns/chain.ts";
import { recordFrom } from "../../protocol/dns/presentation.ts";
import type { PublishedSet, RecordSet } from "../../protocol/dns/sets.ts";
import type { FeedName, Position } from "../../protocol/feed.ts";
import { limits } from "../../protocol/limits.ts";
import { cloudflareTransport } from "../../workers/egress/cloudflare.ts";
import { difference, NotPublished, publishZone, recordsOf } from "../../workers/name/publisher.ts";
import type { Ports } from "../../workers/ports.ts";

/**
 * What https://developers.cloudflare.com/api/resources/dns/subresources/records/methods/batch takes, as
 * far as our records go (read 2026-11-22). TTL: 60–86400 for every plan, or 1 for automatic.
 */
const ttl = z.union([z.literal(1), z.int().min(60).max(86_400)]);
const common = { name: z.string().max(255), ttl, comment: z.string().max(100) };
const record = z.discriminatedUnion("type", [
  z.strictObject({ ...common, type: z.literal("A"), content: z.ipv4(), proxied: z.boolean() }),
  z.strictObject({ ...common, type: z.literal("AAAA"), content: z.ipv6(), proxied: z.boolean() }),
  z.strictObject({ ...common, type: z.literal("TXT"), content: z.string().max(4096) }),
  z.strictObject({
    ...common,
    type: z.literal("CAA"),
    data: z.strictObject({ flags: z.int().min(0).max(255), tag: z.string(), value: z.string() }),
  }),
  z.strictObject({
    ...common,
    type: z.enum(["HTTPS", "SVCB"]),
    data: z.strictObject({
      priority: z.int().min(0).max(65_535),
      target: z.string(),
      value: z.string(),
    }),
  }),
]);
const id = z.strictObject({ id: z.string().max(32) });
const batch = z.strictObject({
  deletes: z.array(id),
  patches: z.array(z.looseObject({ id: z.string().max(32) })),
  posts: z.array(record),
});
type Shown = z.infer<typeof record> & { id: string };

/** Cloudflare's API for one zone. */
class Cloud {
  readonly records = new Map<string, Shown>();
  requests = 0;
  batches = 0;
  /** Told after each request that changes something. */
  changed = () => {};
  /** What it answers instead; null: nothing else. */
  status: number | null = null;
  #serial = 0;

  async send(
    recipient: string,
    { method, query, batch: text }: Readonly<Record<string, string>>,
  ): Promise<{ status: number; body: string }> {
    expect(recipient).toBe("cloudflare dns");
    this.requests++;
    if (this.status !== null) return { status: this.status, body: "" };
    return method === "POST" ? this.#batch(text ?? "") : this.#list(new URLSearchParams(query));
  }

  #batch(text: string) {
    const read = batch.parse(JSON.parse(text));
    const { deletes, patches, posts } = read;
    const count = deletes.length + patches.length + posts.length;
    expect(count).toBeLessThanOrEqual(200); // of the smallest plan
    this.batches++;
    for (const one of deletes) expect(this.records.delete(one.id)).toBe(true);
    for (const { id: at, ...words } of patches) {
      const changed = record.parse({ ...this.#bare(at), ...words });
      this.records.set(at, { ...changed, id: at });
    }
    for (const one of posts) {
      const made = (++this.#serial).toString(16).padStart(32, "0");
      const same = [...this.records.values()].find((other) => sameSaying(other, one));
      expect(same).toBeUndefined(); // 81058: an identical record exists already
      this.records.set(made, { ...one, id: made });
    }
    this.changed();
    return { status: 200, body: JSON.stringify({ success: true, result: {} }) };
  }

  #bare(at: string) {
    const { id: _, ...bare } = this.records.get(at) as Shown;
    return bare;
  }

  #list(query: URLSearchParams) {
    const [exact, start] = [query.get("comment.exact"), query.get("comment.startswith")];
    const found = [...this.records.values()].filter(({ comment }) =>
      exact === null ? comment.startsWith(start ?? "") : comment === exact,
    );
    const [page, size] = [Number(query.get("page") ?? 1), Number(query.get("per_page"))];
    const total_pages = Math.max(1, Math.ceil(found.length / size));
    const result = found.slice((page - 1) * size, page * size);
    const body = { success: true, result, result_info: { page, total_pages } };
    return { status: 200, body: JSON.stringify(body) };
  }

  /** What resolvers see. */
  said(): string[] {
    return [...this.records.values()]
      .map(
        (one) =>
          `${one.name} ${one.type} ${"content" in one ? one.content : JSON.stringify(one.data)}`,
      )
      .sort();
  }
}

const sameSaying = (one: object, other: object) =>
  JSON.stringify({ ...one, id: "", comment: "" }) ===
  JSON.stringify({ ...other, id: "", comment: "" });

/** The zone's object, as the publisher sees it. */
class Names {
  readonly changes: FeedName[] = [];
  at: number | null = null;
  reading = false;

  async unpublished() {
    const start = this.at ?? 0;
    const names = this.changes.slice(start, start + limits.feedPageNames);
    const seq = start + names.length;
    const whole = this.at === null;
    return { whole, names, to: { epoch: "e", seq }, end: seq === this.changes.length };
  }

  async published(to: Position, reading: boolean) {
    this.at = to.seq;
    this.reading = reading;
  }
}

const a = (address: string): PublishedSet => ({
  ...{ owner: "", type: "A", ttl: 60, signatures: [] },
  data: [{ type: "A", address }],
});
const txt = (...texts: string[]): PublishedSet => ({
  ...{ owner: "_acme-challenge", type: "TXT", ttl: 30, signatures: [] },
  data: texts.map((text) => ({ type: "TXT", texts: [text] })),
});

let cloud: Cloud;
let names: Names;
let ports: Ports;

beforeEach(() => {
  cloud = new Cloud();
  names = new Names();
  ports = {
    config: {
      ddnsZone: "ddns.test",
      cloudflareZone: { id: "z", token: "t", api: "https://a.test" },
    },
    zone: () => names,
    egress: cloud,
  } as unknown as Ports;
});

const publish = async (...changes: FeedName[]) => {
  names.changes.push(...changes);
  await publishZone(ports);
};

describe("the zone at Cloudflare", () => {
  it("is what devices publish, change by change", async () => {
    await publish({
      id: "one",
      names: [{ label: "nas", sets: [a("192.0.2.1"), txt("x", 'y"\\')] }],
    });
    expect(cloud.said()).toEqual([
      '_acme-challenge.nas.ddns.test TXT "x"',
      '_acme-challenge.nas.ddns.test TXT "y\\"\\\\"',
      "nas.ddns.test A 192.0.2.1",
    ]);
    const before = [...cloud.records.keys()];
    await publish({ id: "one", names: [{ label: "nas", sets: [a("192.0.2.2"), txt("x")] }] });
    expect(cloud.said()).toEqual([
      '_acme-challenge.nas.ddns.test TXT "x"',
      "nas.ddns.test A 192.0.2.2",
    ]);
    // The address changed where it stood: no moment without one.
    expect([...cloud.records.keys()].every((key) => before.includes(key))).toBe(true);
  });

  it("has an owner's wildcard and records, and none of our proofs of what is not there", async () => {
    const own = (owner: string, type: "CAA" | "HTTPS" | "SVCB" | "TXT", ...texts: string[]) => ({
      ...{ owner, type },
      data: texts.map((text) => recordFrom(type, text) ?? expect.fail(text)),
    });
    const wishes = {
      wildcard: true,
      sets: [
        own("", "CAA", '0 issue "ca.example"', '0 issuewild ";"'),
        own("", "HTTPS", "1 . alpn=h2,h3 port=8443"),
        own("_dns", "SVCB", "1 dns.example alpn=dot"),
        own("_dmarc", "TXT", "v=DMARC1; p=reject"),
      ],
      neighbors: [{ owner: "tv", interfaceId: "::5" }],
    };
    const six: RecordSet = {
      ...{ owner: "", type: "AAAA", ttl: 60 },
      data: [{ type: "AAAA", address: "2001:db8::1" }],
    };
    const given = [a("192.0.2.1"), six];
    const plain = completed(given, wishes, true);
    const sets = [...plain, ...wildcardChain(plain, "nas", "ddns.test")].map((set) => ({
      ...set,
      signatures: [],
    }));
    expect(sets.some(({ type }) => type === "NSEC")).toBe(true);
    await publish({ id: "one", names: [{ label: "nas", sets }] });
    const https = '{"priority":1,"target":".","value":"alpn=\\"h2,h3\\" port=\\"8443\\""}';
    expect(cloud.said()).toEqual([
      "*.nas.ddns.test A 192.0.2.1",
      "*.nas.ddns.test AAAA 2001:db8::1",
      `*.nas.ddns.test HTTPS ${https}`,
      '_dmarc.nas.ddns.test TXT "v=DMARC1; p=reject"',
      '_dns.nas.ddns.test SVCB {"priority":1,"target":"dns.example","value":"alpn=\\"dot\\""}',
      "nas.ddns.test A 192.0.2.1",
      "nas.ddns.test AAAA 2001:db8::1",
      'nas.ddns.test CAA {"flags":0,"tag":"issue","value":"ca.example"}',
      'nas.ddns.test CAA {"flags":0,"tag":"issuewild","value":";"}',
      `nas.ddns.test HTTPS ${https}`,
      "tv.nas.ddns.test AAAA 2001:db8::5",
    ]);
    const rest = completed(given, { wildcard: false, sets: [], neighbors: [] }, true);
    const bare = rest.map((set) => ({ ...set, signatures: [] }));
    await publish({ id: "one", names: [{ label: "nas", sets: bare }] });
    expect(cloud.said()).toEqual(["nas.ddns.test A 192.0.2.1", "nas.ddns.test AAAA 2001:db8::1"]);
  });

  it("[CON-5] loses what a name that goes had, and nothing else", async () => {
    cloud.records.set("f".repeat(32), {
      ...{ type: "A", name: "www.ddns.test", ttl: 1, content: "192.0.2.80", proxied: true },
      ...{ comment: "the operator's own", id: "f".repeat(32) },
    });
    await publish(
      { id: "one", names: [{ label: "nas", sets: [a("192.0.2.1")] }] },
      { id: "two", names: [{ label: "tv", sets: [a("192.0.2.2")] }] },
    );
    await publish({ id: "one", names: [] });
    expect(cloud.said()).toEqual(["tv.ddns.test A 192.0.2.2", "www.ddns.test A 192.0.2.80"]);
  });

  it("[CON-6] is by its names: a changed one takes the old one's records away, one more adds to them", async () => {
    const sets = [a("192.0.2.1")];
    const named = (...labels: string[]) => labels.map((label) => ({ label, sets }));
    await publish({ id: "one", names: named("nas") });
    await publish({ id: "one", names: named("attic", "photos") });
    expect(cloud.said()).toEqual(["attic.ddns.test A 192.0.2.1", "photos.ddns.test A 192.0.2.1"]);
    // The one goes to another device before this one says that it let it go.
    await publish({ id: "two", names: named("photos") }, { id: "one", names: named("attic") });
    expect(cloud.said()).toEqual(["attic.ddns.test A 192.0.2.1", "photos.ddns.test A 192.0.2.1"]);
    await publish({ id: "one", names: named("attic") }, { id: "two", names: [] });
    expect(cloud.said()).toEqual(["attic.ddns.test A 192.0.2.1"]);
  });

  it("[CON-6] never has a name as two devices', in whatever order they tell it and however many change", async () => {
    const sets = [a("192.0.2.1")];
    const crowd = (address: string, labels: (at: number) => string[]) =>
      Array.from({ length: limits.publisherBatch }, (_, at) => ({
        ...{ id: `d${at}`, names: labels(at).map((label) => ({ label, sets: [a(address)] })) },
      }));
    await publish(
      { id: "one", names: [{ label: "nas", sets }] },
      ...crowd("192.0.2.7", (at) => [`box${at}`]),
    );
    const two = { id: "two", names: [{ label: "nas", sets: [a("192.0.2.2"), txt("x")] }] };
    const seen: string[][] = [];
    cloud.changed = () => seen.push(cloud.said().filter((text) => text.includes("nas.ddns.test")));
    // Told last: "one" let it go, between them more than a request takes.
    await publish(
      two,
      ...crowd("192.0.2.8", (at) => [`shed${at}`, `box${at}`]),
      ...[{ id: "one", names: [] }],
    );
    expect(seen.length).toBeGreaterThan(2);
    const [first, ...rest] = [
      "nas.ddns.test A 192.0.2.2",
      '_acme-challenge.nas.ddns.test TXT "x"',
    ].sort();
    for (const said of seen) expect([[], [first, ...rest]]).toContainEqual(said);
    expect(seen.at(-1)).toEqual([first, ...rest]);
    // A device's own change stays one: the old goes with the new, in one request.
    expect(cloud.records.size).toBe(2 + 2 * limits.publisherBatch);
  });

  it("asks nothing and changes nothing while nothing changed", async () => {
    await publish({ id: "one", names: [{ label: "nas", sets: [a("192.0.2.1")] }] });
    const { requests } = cloud;
    await publish();
    expect(cloud.requests).toBe(requests);
    await publish({ id: "one", names: [{ label: "nas", sets: [a("192.0.2.1")] }] });
    expect([cloud.requests, cloud.batches]).toEqual([requests + 1, 1]);
  });

  it("is compared as a whole when nobody knows what is there, in requests of a bounded size", async () => {
    const crowd = Array.from({ length: 450 }, (_, at) => ({
      ...{ id: `d${at}`, names: [{ label: `box${at}`, sets: [a(`192.0.2.${at % 250}`)] }] },
    }));
    await publish(...crowd);
    expect([cloud.records.size, cloud.batches]).toEqual([450, 3]);
    const stray = cloud.said().length;
    names = Object.assign(new Names(), { changes: crowd.slice(1) });
    const { requests } = cloud;
    await publish();
    expect([cloud.records.size, stray - cloud.said().length]).toEqual([449, 1]);
    expect(cloud.requests - requests).toBe(2);
  });

  it.each([429, 500, 403])(
    "stays where it is after a %s, and goes on from there",
    async (status) => {
      cloud.status = status;
      const nas = { id: "one", names: [{ label: "nas", sets: [a("192.0.2.1")] }] };
      await expect(publish(nas)).rejects.toThrow(NotPublished);
      expect(names.at).toBeNull();
      cloud.status = null;
      await publish();
      expect(cloud.said()).toEqual(["nas.ddns.test A 192.0.2.1"]);
    },
  );

  it("takes every type that a device publishes, and leaves signatures to the platform", () => {
    const sets: PublishedSet[] = [
      {
        ...{ owner: "", type: "CAA", ttl: 60, signatures: ["x"] },
        data: [{ type: "CAA", flags: 128, tag: "issue", value: "ca.example; accounturi=u" }],
      },
      {
        ...{ owner: "", type: "HTTPS", ttl: 60, signatures: [] },
        data: [
          { type: "HTTPS", priority: 1, target: [], params: { alpn: ["h3", "h2"], port: 8443 } },
        ],
      },
      {
        ...{ owner: "", type: "NSEC", ttl: 60, signatures: [] },
        data: [{ type: "NSEC", wire: "AA" }],
      },
      { ...a("192.0.2.1"), owner: "*" },
    ];
    const records = recordsOf({ id: "x".repeat(43), names: [{ label: "nas", sets }] }, "ddns.test");
    for (const one of records) record.parse(one);
    expect(records.map(({ type, name, data }) => [type, name, data?.value])).toEqual([
      ["CAA", "nas.ddns.test", "ca.example; accounturi=u"],
      ["HTTPS", "nas.ddns.test", 'alpn="h3,h2" port="8443"'],
      ["A", "*.nas.ddns.test", undefined],
    ]);
    const there = records.map((one, at) => ({ ...one, id: String(at) }));
    expect(difference(there, records)).toEqual({ deletes: [], patches: [], posts: [] });
  });
});

describe("the way to the API", () => {
  it("is the operator's zone with the operator's token, and nobody else", async () => {
    const asked: string[] = [];
    const server = createServer(async (request, response) => {
      let body = "";
      for await (const chunk of request) body += chunk;
      const { method, url, headers } = request;
      asked.push(
        [method, url, headers.authorization, headers["content-type"] ?? "", body].join(" "),
      );
      response.writeHead(url?.includes("moved") ? 302 : 200, { location: "http://127.0.0.1:1/" });
      response.end("{}");
    });
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    const api = `http://127.0.0.1:${(server.address() as AddressInfo).port}/client/v4`;
    const send = cloudflareTransport({ id: "z1", token: "secret", api });
    expect(await send({ method: "GET", query: "page=1", batch: "" })).toEqual({
      ...{ status: 200, body: "{}" },
    });
    await send({ method: "POST", query: "", batch: '{"posts":[]}' });
    expect((await send({ method: "GET", query: "moved", batch: "" })).status).toBe(302);
    server.close();
    const path = "/client/v4/zones/z1/dns_records";
    expect(asked).toEqual([
      `GET ${path}?page=1 Bearer secret  `,
      `POST ${path}/batch Bearer secret application/json {"posts":[]}`,
      `GET ${path}?moved Bearer secret  `,
    ]);
    await expect(cloudflareTransport(null)({ method: "GET" })).rejects.toThrow("configured");
  });
});
