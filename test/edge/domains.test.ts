/** Domains of one's own: added, looked at by a resolver that the test holds, lost, taken away, certified. */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import type { Lookup } from "../../protocol/dns/reply.ts";
import { DAY, HOUR, limits } from "../../protocol/limits.ts";
import { listActivity } from "../../workers/account/activity.ts";
import { handle } from "../../workers/app.ts";
import { unregisterDevice } from "../../workers/devices/devices.ts";
import { addDomain, domainsOf, lookAgain, lookAtDue } from "../../workers/name/domains.ts";
import { sweep } from "../../workers/privacy/sweep.ts";
import { type NewSession, newPerson } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { bindings, type Enrolled, enroll, problemOf } from "./devices-support.ts";

const ORIGIN = "http://localhost:8787";
const RESOLVER = "https://dns.example/dns-query";
let test: TestPorts;
let owner: NewSession;
let box: Enrolled;
let count = 0;
/** What DNS says: records of a name, `CNAME other.test`; nothing: there is no such name. */
let zone: Record<string, string>;

beforeEach(async () => {
  await bindings.DB_HOME.prepare("UPDATE device SET domains_at = NULL").run();
  start({ RESOLVER });
  owner = await newPerson(test, `domains${count++}@domains.example`);
  box = await boxOf(owner);
  zone = {};
});

function start(variables: Record<string, string>) {
  test = testPorts({ env, variables: { ORIGIN, ALLOW_SPECIAL_ADDRESSES: "yes", ...variables } });
  test.resolver.answer = async ({ name = "", type = "" }) => {
    const [kind, value = ""] = (zone[name] ?? "").split(" ");
    if (zone[name] === undefined) return { rcode: 3, records: [] };
    const records = kind === type ? [{ name, type: type as Lookup, value }] : [];
    return { rcode: 0, records };
  };
}

async function boxOf({ accountId }: NewSession): Promise<Enrolled> {
  const enrolled = await enroll(test.ports, accountId);
  await enrolled.stub.setFeature("name", true);
  return enrolled;
}

async function call(
  method: string,
  path = "",
  { token = owner.token, body }: { token?: string; body?: object } = {},
  { device } = box,
) {
  const request = new Request(`${ORIGIN}/api/devices/${device.id}/domains${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body && { "content-type": "application/json" }),
    },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const response = await handle(request, test.ports);
  const json = response.status === 204 ? {} : ((await response.json()) as Record<string, unknown>);
  return { status: response.status, json };
}

const add = (domain: string) => call("POST", "", { body: { domain } });
const hostOf = ({ device }: Enrolled) => `${device.label}.${test.ports.config.ddnsZone}`;
const asker = (of = box, by = owner) => ({
  ...{ accountId: by.accountId, deviceId: of.device.id },
  client: { peer: null, userAgent: null, place: null },
});
/** Lets `own.test` lead to a box, by both records. */
function lead(to = box, domain = "own.test") {
  zone[domain] = `CNAME ${hostOf(to)}`;
  zone[`_acme-challenge.${domain}`] = `CNAME _acme-challenge.${hostOf(to)}`;
}
const db = () => {
  const region = test.ports.regions.db("home");
  if (region === null) throw new Error("no region");
  return region;
};
const dueAt = async () =>
  (await bindings.DB_HOME.prepare("SELECT domains_at AS at FROM device WHERE id = ?")
    .bind(box.device.id)
    .first<number>("at")) ?? null;
/** Passes the time until the domains are due, and lets the sweep look. */
async function due() {
  const at = await dueAt();
  if (at === null) return;
  test.clock.time = Math.max(at, test.clock.time);
  await lookAtDue(test.ports, db());
  await test.settle();
}
const sent = () => test.egress.filter(({ recipient }) => recipient === "dns resolver").length;
const events = async (of = owner) =>
  (await listActivity(test.ports, of.accountId))
    .filter(({ event }) => event.startsWith("domain-"))
    .map(({ event, about }) => `${event} ${about}`)
    .sort(); // some are of one moment

describe("a domain of one's own", () => {
  it("is added, seen to lead here, looked at again, and taken away", async () => {
    const first = await add("Own.Test.");
    expect(first).toMatchObject({
      status: 201,
      json: {
        ...{ domain: "own.test", points_since: null, certifiable: false },
        seen: { verdict: "unset", asked: expect.arrayContaining([expect.anything()]) },
      },
    });
    lead();
    expect(await call("POST", "/OWN.Test./check")).toMatchObject({
      status: 200,
      json: { certifiable: true, points_since: expect.any(String), seen: { verdict: "here" } },
    });
    expect(await call("GET")).toMatchObject({ json: { domains: [{ domain: "own.test" }] } });
    expect(await call("DELETE", "/own.test")).toMatchObject({ status: 204 });
    expect((await call("GET")).json).toEqual({ domains: [] });
    expect((await call("DELETE", "/own.test")).status).toBe(404);
    expect(await events()).toEqual([
      ...["domain-added own.test", "domain-here own.test", "domain-removed own.test"],
    ]);
  });

  it("is in no order any more that waits, once it was taken away", async () => {
    lead();
    await add("own.test");
    const order = {
      ...{ step: "waiting" as const, request: "r", names: [hostOf(box), "own.test"], askedAt: 1 },
      ...{ replaces: null, url: null, challenges: [], proofs: [], dueAt: 1, failures: 0 },
      problem: null,
    };
    const state = { revision: 0, current: null, order, earlier: [], caa: null };
    expect(await box.stub.setCertificate(state)).toBe(true);
    expect((await call("DELETE", "/own.test")).status).toBe(204);
    expect((await box.stub.certificate())?.order).toBe(null);
  });

  it("may lead to any of the device's names, and to no name that it had", async () => {
    zone["own.test"] = `CNAME ${hostOf(box)}`;
    await add("own.test");
    const word = `o${crypto.randomUUID().slice(0, 8)}`;
    await box.stub.expectLabel(word, box.device.label);
    await test.ports.directory.renameLabel(
      ...([box.device.label, word, box.device.id, owner.accountId] as const),
    );
    await box.stub.settleLabels(
      [
        { label: word, isOwn: true, wasHere: false },
        { label: box.device.label, isOwn: false, wasHere: true },
      ],
      true,
    );
    expect(await lookAgain(test.ports, asker(), "own.test")).toMatchObject({
      seen: { verdict: "elsewhere" },
    });
    zone["own.test"] = `CNAME ${word}.${test.ports.config.ddnsZone}`;
    expect(await lookAgain(test.ports, asker(), "own.test")).toMatchObject({
      seen: { verdict: "here" },
    });
  });

  it("at an apex shows the addresses of the name, and is proved by its challenge", async () => {
    await box.stub.updateAddresses({
      ...{ secret: (await tokenOf(box)).secret, from: null, client: "test" },
      ...{ ipv4: { set: "192.0.2.7" }, ipv6: "keep" },
    });
    zone["own.test"] = "A 192.0.2.7";
    expect((await add("own.test")).json).toMatchObject({ seen: { verdict: "unproved" } });
    lead();
    zone["own.test"] = "A 192.0.2.7";
    expect((await call("POST", "/own.test/check")).json).toMatchObject({
      seen: { verdict: "here" },
    });
    zone["own.test"] = "A 192.0.2.8";
    expect((await call("POST", "/own.test/check")).json).toMatchObject({
      seen: { verdict: "other-address" },
    });
  });

  it("is the device's that it leads to, whoever else says so, and nobody keeps anybody from it", async () => {
    const other = await newPerson(test, `other${count++}@domains.example`);
    const theirs = await boxOf(other);
    await addDomain(test.ports, asker(theirs, other), "own.test");
    lead();
    expect((await add("own.test")).json).toMatchObject({ seen: { verdict: "here" } });
    expect(await lookAgain(test.ports, asker(theirs, other), "own.test")).toMatchObject({
      ...{ since: null, certifiable: false, seen: { verdict: "elsewhere" } },
    });
    expect(await events(other)).toEqual(["domain-added own.test"]);
  });

  it.each([
    ["not a domain", "domain-syntax"],
    ["192.0.2.1", "domain-syntax"],
    ["nas.ddns.test", "domain-ours"],
    ["link.localhost", "domain-ours"],
    ["a.b.nas.ddns.test", "domain-ours"],
    ["taken.test", "domain-yours"],
  ])("is refused as %s", async (domain, code) => {
    await add("taken.test");
    expect(await add(domain)).toMatchObject({ json: { code, field: "domain" } });
  });

  it("is one of five, and is there once", async () => {
    for (let at = 1; at < limits.domainsPerDevice; at++) await add(`own${at}.test`);
    const both = await Promise.all([add("same.test"), add("same.test")]);
    expect(both.map(({ status }) => status).sort()).toEqual([201, 409]);
    expect(await add("more.test")).toMatchObject({ status: 422, json: { code: "too-many" } });
    expect(await domainsOf(test.ports, asker())).toHaveLength(limits.domainsPerDevice);
  });

  it("is looked at so often in an hour, of an account", async () => {
    await add("own.test");
    for (let left = limits.domainLooksPerAccount - 1; left > 0; left--) {
      expect((await call("POST", "/own.test/check")).status).toBe(200);
    }
    const asked = test.egress.length;
    expect((await call("POST", "/own.test/check")).json).toMatchObject({ code: "too-many-tries" });
    expect((await add("more.test")).json).toMatchObject({ code: "too-many-tries" });
    expect(test.egress).toHaveLength(asked);
    test.clock.advance(limits.domainLooksWindowMs);
    expect((await call("POST", "/own.test/check")).status).toBe(200);
  });

  it("is not somebody else's business", async () => {
    await add("own.test");
    const { token } = await newPerson(test, `else${count++}@domains.example`);
    for (const [method, path] of [
      ["GET", ""],
      ["POST", "/own.test/check"],
      ["DELETE", "/own.test"],
    ] as const) {
      expect((await call(method, path, { token })).status, method).toBe(404);
    }
  });

  it("[SHR-1] tells the resolver names and kinds of records, and nothing else", async () => {
    lead();
    await add("own.test");
    const sent = test.egress.filter(({ recipient }) => recipient === "dns resolver");
    expect(sent.map(({ fields }) => fields)).toEqual([
      { name: "_acme-challenge.own.test", type: "CNAME" },
      { name: "own.test", type: "CNAME" },
    ]);
  });
});

async function tokenOf({ stub }: Enrolled): Promise<{ secret: string }> {
  const made = await stub.makeNameToken({
    ...{ name: "router", scopes: ["address"], networks: [], endsAt: null },
    ...{ labels: [], allDevices: false },
  });
  if (made.kind !== "made") throw new Error(made.kind);
  return made;
}

describe("the sweep", () => {
  it("looks daily, tells its owner when a domain was lost, and counts it no more after a week", async () => {
    lead();
    await add("own.test");
    const addedAt = test.clock.now();
    expect(await dueAt()).toBe(addedAt + limits.domainCheckMs);
    await due();
    expect(await dueAt()).toBe(addedAt + 2 * limits.domainCheckMs);
    zone["own.test"] = "CNAME elsewhere.test";
    const looks: (number | null)[] = [];
    while ((await dueAt()) !== null && looks.length < 30) {
      await due();
      looks.push(await dueAt());
      if (looks.length === 2) expect(test.mail.sent.at(-1)?.subject ?? "").not.toMatch(/domain/);
      if (looks.length === limits.domainMisses) {
        expect(test.mail.sent.at(-1)?.subject).toMatch(/domain of yours leads/);
      }
    }
    expect(await events()).toEqual([
      "domain-added own.test",
      "domain-here own.test",
      "domain-lost own.test",
      "domain-over own.test",
    ]);
    const told = test.mail.sent.filter(({ subject }) => /domain of yours/.test(subject));
    expect(told).toHaveLength(1);
    expect(told[0]?.text).toContain("own.test");
    expect(await domainsOf(test.ports, asker())).toMatchObject([
      { since: null, dueAt: null, seen: { verdict: "elsewhere" } },
    ]);
    expect(test.clock.now() - addedAt).toBeGreaterThan(limits.domainGraceMs);
  });

  it("loses no domain by a resolver that is away", async () => {
    lead();
    await add("own.test");
    test.resolver.answer = async () => {
      throw new Error("away");
    };
    for (let look = 0; look < 12; look++) await due();
    expect(test.clock.now()).toBeLessThan((await dueAt()) ?? 0);
    expect(await domainsOf(test.ports, asker())).toMatchObject([
      { lostAt: null, certifiable: true, seen: { verdict: "silent" } },
    ]);
    expect(await events()).toHaveLength(2);
  });

  it("asks a resolver that takes its time for so long, and leaves the rest", async () => {
    await add("own.test");
    const before = test.egress.length;
    test.resolver.answer = async () => {
      test.clock.advance(limits.domainLookMs);
      return { rcode: 0, records: [] };
    };
    await lookAgain(test.ports, asker(), "own.test");
    expect(test.egress.length - before).toBe(1);
  });

  it("looks at what is due alone, and at so many devices at once", async () => {
    lead();
    await add("own.test");
    const before = test.egress.length;
    await lookAtDue(test.ports, db());
    expect(test.egress).toHaveLength(before);
    test.clock.advance(DAY - HOUR);
    await add("later.test");
    const asked = test.egress.length;
    test.clock.advance(HOUR);
    await lookAtDue(test.ports, db());
    const names = test.egress.slice(asked).map(({ fields }) => fields.name);
    expect(names).toContain("own.test");
    expect(names).toContain("later.test"); // an hour after it was not seen
  });

  it("asks so many questions in one run, of all regions, and goes on where it stopped", async () => {
    const names = ["one.test", "two.test", "three.test"];
    for (const name of names) await add(name);
    const other = await boxOf(owner);
    test.clock.advance(1);
    await addDomain(test.ports, asker(other), "four.test");
    // As long a way as one may have, both for the domain and for its proof.
    for (const name of [...names, "four.test"]) {
      for (const start of [name, `_acme-challenge.${name}`]) {
        zone[start] = `CNAME 1.${start}`;
        for (let at = 1; at < 20; at++) zone[`${at}.${start}`] = `CNAME ${at + 1}.${start}`;
      }
    }
    test.clock.advance(limits.domainRetryMs);
    const runs: string[][] = [];
    const boundaries: number[] = [];
    for (let run = 0; run < 3; run++) {
      const before = test.egress.length;
      const sentBefore = sent();
      await sweep(test.ports);
      boundaries.push(sent() - sentBefore);
      const asked = test.egress.slice(before).map(({ fields }) => fields.name ?? "");
      runs.push([...names, "four.test"].filter((name) => asked.includes(name)));
    }
    expect(runs).toEqual([["one.test", "two.test"], ["three.test", "four.test"], []]);
    for (const count of boundaries) expect(count).toBeLessThanOrEqual(limits.domainQuestionsAtOnce);
    // Nothing is left for a second region of the same run.
    test.clock.advance(DAY);
    const questions = { left: limits.domainQuestionsAtOnce };
    await lookAtDue(test.ports, db(), questions);
    const before = sent();
    await lookAtDue(test.ports, db(), questions);
    expect([sent() - before, questions.left < limits.domainQuestionsAtOnce / 2]).toEqual([0, true]);
  });

  it("begins with no other domain once it has taken long", async () => {
    await add("one.test");
    await add("two.test");
    test.clock.advance(limits.domainRetryMs);
    const { answer } = test.resolver;
    test.resolver.answer = async (fields) => {
      test.clock.advance(limits.domainRunMs / 2);
      return await answer(fields);
    };
    const before = test.egress.length;
    await lookAtDue(test.ports, db());
    const asked = test.egress.slice(before).map(({ fields }) => fields.name);
    expect([asked.length > 0, asked.includes("two.test")]).toEqual([true, false]);
    expect(await dueAt()).toBeLessThanOrEqual(test.clock.now());
  });

  it("keeps what was scheduled while it looked", async () => {
    lead();
    await add("own.test");
    const at = (await dueAt()) ?? 0;
    test.clock.time = at;
    const { answer } = test.resolver;
    test.resolver.answer = async (fields) => {
      await bindings.DB_HOME.prepare("UPDATE device SET domains_at = 7 WHERE id = ?")
        .bind(box.device.id)
        .run();
      return await answer(fields);
    };
    await lookAtDue(test.ports, db());
    expect(await dueAt()).toBe(7);
  });

  it("leaves what fails for later, so that it takes nobody's turn", async () => {
    lead();
    await add("own.test");
    test.clock.time = (await dueAt()) ?? 0;
    const get = () => {
      throw new Error("away");
    };
    await expect(lookAtDue({ ...test.ports, devices: { get } }, db())).rejects.toThrow("away");
    expect(await dueAt()).toBe(test.clock.now() + limits.domainRetryMs);
    await due();
    expect(await dueAt()).toBe(test.clock.now() + limits.domainCheckMs);
  });

  it("forgets that it was to look at what is gone", async () => {
    await add("own.test");
    await box.stub.setFeature("name", false);
    await due();
    expect(await dueAt()).toBe(null);
  });
});

describe("what is kept of a domain", () => {
  const stored = async () => JSON.stringify(await box.stub.holdings());

  it("[FEA-4] goes with the name", async () => {
    lead();
    await add("own.test");
    expect(await stored()).toContain("name_domains");
    await box.stub.setFeature("name", false);
    expect(await stored()).not.toContain("name_domains");
    expect(await call("GET")).toMatchObject({ status: 409, json: { code: "feature-off" } });
    expect(await add("own.test")).toMatchObject({ json: { code: "feature-off" } });
    await box.stub.setFeature("name", true);
    expect((await call("GET")).json).toEqual({ domains: [] });
  });

  it("is in its owner's export, and in no row in clear", async () => {
    await add("canary-domain.test");
    const tables = await box.stub.exportFor(owner.accountId);
    expect(JSON.stringify(tables)).toContain("canary-domain.test");
    const rows = await bindings.DB_HOME.prepare("SELECT * FROM device").all();
    expect(JSON.stringify(rows.results)).not.toContain("canary-domain");
  });

  it("goes with the device", async () => {
    await add("own.test");
    await unregisterDevice(test.ports, owner.accountId, box.device.id, owner.accountId);
    expect(await box.stub.ownDomains()).toBe(null);
    await lookAtDue(test.ports, db());
    expect(await dueAt()).toBe(null);
  });
});

describe("where the operator named no resolver", () => {
  it("says so, asks nobody, and lets what is there be taken away", async () => {
    lead();
    await add("own.test");
    const { accountId } = owner;
    const before = test;
    start({});
    expect(await problemOf(addDomain(test.ports, asker(), "new.test"))).toBe("no-resolver");
    expect(await problemOf(lookAgain(test.ports, asker(), "own.test"))).toBe("no-resolver");
    test.clock.time = before.clock.now() + 2 * DAY;
    await lookAtDue(test.ports, db());
    expect(test.egress).toEqual([]);
    expect(await domainsOf(test.ports, { accountId, deviceId: box.device.id })).toHaveLength(1);
    expect((await call("DELETE", "/own.test")).status).toBe(204);
  });
});
