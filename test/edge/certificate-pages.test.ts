/** The page of a device's certificate: what it says in each state, and what its forms do. */

import { env } from "cloudflare:workers";
import { sql } from "drizzle-orm";
import { beforeEach, describe, expect, it } from "vitest";
import type { CertificateState } from "../../durable-objects/device/certificate-rpc.ts";
import { recordFrom } from "../../protocol/dns/presentation.ts";
import { DAY } from "../../protocol/limits.ts";
import { listActivity } from "../../workers/account/activity.ts";
import { handle } from "../../workers/app.ts";
import { CA, StandInAuthority } from "../support/authority.ts";
import { type NewSession, newPerson } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { browseAs } from "./browse-support.ts";
import { type Enrolled, enroll } from "./devices-support.ts";

const ORIGIN = "http://localhost:8787";
let test: TestPorts;
let ca: StandInAuthority;
let owner: NewSession;
let box: Enrolled;
let count = 0;

beforeEach(async () => {
  await start({ ACME: `${CA}?page=${count}` });
});

async function start(variables: Record<string, string>) {
  test = testPorts({ env, variables: { ORIGIN, ...variables } });
  const { ports, clock } = test;
  ca = new StandInAuthority({ now: () => clock.now(), txt: async () => [] });
  test.authority.answer = async (fields) =>
    await ca.answer({ ...fields, url: (fields.url ?? "").replace(/\?.*$/, "") });
  await ports.directory.db.run(sql`DELETE FROM certificate_order`);
  owner = await newPerson(test, `page${count++}@certificates.example`);
  box = await enroll(ports, owner.accountId);
  await box.stub.setFeature("name", true);
}

function browse(path = "", form?: Record<string, string>) {
  return browseAs(owner, test.ports, `/devices/${box.device.id}/certificate${path}`, form);
}

const name = () => `${box.device.label}.${test.ports.config.ddnsZone}`;

/** Keeps this of the device's certificates. */
async function keep(part: Partial<CertificateState>): Promise<void> {
  const state = await box.stub.certificate();
  if (state === null || !(await box.stub.setCertificate({ ...state, ...part })))
    throw new Error("not kept");
}

const current = () => {
  const now = test.clock.now();
  return {
    ...{ chain: "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", renewalId: null },
    ...{ names: [name()], notBefore: now, notAfter: now + 90 * DAY, renewAt: now + 60 * DAY },
    ...{ askAt: now + DAY, revokedAt: null },
  };
};
const order = (part: object) => ({
  ...{ step: "waiting" as const, request: "x", names: [name()], askedAt: test.clock.now() },
  ...{ replaces: null, url: null, challenges: [], proofs: [], dueAt: test.clock.now() + DAY },
  ...{ failures: 0, problem: null },
  ...part,
});

describe("the page says", () => {
  it("warns where CAA records of the owner's keep our authority out, and so does their page", async () => {
    const warns = async () => {
      const records = await handle(
        new Request(`${ORIGIN}/devices/${box.device.id}/records`, {
          headers: { accept: "text/html", cookie: `__Host-sid=${owner.token}` },
        }),
        test.ports,
      );
      const there = (await records.text()).replaceAll(/\s+/g, " ");
      const here = (await browse()).text;
      return [
        here.includes("the authority that we order from is not seen among them"),
        there.includes("do not name the authority that we order certificates from"),
      ];
    };
    const write = (type: "CAA" | "TXT", ...texts: string[]) => {
      const data = texts.map((text) => recordFrom(type, text) ?? expect.fail(text));
      return box.stub.changeRecords({ set: { owner: "", type, data } });
    };
    await start({ ACME: `${CA}?page=${count} caa=ca.example` });
    await write("CAA", '0 issue "other.example"');
    // The first order says that ours may, whatever stands there.
    expect(await warns()).toEqual([false, false]);
    await keep({ current: current(), caa: "ca.example; accounturi=https://ca.example/1" });
    expect(await warns()).toEqual([false, false]);
    await keep({ caa: null });
    expect(await warns()).toEqual([true, true]);
    await write("CAA", '0 issue "other.example"', '0 issue "CA.example; validationmethods=dns-01"');
    expect(await warns()).toEqual([false, false]);
    await write("CAA", '0 issue "ca.example"', '0 issuewild ";"');
    expect(await warns()).toEqual([true, true]);
    await write("CAA", '0 iodef "mailto:me@example.org"');
    expect(await warns()).toEqual([false, false]);
  });

  it("how to begin, both ways", async () => {
    const { status, text } = await browse();
    expect(status).toBe(200);
    for (const words of ["There is none yet.", "latchkey certificate", "HTTPREQ_ENDPOINT"]) {
      expect(text).toContain(words);
    }
    expect(text).not.toContain("/revoke");
  });

  it("that the name is off", async () => {
    await box.stub.setFeature("name", false);
    const { status, text } = await browse();
    expect([status, text]).toEqual([200, expect.stringContaining("The name is off")]);
  });

  it("only the owner's own way where nobody orders for us", async () => {
    await start({});
    const { text } = await browse();
    expect(text).not.toContain("Ordered by us");
    expect(text).toContain("Ordered by a program of yours");
  });

  it.each([
    ["waiting", () => order({}), "tried again by itself"],
    ["under way", () => order({ step: "checking" }), "looks whether the name is this box’s"],
    ["failed", () => order({ step: "failed", problem: "caa: <b>no</b>" }), "caa: &lt;b>no&lt;/b>"],
  ])("how an order stands that is %s", async (_, make, words) => {
    await keep({ order: make() });
    expect((await browse()).text.replaceAll("&gt;", ">")).toContain(words);
  });

  it("which ones the authority refused to revoke, until their end", async () => {
    const now = test.clock.now();
    const earlier = [
      { leaf: "AA", names: ["first.example"], notAfter: now + DAY, refusedAt: now },
      { leaf: "AB", names: ["second.example"], notAfter: now + DAY },
    ];
    await keep({ current: current(), earlier });
    const { text } = await browse();
    expect(text).toContain("The authority refused to revoke a certificate");
    expect(text).toContain("first.example");
    expect(text).not.toContain("second.example");
    await keep({ earlier: earlier.slice(1) });
    expect((await browse()).text).not.toContain("refused to revoke");
  });

  it("until when it is good, and that nobody else may certify the name", async () => {
    await keep({ current: current(), caa: "ca.example; accounturi=https://ca.example/acct/1" });
    const { text } = await browse();
    for (const words of ["The name is certified.", "Good until", "Let every authority"]) {
      expect(text).toContain(words);
    }
  });
});

describe("its forms", () => {
  it("let every authority in, and none but ours again", async () => {
    await keep({ current: current(), caa: "ca.example" });
    const open = await browse("/authorities", { any: "yes" });
    expect([open.status, open.location]).toEqual([303, expect.stringContaining("done=any")]);
    expect((await box.stub.certificate())?.caa).toBeNull();
    expect((await browse("?done=any")).text).toContain("Every authority may certify the name now.");
    await browse("/authorities", { any: "no" });
    expect((await box.stub.certificate())?.caa).toContain("accounturi=https://ca.example/acct/");
  });

  it("revoke, for a reason from the list, by who showed who they are", async () => {
    await keep({ current: current() });
    expect((await browse("/revoke")).text).toContain("Somebody else may have the key");
    expect((await browse("/revoke", { reason: "because" })).status).toBe(400);
    test.clock.advance(1000);
    const revoked = await browse("/revoke", { reason: "key-compromise" });
    expect([revoked.status, revoked.location]).toEqual([303, expect.stringContaining("revoked")]);
    expect(ca.revoked).toEqual([{ certificate: "MAA", reason: 1 }]);
    expect((await browse()).text).toContain("It was revoked.");
    const [event] = await listActivity(test.ports, owner.accountId);
    expect(event).toMatchObject({ event: "certificate-revoked", about: box.device.label });
    test.clock.advance(DAY);
    await keep({ current: current() });
    const late = await browse("/revoke", { reason: "superseded" });
    expect(late.location ?? "").toContain("/confirm");
    expect(ca.revoked).toHaveLength(1);
  });

  it("are another person's to nobody", async () => {
    await keep({ current: current() });
    owner = await newPerson(test, `other${count++}@certificates.example`);
    for (const [path, form] of [
      ["", undefined],
      ["/authorities", { any: "yes" }],
      ["/revoke", undefined],
      ["/revoke", { reason: "superseded" }],
    ] as const) {
      expect((await browse(path, form)).status).toBe(404);
    }
    expect(ca.revoked).toEqual([]);
  });
});
