/**
 * The archive as its owner opens it: every file whole, every device under its own name, and each
 * store's tables where they were found.
 */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import type { Db } from "../../db/db.ts";
import { newId } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { approveEnrolment, setFeature, startEnrolment } from "../../workers/devices/devices.ts";
import {
  exportAccount,
  type PersonalExport,
  personalExport,
} from "../../workers/privacy/export.ts";
import { newPerson } from "../support/person.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";
import { unzip } from "../support/zip.ts";

const client = { userAgent: "curl/8.5.0", peer: "198.51.100.7" };
let test: TestPorts;
let accountId: string;
let serial = 0;

beforeEach(async () => {
  test = testPorts({ env });
  ({ accountId } = await newPerson(test, `whole${serial++}@example.org`));
});

async function newDevice(label: string): Promise<string> {
  const start = await startEnrolment(test.ports, { publicKey: "B".repeat(43) });
  const { id } = await approveEnrolment(test.ports, accountId, {
    userCode: start.user_code,
    label,
  });
  await setFeature(test.ports, accountId, id, "name", true);
  return id;
}

const placed = ({ tables }: PersonalExport, store: string, deviceId: string | null) =>
  tables.filter((table) => table.store === store && table.device_id === deviceId);

describe("[RGT-1] the archive", () => {
  it("is whole: the JSON is what is held, the page ends, the photo is the photo", async () => {
    const { ports } = test;
    const id = `pro_whole_${serial++}`;
    const key = `person/${accountId}` as const;
    const type = await ports.sealer.seal(key, `profile_field.value:${id}`, "image/png");
    await (env as unknown as { DB_HOME: D1Database }).DB_HOME.prepare(
      "INSERT INTO profile_field (id, account_id, field, value_sealed, visibility, changed_at) VALUES (?, ?, 'photo', ?, 'nobody', 1)",
    )
      .bind(id, accountId, type)
      .run();
    const picture = crypto.getRandomValues(new Uint8Array(50_001));
    const place = `photo:${accountId}:image/png`;
    await ports.blobs.put(`photo/${accountId}`, await ports.sealer.sealBytes(key, place, picture));

    const { bytes, name } = await exportAccount(ports, accountId, client);
    expect(name).toBe("latchkey-2027-01-15.zip");
    const files = unzip(bytes);
    expect([...files.keys()]).toEqual(["index.html", "export.json", "files/photo.png"]);
    expect(files.get("files/photo.png")).toEqual(picture);
    const text = (file: string) => new TextDecoder().decode(files.get(file));
    const photo = { name: "files/photo.png", about: "your photo", type: "image/png" };
    expect(JSON.parse(text("export.json"))).toEqual({
      ...JSON.parse(JSON.stringify(await personalExport(ports, accountId))),
      files: [photo],
    });
    expect(text("index.html")).toMatch(/^<!doctype html>[\s\S]*<\/html>\n$/);
  });

  it("has every device of its owner, each under its own identifier and in its own store", async () => {
    const devices = [await newDevice(`whole-${serial++}`), await newDevice(`whole-${serial++}`)];
    const held = await personalExport(test.ports, accountId);
    for (const deviceId of devices) {
      const inside = placed(held, "device", deviceId);
      const registration = inside.find(({ table }) => table === "registration");
      expect(registration?.rows).toMatchObject([{ device_id: deviceId, account_id: accountId }]);
      expect(inside.map(({ table }) => table)).toEqual([
        "registration",
        "feature",
        "door",
        "door_rule",
      ]);
      // That the directory leads to it; the hash of its name would say nothing to its owner.
      expect(placed(held, "directory", deviceId)).toMatchObject([
        { table: "label", class: "directory entry", rows: [{ device_id: "held, not shown" }] },
      ]);
    }
    const own = placed(held, "region", null).map(({ table }) => table);
    expect(own).toEqual(expect.arrayContaining(["account", "identifier", "password", "session"]));
    expect(placed(held, "directory", null)).toMatchObject([
      { table: "contact", rows: [{ hash: "held, not shown", account_id: "held, not shown" }] },
    ]);
    // No table stands under a class of which the same archive says that it is not in it.
    const unshown = held.classes.filter((one) => one.in_export === "no").map((one) => one.class);
    expect(held.tables.filter((table) => unshown.includes(table.class))).toEqual([]);
    expect(held.tables.length).toBe(
      [null, ...devices].reduce(
        (sum, id) =>
          sum +
          ["region", "directory", "device"].reduce((n, s) => n + placed(held, s, id).length, 0),
        0,
      ),
    );
  });

  it("counts per class what is held: the same sum as its rows", async () => {
    await newDevice(`whole-${serial++}`);
    const held = await personalExport(test.ports, accountId);
    const of = (name: string) => held.classes.find((one) => one.class === name)?.held;
    const rows = (name: string) =>
      held.tables.filter((one) => one.class === name).reduce((n, one) => n + one.rows.length, 0);
    for (const name of ["session", "activity", "account", "directory entry"]) {
      expect([name, of(name)]).toEqual([name, rows(name)]);
      expect(rows(name), name).toBeGreaterThan(0);
    }
  });

  it("names the region that the account is in", async () => {
    const eu = testPorts({
      env,
      variables: { REGIONS: "home:At_home:DB_HOME eu:Europe:DB_HOME" },
      databases: { home: test.ports.directory.db as Db },
    });
    const elsewhere = newId("acc", "eu", (count) => eu.ports.random.bytes(count));
    expect((await personalExport(eu.ports, elsewhere)).region).toBe("eu");
  });

  it("is counted for each account by itself, and again when the window has passed", async () => {
    const ask = async (id: string) => {
      const asked = exportAccount(test.ports, id, client);
      return await asked.then(
        () => "made",
        ({ code }: { code: string }) => code,
      );
    };
    const answers: string[] = [];
    for (let turn = 0; turn <= limits.exportsPerAccount; turn++) answers.push(await ask(accountId));
    expect(answers).toEqual([
      ...Array.from({ length: limits.exportsPerAccount }, () => "made"),
      "too-many-tries",
    ]);
    const other = await newPerson(test, `whole${serial++}@example.org`);
    expect(await ask(other.accountId)).toBe("made");
    test.clock.advance(limits.exportWindowMs);
    expect(await ask(accountId)).toBe("made");
  });
});
