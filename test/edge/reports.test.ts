/** Reports about doors by anybody, what operators do about them, and the owner's word to it. */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { listActivity } from "../../workers/account/activity.ts";
import { handle } from "../../workers/app.ts";
import { readConfig } from "../../workers/config.ts";
import { setAccess, unregisterDevice } from "../../workers/devices/devices.ts";
import { eraseAccount } from "../../workers/privacy/erase.ts";
import { sweep } from "../../workers/privacy/sweep.ts";
import { labelIn } from "../../workers/reports/reports.ts";
import { newPerson } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { bindings } from "./devices-support.ts";
import { type Box, newBox, serve } from "./door-support.ts";

const OPERATOR = "an-operators-token-of-forty-letters-or-so";
const ORIGIN = "http://localhost:8787";
/** `printf %s "$TOKEN" | sha256sum` */
async function hexHash(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
const closure = { reason: "phishing", extent: "open", words: "It copies the page of a bank." };

let test: TestPorts;
let owner: { accountId: string; token: string };
let box: Box;
let serial = 0;

beforeEach(async () => {
  const variables = { ORIGIN, OPERATOR_TOKEN_HASHES: await hexHash(OPERATOR) };
  test = testPorts({ env, variables });
  await bindings.DB_HOME.batch(
    ["door_report", "door_objection"].map((table) =>
      bindings.DB_HOME.prepare(`DELETE FROM ${table}`),
    ),
  );
  owner = await newPerson(test, `owner${serial++}@reports.example`);
  box = await newBox(test.ports, owner.accountId);
  await setAccess(test.ports, owner.accountId, box.id, "everyone");
  await test.settle();
  test.mail.sent.length = 0;
});

interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: what the API says is read as a caller reads it
  readonly json: any;
}

async function call(
  method: string,
  path: string,
  body?: unknown,
  token: string | null = OPERATOR,
  peer = "198.51.100.7",
): Promise<Answer> {
  const headers = new Headers();
  if (token !== null) headers.set("authorization", `Bearer ${token}`);
  if (body !== undefined) headers.set("content-type", "application/json");
  const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  const response = await handle(new Request(ORIGIN + path, init), { ...test.ports, peer });
  const text = await response.text();
  return { status: response.status, json: text === "" ? null : JSON.parse(text) };
}

const told = { about: "phishing", words: "It asks for my bank's password." };
const report = (more: object = {}, peer?: string) =>
  call("POST", "/api/reports", { door: box.label, ...told, ...more }, null, peer);
const operate = (method: string, path: string, body?: unknown) =>
  call(method, `/api/operator${path}`, body);
const waiting = async () => (await operate("GET", "/reports")).json.reports;
const mailTo = (address: string) => test.mail.sent.filter(({ to }) => to === address);
const rows = async () =>
  (await bindings.DB_HOME.prepare("SELECT * FROM door_report").all()).results;
const closing = (more: object = {}) =>
  operate("PUT", `/doors/${box.label}/closure`, { ...closure, ...more });

describe("a report", () => {
  it("needs no account, has a receipt, and reaches the operator", async () => {
    const { status, json } = await report({ address: " Mara@Example.org " });
    expect([status, json.reference]).toEqual([201, expect.stringMatching(/^rpt_home_\w{16}$/)]);
    const view = {
      id: json.reference,
      door: box.label,
      ...told,
      wants_answer: true,
      outcome: null,
      created_at: new Date(test.clock.now()).toISOString(),
    };
    expect(await waiting()).toEqual([view]);
    expect(await operate("GET", `/reports/${json.reference}`)).toEqual({ status: 200, json: view });
    expect((await operate("GET", `/doors/${box.label}`)).json).toEqual({
      ...{ door: box.label, closed: null, objection: null },
      reports: [view],
    });
  });

  it("[CON-14] holds what was typed, sealed, and nothing else of whoever made it", async () => {
    const address = "reporter@example.org";
    const door = `http://${box.label}.link.localhost:8787/private/path?with=query`;
    await report({ door, address, words: "a canary of words" }, "203.0.113.77");
    const [row] = await rows();
    expect(Object.keys(row ?? {}).sort()).toEqual(
      ["about", "created_at", "device_id", "expires_at", "id", "outcome", "told_sealed"].sort(),
    );
    const text = JSON.stringify(row);
    for (const hidden of [address, "canary", "private", "query", "203.0.113"]) {
      expect(text).not.toContain(hidden);
    }
    const [view] = await waiting();
    expect(JSON.stringify(view)).not.toMatch(/private|query|203\.0\.113|reporter@/);
    expect(JSON.stringify(test.lines)).not.toMatch(/canary|reporter|203\.0/);
  });

  it("that is sent twice is one, whatever came with it", async () => {
    const once = "A1b2C3d4E5f6G7h8";
    const first = await report({ once });
    const again = await report({ once, words: "something else" });
    expect([again.status, again.json]).toEqual([201, first.json]);
    expect((await waiting()).map(({ words }: { words: string }) => words)).toEqual([told.words]);
    await report();
    await report();
    expect(await waiting()).toHaveLength(3);
  });

  it("says beside the field what is wrong", async () => {
    const cases: [object, number, string, string | undefined][] = [
      [{ words: " " }, 422, "report-words", "words"],
      [{ words: "x".repeat(limits.reportLength + 1) }, 422, "report-words", "words"],
      [{ address: "nobody" }, 422, "address-syntax", "address"],
      [{ door: "not-there" }, 422, "door-unknown", "door"],
      [{ door: "https://bank.example/" }, 422, "door-unknown", "door"],
      [{ about: "boredom" }, 400, "bad-request", "about"],
      [{ once: "short" }, 400, "bad-request", "once"],
      [{ path: "/private" }, 400, "unknown-field", ""],
    ];
    for (const [more, status, code, field] of cases) {
      const answer = await report(more);
      expect([more, answer.status, answer.json]).toEqual([
        more,
        status,
        expect.objectContaining({ code, ...(field === undefined ? {} : { field }) }),
      ]);
    }
    expect(await rows()).toEqual([]);
  });

  it("about a door that is off is as one about no door at all", async () => {
    const nowhere = await report({ door: "not-there" });
    await box.stub.setFeature("link", false);
    expect(await report()).toEqual(nowhere);
  });

  it("is counted by network, and refused kindly once many wait for one door", async () => {
    for (let at = 0; at < limits.reportsPerNetwork; at++) expect((await report()).status).toBe(201);
    expect((await report()).json.code).toBe("too-many-tries");
    for (let at = limits.reportsPerNetwork; at < limits.reportsPerDevice; at++) {
      expect((await report({}, `203.0.113.${at}`)).status).toBe(201);
    }
    expect((await report({}, "203.0.113.200")).json.code).toBe("report-enough");
    expect(await rows()).toHaveLength(limits.reportsPerDevice);
    const [first] = await waiting();
    await operate("POST", `/reports/${first.id}/dismissal`, {});
    expect((await report({}, "203.0.113.200")).status).toBe(201);
  });

  it("finds the name in whatever was typed, and nothing elsewhere", () => {
    const config = { linkZone: "link.example" };
    const cases: [string, string | null][] = [
      ["nas", "nas"],
      [" NAS ", "nas"],
      ["nas.link.example", "nas"],
      ["https://nas.link.example/a/b?c#d", "nas"],
      ["http://NAS.link.example:8787/", "nas"],
      ["https://nas.link.example@evil.example/", null],
      ["https://evil.example/nas.link.example", null],
      ["a.b.link.example", null],
      ["", null],
      ["javascript:alert(1)", null],
      ["www", null],
    ];
    for (const [typed, label] of cases)
      expect([typed, labelIn(config, typed)]).toEqual([typed, label]);
  });

  it("goes with its time, its key with it; with its device; with the owner's account", async () => {
    const key = (id: string) => test.ports.keys.get(`person/${id}`);
    const ends: [string, () => Promise<unknown>][] = [
      [
        "time",
        async () => {
          test.clock.advance(limits.reportMs + limits.sweepKeyGraceMs);
          await sweep(test.ports);
        },
      ],
      ["unregistering", () => unregisterDevice(test.ports, owner.accountId, box.id)],
      ["erasing the owner", () => eraseAccount(test.ports, owner.accountId)],
    ];
    for (const [name, end] of ends) {
      owner = await newPerson(test, `owner${serial++}@reports.example`);
      box = await newBox(test.ports, owner.accountId);
      const { reference } = (await report({}, `203.0.113.${serial}`)).json;
      expect([name, await key(reference)]).toEqual([name, expect.anything()]);
      await end();
      expect([name, await rows(), await key(reference)]).toEqual([name, [], null]);
    }
  });
});

describe("whoever is no operator", () => {
  const routes: [string, string][] = [
    ["GET", "/reports"],
    ["GET", "/reports/rpt_home_0000000000000000"],
    ["POST", "/reports/rpt_home_0000000000000000/dismissal"],
    ["GET", "/objections"],
    ["GET", "/doors/nas"],
    ["PUT", "/doors/nas/closure"],
    ["DELETE", "/doors/nas/closure"],
    ["POST", "/doors/nas/objection/answer"],
  ];
  it.each(routes)("is not let in to %s %s", async (method, path) => {
    const body = method === "GET" || method === "DELETE" ? undefined : {};
    const tokens = [null, "short", `${OPERATOR}.`, await hexHash(OPERATOR), owner.token];
    for (const token of tokens) {
      const { status, json } = await call(method, `/api/operator${path}`, body, token);
      expect([token, status, json.code]).toEqual([token, 401, "not-signed-in"]);
    }
  });

  it("is nobody where no token is configured", async () => {
    test = testPorts({ env, variables: { ORIGIN } });
    expect((await operate("GET", "/reports")).status).toBe(401);
  });

  it("is counted by network; the right token is not, and passes still", async () => {
    const wrong = `${OPERATOR}-wrong`;
    const right = "a-right-token-of-more-than-32-letters";
    const variables = { ORIGIN, OPERATOR_TOKEN_HASHES: `\n${await hexHash(right)}\n` };
    test = testPorts({ env, variables });
    const ask = (token: string) => call("GET", "/api/operator/reports", undefined, token);
    for (let tries = 0; tries < limits.operatorTriesPerNetwork; tries++) {
      expect((await ask(wrong)).status).toBe(401);
    }
    expect((await ask(wrong)).json.code).toBe("too-many-tries");
    expect((await ask(right)).status).toBe(200);
  });

  it("has a hash in the configuration that is one", () => {
    const variables = { ...(env as object), OPERATOR_TOKEN_HASHES: "secret" };
    expect(() => readConfig(variables)).toThrow("OPERATOR_TOKEN_HASHES");
  });
});

describe("an operator", () => {
  it("reads the oldest first, page by page", async () => {
    const references: string[] = [];
    for (let at = 0; at < limits.reportsPage; at++) {
      if (at % 3 === 0) test.clock.advance(1);
      references.push((await report({}, `203.0.113.${at}`)).json.reference);
    }
    const first = (await operate("GET", "/reports")).json;
    expect(first.reports).toHaveLength(limits.reportsPage);
    const next = (await operate("GET", `/reports?after=${first.next}`)).json;
    expect(next).toEqual({ reports: [], next: null });
    const middle = first.reports[20];
    const cursor = `${Date.parse(middle.created_at)}.${middle.id}`;
    const rest = (await operate("GET", `/reports?after=${cursor}`)).json.reports;
    const ids = (all: { id: string }[]) => all.map(({ id }) => id);
    expect(ids(rest)).toEqual(ids(first.reports).slice(21));
    expect(ids(first.reports).sort()).toEqual(references.sort());
    expect((await operate("GET", "/reports?after=x")).json.code).toBe("bad-request");
    expect((await operate("GET", "/reports?region=moon")).json.code).toBe("region-unknown");
  });

  it("dismisses a report once; who made it is told once, and their address forgotten", async () => {
    const { reference } = (await report({ address: "mara@example.org" })).json;
    const path = `/reports/${reference}/dismissal`;
    const words = "It is the bank's own page.";
    const first = await operate("POST", path, { words });
    expect([first.status, first.json.outcome, first.json.wants_answer]).toEqual([
      200,
      "dismissed",
      false,
    ]);
    expect(await operate("POST", path, { words: "again" })).toEqual(first);
    await test.settle();
    const [mail, ...more] = mailTo("mara@example.org");
    expect(more).toEqual([]);
    expect(mail?.text).toContain(reference);
    expect(mail?.text).toContain(words);
    expect(await waiting()).toEqual([]);
    expect((await box.stub.describe())?.access.closed).toBeNull();
    test.clock.advance(limits.reportDecidedMs);
    expect((await operate("GET", `/reports/${reference}`)).status).toBe(404);
  });

  it("who acts twice at once tells everybody once", async () => {
    const { reference } = (await report({ address: "mara@example.org" })).json;
    await Promise.all(
      Array.from({ length: 4 }, () => operate("POST", `/reports/${reference}/dismissal`, {})),
    );
    await report({ address: "nora@example.org" });
    await Promise.all(Array.from({ length: 4 }, () => closing()));
    await test.settle();
    expect(mailTo("mara@example.org")).toHaveLength(1);
    expect(mailTo("nora@example.org")).toHaveLength(1);
    expect(test.mail.sent).toHaveLength(3);
  });

  it("closes a door with reasons: its owner hears them once, and everybody who reported it", async () => {
    const one = (await report({ address: "mara@example.org" })).json.reference;
    const other = (await report({ about: "malware" })).json.reference;
    const first = await closing();
    expect([first.status, first.json]).toEqual([
      200,
      {
        ...{ door: box.label, reports: [], objection: null },
        closed: { ...closure, at: new Date(test.clock.now()).toISOString() },
      },
    ]);
    test.clock.advance(1000);
    expect(await closing()).toEqual(first);
    await test.settle();
    const [mail, ...more] = test.mail.sent.filter(({ to }) => to.startsWith("owner"));
    expect(more).toEqual([]);
    for (const said of [
      box.label,
      closure.words,
      "trap for passwords",
      `/devices/${box.id}/door#closed`,
    ]) {
      expect(mail?.text).toContain(said);
    }
    expect(mailTo("mara@example.org").map(({ text }) => text)).toEqual([
      expect.stringContaining(one),
    ]);
    for (const id of [one, other]) {
      expect((await operate("GET", `/reports/${id}`)).json.outcome).toBe("closed");
      expect((await operate("POST", `/reports/${id}/dismissal`, {})).json.code).toBe(
        "report-decided",
      );
    }
    expect(test.lines).toContainEqual({ event: "door-closed", code: "phishing" });
    const events = (await listActivity(test.ports, owner.accountId)).map(({ event }) => event);
    expect(events.filter((event) => event === "door-closed")).toHaveLength(1);
    await closing({ extent: "all" });
    await test.settle();
    expect(test.mail.sent.filter(({ to }) => to.startsWith("owner"))).toHaveLength(2);
  });

  it("needs reasons, a door that is there, and words that are not too many", async () => {
    for (const more of [
      { words: " " },
      { words: "x".repeat(limits.statementLength + 1) },
      { reason: "x" },
    ]) {
      expect([more, (await closing(more)).status]).toEqual([more, 400]);
    }
    expect((await operate("PUT", "/doors/not-there/closure", closure)).status).toBe(404);
    expect((await operate("DELETE", "/doors/not-there/closure")).status).toBe(404);
    expect(
      (await operate("POST", `/doors/${box.label}/objection/answer`, { words: "no" })).status,
    ).toBe(404);
  });

  it("opens a door again, once for its owner", async () => {
    await closing();
    const path = `/doors/${box.label}/closure`;
    const first = await operate("DELETE", path);
    expect([first.status, first.json.closed]).toEqual([200, null]);
    expect(await operate("DELETE", path)).toEqual(first);
    await test.settle();
    expect(test.mail.sent.map(({ subject }) => subject)).toEqual([
      `The operator closed the door of ${box.label}`,
      `The door of ${box.label} is open again`,
    ]);
    void serve(box.agent);
    expect((await box.ask("/")).status).toBe(200);
  });

  it("closes the door although no mail leaves", async () => {
    test.mail.failing = true;
    await report({ address: "mara@example.org" });
    expect((await closing()).status).toBe(200);
    await test.settle();
    expect(test.lines).toContainEqual({ event: "notice-failed", code: "door" });
  });
});

describe("an objection", () => {
  const object = (words: string, token = owner.token) =>
    call("PUT", `/api/devices/${box.id}/door/objection`, { words }, token);

  it("reaches the operator once, sealed under the owner's key", async () => {
    await closing();
    const first = await object("It is my own bank.");
    expect([first.status, first.json.words]).toEqual([200, "It is my own bank."]);
    test.clock.advance(1000);
    expect(await object("Something else.")).toEqual(first);
    const { objections } = (await operate("GET", "/objections")).json;
    expect(objections).toEqual([
      { door: box.label, words: "It is my own bank.", created_at: first.json.created_at },
    ]);
    const held = await bindings.DB_HOME.prepare("SELECT * FROM door_objection").all();
    expect(JSON.stringify(held.results)).not.toContain("bank");
    await eraseAccount(test.ports, owner.accountId);
    expect((await operate("GET", "/objections")).json.objections).toEqual([]);
  });

  it("is the owner's alone, about a door that is closed, in some words", async () => {
    expect((await object("why")).json.code).toBe("door-not-closed");
    await closing();
    const other = await newPerson(test, `other${serial++}@reports.example`);
    expect((await object("why", other.token)).status).toBe(404);
    expect((await object(" ")).json).toMatchObject({ code: "report-words", field: "words" });
    expect((await operate("GET", "/objections")).json.objections).toEqual([]);
  });

  it("is answered once: the door stays closed, and another may follow", async () => {
    await closing();
    await object("It is my own bank.");
    const path = `/doors/${box.label}/objection/answer`;
    const answered = await operate("POST", path, { words: "It is not yours." });
    expect([answered.status, answered.json.objection, answered.json.closed?.reason]).toEqual([
      ...[200, null, "phishing"],
    ]);
    expect((await operate("POST", path, { words: "again" })).status).toBe(404);
    await test.settle();
    expect(test.mail.sent.at(-1)?.text).toContain("It is not yours.");
    expect(test.mail.sent).toHaveLength(2);
    expect((await object("Look again.")).json.words).toBe("Look again.");
  });

  it("ends when the door is opened again", async () => {
    await closing();
    await object("It is my own bank.");
    await operate("DELETE", `/doors/${box.label}/closure`);
    expect((await operate("GET", "/objections")).json.objections).toEqual([]);
    await closing();
    expect((await operate("GET", `/doors/${box.label}`)).json.objection).toBeNull();
  });
});
