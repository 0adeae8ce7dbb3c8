/** Passwords of a name that end because nobody uses them: their owner is told by mail before, once. */

import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import type { DeviceStub } from "../../durable-objects/device/rpc.ts";
import { DAY, limits } from "../../protocol/limits.ts";
import { tellIdleTokens } from "../../workers/name/tokens.ts";
import type { Db, Ports } from "../../workers/ports.ts";
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
/** The world with `work` in place of a word to the device, which it is handed. */
function around(word: string, work: (own: () => Promise<unknown>) => Promise<unknown>): Ports {
  type Words = Record<string, (...given: unknown[]) => Promise<unknown>>;
  const get = (id: string) => {
    const stub = test.ports.devices.get(id) as unknown as Words;
    const said = (name: string, given: unknown[]) => {
      const own = async () => await stub[name]?.(...given);
      return name === word ? work(own) : own();
    };
    return new Proxy({} as Words, {
      get: (_, name) =>
        name === "then" ? undefined : (...given: unknown[]) => said(String(name), given),
    }) as unknown as DeviceStub;
  };
  return { ...test.ports, devices: { get } };
}
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
    expect(Math.abs(at - test.clock.now() - waitMs)).toBeLessThan(10);
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

  it("is looked for also where a look that saw nothing of it ended beside it", async () => {
    const db = test.ports.regions.db("home") as Db;
    const isLookedFor = async () => {
      await tellIdleTokens(test.ports, db);
      // By the clock of the object or, where it was not asked, of the edge: never later than it can be told of.
      const [soonest, latest] = [Date.now() - DAY, test.clock.now()].map((at) => at + waitMs);
      expect(await lookAt()).toBeGreaterThan(soonest as number);
      expect(await lookAt()).toBeLessThanOrEqual(latest as number);
    };
    await bindings.DB_HOME.prepare("UPDATE device SET tokens_at = 1 WHERE id = ?")
      .bind(box.device.id)
      .run();
    const madeBefore = around("takeIdleNameTokens", async (take) => {
      const idle = await take();
      await make("Made after the look, before it is noted");
      return idle;
    });
    await tellIdleTokens(madeBefore, db);
    await isLookedFor();
    const [{ id = "" } = {}] = (await box.stub.nameTokens()) ?? [];
    await box.stub.endNameToken(id);
    await bindings.DB_HOME.prepare("UPDATE device SET tokens_at = 1 WHERE id = ?")
      .bind(box.device.id)
      .run();
    const madeAfter = around("makeNameToken", async (work) => {
      await tellIdleTokens(test.ports, db);
      return await work();
    });
    await nameSecret(madeAfter, owner.accountId, box.device.id, { name: "Made after all" });
    await isLookedFor();
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
