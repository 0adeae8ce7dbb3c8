/** Passwords of a name that end because nobody uses them: their owner is told by mail before, once. */

import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { DAY, limits } from "../../protocol/limits.ts";
import { tellIdleTokens } from "../../workers/name/tokens.ts";
import type { Db } from "../../workers/ports.ts";
import { sweep } from "../../workers/privacy/sweep.ts";
import { nameSecret } from "../support/name.ts";
import { type NewSession, newPerson } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { bindings, type Enrolled, enroll } from "./devices-support.ts";

let test: TestPorts;
let owner: NewSession;
let box: Enrolled;
let count = 0;

beforeEach(async () => {
  await bindings.DB_HOME.prepare("UPDATE device SET tokens_at = NULL").run();
  test = testPorts({ env });
  owner = await newPerson(test, `idle${count++}@idle.example`);
  await test.settle();
  box = await enroll(test.ports, owner.accountId);
  await box.stub.setFeature("name", true);
});

/** What its object's clock cannot be told: the passwords of now are this old. */
async function age(ms: number) {
  await runInDurableObject(box.stub as unknown as DurableObjectStub, (_, state) => {
    state.storage.sql.exec("UPDATE name_token SET created_at = created_at - ?", ms);
  });
}
const make = (name: string) =>
  nameSecret(test.ports, owner.accountId, box.device.id, { name, scopes: ["address"] });
const lookAt = async () =>
  await bindings.DB_HOME.prepare("SELECT tokens_at AS at FROM device WHERE id = ?")
    .bind(box.device.id)
    .first<number>("at");
const waitMs = limits.nameTokenIdleMs - limits.nameTokenIdleToldMs;

describe("a password that nobody uses", () => {
  it("is told of by mail before it ends, with the others, once", async () => {
    const start = Date.now();
    await make("Old router");
    await make("");
    const at = (await lookAt()) ?? 0;
    expect(at).toBe(test.clock.now() + waitMs);
    const sent = test.mail.sent.length;
    test.clock.time = at - 1;
    await sweep(test.ports);
    await test.settle();
    expect(test.mail.sent).toHaveLength(sent);
    await age(waitMs);
    test.clock.time = at;
    await sweep(test.ports);
    await test.settle();
    expect(test.mail.sent).toHaveLength(sent + 1);
    const mail = test.mail.sent.at(-1);
    const day = new Date(start + limits.nameTokenIdleToldMs).toISOString().slice(0, 10);
    expect(mail?.to).toBe(`idle${count - 1}@idle.example`);
    expect(mail?.text).toContain(`${day}, of ${box.device.label}: Old router, without a name.`);
    expect(mail?.text).not.toContain("If this was you");
    // The next look is at their end; asked before, nobody is told again.
    expect((await lookAt()) ?? 0).toBeGreaterThan(Date.now() + limits.nameTokenIdleToldMs - DAY);
    await bindings.DB_HOME.prepare("UPDATE device SET tokens_at = 1 WHERE id = ?")
      .bind(box.device.id)
      .run();
    await sweep(test.ports);
    await test.settle();
    expect(test.mail.sent).toHaveLength(sent + 1);
    await box.stub.setFeature("name", false);
    test.clock.time = (await lookAt()) ?? 0;
    await sweep(test.ports);
    expect(await lookAt()).toBeNull();
  });

  it("whose device does not answer takes nobody's turn", async () => {
    await make("Old router");
    test.clock.time = (await lookAt()) ?? 0;
    const get = () => {
      throw new Error("away");
    };
    const db = test.ports.regions.db("home") as Db;
    await expect(tellIdleTokens({ ...test.ports, devices: { get } }, db)).rejects.toThrow("away");
    expect(await lookAt()).toBe(test.clock.now() + limits.nameTokenRetryMs);
  });
});
