/** The name's service on D1 and objects: what each dyndns2 client gets, and what changes. */

import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { DeviceStub } from "../../durable-objects/device/rpc.ts";
import { clientAddress } from "../../durable-objects/peer.ts";
import { systemRandom } from "../../durable-objects/platform.ts";
import { newId } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { handle } from "../../workers/app.ts";
import { secretFrom } from "../support/name.ts";
import { countQueries, type TestPorts, testPorts } from "../support/ports.ts";
import { published } from "../support/records.ts";

const { DB_HOME } = env as unknown as { DB_HOME: D1Database };
const ZONE = "ddns.test";
const AGENT = { "user-agent": "test/1" };

interface Named {
  readonly id: string;
  readonly host: string;
  readonly secret: string;
  readonly stub: DeviceStub;
}

let labels = 0;

/** A device with its name on and a token. */
async function named(world: TestPorts, on = true): Promise<Named> {
  const id = newId("dev", "home", systemRandom.bytes);
  const label = `box-${labels++}`;
  await world.ports.directory.claimLabel(label, id);
  const row = DB_HOME.prepare("INSERT INTO device (id, account_id, created_at) VALUES (?, ?, 1)");
  await row.bind(id, "acc").run();
  const stub = world.ports.devices.get(id);
  await stub.register({ deviceId: id, accountId: "acc", publicKey: "key", label });
  if (on) await stub.setFeature("name", true);
  return { id, host: `${label}.${ZONE}`, secret: (await secretFrom(stub)) ?? "", stub };
}

function basic(user: string, password: string): Record<string, string> {
  return { authorization: `Basic ${btoa(`${user}:${password}`)}` };
}

/** Asks as a client would; answers the status and the text. */
async function ask(
  world: TestPorts,
  query: string,
  headers: Record<string, string>,
  init: RequestInit = {},
): Promise<{ status: number; text: string; headers: Headers }> {
  const request = new Request(`http://localhost:8787/nic/update${query}`, {
    ...init,
    headers: { ...AGENT, ...headers },
  });
  const response = await handle(request, world.ports);
  const text = await response.text();
  expect(response.headers.get("content-length")).toBe(String(text.length));
  expect(response.headers.get("content-type")).toMatch(/^text\/plain/);
  return { status: response.status, text, headers: response.headers };
}

describe("an update", () => {
  let world: TestPorts;
  let nas: Named;
  const update = (query: string, device = nas) =>
    ask(world, `?hostname=${device.host}${query}`, basic(device.host, device.secret));

  beforeEach(async () => {
    world = testPorts({ env });
    nas = await named(world);
  });

  it.each([
    ["an IPv4 address", "&myip=203.0.113.4", "203.0.113.4", null],
    ["an IPv6 address", "&myip=2001:DB8::0:1", null, "2001:db8::1"],
    ["both in a list", "&myip=203.0.113.4,2001:db8::1", "203.0.113.4", "2001:db8::1"],
    ["both by name", "&myipv4=203.0.113.4&myipv6=2001:db8::1", "203.0.113.4", "2001:db8::1"],
    ["myip beside myipv6", "&myip=203.0.113.4&myipv6=2001:db8::1", "203.0.113.4", "2001:db8::1"],
    ["no address", "", "198.51.100.7", null],
    ["an empty address", "&myip=", "198.51.100.7", null],
    ["an empty one beside a named family", "&myip=&myipv6=2001:db8::1", null, "2001:db8::1"],
    [
      "words of old",
      "&myip=203.0.113.4&system=dyndns&wildcard=ON&mx=m&backmx=NO",
      "203.0.113.4",
      null,
    ],
  ])("takes %s, then says nochg", async (_what, query, ipv4, ipv6) => {
    const addresses = [ipv4, ipv6].filter((address) => address !== null).join(",");
    expect(await update(query)).toMatchObject({ status: 200, text: `good ${addresses}` });
    expect(await published(nas.stub)).toEqual({ ipv4, ipv6 });
    expect(await update(query)).toMatchObject({ status: 200, text: `nochg ${addresses}` });
  });

  it("touches only the families it names, and clears what it is told to", async () => {
    await update("&myip=203.0.113.4,2001:db8::1");
    expect((await update("&myip=203.0.113.5")).text).toBe("good 203.0.113.5");
    expect(await published(nas.stub)).toEqual({ ipv4: "203.0.113.5", ipv6: "2001:db8::1" });
    expect((await update("&myipv6=")).text).toBe("good");
    expect(await published(nas.stub)).toEqual({ ipv4: "203.0.113.5", ipv6: null });
    expect((await update("&offline=YES")).text).toBe("good");
    expect(await published(nas.stub)).toEqual({ ipv4: null, ipv6: null });
    expect((await update("&offline=YES")).text).toBe("nochg");
  });

  it.each([
    "10.0.0.1",
    "192.168.1.2",
    "100.64.0.1",
    "169.254.1.1",
    "224.0.0.1",
    "0.0.0.0",
    "255.255.255.255",
    "fe80::1",
    "fd00::1",
    "::ffff:203.0.113.4",
    "64:ff9b::cb00:7104",
    "ff02::1",
    "::",
    "010.1.2.3",
    "203.0.113",
    "203.0.113.4.",
    "nas.example",
  ])("answers dnserr to %s and changes nothing", async (address) => {
    await update("&myip=203.0.113.4");
    expect(await update(`&myip=${address}`)).toMatchObject({ status: 200, text: "dnserr" });
    expect((await published(nas.stub))?.ipv4).toBe("203.0.113.4");
  });

  it("works by POST, on the newer path, with the device's id as the user, in any case", async () => {
    const form = { "content-type": "application/x-www-form-urlencoded" };
    const body = `hostname=${nas.host}&myip=203.0.113.4`;
    const posted = await ask(
      world,
      "",
      { ...basic(nas.host, nas.secret), ...form },
      { method: "POST", body },
    );
    expect(posted.text).toBe("good 203.0.113.4");
    const request = new Request(
      `http://localhost:8787/v3/update?hostname=${nas.host}&myip=203.0.113.4`,
      {
        headers: { ...AGENT, ...basic(nas.id, nas.secret) },
      },
    );
    expect(await (await handle(request, world.ports)).text()).toBe("nochg 203.0.113.4");
    const shouted = nas.host.toUpperCase();
    expect(
      (await ask(world, `?hostname=${shouted}.&myip=203.0.113.4`, basic(shouted, nas.secret))).text,
    ).toBe("nochg 203.0.113.4");
  });

  it("answers one line per host, in order; what is not this device's is nohost", async () => {
    const other = await named(world);
    const hosts = [
      nas.host,
      other.host,
      `nobody.${ZONE}`,
      "nas",
      "example.org",
      ZONE,
      `a.${nas.host}`,
      nas.host,
    ];
    const answer = await ask(
      world,
      `?hostname=${hosts.join(",")}&myip=203.0.113.4`,
      basic(nas.host, nas.secret),
    );
    expect(answer.text.trimEnd().split("\n")).toEqual([
      "good 203.0.113.4",
      "nohost",
      "nohost",
      "notfqdn",
      "nohost",
      "nohost",
      "nohost",
      "good 203.0.113.4",
    ]);
    expect(await published(other.stub)).toEqual({ ipv4: null, ipv6: null });
  });

  it.each([
    ["no host", "?myip=203.0.113.4", "notfqdn"],
    ["an empty host", "?hostname=&myip=203.0.113.4", "notfqdn"],
    ["21 hosts", `?hostname=${Array(21).fill(`a.${ZONE}`).join(",")}`, "numhost"],
    ["more than a request may hold", `?hostname=${"a".repeat(5000)}`, "numhost"],
    ["only somebody else's host", `?hostname=nobody.${ZONE}`, "nohost"],
  ])("answers %s with a word and changes nothing", async (_what, query, verdict) => {
    const answer = await ask(world, query, basic(nas.host, nas.secret));
    expect(answer).toMatchObject({ status: 200, text: verdict });
    expect(await published(nas.stub)).toEqual({ ipv4: null, ipv6: null });
  });

  it("answers badagent to a client without a name, and to another site's page", async () => {
    const query = `?hostname=${nas.host}&myip=203.0.113.4`;
    const mine = basic(nas.host, nas.secret);
    expect(await ask(world, query, { ...mine, "user-agent": "" })).toMatchObject({
      status: 200,
      text: "badagent",
    });
    expect((await ask(world, query, { ...mine, "sec-fetch-site": "cross-site" })).text).toBe(
      "badagent",
    );
    expect(await published(nas.stub)).toEqual({ ipv4: null, ipv6: null });
  });
});

describe("who may update", () => {
  let world: TestPorts;
  let nas: Named;
  beforeEach(async () => {
    world = testPorts({ env });
    nas = await named(world);
  });

  it("answers the same 401 badauth to everything that is not right", async () => {
    const off = await named(world, false);
    const other = await named(world);
    const query = `?hostname=${nas.host}&myip=203.0.113.4`;
    const invented = newId("dev", "home", systemRandom.bytes);
    const answers = [];
    for (const headers of [
      {},
      { authorization: "Bearer x" },
      basic(nas.host, ""),
      basic(nas.host, "wrong"),
      basic(nas.host, other.secret),
      basic(other.host, nas.secret),
      basic(`nobody.${ZONE}`, nas.secret),
      basic(off.host, nas.secret),
      basic(invented, nas.secret),
      basic("nas", nas.secret),
    ]) {
      const answer = await ask(world, query, headers);
      answers.push(JSON.stringify([answer.status, answer.text, [...answer.headers]]));
    }
    expect(new Set(answers).size).toBe(1);
    expect(JSON.parse(answers[0] ?? "")).toMatchObject([401, "badauth", expect.anything()]);
    expect(answers[0]).toContain("Basic realm");
    expect(await published(nas.stub)).toEqual({ ipv4: null, ipv6: null });
  });

  it("reaches no object for a user that does not exist", async () => {
    const reached: string[] = [];
    const { devices } = world.ports;
    const ports = {
      ...world.ports,
      devices: {
        get: (id: string) => {
          reached.push(id);
          return devices.get(id);
        },
      },
    };
    for (const user of [
      `nobody.${ZONE}`,
      newId("dev", "home", systemRandom.bytes),
      "x",
      "example.org",
    ]) {
      await handle(
        new Request(`http://localhost:8787/nic/update?hostname=nobody.${ZONE}`, {
          headers: { ...AGENT, ...basic(user, nas.secret) },
        }),
        ports,
      );
    }
    expect(reached).toEqual([]);
  });

  describe("costs a stranger's flood", () => {
    const others = Array.from({ length: limits.updateHosts }, (_, at) => `flood-${at}.${ZONE}`);
    const query = `?hostname=${others.join(",")}&myip=203.0.113.4`;
    afterEach(() => {
      vi.restoreAllMocks();
    });

    it("no query when the password cannot be a secret", async () => {
      const queries = countQueries(DB_HOME);
      for (const password of ["", "wrong", `${nas.secret}x`, nas.secret.replace("upd", "ses")]) {
        expect((await ask(world, query, basic(nas.host, password))).text).toBe("badauth");
      }
      expect(queries()).toBe(0);
    });

    it("one query, the user's, when the secret is not the user's", async () => {
      const other = await named(world);
      for (const user of [nas.host, nas.id, `nobody.${ZONE}`]) {
        const queries = countQueries(DB_HOME);
        expect((await ask(world, query, basic(user, other.secret))).text).toBe("badauth");
        expect([user, queries()]).toEqual([user, 1]);
        vi.restoreAllMocks();
      }
    });

    it("nothing of what the owner is told: a line per host", async () => {
      for (const user of [nas.host, nas.id]) {
        const hosts = [...others.slice(1), nas.host].join(",");
        const answer = await ask(
          world,
          `?hostname=${hosts}&myip=203.0.113.4`,
          basic(user, nas.secret),
        );
        const lines = answer.text.split("\n");
        expect(lines.slice(0, -1)).toEqual(Array(limits.updateHosts - 1).fill("nohost"));
        expect(lines.at(-1)).toMatch(/^(good|nochg) 203\.0\.113\.4$/);
      }
    });
  });

  it("knows each of several tokens until it is ended, and none when the name goes off", async () => {
    const query = `?hostname=${nas.host}&myip=203.0.113.4`;
    const status = async (secret: string) =>
      (await ask(world, query, basic(nas.host, secret))).status;
    const second = (await secretFrom(nas.stub)) ?? "";
    expect([await status(nas.secret), await status(second)]).toEqual([200, 200]);
    const [first] = (await nas.stub.nameTokens()) ?? [];
    expect(await nas.stub.endNameToken(first?.id ?? "")).toBe("");
    expect([await status(nas.secret), await status(second)]).toEqual([401, 200]);
    await nas.stub.setFeature("name", false);
    expect(await status(second)).toBe(401);
    await nas.stub.setFeature("name", true);
    expect(await status(second)).toBe(401);
    expect(await nas.stub.nameTokens()).toEqual([]);
    expect(await published(nas.stub)).toEqual({ ipv4: null, ipv6: null });
  });

  it("lets a token work for its scope, from its networks and until its day alone", async () => {
    const query = `?hostname=${nas.host}&myip=203.0.113.4`;
    const status = async (secret: string | null) =>
      (await ask(world, query, basic(nas.host, secret ?? ""))).status;
    const [near, far] = [["198.51.100.0/24", "2001:db8::/32"], ["198.51.101.0/24"]];
    expect(await status(await secretFrom(nas.stub, { scopes: ["acme"] }))).toBe(401);
    expect(await status(await secretFrom(nas.stub, { networks: far }))).toBe(401);
    expect(await status(await secretFrom(nas.stub, { networks: near }))).toBe(200);
    const endsAt = Date.now() + 60_000;
    const ending = await secretFrom(nas.stub, { endsAt });
    expect(await status(ending)).toBe(200);
    await runInDurableObject(nas.stub as unknown as DurableObjectStub, (_, state) =>
      state.storage.sql.exec("UPDATE name_token SET ends_at = 1 WHERE ends_at IS NOT NULL"),
    );
    await evictDurableObject(nas.stub as unknown as DurableObjectStub);
    expect(await status(ending)).toBe(401);
    expect((await nas.stub.nameTokens())?.map(({ endsAt }) => endsAt)).toEqual(Array(4).fill(null));
  });

  it("asks a guessing network to wait with 503 911, and never an honest client in it", async () => {
    const query = `?hostname=${nas.host}&myip=203.0.113.4`;
    for (let guess = 0; guess < limits.badauthPerNetwork; guess++) {
      expect((await ask(world, query, basic(nas.host, `guess-${guess}`))).status).toBe(401);
    }
    const late = await ask(world, query, basic(nas.host, "one more"));
    expect(late).toMatchObject({ status: 503, text: "911" });
    expect(Number(late.headers.get("retry-after"))).toBe(limits.badauthWindowMs / 1000);
    expect((await ask(world, query, basic(nas.host, nas.secret))).text).toBe("good 203.0.113.4");
    const elsewhere = { ...world, ports: { ...world.ports, peer: "203.0.113.77" } };
    expect((await ask(elsewhere, query, basic(nas.host, "guess"))).status).toBe(401);
    world.clock.advance(limits.badauthWindowMs + 1);
    expect((await ask(world, query, basic(nas.host, "guess"))).status).toBe(401);
  });

  it("asks a device that changes too often to wait with 503 911; nochg stays free", async () => {
    const update = (address: string) =>
      ask(world, `?hostname=${nas.host}&myip=${address}`, basic(nas.host, nas.secret));
    for (let change = 1; change <= limits.updateChangesPerFamily; change++) {
      expect((await update(`203.0.113.${change}`)).text).toBe(`good 203.0.113.${change}`);
    }
    const late = await update("203.0.113.200");
    expect(late).toMatchObject({ status: 503, text: "911" });
    expect(Number(late.headers.get("retry-after"))).toBeGreaterThan(500);
    expect((await update("203.0.113.10")).text).toBe("nochg 203.0.113.10");
    expect((await update("2001:db8::1")).text).toBe("good 2001:db8::1");
  });

  it("answers an outage with 503 911 and says nothing of it", async () => {
    const ports = {
      ...world.ports,
      devices: {
        get: () => {
          throw new RangeError("marker");
        },
      },
    };
    const answer = await ask(
      { ...world, ports },
      `?hostname=${nas.host}`,
      basic(nas.host, nas.secret),
    );
    expect(answer).toMatchObject({ status: 503, text: "911" });
    expect(answer.headers.get("retry-after")).toBe("60");
    expect(JSON.stringify(world.lines)).not.toContain("marker");
  });
});

describe("names of several devices in one call", () => {
  let world: TestPorts;
  let [nas, tv, foreign]: Named[] = [];
  let all = "";

  beforeEach(async () => {
    world = testPorts({ env });
    [nas, tv, foreign] = [await named(world), await named(world), await named(world)] as const;
    await foreign.stub.unregister();
    const { id, host } = foreign;
    const label = host.split(".")[0] ?? "";
    await foreign.stub.register({ deviceId: id, accountId: "acc_other", publicKey: "key", label });
    await foreign.stub.setFeature("name", true);
    all = (await secretFrom(nas.stub, { allDevices: true })) ?? "";
  });

  const devices = () => {
    if (nas === undefined || tv === undefined || foreign === undefined) throw new Error("none");
    return { nas, tv, foreign };
  };
  const say = (secret: string, last: number, ports = world) => {
    const { nas, tv, foreign } = devices();
    const hosts = [tv.host, nas.host, foreign.host, `nobody.${ZONE}`, "nofqdn"].join(",");
    return ask(ports, `?hostname=${hosts}&myip=203.0.113.${last}`, basic(nas.host, secret));
  };

  it("are those of the token's owner, where it may, each with its verdict in the client's order", async () => {
    const { nas, tv, foreign } = devices();
    const good = "good 203.0.113.4";
    const once = await say(all, 4);
    expect(once.text.split("\n")).toEqual([good, good, "nohost", "nohost", "notfqdn"]);
    expect(await published(tv.stub)).toMatchObject({ ipv4: "203.0.113.4" });
    expect(await published(foreign.stub)).toMatchObject({ ipv4: null });
    expect((await say(all, 4)).text.split("\n")[0]).toBe("nochg 203.0.113.4");
    const plain = await say(nas.secret, 5);
    expect(plain.text.split("\n").slice(0, 2)).toEqual(["nohost", "good 203.0.113.5"]);
    expect(await published(tv.stub)).toMatchObject({ ipv4: "203.0.113.4" });
  });

  it("wait together where one must, and none of them changes", async () => {
    const { nas, tv } = devices();
    for (let change = 0; change < limits.updateChangesPerFamily; change++) {
      await ask(world, `?hostname=${tv.host}&myip=203.0.113.${change}`, basic(tv.host, tv.secret));
    }
    const late = await say(all, 77);
    expect([late.status, late.text]).toEqual([503, "911"]);
    expect(Number(late.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await published(nas.stub)).toMatchObject({ ipv4: null });
    expect(await published(tv.stub)).toMatchObject({ ipv4: "203.0.113.9" });
    // Its owner reads why, at the one that must.
    const verdicts = async ({ stub }: Named) =>
      ((await stub.nameHistory()) ?? []).map(({ verdict }) => verdict);
    expect([(await verdicts(tv))[0], await verdicts(nas)]).toEqual(["911", []]);
  });

  it("count as a call of their client where one refuses, too: who asks far too often is stopped", async () => {
    const { nas, tv } = devices();
    for (let change = 0; change < limits.updateChangesPerFamily; change++) {
      await ask(world, `?hostname=${tv.host}&myip=203.0.113.${change}`, basic(tv.host, tv.secret));
    }
    const flooded = async () =>
      ((await nas.stub.nameTokens()) ?? []).filter((one) => one.floodedAt);
    for (let call = 0; call < limits.updateCallsPerHour; call++) await say(all, 77);
    expect(await flooded()).toEqual([]);
    expect((await say(all, 77)).text).toBe("911");
    expect(await flooded()).toHaveLength(1);
  });

  it("change all or none where one cannot, and each is asked once more only where there are several", async () => {
    const { nas, tv, foreign } = devices();
    const get = world.ports.devices.get.bind(world.ports.devices);
    const asked: string[] = [];
    const watched = (id: string) => {
      const stub = get(id);
      const updateAddresses: DeviceStub["updateAddresses"] = (update) => {
        asked.push(`${id === tv.id ? "tv" : "nas"}${update.isTrial ? "?" : ""}`);
        return stub.updateAddresses(update);
      };
      return new Proxy(stub, {
        get: (target, key) =>
          key === "updateAddresses" ? updateAddresses : Reflect.get(target, key),
      });
    };
    const seen = { ...world, ports: { ...world.ports, devices: { get: watched } } };
    const say = async (query: string, ...hosts: string[]) =>
      (await ask(seen, `?hostname=${hosts.join(",")}&${query}`, basic(nas.id, all))).text.split(
        "\n",
      );
    expect(await say("myipv6=2001:db8::1", nas.host)).toEqual(["good 2001:db8::1"]);
    expect(asked.splice(0)).toEqual(["nas"]);
    // A prefix is for the interface that is known, and of the other none is.
    const moved = "myipv6=2001:db8:1::/48&myipv4=203.0.113.4";
    const answer = await say(moved, tv.host, nas.host, foreign.host, `nobody.${ZONE}`);
    expect(answer).toEqual(["dnserr", "dnserr", "nohost", "nohost"]);
    // The last one is the call's count, and says nothing of an address.
    expect(asked.splice(0)).toEqual(["nas?", "tv?", "nas?", "nas"]);
    expect(await published(nas.stub)).toMatchObject({ ipv4: null, ipv6: "2001:db8::1" });
    expect(await published(tv.stub)).toMatchObject({ ipv4: null, ipv6: null });
    expect(await say("myip=203.0.113.4", tv.host, nas.host)).toEqual(
      Array.from({ length: 2 }, () => "good 203.0.113.4"),
    );
    expect(asked).toEqual(["nas?", "tv?", "nas", "tv"]);
    const events = ((await nas.stub.nameHistory()) ?? []).map(({ verdict }) => verdict);
    expect(events).toEqual(["good", "good"]);
  });

  it("are whole after a kill in the middle, of which nobody was told, and the same call ends it", async () => {
    const { nas, tv } = devices();
    const get = world.ports.devices.get.bind(world.ports.devices);
    let isAsked = false;
    const updateAddresses: DeviceStub["updateAddresses"] = async (update) => {
      if (!isAsked || !update.isTrial) throw new Error("the object was reset");
      return await get(tv.id).updateAddresses(update);
    };
    const broken = {
      get: (id: string) =>
        id === tv.id ? ({ updateAddresses } as unknown as DeviceStub) : get(id),
    };
    const ports = { ...world.ports, devices: broken };
    const early = await say(all, 8, { ...world, ports });
    expect([early.status, early.text]).toEqual([503, "911"]);
    expect(await published(nas.stub)).toMatchObject({ ipv4: null });
    isAsked = true;
    const cut = await say(all, 8, { ...world, ports });
    expect([cut.status, cut.text]).toEqual([503, "911"]);
    await evictDurableObject(nas.stub as unknown as DurableObjectStub);
    expect(await published(nas.stub)).toMatchObject({ ipv4: "203.0.113.8" });
    expect(await published(tv.stub)).toMatchObject({ ipv4: null });
    const again = await say(all, 8);
    expect(again.text.split("\n").slice(0, 2)).toEqual(["good 203.0.113.8", "nochg 203.0.113.8"]);
  });

  it("are said in JSON too: all or none, and what is somebody else's reads as what is not there", async () => {
    const { nas, tv, foreign } = devices();
    const patch = async (secret: string, hosts: readonly string[]) => {
      const request = new Request("http://localhost:8787/api/names", {
        method: "PATCH",
        headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
        body: JSON.stringify({ hosts, ipv4: "203.0.113.4" }),
      });
      const answer = await handle(request, world.ports);
      return { status: answer.status, json: (await answer.json()) as Record<string, unknown> };
    };
    expect((await patch(nas.secret, [nas.host, tv.host])).status).toBe(404);
    for (const others of [[], [tv.host]]) {
      const none = await patch(all, [nas.host, ...others, `nobody.${ZONE}`]);
      expect([none.status, none.json.code]).toEqual([404, "not-found"]);
      expect(await patch(all, [nas.host, ...others, foreign.host])).toEqual(none);
      expect(await patch(all, [nas.host, ...others, "nas.example.org"])).toEqual(none);
    }
    expect(await published(nas.stub)).toMatchObject({ ipv4: null });
    expect(await published(tv.stub)).toMatchObject({ ipv4: null });
    const done = { ipv4: "203.0.113.4", ipv6: null, changed: true, problem: null };
    expect(await patch(all, [nas.host, tv.host])).toMatchObject({
      status: 200,
      json: {
        ...{ hosts: [nas.host], ipv4: "203.0.113.4", changed: true },
        others: [{ host: tv.host, ...done }],
      },
    });
    for (let change = 0; change < limits.updateChangesPerFamily; change++) {
      await ask(world, `?hostname=${tv.host}&myip=203.0.113.${change}`, basic(tv.host, tv.secret));
    }
    const body = { hosts: [nas.host, tv.host], ipv4: "203.0.113.99" };
    const late = await handle(
      new Request("http://localhost:8787/api/names", {
        method: "PATCH",
        headers: { authorization: `Bearer ${all}`, "content-type": "application/json" },
        body: JSON.stringify(body),
      }),
      world.ports,
    );
    expect([late.status, Number(late.headers.get("retry-after")) > 0]).toEqual([429, true]);
    expect(await published(nas.stub)).toMatchObject({ ipv4: "203.0.113.4" });
  });
});

describe("a token for one name of several", () => {
  it("speaks for that one in every protocol, and answers for no other's certificate", async () => {
    const world = testPorts({ env });
    const nas = await named(world);
    const second = `more-${labels++}`;
    await world.ports.directory.claimLabel(second, nas.id);
    await nas.stub.expectLabel(second, null);
    const judged = [{ label: second, isOwn: true, wasHere: false }];
    await nas.stub.settleLabels(judged, true);
    const [first = ""] = nas.host.split(".");
    const only = await secretFrom(nas.stub, { labels: [second], scopes: ["address", "acme"] });
    const [own, other] = [`${second}.${ZONE}`, nas.host];
    const say = (host: string, more = "") =>
      ask(world, `?hostname=${host}${more}&myip=203.0.113.4`, basic(own, only ?? ""));
    expect((await say(own)).text).toBe("good 203.0.113.4");
    expect((await say(own, `,${other}`)).text).toBe("nochg 203.0.113.4\nnohost");
    const asOther = await ask(world, `?hostname=${other}`, basic(other, only ?? ""));
    expect(asOther.status).toBe(401);
    const value = "x".repeat(43);
    const prove = async (host: string) => {
      const request = new Request("http://localhost:8787/acme/present", {
        method: "POST",
        headers: basic(own, only ?? ""),
        body: JSON.stringify({ fqdn: `_acme-challenge.${host}.`, value }),
      });
      return (await handle(request, world.ports)).status;
    };
    expect([await prove(other), await prove(own)]).toEqual([401, 200]);
    const texts = async (label: string) =>
      (await nas.stub.records(label))?.flatMap((set) =>
        set.owner === "_acme-challenge" ? set.data : [],
      );
    expect(await texts(second)).toEqual([{ type: "TXT", texts: [value] }]);
    expect(await texts(first)).toEqual([]);
  });
});

describe("the client's own address", () => {
  const forged = {
    "x-forwarded-for": "203.0.113.66",
    "x-real-ip": "203.0.113.66",
    forwarded: "for=203.0.113.66",
    "true-client-ip": "203.0.113.66",
    "mf-cf-blob": JSON.stringify({ clientIp: "203.0.113.66" }),
    "x-latchkey-peer": "203.0.113.66",
  };

  it.each([
    [
      "socket",
      "198.51.100.7:4711",
      { ...forged, "cf-connecting-ip": "203.0.113.66" },
      "198.51.100.7",
    ],
    ["socket", "[2001:db8::7]:4711", forged, "2001:db8::7"],
    ["edge", "10.0.0.1", { ...forged, "cf-connecting-ip": "198.51.100.9" }, "198.51.100.9"],
    ["trusted-proxy", "198.51.100.7", forged, "198.51.100.7"],
    [
      "trusted-proxy",
      "127.0.0.1",
      { "x-forwarded-for": "203.0.113.66, 198.51.100.8" },
      "198.51.100.8",
    ],
    ["trusted-proxy", "127.0.0.1", { "cf-connecting-ip": "203.0.113.66" }, "127.0.0.1"],
  ])(
    "by policy %s from %s is what the policy trusts, whatever is forged",
    async (policy, peer, headers, seen) => {
      const world = testPorts({
        env,
        variables: { SOURCE_ADDRESS: policy, TRUSTED_PROXIES: "127.0.0.1" },
      });
      const nas = await named(world);
      const request = new Request(`http://localhost:8787/nic/update?hostname=${nas.host}`, {
        headers: { ...AGENT, ...headers, ...basic(nas.host, nas.secret) },
      });
      const ports = {
        ...world.ports,
        peer: clientAddress(world.ports.config, request.headers, peer),
      };
      expect(await (await handle(request, ports)).text()).toBe(`good ${seen}`);
    },
  );

  it("is refused when no public name may show it", async () => {
    for (const peer of ["192.168.1.5", "100.64.1.1", null]) {
      const world = testPorts({ env, peer });
      const nas = await named(world);
      const answer = await ask(world, `?hostname=${nas.host}`, basic(nas.host, nas.secret));
      expect(answer).toMatchObject({ status: 200, text: "dnserr" });
    }
  });
});

describe("the limit of changes", () => {
  const stored = (stub: DurableObjectStub, query: string) =>
    runInDurableObject(stub, (_, state) => state.storage.sql.exec(query).toArray());

  it("outlasts the object's sleep; holds times only, which go when they no longer count", async () => {
    const world = testPorts({ env });
    const nas = await named(world);
    const stub = nas.stub as unknown as DurableObjectStub;
    const change = (last: number) =>
      ask(world, `?hostname=${nas.host}&myip=203.0.113.${last}`, basic(nas.host, nas.secret));
    for (let last = 0; last < limits.updateChangesPerFamily; last++) {
      expect((await change(last)).text).toBe(`good 203.0.113.${last}`);
      await evictDurableObject(stub);
    }
    const refused = await change(99);
    expect(refused).toMatchObject({ status: 503, text: "911" });
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await stored(stub, "SELECT * FROM name_change")).toEqual(
      Array(limits.updateChangesPerFamily).fill({
        family: "ipv4",
        expires_at: expect.any(Number),
      }),
    );
    await stored(stub, `UPDATE name_change SET expires_at = ${Date.now() - 1}`);
    await evictDurableObject(stub);
    expect((await change(99)).text).toBe("good 203.0.113.99");
    expect(await stored(stub, "SELECT * FROM name_change")).toHaveLength(1);
    await stored(stub, `UPDATE name_change SET expires_at = ${Date.now() - 1}`);
    expect(await runDurableObjectAlarm(stub)).toBe(true);
    expect(await stored(stub, "SELECT * FROM name_change")).toEqual([]);
  });
});

describe("the JSON API of names", () => {
  let world: TestPorts;
  let nas: Named;
  beforeEach(async () => {
    world = testPorts({ env });
    nas = await named(world);
  });

  /** Asks with a token, as a program does. */
  async function say(body: object | null, token = nas.secret, host = nas.host) {
    const path = body === null ? `/api/names/${host}` : "/api/names";
    const request = new Request(`http://localhost:8787${path}`, {
      method: body === null ? "GET" : "PATCH",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      ...(body === null ? {} : { body: JSON.stringify(body) }),
    });
    const response = await handle(request, world.ports);
    const told = (await response.json()) as Record<string, unknown>;
    return { status: response.status, told, headers: response.headers };
  }

  it("changes what it names, says what is, and takes prefixes and the caller's own address", async () => {
    const hosts = [nas.host];
    const first = await say({ hosts, ipv4: "auto", ipv6: "2001:db8:9:2207:a:b:c:d" });
    const both = { others: [], hosts, ipv4: "198.51.100.7", ipv6: "2001:db8:9:2207:a:b:c:d" };
    expect([first.status, first.told]).toEqual([200, { ...both, changed: true }]);
    expect(first.headers.get("cache-control")).toBe("no-store");
    expect((await say(null)).told).toEqual({ ...both, changed: false });
    const moved = await say({ hosts, ipv6: "2001:db8:1::/56" });
    expect(moved.told).toMatchObject({ ipv4: "198.51.100.7", ipv6: "2001:db8:1:7:a:b:c:d" });
    expect((await say({ hosts, ipv4: null })).told).toMatchObject({ ipv4: null, changed: true });
    expect((await say({ hosts, ipv4: null })).told).toMatchObject({ changed: false });
  });

  it("changes nothing when a part of it is wrong, and says which", async () => {
    const other = await named(world);
    const wrong: [object, number, string][] = [
      [{ hosts: [nas.host, other.host], ipv4: "203.0.113.4" }, 404, "not-found"],
      [{ hosts: [nas.host, "example.org"], ipv4: "203.0.113.4" }, 404, "not-found"],
      [{ hosts: [nas.host], ipv4: "203.0.113.4", ipv6: "fe80::1" }, 422, "address-unfit"],
      [{ hosts: [nas.host], ipv4: "2001:db8::1" }, 422, "address-unfit"],
      [{ hosts: [nas.host], ipv4: "203.0.113.4", ipv6: "auto" }, 422, "address-unfit"],
      [{ hosts: [nas.host], ipv6: "2001:db8::/56" }, 422, "address-unfit"],
      [{ hosts: [], ipv4: "203.0.113.4" }, 400, "bad-request"],
      [{ hosts: Array(21).fill(nas.host), ipv4: "203.0.113.4" }, 400, "bad-request"],
      [{ hosts: [nas.host], ipv4: 7 }, 400, "bad-request"],
      [{ hosts: [nas.host], ip: "203.0.113.4" }, 400, "unknown-field"],
    ];
    for (const [body, status, code] of wrong) {
      const answer = await say(body);
      expect([body, answer.status, answer.told.code]).toEqual([body, status, code]);
    }
    expect(await published(nas.stub)).toEqual({ ipv4: null, ipv6: null });
  });

  it("answers the same to every wrong token, and counts it", async () => {
    const other = await named(world);
    const acme = (await secretFrom(nas.stub, { scopes: ["acme"] })) ?? "";
    const body = { hosts: [nas.host], ipv4: "203.0.113.4" };
    for (const token of ["", "wrong", other.secret, acme]) {
      for (const ask of [body, null]) {
        const answer = await say(ask, token);
        expect([token, answer.status, answer.told.code]).toEqual([token, 401, "name-token-wrong"]);
      }
    }
    for (let guess = 0; guess < limits.badauthPerNetwork; guess++) await say(body, "wrong");
    expect((await say(body, "wrong")).status).toBe(429);
    expect((await say(body)).status).toBe(200);
  });

  it("says how long to wait after too many changes", async () => {
    for (let last = 0; last < limits.updateChangesPerFamily; last++) {
      await say({ hosts: [nas.host], ipv4: `203.0.113.${last}` });
    }
    const late = await say({ hosts: [nas.host], ipv4: "203.0.113.99" });
    expect([late.status, late.told.code]).toEqual([429, "too-many-changes"]);
    expect(Number(late.headers.get("retry-after"))).toBeGreaterThan(0);
  });
});
