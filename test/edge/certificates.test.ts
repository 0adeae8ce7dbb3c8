/** Certificates that we order for a box: from its request to the chain, and all that may go wrong between. */

import { env } from "cloudflare:workers";
import { sql } from "drizzle-orm";
import { beforeEach, describe, expect, it } from "vitest";
import { leaseOrder } from "../../db/queries/certificate-orders.ts";
import type { OwnDomain } from "../../durable-objects/device/domains-rpc.ts";
import { signAssertion } from "../../protocol/assertion.ts";
import {
  type CertificateAnswer,
  certificatePath,
  makeRequest,
  readRequest,
} from "../../protocol/certificates.ts";
import { DAY, limits } from "../../protocol/limits.ts";
import { base64url, fromBase64url } from "../../protocol/tokens.ts";
import { listActivity } from "../../workers/account/activity.ts";
import { handle } from "../../workers/app.ts";
import { revokeCertificate } from "../../workers/certificates/revocation.ts";
import { advanceDue, setAuthorities } from "../../workers/certificates/service.ts";
import { unregisterDevice } from "../../workers/devices/devices.ts";
import type { Ports } from "../../workers/ports.ts";
import { CA, StandInAuthority } from "../support/authority.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { type Enrolled, enroll, newPerson, problemOf } from "./devices-support.ts";

let test: TestPorts;
let ports: Ports;
let ca: StandInAuthority;
let owner: string;
let box: Enrolled;
let tests = 0;
/** Whose challenge that of another domain is, by CNAME. */
const challenges = new Map<string, string>();

beforeEach(async () => {
  // Each test has an authority of its own, and so an account and limits of its own.
  start({ ACME: `${CA}?${++tests}` });
  await ports.directory.db.run(sql`DELETE FROM certificate_order`);
  await ports.directory.db.run(sql`DELETE FROM acme_slot`);
  owner = await newPerson();
  box = await boxOf(owner);
});

function start(variables: Record<string, string>) {
  test = testPorts({ env, variables });
  ports = test.ports;
  ca = new StandInAuthority({ now: () => ports.clock.now(), txt: shown });
  test.authority.answer = async (fields) =>
    await ca.answer({ ...fields, url: (fields.url ?? "").replace(/\?\d+$/, "") });
}

async function boxOf(account: string): Promise<Enrolled> {
  const enrolled = await enroll(ports, account);
  await enrolled.stub.setFeature("name", true);
  return enrolled;
}

/** What DNS shows: the sets of the device that has the name. */
async function shown(name: string): Promise<string[]> {
  const [label = ""] = (challenges.get(name) ?? name).split(".");
  const id = await ports.names.deviceOfLabel(label);
  const sets = id === null ? null : await ports.devices.get(id).records();
  return (sets ?? []).flatMap(({ owner: at, data }) =>
    at === "_acme-challenge" ? data.flatMap((one) => (one.type === "TXT" ? one.texts : [])) : [],
  );
}

const hostOf = ({ device }: Enrolled) => `${device.label}.${ports.config.ddnsZone}`;

/** A request for these names by a key of its own. */
async function requestFor(...names: string[]): Promise<string> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const pair = (await crypto.subtle.generateKey(algorithm, true, [
    "sign",
    "verify",
  ])) as CryptoKeyPair;
  const spki = new Uint8Array(
    (await crypto.subtle.exportKey("spki", pair.publicKey)) as ArrayBuffer,
  );
  return base64url(await makeRequest(names, spki, () => Uint8Array.of(0x30, 0)));
}

async function ask(
  request?: string,
  { key, device }: Enrolled = box,
): Promise<{ status: number; body: CertificateAnswer & { code?: string } }> {
  const { origin } = ports.config;
  const assertion = await signAssertion(key.privateKey, device.id, origin, ports.clock.now());
  const response = await handle(
    new Request(origin + certificatePath, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ client_assertion: assertion, ...(request && { request }) }),
    }),
    ports,
  );
  return { status: response.status, body: await response.json() };
}

/** Asks again after as long as the cloud says, until it says something else than it did. */
async function follow(enrolled: Enrolled = box, max = 10): Promise<CertificateAnswer> {
  let { body } = await ask(undefined, enrolled);
  for (let left = max; left > 0 && ["waiting", "under-way"].includes(body.status); left--) {
    test.clock.advance(body.retry_after * 1000);
    ({ body } = await ask(undefined, enrolled));
  }
  return body;
}

describe("a box that asks for a certificate", () => {
  it("gets one for its name and all below it", async () => {
    const names = [hostOf(box), `*.${hostOf(box)}`];
    const { status, body } = await ask(await requestFor(...names));
    expect([status, body.status, body.certificate]).toEqual([200, "under-way", null]);
    // Both values stand at one name at the same time.
    expect(new Set(await shown(names[0] as string)).size).toBe(2);
    const done = await follow();
    expect(done).toMatchObject({ status: "ready", names, problem: null });
    expect(done.certificate).toContain("BEGIN CERTIFICATE");
    // Two thirds of 90 days, for this authority names no window.
    const renewAt = Date.parse(done.renew_at ?? "") - ports.clock.now();
    expect(Math.abs(renewAt - 60 * DAY)).toBeLessThan(DAY / 24);
    expect(await shown(names[0] as string)).toEqual([]);
    const [event] = await listActivity(ports, owner);
    expect(event).toMatchObject({ event: "certificate-issued", about: names[0] });
  });

  it("is shown to the authority only once every front has what it will look for", async () => {
    await ask(await requestFor(hostOf(box)));
    expect(await shown(hostOf(box))).toHaveLength(1);
    const answered = () => ca.asked.filter((one) => one.includes("/challenge/")).length;
    test.clock.advance(limits.certificateSettleMs - 1);
    await ask();
    expect(answered()).toBe(0);
    test.clock.advance(1);
    await ask();
    expect(answered()).toBe(1);
  });

  it("gets one from an authority that refuses every second nonce and takes its time", async () => {
    ca.moody = true;
    ca.slow = 2;
    await ask(await requestFor(hostOf(box)));
    expect((await follow()).status).toBe("ready");
  });

  it("is certified by the sweep too, when it asks no more", async () => {
    await ask(await requestFor(hostOf(box)));
    for (let minute = 0; minute < 3; minute++) {
      test.clock.advance(60_000);
      await advanceDue(ports);
    }
    expect((await ask()).body.status).toBe("ready");
  });

  it("goes on where it was when the authority went away in between", async () => {
    await ask(await requestFor(hostOf(box)));
    ca.away = true;
    test.clock.advance(10_000);
    const away = (await ask()).body;
    expect([away.status, away.certificate]).toEqual(["waiting", null]);
    expect(test.lines).toContainEqual({ event: "authority-away", code: "TypeError" });
    ca.away = false;
    expect((await follow()).status).toBe("ready");
  });

  it("asks again with the same request without a second order", async () => {
    const request = await requestFor(hostOf(box));
    await ask(request);
    await ask(request);
    await follow();
    // It broke off before it kept what it was sent.
    expect((await ask(request)).body.status).toBe("ready");
    expect(ca.orders).toHaveLength(1);
  });

  it("may come with another request, which takes the place of the first", async () => {
    await ask(await requestFor(hostOf(box)));
    const before = await shown(hostOf(box));
    await ask(await requestFor(hostOf(box)));
    expect(await shown(hostOf(box))).not.toEqual(expect.arrayContaining(before));
    expect((await follow()).status).toBe("ready");
  });

  it("is told what the authority found wrong, tries again, and has failed in the end", async () => {
    const request = await requestFor(hostOf(box));
    ca.blind = true;
    await ask(request);
    const { certificateFailures, certificateRetryMs } = limits;
    const body = await follow(box, 3 * certificateFailures);
    expect(body).toMatchObject({ status: "failed", problem: "unauthorized: wrong TXT record" });
    expect(ca.orders).toHaveLength(certificateFailures);
    const waited = ports.clock.now() - 1_800_000_000_000;
    expect(waited).toBeGreaterThan(certificateRetryMs * (2 ** (certificateFailures - 1) - 1));
    expect(await shown(hostOf(box))).toEqual([]);
    ca.blind = false;
    // It may be asked for again.
    await ask(request);
    expect((await follow()).status).toBe("ready");
  });

  it("fails at once where another try changes nothing", async () => {
    ca.refusals.push({ at: "/finalize", status: 400, kind: "badCSR" });
    await ask(await requestFor(hostOf(box)));
    expect(await follow()).toMatchObject({ status: "failed", problem: "badCSR: no: badCSR" });
  });

  it("is given no certificate of somebody else's key", async () => {
    const other = readRequest(fromBase64url(await requestFor(hostOf(box))) ?? new Uint8Array());
    ca.foreignKey = other?.spki ?? null;
    await ask(await requestFor(hostOf(box)));
    const { status, certificate, problem } = await follow(box, 3 * limits.certificateFailures);
    expect([status, certificate]).toEqual(["failed", null]);
    expect(problem).toContain("nobody asked for");
  });

  it("leaves the authority alone as long as it asks for, all of us", async () => {
    ca.refusals.push({ at: "/order", status: 429, kind: "rateLimited", retryAfter: "7200" });
    const { body } = await ask(await requestFor(hostOf(box)));
    expect([body.status, body.retry_after]).toEqual(["waiting", 7200]);
    const other = await boxOf(owner);
    const asked = ca.asked.length;
    expect((await ask(await requestFor(hostOf(other)), other)).body.status).toBe("waiting");
    expect(ca.asked.slice(asked).filter((one) => one.startsWith("POST"))).toEqual([]);
    test.clock.advance(7_201_000);
    expect((await follow(other)).status).toBe("ready");
    expect((await follow()).status).toBe("ready");
  });

  it("keeps nobody waiting for what the authority has of a domain of somebody's own", async () => {
    const sight = { seen: null, since: 1, certifiable: true, lostAt: null };
    const own = {
      name: "own.test",
      addedAt: 1,
      ...sight,
      tries: 0,
      misses: 0,
      silences: 0,
      dueAt: null,
    };
    await box.stub.setOwnDomains({ revision: 0, domains: [own] });
    ca.refusals.push({ at: "/order", status: 429, kind: "rateLimited", retryAfter: "7200" });
    const { body } = await ask(await requestFor(hostOf(box), "own.test"));
    expect(body).toMatchObject({ status: "failed", problem: "rateLimited: no: rateLimited" });
    const other = await boxOf(owner);
    await ask(await requestFor(hostOf(other)), other);
    expect((await follow(other)).status).toBe("ready");
    await ask(await requestFor(hostOf(box)));
    expect((await follow()).status).toBe("ready");
  });

  it.each([
    ["of a name that is not its own", async () => `other.${ports.config.ddnsZone}`],
    ["of another box", async () => hostOf(await boxOf(owner))],
    ["of the zone itself", async () => ports.config.ddnsZone],
    ["below its own", async () => `www.${hostOf(box)}`],
    ["elsewhere", async () => "nas.example.org"],
  ])("is refused a certificate %s", async (_, name) => {
    const { status, body } = await ask(await requestFor(hostOf(box), await name()));
    expect([status, body.code]).toEqual([422, "certificate-request"]);
    expect(ca.asked).toEqual([]);
  });

  it("is believed by what the device has, and not by whose a name was a moment ago", async () => {
    const other = await boxOf(owner);
    const remember = (id: string | null) => {
      const deviceOfLabel = { value: async () => id };
      const names = Object.create(test.ports.names, { deviceOfLabel }) as Ports["names"];
      ports = { ...test.ports, names };
    };
    remember(box.device.id);
    const { status, body } = await ask(await requestFor(hostOf(other)));
    expect([status, body.code]).toEqual([422, "certificate-request"]);
    expect(ca.asked).toEqual([]);
    remember(null);
    expect((await ask(await requestFor(hostOf(box)))).status).toBe(200);
  });

  it("is refused what is no request, and everything while its name is off", async () => {
    expect((await ask("AAAA")).body.code).toBe("certificate-request");
    await box.stub.setFeature("name", false);
    expect((await ask()).body.code).toBe("feature-off");
    expect((await ask(await requestFor(hostOf(box)))).body.code).toBe("feature-off");
  });

  it("orders so many certificates a day and no more", async () => {
    const request = await requestFor(hostOf(box));
    for (let round = 0; round < limits.certificatesPerDevice; round++) {
      expect((await ask(await requestFor(hostOf(box)))).status).toBe(200);
    }
    expect((await ask(request)).body.code).toBe("too-many-tries");
  });
});

describe("a box whose owner has domains of their own", () => {
  /** What was seen of a domain that leads here; and what is different. */
  const domain = (change: Partial<OwnDomain> = {}): OwnDomain => ({
    ...{ name: "own.test", addedAt: 1, seen: null, since: 1, certifiable: true },
    ...{ lostAt: null, tries: 0, misses: 0, silences: 0, dueAt: null, ...change },
  });
  const put = async (...domains: OwnDomain[]) => {
    const state = await box.stub.ownDomains();
    expect(state !== null && (await box.stub.setOwnDomains({ ...state, domains }))).toBe(true);
  };

  it("is told which it may be certified for, and is certified for them with its name", async () => {
    await put(domain(), domain({ name: "lost.test", lostAt: 5 }));
    expect((await ask()).body.domains).toEqual(["own.test", "lost.test"]);
    const names = [hostOf(box), "own.test", "lost.test"];
    await ask(await requestFor(...names));
    for (const one of ["own.test", "lost.test"]) challenges.set(one, hostOf(box));
    expect(await follow()).toMatchObject({ status: "ready", names });
  });

  it.each([
    ["that never led here", domain({ since: null })],
    ["whose challenge is not this box's", domain({ certifiable: false })],
    ["that is somebody else's", domain({ name: "other.test" })],
  ])("is not for one %s", async (_, other) => {
    await put(other);
    const { status, body } = await ask(await requestFor(hostOf(box), "own.test"));
    expect([status, body.code]).toEqual([422, "certificate-request"]);
  });

  it("is certified for none that was taken away meanwhile, however far its order is", async () => {
    for (const looks of [0, 1]) {
      await put(domain());
      challenges.set("own.test", hostOf(box));
      ca.slow = 1;
      await ask(await requestFor(hostOf(box), "own.test"));
      for (let left = looks; left > 0; left--) {
        test.clock.advance(limits.certificateSettleMs);
        await ask();
      }
      expect((await box.stub.certificate())?.order?.step).toBe(
        looks === 0 ? "proving" : "checking",
      );
      await put();
      expect([looks, (await follow()).status]).toEqual([looks, "none"]);
      expect(await shown(hostOf(box))).toEqual([]);
    }
    expect(ca.asked.filter((one) => one.includes("/finalize/"))).toEqual([]);
    // Its own names alone are certified at once.
    await ask(await requestFor(hostOf(box)));
    expect((await follow()).status).toBe("ready");
  });

  it("is not for what is below such a domain", async () => {
    await put(domain());
    for (const name of ["*.own.test", "www.own.test", "xown.test"]) {
      expect((await ask(await requestFor(name))).body.code, name).toBe("certificate-request");
    }
  });
});

describe("where the operator named no authority", () => {
  it("a box is told so", async () => {
    start({});
    expect((await ask(await requestFor(hostOf(box)))).body.code).toBe("no-authority");
    expect((await ask()).body.status).toBe("none");
  });
});

describe("the zone's limit", () => {
  beforeEach(() => start({ ACME: `${CA}?${++tests} certificates=1` }));

  it("makes boxes wait in the order in which they asked, and lets renewals by ARI pass", async () => {
    const now = ports.clock.now();
    ca.window = { start: now + 50 * DAY, end: now + 51 * DAY };
    const [second, third] = [await boxOf(owner), await boxOf(owner)];
    await ask(await requestFor(hostOf(box)));
    test.clock.advance(1);
    const waiting = (await ask(await requestFor(hostOf(second)), second)).body;
    test.clock.advance(1);
    const last = (await ask(await requestFor(hostOf(third)), third)).body;
    expect([waiting.status, waiting.queue, last.queue]).toEqual(["waiting", 0, 1]);
    expect((await follow()).status).toBe("ready");
    // The first renews, which takes nobody's place.
    await ask(await requestFor(hostOf(box)));
    expect((await follow()).status).toBe("ready");
    expect(ca.orders.at(-1)?.replaces).not.toBeNull();
    // A week later one place is free, and it is not the last one's, whoever asks first.
    test.clock.advance(limits.certificatesWindowMs);
    expect((await ask(undefined, third)).body.status).toBe("waiting");
    expect((await follow(second)).status).toBe("ready");
    expect((await ask(undefined, third)).body).toMatchObject({ status: "waiting", queue: 0 });
  });

  it("counts no order that failed for good", async () => {
    ca.refusals.push({ at: "/finalize", status: 400, kind: "badCSR" });
    await ask(await requestFor(hostOf(box)));
    expect((await follow()).status).toBe("failed");
    const second = await boxOf(owner);
    await ask(await requestFor(hostOf(second)), second);
    expect((await follow(second)).status).toBe("ready");
  });
});

describe("renewal", () => {
  it("is due in the window that the authority names, and asks again when that is said", async () => {
    const now = ports.clock.now();
    ca.window = { start: now + 50 * DAY, end: now + 52 * DAY };
    await ask(await requestFor(hostOf(box)));
    const first = Date.parse((await follow()).renew_at ?? "");
    expect(first).toBeGreaterThanOrEqual(ca.window.start);
    expect(first).toBeLessThanOrEqual(ca.window.end);
    // The authority has something to revoke, and wants everybody to come now.
    ca.window = { start: now, end: now + DAY };
    expect(Date.parse((await ask()).body.renew_at ?? "")).toBe(first);
    test.clock.advance(6 * 60 * 60_000 + 1000);
    expect(Date.parse((await ask()).body.renew_at ?? "")).toBeLessThanOrEqual(now + DAY);
  });

  it("keeps the old certificate until the new one is there", async () => {
    await ask(await requestFor(hostOf(box)));
    const { certificate } = await follow();
    const during = (await ask(await requestFor(hostOf(box)))).body;
    expect([during.status, during.certificate]).toEqual(["under-way", certificate]);
    const after = await follow();
    expect(after.certificate).not.toBe(certificate);
  });

  it("is ordered without the old one where the authority does not know that any more", async () => {
    await ask(await requestFor(hostOf(box)));
    await follow();
    ca.refusals.push({ at: "/order", status: 409, kind: "alreadyReplaced" });
    await ask(await requestFor(hostOf(box)));
    expect((await follow()).status).toBe("ready");
    expect(ca.orders.at(-1)?.replaces).toBeNull();
  });
});

describe("its owner", () => {
  it("revokes it once, and the box has none", async () => {
    await ask(await requestFor(hostOf(box)));
    const { certificate } = await follow();
    await revokeCertificate(ports, box.stub, "key-compromise");
    await revokeCertificate(ports, box.stub, "key-compromise");
    expect(ca.revoked).toHaveLength(1);
    const leaf = (certificate ?? "").replaceAll(/-----[^-]+-----|\s/g, "");
    const bytes = Uint8Array.from(atob(leaf), (char) => char.charCodeAt(0));
    expect(ca.revoked[0]).toEqual({ certificate: base64url(bytes), reason: 1 });
    const { body } = await ask();
    expect([body.status, body.certificate]).toEqual(["none", null]);
    expect(Date.parse(body.renew_at ?? "")).toBeLessThanOrEqual(ports.clock.now());
  });

  it("has nothing to revoke without one, and is told when the authority is away", async () => {
    expect(await problemOf(revokeCertificate(ports, box.stub, "superseded"))).toBe("not-found");
    await ask(await requestFor(hostOf(box)));
    await follow();
    ca.away = true;
    expect(await problemOf(revokeCertificate(ports, box.stub, "superseded"))).toBe("unavailable");
  });

  const caa = async () =>
    ((await box.stub.records()) ?? []).flatMap(({ owner: at, data }) =>
      data.flatMap((one) => (one.type === "CAA" ? [`${at} ${one.tag} ${one.value}`] : [])),
    );

  it("has the name certified by our account alone, until they say otherwise", async () => {
    expect(await caa()).toEqual([]);
    await ask(await requestFor(hostOf(box)));
    const only =
      " issue ca.example; accounturi=https://ca.example/acct/1; validationmethods=dns-01";
    expect(await caa()).toEqual([only]);
    await follow();
    await setAuthorities(ports, box.stub, true);
    expect(await caa()).toEqual([]);
    await ask(await requestFor(hostOf(box)));
    await follow();
    expect(await caa()).toEqual([]);
    await setAuthorities(ports, box.stub, false);
    expect(await caa()).toEqual([only]);
  });
});

describe("[CON-5] what is kept of it", () => {
  const sealedRows = async () => (await box.stub.holdings()).map(({ table }) => table);

  it("goes with the name", async () => {
    await ask(await requestFor(hostOf(box)));
    expect(await sealedRows()).toEqual(expect.arrayContaining(["certificate", "acme_proof"]));
    await box.stub.setFeature("name", false);
    const left = await sealedRows();
    expect(left).not.toContain("certificate");
    expect(left).not.toContain("acme_proof");
    await box.stub.setFeature("name", true);
    expect(await box.stub.certificate()).toMatchObject({ current: null, order: null, caa: null });
    // The queue finds nothing any more, and forgets it.
    test.clock.advance(60_000);
    await advanceDue(ports);
    const later = ports.clock.now() + DAY;
    expect(await leaseOrder(ports.directory.db, box.device.id, later, later + 1)).toBeNull();
  });

  it("goes with the device, from the queue too", async () => {
    await ask(await requestFor(hostOf(box)));
    await unregisterDevice(ports, owner, box.device.id);
    const later = ports.clock.now() + DAY;
    expect(await leaseOrder(ports.directory.db, box.device.id, later, later + 1)).toBeNull();
    expect((await ask()).body.code).toBe("device-gone");
  });
});
