/** What operators do about reports, and the owner's word to it. */

import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { listActivity } from "../../workers/account/activity.ts";
import { eraseAccount } from "../../workers/privacy/erase.ts";
import { newPerson } from "../support/person.ts";
import { bindings } from "./devices-support.ts";
import { serve } from "./door-support.ts";

import {
  begin,
  box,
  call,
  closing,
  closure,
  mailTo,
  newAddress,
  operate,
  owner,
  report,
  test,
  waiting,
} from "./reports-support.ts";

beforeEach(begin);

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
    const other = await newPerson(test, newAddress());
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
