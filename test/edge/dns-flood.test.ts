/** Questions by GET, and what a network may have looked up or denied that makes names up. */

import { env } from "cloudflare:workers";
import packet from "dns-packet";
import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { systemRandom } from "../../durable-objects/platform.ts";
import { newId } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { base64url } from "../../protocol/tokens.ts";
import { handle } from "../../workers/app.ts";
import { countQueries, type TestPorts, testPorts } from "../support/ports.ts";

const NAME_SERVERS = "ns1.ddns.test=192.0.2.53=2001:db8::53 ns2.elsewhere.example";
const ENDPOINT = "http://localhost:8787/dns-query";
const MEDIA_TYPE = "application/dns-message";
/** RFC 3225: in the flags of OPT. */
const DNSSEC_OK = 0x8000;

let world: TestPorts;

beforeAll(async () => {
  world = testPorts({ env, variables: { NAME_SERVERS } });
  const id = newId("dev", "home", systemRandom.bytes);
  await world.ports.directory.claimLabel("both", id);
  const stub = world.ports.devices.get(id);
  await stub.register({ deviceId: id, accountId: "acc", publicKey: "key", label: "both" });
  await stub.setFeature("name", true);
  const address = { set: "203.0.113.4" } as const;
  await stub.updateAddresses({ secret: null, ipv4: address, ipv6: "keep" });
});

function query(
  questions: { name: string; type: string }[],
  extra: object = {},
): Uint8Array<ArrayBuffer> {
  const flags = packet.RECURSION_DESIRED;
  return Uint8Array.from(
    packet.encode({ type: "query", id: 4660, flags, questions, ...extra } as packet.Packet),
  );
}

describe("a network that makes up names", () => {
  it("may ask for as many a second that are looked up and denied with a signature, each counted once", async () => {
    const own = testPorts({ env, variables: { NAME_SERVERS, NETWORK_LIMIT_FACTOR: "1" } });
    const seen: number[] = [];
    for (let at = 0; at <= limits.dnsEdgeInventedRate; at++) {
      const question = { name: `signed-${at}.ddns.test`, type: "A" } as const;
      const opt = { type: "OPT", name: ".", udpPayloadSize: 1232, flags: DNSSEC_OK, options: [] };
      const body = query([question], { additionals: [opt] });
      const headers = { "content-type": MEDIA_TYPE };
      const request = new Request(ENDPOINT, { method: "POST", body, headers });
      seen.push((await handle(request, own.ports)).status);
    }
    expect(seen.at(-1)).toBe(429);
    expect(seen.slice(0, -1)).toEqual(seen.slice(0, -1).map(() => 200));
  });

  it("is told to wait a second, while what is known is answered it and all is answered others", async () => {
    const own = testPorts({ env, variables: { NAME_SERVERS, NETWORK_LIMIT_FACTOR: "1" } });
    const from = async (peer: string, name: string) => {
      const message = query([{ name, type: "A" }]);
      const request = new Request(ENDPOINT, {
        ...{ method: "POST", body: message, headers: { "content-type": MEDIA_TYPE } },
      });
      const ports = Object.create(own.ports, { peer: { value: peer } });
      return (await handle(request, ports)).status;
    };
    expect(await from("192.0.2.9", "both.ddns.test")).toBe(200);
    const seen: number[] = [];
    for (let at = 0; at <= limits.dnsEdgeInventedRate; at++) {
      seen.push(await from("192.0.2.9", `made-up-${at}.ddns.test`));
    }
    expect(seen.slice(0, -2)).toEqual(seen.slice(0, -2).map(() => 200));
    expect(seen.at(-1)).toBe(429);
    expect(await from("192.0.2.9", "both.ddns.test")).toBe(200);
    expect(await from("198.51.100.9", "made-up.ddns.test")).toBe(200);
    own.clock.advance(1000);
    expect(await from("192.0.2.9", "made-up.ddns.test")).toBe(200);
  });

  describe("and has used its share up", () => {
    const opt = { type: "OPT", name: ".", udpPayloadSize: 1232, flags: DNSSEC_OK, options: [] };
    const asking = (name: string, signed: boolean) =>
      query([{ name, type: "A" }], signed ? { additionals: [opt] } : {});
    let own: TestPorts;
    const get = async (name: string, signed = false) =>
      await handle(new Request(`${ENDPOINT}?dns=${base64url(asking(name, signed))}`), own.ports);

    beforeEach(async () => {
      own = testPorts({ env, variables: { NAME_SERVERS, NETWORK_LIMIT_FACTOR: "1" } });
      expect((await get("both.ddns.test", true)).status).toBe(200);
      expect((await get("xn--asked.ddns.test", true)).status).toBe(200);
      for (let at = 0; at < limits.dnsEdgeInventedRate; at++) await get(`spent-${at}.ddns.test`);
    });

    it("is refused before anything is asked, and in no more than a status", async () => {
      const queries = countQueries((env as unknown as { DIRECTORY: D1Database }).DIRECTORY);
      for (const name of ["made-up.ddns.test", "below.made-up.ddns.test"]) {
        for (const signed of [false, true]) {
          const response = await get(name, signed);
          expect([name, response.status, response.headers.get("retry-after")]).toEqual([
            ...[name, 429, "1"],
          ]);
          expect(await response.text()).toBe("");
        }
      }
      expect(queries()).toBe(0);
      vi.restoreAllMocks();
      // No promise: there is nothing to wait for.
      const url = `${ENDPOINT}?dns=${base64url(asking("made-up.ddns.test", true))}`;
      expect(handle(new Request(url), own.ports)).toBeInstanceOf(Response);
      const body = asking("made-up.ddns.test", true);
      const headers = { "content-type": MEDIA_TYPE };
      const posted = new Request(ENDPOINT, { method: "POST", body, headers });
      expect((await handle(posted, own.ports)).status).toBe(429);
    });

    it("has no proof made for what no name can be, but is shown what there is", async () => {
      expect((await get("xn--other.ddns.test", true)).status).toBe(429);
      expect((await get("xn--asked.ddns.test", true)).status).toBe(200);
      expect((await get("xn--other.ddns.test", false)).status).toBe(200); // nothing is to be made for it
    });

    it("is answered what is there and of the zone itself, however long ago it asked", async () => {
      own.clock.advance(limits.labelCacheMs);
      for (let at = 0; at < limits.dnsEdgeInventedRate; at++) await get(`again-${at}.ddns.test`);
      expect((await get("made-up.ddns.test")).status).toBe(429);
      for (const name of ["both.ddns.test", "ns1.ddns.test", "ddns.test", "example.com"]) {
        expect([name, (await get(name, true)).status]).toEqual([name, 200]);
      }
    });

    it("has a trickle while it goes on", async () => {
      let answered = 0;
      for (let ms = 0; ms < 2000; ms += 10) {
        own.clock.advance(10);
        if ((await get(`goes-on-${ms}.ddns.test`)).status === 200) answered++;
      }
      expect(answered).toBeGreaterThanOrEqual(2 * limits.dnsEdgeFloodRate - 1);
      expect(answered).toBeLessThanOrEqual(2 * limits.dnsEdgeFloodRate + 1);
    });
  });
});

describe("a GET that no router sees", () => {
  const message = query([{ name: "both.ddns.test", type: "A" }]);
  const url = `${ENDPOINT}?dns=${base64url(message)}`;

  it("is SERVFAIL where a store is away, and a problem that says nothing where all is", async () => {
    const { ports, lines } = testPorts({ env, variables: { NAME_SERVERS } });
    const broken = Object.create(ports, {
      names: {
        value: { knows: () => true, deviceOfLabel: () => Promise.reject(new Error("secret")) },
      },
    });
    const answer = packet.decode(
      Buffer.from(await (await handle(new Request(url), broken)).arrayBuffer()),
    ) as packet.DecodedPacket & { rcode: string };
    expect(answer.rcode).toBe("SERVFAIL");
    const worse = Object.create(ports, {
      zoneKeys: {
        get: () => {
          throw new TypeError("secret");
        },
      },
    });
    const response = await handle(new Request(url), worse);
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("secret");
    expect(JSON.stringify(lines)).toContain("TypeError");
    let lost = 0;
    const log = () => {
      if (lost++ === 0) throw new TypeError("secret");
    };
    const worst = Object.create(broken, { log: { value: log } });
    expect((await handle(new Request(url), worst)).status).toBe(500);
  });

  it("may be an UPDATE, which is answered as by POST", async () => {
    const update = Uint8Array.from(message);
    update[2] = (5 << 3) | ((update[2] ?? 0) & 0x87);
    const got = await handle(new Request(`${ENDPOINT}?dns=${base64url(update)}`), world.ports);
    const headers = { "content-type": MEDIA_TYPE };
    const request = new Request(ENDPOINT, { method: "POST", body: update, headers });
    const posted = await handle(request, world.ports);
    expect([got.status, posted.status]).toEqual([200, 200]);
    expect(await got.arrayBuffer()).toEqual(await posted.arrayBuffer());
  });

  it("leaves HEAD to the router, which sends no body", async () => {
    const response = await handle(new Request(url, { method: "HEAD" }), world.ports);
    expect([response.status, await response.text()]).toEqual([200, ""]);
  });

  it("is no GET of another path", async () => {
    for (const path of ["/dns-query/", "/DNS-query", "/dns-query/x"]) {
      const other = new Request(`http://localhost:8787${path}?dns=${base64url(message)}`);
      expect([path, (await handle(other, world.ports)).status]).toEqual([path, 404]);
    }
  });
});
