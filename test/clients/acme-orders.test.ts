/**
 * The order service against Debian's Pebble that takes bound accounts alone (RFC 8555 §7.3.4), on each
 * runtime: a box asks, gets, renews; its owner revokes, and the box comes with a new key.
 */

import { createHash, createPublicKey, randomBytes, X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { certify } from "../../agent/certificate.ts";
import { type Front, startFront } from "../../front/front.ts";
import { freePort } from "../contract/runtime.ts";
import { ask } from "../contract/suite/http.ts";
import { World } from "../contract/suite/world.ts";
import { homeOf } from "../support/agent-home.ts";
import { type Pebble, pebbleFolder, startPebble } from "../support/pebble.ts";
import type { Scenario } from "../support/scenario.ts";

const flags = { wildcard: false, hook: undefined, force: false };
const KEY = randomBytes(32).toString("base64url");

describe.each(["workerd", "Deno"])("the order service on %s, at a real authority", (name) => {
  let world: World;
  let front: Front;
  let pebble: Pebble;
  let nas: Scenario;
  let folder: string;

  beforeAll(async () => {
    const place = await pebbleFolder();
    const port = await freePort();
    // Read when Miniflare is loaded, which hands it to workerd; Deno has a variable of its own.
    process.env.NODE_EXTRA_CA_CERTS = join(place, "ca.pem");
    const { workerd } = await import("../contract/workerd.ts");
    const { deno } = await import("../contract/deno-process.ts");
    const token = randomBytes(32).toString("hex");
    world = await World.create(name === "Deno" ? deno : workerd, {
      ACME: `https://localhost:${port}/dir caa=pebble.example`,
      ACME_BINDING: `kid-1:${KEY}`,
      FRONT_TOKEN_HASHES: createHash("sha256").update(token).digest("hex"),
      ...(name === "Deno" ? { DENO_CERT: join(place, "ca.pem") } : {}),
    });
    const held = { zone: world.ddnsZone, token };
    front = await startFront({ edge: world.origin, host: "127.0.0.1", port: 0, held });
    pebble = await startPebble(place, port, front.port, 10, { "kid-1": KEY });
  });
  afterAll(async () => {
    await pebble?.close();
    await front?.close();
    await world?.close();
  });
  beforeEach(async () => {
    const { withDevice } = await import("../support/scenario.ts");
    nas = await withDevice(world);
    folder = await mkdtemp(join(tmpdir(), "latchkey-orders-"));
    return () => rm(folder, { recursive: true });
  });

  const enrolled = () => homeOf(nas, world, folder);

  it("binds its account, certifies, revokes at its owner's word, and certifies a new key", async () => {
    const home = await enrolled();
    const order = async () => {
      const { signal } = new AbortController();
      await certify({ home, signal, log: () => undefined }, flags);
      const pem = await readFile(join(home, "certificate/live/fullchain.pem"), "utf8");
      return new X509Certificate(pem);
    };
    const first = await order();
    expect(first.subjectAltName).toBe(`DNS:${nas.host}`);
    expect((await nas.box.ask("/certificate")).json).toMatchObject({ status: "ready" });

    const path = `/api/devices/${nas.box.id}/certificate/revocation`;
    const revoke = () =>
      ask(world, path, { token: nas.person.token, body: { reason: "key-compromise" } });
    expect((await revoke()).status).toBe(204);
    expect((await revoke()).status, "again changes nothing").toBe(204);
    expect((await nas.box.ask("/certificate")).json.status).not.toBe("ready");
    expect(pebble.lines.some((line) => /revoke/i.test(line))).toBe(true);

    const second = await order();
    expect(second.serialNumber).not.toBe(first.serialNumber);
    const spki = (of: X509Certificate) =>
      createPublicKey(of.publicKey.export({ type: "spki", format: "pem" })).export({
        ...{ type: "spki", format: "der" },
      } as const);
    expect(spki(second).equals(spki(first)), "a revoked key is not certified again").toBe(false);
    expect((await nas.box.ask("/certificate")).json).toMatchObject({ status: "ready" });
  });
});
