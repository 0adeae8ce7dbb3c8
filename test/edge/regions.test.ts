/** Each region's own stores: what is of one region is asked of no other, and none may be missing. */

import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import type { KeyName } from "../../db/primitives.ts";
import { systemRandom } from "../../durable-objects/platform.ts";
import { newId } from "../../protocol/ids.ts";
import worker, { type Env } from "../../workers/index.ts";
import { testPorts } from "../support/ports.ts";
import { buckets, objects } from "./buckets.ts";

const REGIONS = "home:At_home:DB_HOME eu:Europe:DB_HOME:eu";
const account = (region: string) => newId("acc", region, systemRandom.bytes);

describe("[LOC-2] objects", () => {
  const { ports } = testPorts({ env, variables: { REGIONS } });

  it("are kept in, read from and deleted in the buckets of their region, and no other", async () => {
    for (const region of ["home", "eu"]) {
      const id = account(region);
      const era = `open/000000000000001.${newId("era", region, systemRandom.bytes)}`;
      await ports.sealer.seal(`person/${id}`, "any", "text");
      await ports.keys.getOrCreate(`feature/${newId("dev", region, systemRandom.bytes)}/name`);
      await ports.blobs.put(`photo/${id}`, new Uint8Array(3));
      await ports.ledger.put(era, "{}");
      expect(await ports.blobs.get(`photo/${id}`)).toEqual(new Uint8Array(3));
      expect(await ports.ledger.get(era)).toBe("{}");
      expect(await ports.ledger.list("open/")).toContain(era);
      const held = (await objects()).filter((object) => object.region === region);
      expect(held.map(({ store, name }) => [store, name.split("/")[0]]).sort()).toEqual([
        ["keys", "feature"],
        ["keys", "ledger"],
        ["keys", "person"],
        ["photos", "photo"],
      ]);
      expect(JSON.stringify(held)).toContain(id);
      await ports.sealer.destroy(`person/${id}`);
      await ports.blobs.delete(`photo/${id}`);
      await ports.ledger.delete(era);
      expect(JSON.stringify(await objects())).not.toContain(id);
    }
    expect(await ports.ledger.list("")).toEqual([]);
  });

  it("of one region are not found under a name of another", async () => {
    const id = account("eu");
    const photos = buckets.find(({ store, region }) => store === "photos" && region === "home");
    await photos?.bucket.put(`photo/${id}`, "astray");
    expect(await ports.blobs.get(`photo/${id}`)).toBeNull();
    await photos?.bucket.delete(`photo/${id}`);
  });

  it("of no region, or of one that is none, are refused: nobody's key is made or thought gone", async () => {
    for (const name of ["person/nobody", `person/${account("mars")}`, "person/"] as KeyName[]) {
      for (const act of ["get", "getOrCreate", "destroy"] as const) {
        await expect(ports.keys[act](name), `${act} ${name}`).rejects.toThrow(/region|PERSON|MARS/);
      }
    }
    await expect(ports.blobs.get(`photo/${account("mars")}`)).rejects.toThrow("PHOTOS_MARS");
    await expect(ports.ledger.put("open/1.x", "{}")).rejects.toThrow("names no region");
  });
});

describe("the worker", () => {
  it.each([
    ["KEYS_EU", "the bucket of the keys of the region eu"],
    ["PHOTOS_EU", "the bucket of the photos of the region eu"],
    ["SYSTEM_KEYS", "the bucket of the keys that no region has for itself"],
    ["DB_HOME", "the database of the region home"],
  ])("does not start without %s, and says what it is", async (binding, purpose) => {
    const context = createExecutionContext();
    const bindings = { ...(env as unknown as Env), REGIONS, [binding]: undefined };
    const request = new Request("http://localhost:8787/privacy") as never;
    await expect(worker.fetch(request, bindings, context)).rejects.toThrow(
      `${binding} (${purpose})`,
    );
    await waitOnExecutionContext(context).catch(() => undefined);
  });
});
