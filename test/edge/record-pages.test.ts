/** The page of what DNS says below a name: what its forms do, and what they keep when they are refused. */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { listActivity } from "../../workers/account/activity.ts";
import { type NewSession, newPerson } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { browseAs } from "./browse-support.ts";
import { type Enrolled, enroll } from "./devices-support.ts";

const ORIGIN = "http://localhost:8787";
let test: TestPorts;
let owner: NewSession;
let box: Enrolled;
let count = 0;

beforeEach(async () => {
  test = testPorts({ env, variables: { ORIGIN, ALLOW_SPECIAL_ADDRESSES: "yes" } });
  owner = await newPerson(test, `page${count++}@records.example`);
  box = await enroll(test.ports, owner.accountId);
  await box.stub.setFeature("name", true);
});

function browse(path = "", form?: Record<string, string>, by = owner) {
  return browseAs(by, test.ports, `/devices/${box.device.id}/records${path}`, form);
}

const done = { status: 303, location: expect.stringMatching(/\/records\?done=put$/) };
const own = () => box.stub.ownRecords();
const host = () => `${box.device.label}.${test.ports.config.ddnsZone}`;

describe("the page of what DNS says", () => {
  it("puts a record there, shows it, and takes it away", async () => {
    expect((await browse()).text).toContain("Nothing yet");
    const typed = { type: "CAA", owner: "", values: '0 issue "a.example"\r\n0 issuewild ";"\r\n' };
    expect(await browse("", typed)).toMatchObject(done);
    expect((await browse("?done=put")).text).toMatch(/Done\. .*0 issuewild &quot;;&quot;/);
    expect(await own()).toMatchObject({ sets: [{ owner: "", type: "CAA", data: [{}, {}] }] });
    expect(await browse("", { type: "CAA", owner: "", gone: "yes" })).toMatchObject(done);
    expect(await own()).toMatchObject({ sets: [] });
  });

  it("keeps what was typed where it is refused, and says why beside the field", async () => {
    const typed = { type: "HTTPS", owner: "www", values: "1 . ipv4hint=192.0.2.1" };
    const refused = await browse("", typed);
    expect(refused.status).toBe(422);
    expect(refused.text).toMatch(/id="values-error".{1,400}without address hints/);
    expect(refused.text).toContain(">1 . ipv4hint=192.0.2.1</textarea>");
    expect(refused.text).toContain('value="www"');
    expect(refused.text).toContain('<option value="HTTPS" selected');
    expect(refused.text).toMatch(/<title>Error: /);
    const nowhere = await browse("", { ...typed, owner: "_acme-challenge", type: "TXT" });
    expect(nowhere.text).toMatch(/id="owner-error"/);
    // An empty form takes nothing away.
    await browse("", { type: "TXT", owner: "", values: "here" });
    expect((await browse("", { type: "TXT", owner: "", values: " \r\n" })).status).toBe(422);
    expect(await own()).toMatchObject({ sets: [{ type: "TXT" }] });
  });

  it("refuses the wildcard where it would answer too much, and says so", async () => {
    const alpn = Array.from({ length: 30 }, () => "h").join();
    const values = Array.from({ length: 10 }, (_, at) => `${at + 1} . alpn=${alpn} port=65535`);
    await browse("", { type: "HTTPS", owner: "", values: values.join("\n") });
    for (let at = 0; at < limits.ownSetsPerDevice - 1; at++) {
      const owner = [0, 1, 2, 3].map((level) => `${"x".repeat(20)}${at}-${level}`).join(".");
      expect(await browse("", { type: "TXT", owner, values: "x".repeat(700) })).toMatchObject(done);
    }
    const refused = await browse("/wildcard", { on: "yes" });
    expect(refused.status).toBe(422);
    expect(refused.text).toContain("All of it together would be too much for DNS");
    expect(await own()).toMatchObject({ wildcard: false });
  });

  it("switches the wildcard, and names a machine", async () => {
    expect((await browse()).text).toContain("Off: below the name");
    expect(await browse("/wildcard", { on: "yes" })).toMatchObject(done);
    expect((await browse()).text).toContain("On: whatever is not there");
    expect(await browse("/neighbors", { host: "TV", interface: "fe80::1:2:3:4" })).toMatchObject(
      done,
    );
    expect((await browse()).text).toContain(`tv.${host()}`);
    const refused = await browse("/neighbors", { host: "a b", interface: "::1" });
    expect(refused.text).toMatch(/id="host-error"/);
    expect((await browse("/neighbors", { host: "radio", interface: "10.0.0.1" })).text).toMatch(
      /value="radio".*id="interface-error"/,
    );
    expect(await browse("/neighbors", { host: "tv", gone: "yes" })).toMatchObject(done);
    expect(await browse("/wildcard", { on: "no" })).toMatchObject(done);
    expect(await own()).toEqual({ wildcard: false, sets: [], neighbors: [] });
  });

  it("shows a key once, says when there is one, and ends it", async () => {
    const made = await browse("/key", {});
    const [, secret = ""] = /hmac-sha256:[\w.-]+:([\w+/]{43}=)/.exec(made.text) ?? [];
    expect(await box.stub.signingKey()).toBe(secret);
    const again = await browse();
    expect(again.text).not.toContain(secret);
    expect(again.text).toContain("There is a key, not used yet");
    expect(await browse("/key", { gone: "yes" })).toMatchObject({ status: 303 });
    expect(await box.stub.signingKey()).toBeNull();
    const events = (await listActivity(test.ports, owner.accountId)).map(({ event }) => event);
    expect(events).toEqual(expect.arrayContaining(["signing-key-made", "signing-key-ended"]));
  });

  it("says that the name is off, and is nobody else's", async () => {
    await box.stub.setFeature("name", false);
    expect((await browse()).text).toContain("The name is off");
    const other = await newPerson(test, `other${count}@records.example`);
    expect((await browse("", undefined, other)).status).toBe(404);
    expect((await browse("/wildcard", { on: "yes" }, other)).status).toBe(404);
    expect((await browse("/key", {}, other)).status).toBe(404);
  });
});
