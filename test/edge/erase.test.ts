/**
 * Erasing an account that was used for everything there is: no store names it afterwards, whoever is
 * beside it keeps all, and wherever the erasure is cut short the next sweep finishes it.
 */

import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { sql } from "drizzle-orm";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { dataMap } from "../../db/data-map/map.ts";
import type { TableRule } from "../../db/data-map/types.ts";
import type { Db } from "../../db/db.ts";
import { systemRandom } from "../../durable-objects/platform.ts";
import { newId } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import {
  allow,
  approveEnrolment,
  setAccess,
  setFeature,
  startEnrolment,
} from "../../workers/devices/devices.ts";
import type { Ports } from "../../workers/ports.ts";
import { eraseAccount } from "../../workers/privacy/erase.ts";
import { erasurePlan } from "../../workers/privacy/plan.ts";
import { oldestOverdue, sweep } from "../../workers/privacy/sweep.ts";
import { Problem } from "../../workers/problem.ts";
import { askReset } from "../../workers/sign-in/forgot.ts";
import { checkSession } from "../../workers/sign-in/sessions.ts";
import { signUp } from "../../workers/sign-in/sign-up.ts";
import { nameSecret } from "../support/name.ts";
import { completeSignIn, type NewSession, signIn, verifySignUp } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { objectBytes, objects as stored } from "./buckets.ts";

const bindings = env as unknown as {
  DIRECTORY: D1Database;
  DB_HOME: D1Database;
  DEVICES: DurableObjectNamespace;
};
const bytes = new Uint8Array(64);
const password = "an unlikely password";
const client = { userAgent: "curl/8.5.0", peer: "198.51.100.7" };
let serial = 0;

interface Person {
  readonly address: string;
  readonly accountId: string;
  readonly sessions: readonly NewSession[];
  readonly devices: readonly string[];
}

async function newAccount(test: TestPorts): Promise<NewSession & { address: string }> {
  const address = `person${serial++}@example.org`;
  await signUp(test.ports, { address, password }, client);
  const link = /http\S+/.exec(test.mail.sent.at(-1)?.text ?? "")?.[0] ?? "";
  const token = new URL(link).searchParams.get("token") ?? "";
  return { address, ...(await verifySignUp(test.ports, { token, password }, client)) };
}

async function newDevice(ports: Ports, accountId: string): Promise<string> {
  const publicKey = "A".repeat(43);
  const start = await startEnrolment(ports, { publicKey });
  const request = { userCode: start.user_code, label: `device-${serial++}` };
  return (await approveEnrolment(ports, accountId, request)).id;
}

/** A person with two sessions and two devices that have all features on and a guest. */
async function newPerson(test: TestPorts, guest: string | null): Promise<Person> {
  const { ports } = test;
  const first = await newAccount(test);
  const { accountId, address } = first;
  const second = await signIn(ports, { address, password }, client);
  const devices = [await newDevice(ports, accountId), await newDevice(ports, accountId)];
  for (const deviceId of devices) {
    for (const feature of ["name", "link"] as const) {
      await setFeature(ports, accountId, deviceId, feature, true);
    }
    await nameSecret(ports, accountId, deviceId);
    const update = { secret: null, ipv4: { set: "192.0.2.1" }, ipv6: "keep" } as const;
    await ports.devices.get(deviceId).updateAddresses(update);
    await setAccess(ports, accountId, deviceId, "listed");
    await ports.devices.get(deviceId).issueDoorCode(accountId, "nonce", "ses");
    if (guest !== null) await allow(ports, accountId, deviceId, guest);
  }
  return { address, accountId, sessions: [first, second], devices };
}

/** An account made without a mail and a slow hash, with a session and one device; a minute's many. */
async function newLightPerson(test: TestPorts, guest: string): Promise<Person> {
  const { ports } = test;
  const accountId = newId("acc", "home", systemRandom.bytes);
  const address = `light${serial++}@example.org`;
  const sealed = await ports.sealer.seal(`person/${accountId}`, "any", address);
  await bindings.DB_HOME.batch([
    bindings.DB_HOME.prepare("INSERT INTO account VALUES (?, 1, 1800000000000, 0)").bind(accountId),
    bindings.DB_HOME.prepare("INSERT INTO identifier VALUES (?1, ?1, 'email', ?2, 1, 1)").bind(
      accountId,
      sealed,
    ),
    bindings.DB_HOME.prepare("INSERT INTO password VALUES (?, ?, 1)").bind(accountId, sealed),
  ]);
  await ports.directory.claimContact(await ports.directory.contactHash(address), accountId);
  await completeSignIn(ports, { accountId, methods: ["password"] }, client);
  await askReset(ports, address, client);
  const device = await newDevice(ports, accountId);
  await setFeature(ports, accountId, device, "name", true);
  await allow(ports, accountId, device, guest);
  return { address, accountId, sessions: [], devices: [device] };
}

/** Everything that any store holds, as one text: both databases, objects, object names and values. */
async function dump(objects: readonly string[]): Promise<string> {
  const rows = async (all: (query: string) => Promise<object[]> | object[]) => {
    const tables = (await all("SELECT name FROM sqlite_master WHERE type = 'table'")) as {
      name: string;
    }[];
    const own = tables.filter(({ name }) => !name.startsWith("_cf") && name !== "sqlite_sequence");
    return await Promise.all(
      own.map(async ({ name }) => [name, await all(`SELECT * FROM "${name}"`)]),
    );
  };
  const ofD1 = (database: D1Database) =>
    rows(async (query) => (await database.prepare(query).all()).results as object[]);
  const inside = objects.map((name) =>
    runInDurableObject(bindings.DEVICES.getByName(name), async (_, state) => [
      await rows((query) => state.storage.sql.exec(query).toArray()),
      await state.storage.getAlarm(),
    ]),
  );
  const keys = (await stored()).map(async ({ name }) => [
    name,
    name.startsWith("ledger/")
      ? new TextDecoder().decode((await objectBytes(name)) ?? undefined)
      : "a key",
  ]);
  return JSON.stringify([
    await ofD1(bindings.DB_HOME),
    await ofD1(bindings.DIRECTORY),
    await Promise.all(inside),
    await Promise.all(keys),
  ]);
}

type Methods = Record<string | symbol, ((...args: unknown[]) => unknown) | undefined>;

/** A crash: after `calls` calls of any effect the process is gone, and every further one fails. */
function crashingAfter(ports: Ports, calls: number): Ports {
  let left = calls;
  const watched = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(object, property) {
        const value = Reflect.get(object, property, object);
        if (typeof value !== "function") return value;
        // Building a statement is no effect; running a batch of them is.
        const builds = ["delete", "update", "insert"].includes(String(property));
        // Called by name: on a stub even `apply` and `bind` would be calls to the object.
        const call = (args: unknown[]) => (object as Methods)[property]?.(...args);
        return (...args: unknown[]) => {
          if (!(builds && "batch" in object) && left-- <= 0) throw new Error("the process is gone");
          return call(args);
        };
      },
    });
  const directory = watched(ports.directory);
  return {
    ...ports,
    regions: { ...ports.regions, db: (id) => watched(ports.regions.db(id) as Db) },
    directory: new Proxy(directory, {
      get: (target, property) =>
        property === "db" ? watched(ports.directory.db) : Reflect.get(target, property),
    }),
    devices: { get: (id) => watched(ports.devices.get(id)) },
    sealer: watched(ports.sealer),
    blobs: watched(ports.blobs),
    ledger: watched(ports.ledger),
  };
}

describe("[RGT-4] erasing an account", () => {
  let test: TestPorts;
  let neighbor: Person;
  let person: Person;
  beforeEach(async () => {
    // Guessing limits are not what is tested here, and many people sign up.
    test = testPorts({ env, replace: { limits: { take: async () => true } } });
    for (const name of await test.ports.ledger.list("")) await test.ports.ledger.delete(name);
    neighbor = await newPerson(test, null);
    person = await letIn(await newPerson(test, neighbor.accountId));
    await test.settle();
  });

  /** The neighbor lets the person in, and the person stands at the door. */
  async function letIn(made: Person): Promise<Person> {
    const [theirs] = neighbor.devices as [string];
    await allow(test.ports, neighbor.accountId, theirs, made.accountId);
    await test.ports.devices.get(theirs).issueDoorCode(made.accountId, "nonce", "ses");
    return made;
  }

  const objects = () => [...person.devices, ...neighbor.devices];

  async function expectGone(): Promise<void> {
    const after = await dump(objects());
    for (const id of [person.accountId, ...person.devices])
      expect(after.includes(id), id).toBe(false);
    expect(after.includes("open/")).toBe(false);
    expect(after.includes('"kind":"password"'), "a waiting reset").toBe(false);
    expect(
      await test.ports.directory.accountOfContact(
        await test.ports.directory.contactHash(person.address),
      ),
    ).toBeNull();
    // The control: the one beside is whole, so the dump does see what is there.
    for (const id of [neighbor.accountId, ...neighbor.devices]) {
      expect(after.includes(id), id).toBe(true);
    }
    for (const session of neighbor.sessions) {
      expect(await checkSession(test.ports, session.token)).not.toBeNull();
    }
  }

  it("leaves nothing of it in any store, and everything of its neighbor", async () => {
    const before = await dump(objects());
    for (const id of [person.accountId, ...person.devices]) expect(before.includes(id)).toBe(true);
    await eraseAccount(test.ports, person.accountId);
    await expectGone();
  });

  it("[RGT-14] ends every session, device and way in at once", async () => {
    await eraseAccount(test.ports, person.accountId);
    for (const session of person.sessions) {
      expect(await checkSession(test.ports, session.token)).toBeNull();
    }
    await expect(signIn(test.ports, { address: person.address, password }, client)).rejects.toEqual(
      new Problem("bad-credentials"),
    );
    for (const deviceId of person.devices) {
      const device = test.ports.devices.get(deviceId);
      expect(await device.describe()).toBeNull();
      expect(await device.issueDoorCode(person.accountId, "nonce", "ses")).toEqual({ kind: "off" });
    }
  });

  it("gives the address a new account that sees nothing of the old one", async () => {
    await eraseAccount(test.ports, person.accountId);
    await signUp(test.ports, { address: person.address, password }, client);
    const link = /http\S+/.exec(test.mail.sent.at(-1)?.text ?? "")?.[0] ?? "";
    const token = new URL(link).searchParams.get("token") ?? "";
    const again = await verifySignUp(test.ports, { token, password }, client);
    expect(again.accountId).not.toBe(person.accountId);
    expect((await dump(objects())).includes(person.accountId)).toBe(false);
  });

  it("[RGT-13] is finished by the next sweep wherever it was cut short", {
    timeout: 120_000,
  }, async () => {
    let calls = 0;
    await eraseAccount(test.ports, person.accountId);
    person = await letIn(await newLightPerson(test, neighbor.accountId));
    for (let finished = false; !finished && calls < 60; calls++) {
      const crashing = crashingAfter(test.ports, calls);
      finished = await eraseAccount(crashing, person.accountId).then(
        () => true,
        () => false,
      );
      // Before the ledger is written nothing has happened, and nothing is owed.
      const begun = (await test.ports.ledger.list("open/")).length > 0;
      if (calls > 0 && !finished) expect(begun).toBe(true);
      if (begun) await sweep(test.ports);
      if (calls > 0) await expectGone();
      test.clock.advance(limits.sweepLeaseMs);
      if (!finished) person = await letIn(await newLightPerson(test, neighbor.accountId));
    }
    expect(calls).toBeGreaterThan(15);
    expect(calls).toBeLessThan(60);
  });

  it("destroys the key although the store of photos is away, and the photo when it is back", async () => {
    const photo = `photo/${person.accountId}` as const;
    const sealed = await test.ports.sealer.sealBytes(`person/${person.accountId}`, photo, bytes);
    await test.ports.blobs.put(photo, sealed);
    const away = vi.spyOn(test.ports.blobs, "delete").mockRejectedValue(new Error("away"));
    await expect(eraseAccount(test.ports, person.accountId)).rejects.toThrow("away");
    expect(await test.ports.keys.get(`person/${person.accountId}`)).toBeNull();
    expect(await objectBytes(photo)).not.toBeNull();
    away.mockRestore();
    await sweep(test.ports);
    await expectGone();
  });

  it("may run twice at once", async () => {
    const erasing = () => eraseAccount(test.ports, person.accountId);
    await Promise.all([erasing(), erasing()]);
    await expectGone();
    expect(await test.ports.ledger.list("done/")).toHaveLength(2);
  });

  it("reaches more devices than one run may, with the sweeps that follow", async () => {
    const others = limits.erasureObjectsPerRun + 1;
    await bindings.DB_HOME.prepare(
      `INSERT INTO device_guest WITH RECURSIVE n(i) AS
         (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
       SELECT printf('dev_home_%016d/%s', i, ?1), ?1, printf('dev_home_%016d', i) FROM n`,
    )
      .bind(person.accountId, others)
      .run();
    await eraseAccount(test.ports, person.accountId);
    expect(await test.ports.ledger.list("open/")).toHaveLength(1);
    await sweep(test.ports);
    await expectGone();
  });

  it("is not held up by another erasure that cannot be finished", async () => {
    const id = "era_home_0123456789abcdef";
    const stuck = { id, accountId: "acc_mars_0123456789abcdef", at: 1 };
    await test.ports.ledger.put(`open/000000000000001.${id}`, JSON.stringify(stuck));
    const crashing = crashingAfter(test.ports, 3);
    await expect(eraseAccount(crashing, person.accountId)).rejects.toThrow("the process is gone");
    await sweep(test.ports);
    expect(await test.ports.ledger.list("open/")).toEqual([`open/000000000000001.${id}`]);
    expect(test.lines).toContainEqual({ event: "sweep-failed", lane: "erasure", code: "Error" });
    const lag = (await oldestOverdue(test.ports)).find(({ lane }) => lane === "erasure");
    expect(lag?.overdueMs).toBe(test.clock.now() - 1);
    expect((await dump(objects())).includes(person.accountId)).toBe(false);
  });

  it("[RGT-13] keeps a proof that lists every store and names nobody, for 210 days", async () => {
    await eraseAccount(test.ports, person.accountId);
    const [name] = await test.ports.ledger.list("done/");
    const proof = JSON.parse((await test.ports.ledger.get(name as string)) as string);
    const plan = erasurePlan();
    expect(proof.stores).toEqual(
      expect.arrayContaining([
        ...[...plan.region, ...plan.reach].map(({ table }) => `region ${table}`),
        ...plan.directory.map(({ table }) => `directory ${table}`),
        "device objects",
        "person key",
      ]),
    );
    expect(JSON.stringify(proof)).not.toContain(person.accountId);
    // What a restore brings back is recognized by the keyed hash.
    expect(proof.subject).toBe(await test.ports.names.hash("erasure", person.accountId));
    test.clock.advance(limits.ledgerMs - 1);
    await sweep(test.ports);
    expect(await test.ports.ledger.list("done/")).toContain(name);
    test.clock.advance(1);
    await sweep(test.ports);
    expect(await test.ports.ledger.list("")).toEqual([]);
  });
});

describe("the erasure plan", () => {
  it("has every table that names an account, and a table that is declared tomorrow", () => {
    const rule: TableRule = {
      class: "account",
      key: "id",
      erase: { by: "owner_id" },
      columns: { id: { kind: "id" }, owner_id: { kind: "id" } },
    };
    const plan = erasurePlan({ ...dataMap, region: { ...dataMap.region, album: rule } });
    expect(plan.region).toContainEqual({ table: "album", by: "owner_id" });
    const planned = [...plan.region, ...plan.reach].map(({ table }) => table);
    const named = Object.entries(dataMap.region).filter(([, of]) => "account_id" in of.columns);
    expect(planned).toEqual(expect.arrayContaining(named.map(([table]) => table)));
    expect(planned).toContain("account");
  });

  it("deletes by names that are in the schema", async () => {
    const { ports } = testPorts({ env });
    const db = ports.regions.db("home") as Db;
    for (const { table, by } of [...erasurePlan().region, ...erasurePlan().reach]) {
      await db.all(sql.raw(`SELECT "${by}" FROM "${table}" LIMIT 1`));
    }
    for (const { table, by } of erasurePlan().directory) {
      await ports.directory.db.all(sql.raw(`SELECT "${by}" FROM "${table}" LIMIT 1`));
    }
  });
});
