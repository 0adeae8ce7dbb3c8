/** Below the operator's minimum age a sign-up leaves nothing: no row, no key, no count, no mail, no line. */

import { env } from "cloudflare:workers";
import { beforeEach, expect, it, vi } from "vitest";
import { dataMap } from "../../db/data-map/map.ts";
import { handle } from "../../workers/app.ts";
import { findChallenge } from "../../workers/sign-in/challenge.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { objects } from "./buckets.ts";

const bindings = env as unknown as { DIRECTORY: D1Database; DB_HOME: D1Database };
const password = "an unlikely password";
let serial = 0;
let address: string;
beforeEach(() => {
  address = `young${serial++}@example.org`;
});

const asking = () => testPorts({ env, variables: { MINIMUM_AGE: "16" } });

const ask = async (test: TestPorts, body: object): Promise<[number, string]> => {
  const request = new Request("http://localhost:8787/api/sign-up", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ address, password, ...body }),
  });
  const response = await handle(request, test.ports);
  await test.settle();
  const { code = "" } = (await response.json()) as { code?: string };
  return [response.status, code];
};

const post = async (test: TestPorts, fields: Record<string, string>) => {
  const request = new Request("http://localhost:8787/sign-up", {
    method: "POST",
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      accept: "text/html",
      "sec-fetch-site": "same-origin",
    },
    body: new URLSearchParams({ address, password, ...fields }),
    redirect: "manual",
  });
  return await handle(request, test.ports);
};

/** Every row of both databases and every name in the object store. */
async function held(): Promise<string> {
  const all = async (database: D1Database) => {
    const tables = await database
      .prepare(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'",
      )
      .all<{ name: string }>();
    return await Promise.all(
      tables.results.map(
        async ({ name }) => (await database.prepare(`SELECT * FROM "${name}"`).all()).results,
      ),
    );
  };
  const names = (await objects()).map(({ name }) => name);
  return JSON.stringify([await all(bindings.DIRECTORY), await all(bindings.DB_HOME), names]);
}

it("[KID-1] below the threshold nothing is stored, counted, mailed or logged", async () => {
  const test = asking();
  const take = vi.spyOn(test.ports.limits, "take");
  const before = await held();
  expect(await ask(test, { age: 15 })).toEqual([403, "too-young"]);
  const page = await post(test, { age: "15" });
  expect(page.status).toBe(403);
  expect(await page.text()).toContain("A parent or guardian can open an account");
  expect(await held()).toBe(before);
  expect([take.mock.calls, test.mail.sent, test.egress, test.lines]).toEqual([[], [], [], []]);
  expect([...page.headers.keys()]).not.toContain("set-cookie");
  // The control: the same look finds what somebody old enough leaves.
  expect(await ask(test, { age: 16 })).toEqual([202, ""]);
  expect(await held()).not.toBe(before);
  expect(test.mail.sent).toHaveLength(1);
});

it("[KID-1] who is old enough leaves neither age nor birth date either", async () => {
  const test = asking();
  expect(await ask(test, { age: 87 })).toEqual([202, ""]);
  const token = /token=(\S+)/.exec(test.mail.sent.at(-1)?.text ?? "")?.[1] ?? "";
  const waiting = await findChallenge(test.ports, token, "sign-up");
  expect(Object.keys(waiting?.payload ?? {})).toContain("address");
  expect(Object.values(waiting?.payload ?? {}).join(" ")).not.toMatch(/\b87\b/);
  const columns = Object.values(dataMap.region).flatMap(({ columns }) => Object.keys(columns));
  expect(columns.filter((name) => /(^|_)age(_|$)|birth|born/.test(name))).toEqual([]);
});

it("asks again when no age was said, beside the field, and keeps what was typed", async () => {
  const test = asking();
  expect(await ask(test, {})).toEqual([422, "age-missing"]);
  const page = await post(test, { age: "sixteen" });
  expect(page.status).toBe(422);
  const html = await page.text();
  expect(html).toContain('id="age-error"');
  expect(html).toContain('value="sixteen"');
  expect(html).toContain(`value="${address}"`);
});

it("does not ask, and takes no age, where the operator set no threshold", async () => {
  const test = testPorts({ env });
  const request = new Request("http://localhost:8787/sign-up", {
    headers: { accept: "text/html" },
  });
  expect(await (await handle(request, test.ports)).text()).not.toContain("How old are you");
  expect(await ask(test, { age: 40 })).toEqual([400, "unknown-field"]);
  expect(await ask(test, {})).toEqual([202, ""]);
});
