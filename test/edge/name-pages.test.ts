/** The pages of a device's names, and of names that change hands: what a second click finds; and a name in a path of the API. */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { handle } from "../../workers/app.ts";
import { addName } from "../../workers/name/labels.ts";
import { offerName, offersOf } from "../../workers/name/offers.ts";
import { acceptContact, askContact } from "../../workers/people/contacts.ts";
import { CLIENT, type NewSession, newPerson } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { browseAs } from "./browse-support.ts";
import { type Enrolled, enroll, newLabel } from "./devices-support.ts";

const ORIGIN = "http://localhost:8787";
let test: TestPorts;
let ada: NewSession;
let ben: NewSession;
let hers: Enrolled;
let his: Enrolled;
let label: string;
let count = 0;

beforeEach(async () => {
  test = testPorts({ env, variables: { ORIGIN } });
  ada = await newPerson(test, `ada${count}@names.example`);
  ben = await newPerson(test, `ben${count++}@names.example`);
  hers = await enroll(test.ports, ada.accountId);
  his = await enroll(test.ports, ben.accountId);
  label = newLabel();
  await addName(test.ports, ada.accountId, hers.device.id, label, CLIENT);
  await askContact(test.ports, ada.accountId, ben.accountId, CLIENT);
  await acceptContact(test.ports, ben.accountId, ada.accountId, CLIENT);
});

function browse(path: string, form?: Record<string, string>, by = ada) {
  return browseAs(by, test.ports, path, form);
}

/** What somebody reads who sends the same form twice, one after the other. */
async function twice(path: string, form: Record<string, string>, by = ada) {
  const read: string[] = [];
  for (const _ of [1, 2]) {
    const sent = await browse(path, form, by);
    expect([sent.status, path]).toEqual([303, path]);
    const { status, text } = await browse(sent.location ?? "", undefined, by);
    expect(status).toBe(200);
    read.push(/role="status"[^>]*>(.*?)<\/p>/.exec(text)?.[1] ?? text);
  }
  return read;
}

async function offered(): Promise<string> {
  const to = { label, to: ben.accountId };
  await offerName(test.ports, ada.accountId, hers.device.id, to, CLIENT);
  const [offer] = await offersOf(test.ports, ben.accountId);
  return offer?.id ?? expect.fail("no offer");
}

describe("a second click", () => {
  it("on Decline, Withdraw and Take it ends where the first did, and says that nothing waits", async () => {
    for (const by of [ada, ben]) {
      const [first, second] = await twice("/names/end", { offer: await offered() }, by);
      expect(first).toContain("Done. Nothing waits");
      expect(second).toContain("Nothing waits for an answer there any more");
    }
    const form = { offer: await offered(), device: his.device.id };
    const [first, second] = await twice("/names/take", form, ben);
    expect(first).toContain("Taken. The name leads to your device");
    expect(second).toContain("What you took stands with your devices");
    expect((await his.stub.labels())?.others).toEqual([label]);
  });

  it("on what gives a name up, changes it, or calls the device by it says that it is done", async () => {
    const names = `/devices/${hers.device.id}/names`;
    const more = newLabel();
    await addName(test.ports, ada.accountId, hers.device.id, more, CLIENT);
    const given = await twice(`${names}/give-up`, { label: more });
    expect(given).toEqual([expect.stringContaining("Given up"), given[0]]);
    const page = await browse(`${names}/give-up?label=${more}`);
    expect([page.status, page.location]).toEqual([303, `${names}?done=given-up`]);
    const to = newLabel();
    const changed = await twice(`${names}/change`, { from: label, to, sure: "yes" });
    expect(changed).toEqual([expect.stringContaining("Changed"), changed[0]]);
    const first = await twice(`${names}/first`, { label: to });
    expect(first).toEqual([expect.stringContaining("called so"), first[0]]);
    expect((await hers.stub.labels())?.primary).toBe(to);
  });

  it("on what adds a name shows it, one after the other and at the same time", async () => {
    const names = `/devices/${hers.device.id}/names`;
    const more = newLabel();
    const [added, again] = await twice(names, { more });
    expect([added, again]).toEqual([
      expect.stringContaining("Added. It answers"),
      expect.stringContaining("This is a name of the device"),
    ]);
    const other = newLabel();
    const both = await Promise.all(
      [other, ` ${other.toUpperCase()} `].map((one) => browse(names, { more: one })),
    );
    expect(both.map(({ status }) => status)).toEqual([303, 303]);
    expect((await hers.stub.labels())?.others).toEqual(expect.arrayContaining([more, other]));
    // The one that it is called by is one of them; another device's is not.
    expect((await browse(names, { more: hers.device.label })).location).toBe(`${names}?done=there`);
    expect((await browse(names, { more: his.device.label })).status).toBe(409);
  });

  it("is no way to learn of what is not one's own", async () => {
    const names = `/devices/${hers.device.id}/names`;
    const stranger = newLabel();
    await addName(test.ports, ben.accountId, his.device.id, stranger, CLIENT);
    for (const one of [stranger, newLabel()]) {
      expect((await browse(`${names}/give-up`, { label: one })).status).toBe(404);
      const change = { from: one, to: newLabel(), sure: "yes" };
      expect((await browse(`${names}/change`, change)).status).toBe(404);
    }
    expect((await browse(`${names}/give-up`, { label }, ben)).status).toBe(404);
    const elsewhere = { offer: await offered(), device: hers.device.id };
    expect((await browse("/names/take", elsewhere, ben)).status).toBe(404);
    expect(await offersOf(test.ports, ben.accountId)).toHaveLength(1);
  });
});

describe("an offer", () => {
  it("is told of on the list of devices of who may take it, and says what may come along", async () => {
    const said = async (by: NewSession) => (await browse("/devices", undefined, by)).text;
    expect(await said(ben)).not.toContain("A contact offers you");
    const offer = await offered();
    expect(await said(ben)).toContain("A contact offers you a name for one of your devices");
    expect(await said(ada)).not.toContain("A contact offers you");
    const page = (await browse("/names", undefined, ben)).text;
    expect(page).toContain("bring your box what the service before left in them");
    await twice("/names/end", { offer }, ben);
    expect(await said(ben)).not.toContain("A contact offers you");
  });
});

describe("a name in a path of the API", () => {
  it("is the same in any case, and with a dot at its end (RFC 4343)", async () => {
    const ask = async (method: string, written: string, path = "", body?: object) => {
      const url = `${ORIGIN}/api/devices/${hers.device.id}/names/${written}${path}`;
      const response = await handle(
        new Request(url, {
          method,
          headers: {
            "sec-fetch-site": "same-origin",
            cookie: `__Host-sid=${ada.token}`,
            ...(body && { "content-type": "application/json" }),
          },
          ...(body && { body: JSON.stringify(body) }),
        }),
        test.ports,
      );
      return response.status;
    };
    const others = async () => (await hers.stub.labels())?.others;
    const to = { to: ben.accountId };
    expect(await ask("POST", `${label.toUpperCase()}.`, "/offer", to)).toBe(204);
    expect(await offersOf(test.ports, ben.accountId)).toMatchObject([{ label }]);
    const next = newLabel();
    const renamed = await ask("PATCH", `${label.toUpperCase()}.`, "", {
      label: ` ${next.toUpperCase()}. `,
    });
    expect([renamed, await others()]).toEqual([200, [next]]);
    expect([await ask("DELETE", `${next.toUpperCase()}.`), await others()]).toEqual([200, []]);
    expect(await ask("DELETE", `${next}..`)).toBe(404);
  });
});
