/** The folders, the memory and the settings that stand in for a platform on Deno. */

import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import Database from "libsql";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { account } from "../../db/schema/region.ts";
import { systemRandom } from "../../durable-objects/system.ts";
import { folderAssets } from "../../workers/deno/assets.ts";
import { openDatabase } from "../../workers/deno/databases.ts";
import { FolderKeyStore } from "../../workers/deno/keys.ts";
import { folderLedger } from "../../workers/deno/ledger.ts";
import { memoryLimits } from "../../workers/deno/limits.ts";
import { readSettings, StartError } from "../../workers/deno/settings.ts";
import { newMarker, search } from "../support/canary.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "latchkey-ports-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("keys in a folder", () => {
  it("are files of this user only, one for each name, directly in the folder", async () => {
    const keys = new FolderKeyStore(folder, systemRandom);
    await keys.getOrCreate("person/acc_home_1");
    await keys.getOrCreate("feature/dev_home_1/../../escape");
    expect(readdirSync(folder).sort()).toEqual([
      "feature%2Fdev_home_1%2F..%2F..%2Fescape",
      "person%2Facc_home_1",
    ]);
    for (const name of readdirSync(folder)) {
      expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
    }
  });

  it("survive a second store on the same folder; what a crash left unfinished does not", async () => {
    const key = await new FolderKeyStore(folder, systemRandom).getOrCreate("system/a");
    writeFileSync(join(folder, ".new-crashed"), "half");
    expect(await new FolderKeyStore(folder, systemRandom).get("system/a")).toEqual(key);
    expect(readdirSync(folder)).toEqual(["system%2Fa"]);
  });

  it("are refused when a file has the wrong size, rather than used", async () => {
    const keys = new FolderKeyStore(folder, systemRandom);
    writeFileSync(join(folder, "system%2Fa"), "short");
    await expect(keys.getOrCreate("system/a")).rejects.toThrow("wrong size");
  });

  it("leave no byte when destroyed", async () => {
    const [gone, kept] = [newMarker().repeat(2).slice(0, 32), newMarker().repeat(2).slice(0, 32)];
    for (const text of [gone, kept]) {
      const random = { bytes: (count: number) => new TextEncoder().encode(text.slice(0, count)) };
      const name = text === gone ? "system/gone" : "system/kept";
      await new FolderKeyStore(folder, random).getOrCreate(name);
    }
    await search({ folder, markers: {}, controls: { gone, kept } });
    await new FolderKeyStore(folder, systemRandom).destroy("system/gone");
    expect(await search({ folder, markers: { gone }, controls: { kept } })).toEqual([]);
  });
});

describe("the ledger in a folder", () => {
  it("keeps entries by name, lists them by prefix in order, and forgets them", async () => {
    const ledger = folderLedger(folder, systemRandom);
    await ledger.put("open/b", "1");
    await ledger.put("open/a", "2");
    await ledger.put("done/a", "3");
    await ledger.put("open/b", "4");
    expect(await ledger.list("open/")).toEqual(["open/a", "open/b"]);
    expect(await ledger.get("open/b")).toBe("4");
    await ledger.delete("open/b");
    await ledger.delete("open/b");
    expect([await ledger.get("open/b"), await ledger.list("")]).toEqual([
      null,
      ["done/a", "open/a"],
    ]);
  });
});

describe("the built files in a folder", () => {
  it("are handed over by their very names, also after a later build took them away", async () => {
    const built = join(folder, "built");
    mkdirSync(built);
    writeFileSync(join(built, "a.css"), "body{}");
    writeFileSync(join(folder, "secret.css"), "outside");
    const assets = folderAssets(built);
    rmSync(built, { recursive: true });
    expect(await new Response(await assets.get("a.css")).text()).toBe("body{}");
    for (const name of ["", ".", "b.css", "../secret.css", "../built/a.css", "__proto__"]) {
      expect(await assets.get(name), name).toBe(null);
    }
    expect(() => folderAssets(built)).toThrow(StartError);
  });
});

describe("limits in memory", () => {
  it("count within their window, each subject and kind alone", async () => {
    let now = 0;
    const limits = memoryLimits({ now: () => now });
    const take = (kind: string, subject: string) => limits.take(kind, subject, 2, 100);
    expect([await take("a", "x"), await take("a", "x"), await take("a", "x")]).toEqual([
      true,
      true,
      false,
    ]);
    expect([await take("b", "x"), await take("a", "y")]).toEqual([true, true]);
    now = 101;
    expect(await take("a", "x")).toBe(true);
  });

  it("stay within their memory, and forget the idle before those that are counting", async () => {
    let now = 0;
    const limits = memoryLimits({ now: () => now }, 10);
    expect(await limits.take("long", "guesser", 1, 1000)).toBe(true);
    for (let subject = 0; subject < 9; subject++) await limits.take("a", `idle ${subject}`, 1, 100);
    now = 150;
    for (let subject = 0; subject < 5; subject++) await limits.take("a", `new ${subject}`, 1, 100);
    expect(await limits.take("long", "guesser", 1, 1000)).toBe(false);
  });
});

describe("databases on libSQL", () => {
  it("leave no byte of a deleted row once the log is emptied", async () => {
    const { db, forgetDeleted, close } = await openDatabase(join(folder, "home.db"), "region");
    const [gone, kept] = [newMarker(), newMarker()];
    for (const id of [gone, kept])
      await db.insert(account).values({ id, createdAt: 1, activeDay: 1 });
    await db.run(sql`DELETE FROM account WHERE id = ${gone}`);
    const controls = { kept };
    expect(await search({ folder, markers: { gone }, controls })).not.toEqual([]);
    await forgetDeleted();
    expect(await search({ folder, markers: { gone }, controls })).toEqual([]);
    close();
  });

  it("is as it was when a migration breaks off", async () => {
    const path = join(folder, "home.db");
    const before = new Database(path);
    // Stands in the way of the first migration, half way through.
    before.exec("CREATE TABLE enrolment (old TEXT)");
    before.close();
    await expect(openDatabase(path, "region")).rejects.toThrow("enrolment");
    const after = new Database(path);
    const tables = after.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all([]);
    expect(tables).toEqual([{ name: "enrolment" }]);
    after.close();
  });
});

describe("settings", () => {
  const read = (args: string[], environment: Record<string, string> = {}) =>
    readSettings(args, environment, "/home/me");

  it("run for trying out on this machine when no origin is given", () => {
    const { port, host, data, config } = read(["--port", "9000"], { SMTP_URL: "smtp://relay" });
    expect([port, host, data]).toEqual([9000, "127.0.0.1", "/home/me/.latchkey-deno"]);
    expect(config).toMatchObject({
      origin: "http://localhost:9000",
      allowSpecialAddresses: true,
      smtpUrl: "smtp://relay",
    });
  });

  it("take nothing for granted once an origin is given", () => {
    const environment = {
      ORIGIN: "https://latchkey.example",
      LINK_ZONE: "link.example",
      DDNS_ZONE: "dyn.example",
      REGIONS: "eu:Europe:eu",
      SOURCE_ADDRESS: "trusted-proxy",
      TRUSTED_PROXIES: "127.0.0.1",
      MAIL_FROM: "keys@latchkey.example",
    };
    expect(read([], environment).config).toMatchObject({
      origin: "https://latchkey.example",
      allowSpecialAddresses: false,
    });
    for (const name of Object.keys(environment)) {
      if (name === "ORIGIN" || name === "TRUSTED_PROXIES") continue;
      expect(() => read([], { ...environment, [name]: "" })).toThrow(StartError);
    }
  });

  it.each([["--port", "0"], ["--port", "x"], ["--data", ""], ["--nothing"]])(
    "refuse %s %s",
    (...args) => {
      expect(() => read(args)).toThrow(StartError);
    },
  );
});
