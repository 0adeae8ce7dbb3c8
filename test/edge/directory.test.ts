/** The directory on D1: labels and contacts are unique, held after release, and never in clear. */

import { env } from "cloudflare:workers";
import { drizzle } from "drizzle-orm/d1";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Db } from "../../db/db.ts";
import { Directory } from "../../db/directory.ts";
import { Names } from "../../db/names.ts";
import { labelsIn, R2KeyStore, systemRandom } from "../../durable-objects/platform.ts";
import { newId } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { countQueries } from "../support/ports.ts";

const bindings = env as unknown as { DIRECTORY: D1Database; SYSTEM_KEYS: R2Bucket };
const device = () => newId("dev", "home", systemRandom.bytes);

describe("the directory", () => {
  let now = 1_800_000_000_000;
  let names: Names;
  let directory: Directory;
  beforeEach(() => {
    const clock = { now: () => now };
    names = new Names(labelsIn(bindings.DIRECTORY), new R2KeyStore(bindings.SYSTEM_KEYS), clock);
    directory = new Directory(drizzle(bindings.DIRECTORY) as Db, names, clock);
  });

  it("gives a label to one device only, and again to the same one", async () => {
    const [first, second] = [device(), device()];
    expect(await directory.claimLabel("nas", first)).toBe(true);
    expect(await directory.claimLabel("nas", second)).toBe(false);
    expect(await directory.claimLabel("nas", first)).toBe(true);
    expect(await names.deviceOfLabel("nas")).toBe(first);
  });

  it("holds a freed label for 180 days, then gives it away", async () => {
    const [first, second] = [device(), device()];
    await directory.claimLabel("box", first);
    await directory.holdLabelsOf(first);
    expect(await names.deviceOfLabel("box")).toBeNull();
    now += limits.heldLabelMs - 1;
    expect(await directory.isLabelFree("box")).toBe(false);
    expect(await directory.claimLabel("box", second)).toBe(false);
    now += 1;
    expect(await directory.isLabelFree("box")).toBe(true);
    expect(await directory.claimLabel("box", second)).toBe(true);
  });

  it("asks nobody about what no label can be", async () => {
    const queries = countQueries(bindings.DIRECTORY);
    for (const text of [
      "",
      "x",
      "Nas",
      "-nas",
      "n_s",
      "xn--nas",
      "a".repeat(64),
      "a".repeat(9999),
    ]) {
      expect(await names.deviceOfLabel(text)).toBeNull();
    }
    expect(queries()).toBe(0);
    expect(await names.deviceOfLabel("nobodys")).toBeNull();
    expect(queries()).toBe(1);
    vi.restoreAllMocks();
  });

  it("keeps no label and no address in clear", async () => {
    await directory.claimLabel("marker-label", device());
    await directory.claimContact(await directory.contactHash("Marker@Example.org"), "acc");
    const dump = JSON.stringify([
      (await bindings.DIRECTORY.prepare("SELECT * FROM label").all()).results,
      (await bindings.DIRECTORY.prepare("SELECT * FROM contact").all()).results,
    ]);
    expect(dump.toLowerCase()).not.toContain("marker");
  });

  it("folds the case of an address", async () => {
    expect(await directory.contactHash("A@B.example")).toBe(
      await directory.contactHash("a@b.Example "),
    );
  });

  it("makes one key when two callers ask at once", async () => {
    const keys = new R2KeyStore(bindings.SYSTEM_KEYS);
    const made = await Promise.all(
      Array.from({ length: 8 }, () => keys.getOrCreate("system/race")),
    );
    expect(new Set(made.map((key) => key.join())).size).toBe(1);
  });
});
