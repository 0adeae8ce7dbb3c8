/** The page of one's own domains: what its forms do, what they keep when refused, and what it says of each. */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import type { Lookup } from "../../protocol/dns/reply.ts";
import { limits } from "../../protocol/limits.ts";
import { lookAtDue } from "../../workers/name/domains.ts";
import { type NewSession, newPerson } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { browseAs } from "./browse-support.ts";
import { type Enrolled, enroll } from "./devices-support.ts";

const ORIGIN = "http://localhost:8787";
let test: TestPorts;
let owner: NewSession;
let box: Enrolled;
let count = 0;
/** What each name is another name for; `!2` is a code. */
let aliases: Record<string, string>;

beforeEach(async () => {
  start({ RESOLVER: "https://dns.example/dns-query" });
  owner = await newPerson(test, `page${count++}@domain-pages.example`);
  box = await enroll(test.ports, owner.accountId);
  await box.stub.setFeature("name", true);
  aliases = {};
});

function start(variables: Record<string, string>) {
  test = testPorts({ env, variables: { ORIGIN, ...variables } });
  test.resolver.answer = async ({ name = "", type = "" }) => {
    const value = aliases[name];
    if (value?.startsWith("!")) return { rcode: Number(value.slice(1)), records: [] };
    const isHere = value !== undefined && type === "CNAME";
    const records = isHere ? [{ name, type: type as Lookup, value }] : [];
    return { rcode: value === undefined ? 3 : 0, records };
  };
}

function browse(path = "", form?: Record<string, string>) {
  return browseAs(owner, test.ports, `/devices/${box.device.id}/domains${path}`, form);
}

const host = () => `${box.device.label}.${test.ports.config.ddnsZone}`;
const done = (word: string) => ({
  ...{ status: 303, location: expect.stringMatching(new RegExp(`/domains\\?done=${word}$`)) },
});
function lead() {
  aliases["own.test"] = host();
  aliases["_acme-challenge.own.test"] = `_acme-challenge.${host()}`;
}

describe("the page of one's own domains", () => {
  it("teaches where there is none, and says what to set for one", async () => {
    const empty = (await browse()).text;
    expect(empty).toContain("None yet.");
    expect(empty).toContain("The door does not answer at it");
    expect(await browse("", { domain: "Own.Test" })).toMatchObject(done("added"));
    const { text } = await browse("?done=added");
    expect(text).toMatch(/Added, and looked at\..*DNS knows no such record yet/);
    expect(text).toMatch(/CNAME <span class="mono">own\.test<\/span>/);
    expect(text).toContain(`>_acme-challenge.${host()}</small>`);
    expect(text).toMatch(/What we asked, and what came.*no such name/);
  });

  it("looks again, and says what it saw", async () => {
    lead();
    await browse("", { domain: "own.test" });
    const here = (await browse()).text;
    expect(here).toContain("the box may be certified for it");
    expect(here).not.toContain("Set this where");
    aliases["own.test"] = "elsewhere.test";
    expect(await browse("/look", { domain: "own.test" })).toMatchObject(done("looked"));
    const { text } = await browse();
    expect(text).toContain("another name for something that is not");
    expect(text).toContain("Led here when it was seen last.");
    aliases["own.test"] = "!2";
    await browse("/look", { domain: "own.test" });
    expect((await browse()).text).toContain("The name servers of this domain fail");
    const db = test.ports.regions.db("home");
    for (let looks = limits.domainMisses; looks > 0 && db !== null; looks--) {
      test.clock.advance(limits.domainCheckMs);
      await lookAtDue(test.ports, db);
    }
    expect((await browse()).text).toMatch(/It led here, and does not any more\. It counts until/);
  });

  it("keeps what was typed where it is refused, and says why beside the field", async () => {
    const refused = await browse("", { domain: "not a domain" });
    expect(refused.status).toBe(422);
    expect(refused.text).toMatch(/id="domain-error".{1,400}write it whole/);
    expect(refused.text).toContain('value="not a domain"');
    expect(refused.text).toMatch(/<title>Error: /);
    expect((await browse("", { domain: "" })).text).toMatch(/id="domain-error"/);
    expect((await browse("/look", { domain: "own.test" })).status).toBe(404);
  });

  it("says of a second click that it is done", async () => {
    expect(await browse("", { domain: "own.test" })).toMatchObject(done("added"));
    expect(await browse("", { domain: " Own.Test. " })).toMatchObject(done("there"));
    expect((await browse("?done=there")).text).toContain("It is here");
    const both = ["two.test", "two.test"].map((domain) => browse("", { domain }));
    for (const { status } of await Promise.all(both)) expect(status).toBe(303);
    for (let click = 0; click < 2; click++) {
      expect(await browse("/take-away", { domain: "own.test" })).toMatchObject(done("gone"));
    }
    expect((await box.stub.ownDomains())?.domains.map(({ name }) => name)).toEqual(["two.test"]);
  });

  it("asks before it takes one away", async () => {
    await browse("", { domain: "own.test" });
    const asked = await browse("/take-away?domain=own.test");
    expect(asked.text).toMatch(/Take own\.test away\?.*it goes on leading here/);
    expect((await browse("/take-away?domain=none.test")).status).toBe(404);
    expect((await browse()).text).toContain("own.test</h2>");
    expect(await browse("/take-away", { domain: "own.test" })).toMatchObject(done("gone"));
    expect((await browse()).text).toContain("None yet.");
    expect(await browse("/look")).toMatchObject({ status: 303 });
  });

  it("takes no more than there may be, and needs the name", async () => {
    for (let at = 0; at < limits.domainsPerDevice; at++)
      await browse("", { domain: `o${at}.test` });
    const full = await browse();
    expect(full.text).toContain("as many as a device can have");
    expect(full.text).not.toContain('name="domain" type="text"');
    await box.stub.setFeature("name", false);
    expect((await browse()).text).toContain("The name is off");
  });

  it("says so where nobody looks", async () => {
    lead();
    await browse("", { domain: "own.test" });
    start({});
    const { text } = await browse();
    expect(text).toContain("named no resolver");
    expect(text).toContain("Nobody looks at it here any more");
    expect(text).not.toContain("Look again");
    expect(await browse("", { domain: "more.test" })).toMatchObject({ status: 409 });
  });
});
