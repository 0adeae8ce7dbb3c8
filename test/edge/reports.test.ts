/** Reports about doors by anybody, and who is an operator and reads them. */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { readConfig } from "../../workers/config.ts";
import { unregisterDevice } from "../../workers/devices/devices.ts";
import { eraseAccount } from "../../workers/privacy/erase.ts";
import { sweep } from "../../workers/privacy/sweep.ts";
import { labelIn } from "../../workers/reports/reports.ts";

import {
  begin,
  box,
  call,
  configure,
  hexHash,
  moveIn,
  OPERATOR,
  ORIGIN,
  operate,
  owner,
  report,
  rows,
  test,
  told,
  waiting,
} from "./reports-support.ts";

beforeEach(begin);

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
      const { reference } = (await report({}, `203.0.113.${await moveIn()}`)).json;
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
    configure({ ORIGIN });
    expect((await operate("GET", "/reports")).status).toBe(401);
  });

  it("is counted by network; the right token is not, and passes still", async () => {
    const wrong = `${OPERATOR}-wrong`;
    const right = "a-right-token-of-more-than-32-letters";
    const variables = { ORIGIN, OPERATOR_TOKEN_HASHES: `\n${await hexHash(right)}\n` };
    configure(variables);
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
