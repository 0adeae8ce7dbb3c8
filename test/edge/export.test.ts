/**
 * The export on the real stores: a canary in every classified column of every table is in its owner's
 * archive, none of it in anybody else's, and no secret in any.
 */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { UNREADABLE } from "../../db/data-map/export.ts";
import { dataMap } from "../../db/data-map/map.ts";
import type { Db } from "../../db/db.ts";
import { limits } from "../../protocol/limits.ts";
import { handle } from "../../workers/app.ts";
import {
  allow,
  approveEnrolment,
  setAccess,
  setFeature,
  startEnrolment,
} from "../../workers/devices/devices.ts";
import { exportAccount, personalExport } from "../../workers/privacy/export.ts";
import { nameSecret } from "../support/name.ts";
import { type NewSession, newPerson } from "../support/person.ts";
import { plantRows } from "../support/planted.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { objects } from "./buckets.ts";

const bindings = env as unknown as { DIRECTORY: D1Database; DB_HOME: D1Database };
const client = { userAgent: "curl/8.5.0", peer: "198.51.100.7" };
const ORIGIN = "http://localhost:8787";
let test: TestPorts;
let serial = 0;

beforeEach(() => {
  test = testPorts({ env, variables: { ORIGIN } });
});

const person = () => newPerson(test, `export${serial++}@example.org`);
const regionOf = ({ ports }: TestPorts) => ports.regions.db("home") as Db;

/** Everything that the archive says, decoded: nothing in it is compressed. */
async function archive(accountId: string): Promise<string> {
  const { bytes } = await exportAccount(test.ports, accountId, client);
  return new TextDecoder().decode(bytes);
}

async function newDevice(owner: string, guest: string): Promise<string> {
  const { ports } = test;
  const start = await startEnrolment(ports, { publicKey: "B".repeat(43) });
  const label = `export-${serial++}`;
  const { id } = await approveEnrolment(ports, owner, { userCode: start.user_code, label });
  await setFeature(ports, owner, id, "name", true);
  await setFeature(ports, owner, id, "link", true);
  await nameSecret(ports, owner, id);
  const update = { secret: null, ipv4: { set: "192.0.2.77" }, ipv6: "keep" } as const;
  await ports.devices.get(id).updateAddresses(update);
  await setAccess(ports, owner, id, "listed");
  await allow(ports, owner, id, guest);
  return id;
}

describe("the archive", () => {
  it("[RGT-1] has a canary of every classified personal column, and no secret", async () => {
    const { accountId } = await person();
    const { ports } = test;
    const region = await plantRows(ports, regionOf(test), dataMap.region, accountId);
    const shared = await plantRows(ports, ports.directory.db, dataMap.directory, accountId);
    const text = await archive(accountId);
    const shown = { ...region.shown, ...shared.shown };
    expect(Object.keys(shown).length).toBeGreaterThan(4);
    expect(Object.keys(shown).filter((name) => !text.includes(shown[name] as string))).toEqual([]);
    const hidden = { ...region.hidden, ...shared.hidden };
    expect(Object.keys(hidden).length).toBeGreaterThan(8);
    expect(Object.keys(hidden).filter((name) => text.includes(hidden[name] as string))).toEqual([]);
  });

  it("opens what the service itself sealed: the map's places are the code's", async () => {
    const first = await person();
    const second = await person();
    await newDevice(first.accountId, second.accountId);
    const held = await personalExport(test.ports, first.accountId);
    const text = JSON.stringify(held);
    expect(text).not.toContain(UNREADABLE);
    expect(text).toContain("192.0.2.77");
    const identifier = held.tables.find(({ table }) => table === "identifier");
    expect(identifier?.rows[0]).toMatchObject({
      kind: "email",
      address: expect.stringMatching(/^export\d+@/),
    });
    const session = held.tables.find(({ table }) => table === "session");
    expect(session?.rows[0]).toMatchObject({
      token_hash: "held, not shown",
      id: first.sessionId,
      client: { client: "Unknown", network: null },
      created_at: new Date(test.clock.now()).toISOString(),
    });
    const name = held.tables.find(({ table }) => table === "name_record");
    expect(name?.rows).toEqual([
      {
        row: 1,
        addresses: { ipv4: "192.0.2.77", ipv6: null },
        changed_at: expect.any(String),
        reported_day: null,
      },
    ]);
  });

  it("says of every class what it is, how much of it is held, and whether it is shown", async () => {
    const { accountId } = await person();
    const held = await personalExport(test.ports, accountId);
    expect(held.classes.map((one) => one.class)).toEqual(Object.keys(dataMap.classes));
    const named = new Set(held.tables.map((table) => table.class));
    for (const one of held.classes) {
      if (named.has(one.class as never)) expect([one.class, one.in_export]).not.toContain("no");
    }
    expect(held.classes.find((one) => one.class === "person key")?.held).toBe(1);
  });

  it("[RGT-1] has a table that was declared a moment ago, without a line of code", async () => {
    const { accountId } = await person();
    const db = regionOf(test);
    await bindings.DB_HOME.prepare(
      "CREATE TABLE planted (id TEXT PRIMARY KEY, account_id TEXT, note_sealed TEXT, made_at INTEGER)",
    ).run();
    const planted = {
      class: "activity",
      key: "id",
      erase: { by: "account_id" },
      columns: {
        id: { kind: "id" },
        account_id: { kind: "id" },
        note_sealed: { kind: "sealed", at: "planted.note", by: "id", source: "a test" },
        made_at: { kind: "time" },
      },
    } as const;
    const { shown } = await plantRows(test.ports, db, { planted }, accountId);
    const held = await personalExport(test.ports, accountId, {
      ...dataMap,
      region: { ...dataMap.region, planted },
    });
    const table = held.tables.find((one) => one.table === "planted");
    expect(table?.rows).toEqual([
      expect.objectContaining({
        note: shown["planted.note_sealed"],
        made_at: expect.stringContaining("T"),
      }),
    ]);
    expect(table?.sources).toEqual({ note: "a test" }); // [SHR-6]
    await bindings.DB_HOME.prepare("DROP TABLE planted").run();
  });

  it("leaves nothing out for being much", async () => {
    const { accountId } = await person();
    const many = limits.exportRowsPerPage * 2 + 1;
    const rows = Array.from({ length: many }, (_, at) => `('${`bulk_${serial}_${at}`}')`).join();
    await bindings.DB_HOME.prepare(
      `WITH many(id) AS (VALUES ${rows}) INSERT INTO device_guest SELECT id, ?, 'dev_home_x' FROM many`,
    )
      .bind(accountId)
      .run();
    const held = await personalExport(test.ports, accountId);
    const guests = held.tables.find(({ table }) => table === "device_guest");
    expect(new Set(guests?.rows.map(({ id }) => id)).size).toBe(many);
  });

  it("has the photo of the profile, opened, beside the JSON", async () => {
    const { accountId } = await person();
    const { ports } = test;
    const id = `pro_home_${serial++}`;
    const at = `profile_field.value:${id}`;
    const type = await ports.sealer.seal(`person/${accountId}`, at, "image/webp");
    await bindings.DB_HOME.prepare(
      "INSERT INTO profile_field (id, account_id, field, value_sealed, visibility, changed_at) VALUES (?, ?, 'photo', ?, 'nobody', 1)",
    )
      .bind(id, accountId, type)
      .run();
    const picture = new TextEncoder().encode("the bytes of a picture");
    const place = `photo:${accountId}:image/webp`;
    const sealed = await ports.sealer.sealBytes(`person/${accountId}`, place, picture);
    await ports.blobs.put(`photo/${accountId}`, sealed);
    const text = await archive(accountId);
    expect(text).toContain("the bytes of a picture");
    expect(text).toContain('<img src="files/photo.webp" alt="Your photo.">');
  });

  it("shows nothing whose time has come", async () => {
    const { accountId } = await person();
    test.clock.advance(limits.sessionIdleMs);
    const held = await personalExport(test.ports, accountId);
    expect(held.tables.find(({ table }) => table === "session")).toBeUndefined();
  });
});

describe("[RGT-15] one person's archive", () => {
  it("has no canary of another person, whoever is let in where", async () => {
    const [one, other] = [await person(), await person()];
    await newDevice(one.accountId, other.accountId);
    const deviceOfOther = await newDevice(other.accountId, one.accountId);
    await test.ports.devices.get(deviceOfOther).issueDoorCode(one.accountId, "nonce", "ses_one");
    const planted = async ({ accountId }: NewSession) =>
      Object.values((await plantRows(test.ports, regionOf(test), dataMap.region, accountId)).shown);
    const [ofOne, ofOther] = [await planted(one), await planted(other)];
    const [first, second] = [await archive(one.accountId), await archive(other.accountId)];
    expect(ofOne.filter((canary) => !first.includes(canary))).toEqual([]);
    expect(ofOther.filter((canary) => !second.includes(canary))).toEqual([]);
    expect(ofOther.filter((canary) => first.includes(canary))).toEqual([]);
    expect(ofOne.filter((canary) => second.includes(canary))).toEqual([]);
    // Who came to a door of theirs is the visitor's, not the owner's.
    expect(second).not.toContain("ses_one");
  });

  it("has nothing of a device that is somebody else's by now", async () => {
    const [one, other] = [await person(), await person()];
    const id = await newDevice(other.accountId, one.accountId);
    expect(await test.ports.devices.get(id).exportFor(one.accountId)).toEqual([]);
    expect(await test.ports.devices.get(id).exportFor(other.accountId)).not.toEqual([]);
  });
});

describe("asking for it", () => {
  const ask = (token: string | null) =>
    handle(
      new Request(`${ORIGIN}/api/account/export`, {
        method: "POST",
        headers: token === null ? {} : { authorization: `Bearer ${token}` },
      }),
      test.ports,
    );

  it("[RGT-1] takes a session whose owner showed a moment ago who they are", async () => {
    const { token } = await person();
    expect((await ask(null)).status).toBe(401);
    const response = await ask(token);
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "application/zip",
      "content-disposition": expect.stringMatching(/^attachment; filename="latchkey-[\d-]+\.zip"$/),
      "cache-control": "no-store",
    });
    test.clock.advance(limits.confirmedMs);
    const late = await ask(token);
    expect([late.status, ((await late.json()) as { code: string }).code]).toEqual([
      403,
      "confirm-first",
    ]);
  });

  it("keeps nothing of it: the stores hold what they held, and that it was asked for", async () => {
    const { token, accountId } = await person();
    const count = async () => {
      const tables = Object.keys(dataMap.region);
      const rows = await Promise.all(
        tables.map(async (table) => {
          const found = await bindings.DB_HOME.prepare(`SELECT count(*) AS n FROM ${table}`).first<{
            n: number;
          }>();
          return [table, found?.n ?? 0] as const;
        }),
      );
      const tally: Record<string, number> = Object.fromEntries(rows);
      return {
        ...tally,
        activity: tally.activity ?? 0,
        objects: (await objects()).length,
      };
    };
    const before = await count();
    await (await ask(token)).arrayBuffer();
    expect(await count()).toEqual({ ...before, activity: before.activity + 1 });
    const held = await personalExport(test.ports, accountId);
    const events = held.tables
      .find(({ table }) => table === "activity")
      ?.rows.map(({ event }) => event);
    expect(events).toContain("exported");
  });

  it("is counted, so that a stolen session cannot keep us busy", async () => {
    const { token } = await person();
    const answers: number[] = [];
    for (let turn = 0; turn <= limits.exportsPerAccount; turn++)
      answers.push((await ask(token)).status);
    expect(answers.at(-1)).toBe(429);
    expect(new Set(answers.slice(0, -1))).toEqual(new Set([200]));
  });
});
