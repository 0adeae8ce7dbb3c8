/** What the shelf shows: counted from the person's own rows, with the dates on which they go. */

import { env } from "cloudflare:workers";
import { beforeEach, expect, it } from "vitest";
import { systemRandom } from "../../durable-objects/platform.ts";
import { newId } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import {
  approveEnrolment,
  setAccess,
  setFeature,
  startEnrolment,
} from "../../workers/devices/devices.ts";
import { holdings } from "../../workers/privacy/holdings.ts";
import { completeSignIn } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";

const bindings = env as unknown as { DB_HOME: D1Database };
const client = { userAgent: "curl/8.5.0", peer: "198.51.100.7" };
let test: TestPorts;
let accountId: string;
let startedAt: number;

beforeEach(async () => {
  test = testPorts({ env });
  startedAt = test.clock.now();
  accountId = newId("acc", "home", systemRandom.bytes);
  await bindings.DB_HOME.prepare("INSERT INTO account VALUES (?, ?, 1, 0)")
    .bind(accountId, startedAt)
    .run();
  await completeSignIn(test.ports, { accountId, methods: ["password"] }, client);
});

const held = async () =>
  (await holdings(test.ports, accountId)).map(({ name, deviceId, count, since, until }) => ({
    name,
    own: deviceId === null,
    count,
    since,
    until,
  }));

it("counts the account, its sessions and its key, each with its dates", async () => {
  const { sessionIdleMs } = limits;
  test.clock.advance(1000);
  await completeSignIn(test.ports, { accountId, methods: ["password"] }, client);
  const until = startedAt + 1000 + sessionIdleMs;
  expect(await held()).toEqual([
    { name: "account", own: true, count: 1, since: startedAt, until: null },
    {
      name: "activity",
      own: true,
      count: 2,
      since: startedAt,
      until: startedAt + 1000 + limits.activityMs,
    },
    { name: "session", own: true, count: 2, since: startedAt, until },
    { name: "person key", own: true, count: 1, since: null, until: null },
  ]);
  test.clock.advance(sessionIdleMs - 1000);
  // [DLY-3] What is overdue is not shown, swept or not.
  expect((await held()).find(({ name }) => name === "session")?.count).toBe(1);
});

it("counts what each device's object holds, feature by feature", async () => {
  const start = await startEnrolment(test.ports, { publicKey: "A".repeat(43) });
  const request = { userCode: start.user_code, label: "holdings" };
  const { id } = await approveEnrolment(test.ports, accountId, request);
  const names = async () => (await held()).filter(({ own }) => !own).map(({ name }) => name);
  expect(await names()).toEqual(["directory entry", "device", "access"]);
  await setFeature(test.ports, accountId, id, "name", true);
  await setFeature(test.ports, accountId, id, "link", true);
  const update = { secret: null, ipv4: { set: "192.0.2.1" }, ipv6: "keep" } as const;
  await test.ports.devices.get(id).updateAddresses(update);
  await setAccess(test.ports, accountId, id, "listed");
  await test.ports.devices.get(id).issueDoorCode(accountId, "nonce", "ses");
  expect(await names()).toEqual([
    "directory entry",
    "device",
    "access",
    "name record",
    "name history",
    "door visit",
  ]);
  await setFeature(test.ports, accountId, id, "name", false);
  await setFeature(test.ports, accountId, id, "link", false);
  expect(await names()).toEqual(["directory entry", "device", "access"]);
});

it("holds nothing about an account that is none", async () => {
  expect(await holdings(test.ports, newId("acc", "home", systemRandom.bytes))).toEqual([]);
  expect(await holdings(test.ports, newId("acc", "mars", systemRandom.bytes))).toEqual([]);
});
