/**
 * Domains of one's own with everything real around them, on each runtime: Knot answers for the domain, our
 * front for the name, unbound resolves both, and Debian's Pebble certifies what it finds there.
 */

import { createHash, randomBytes, X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { certify } from "../../agent/certificate.ts";
import { type Front, startFront } from "../../front/front.ts";
import { freePort } from "../contract/runtime.ts";
import { World } from "../contract/suite/world.ts";
import { homeOf } from "../support/agent-home.ts";
import { exchange } from "../support/dns.ts";
import { type Pebble, pebbleFolder, startPebble } from "../support/pebble.ts";
import {
  type NameServer,
  type Served,
  startDoh,
  startKnot,
  startUnbound,
} from "../support/resolvers.ts";
import type { Scenario } from "../support/scenario.ts";

const DOMAIN = "own-home.test";

describe.each(["workerd", "Deno"])("a domain of one's own, on %s", (name) => {
  let world: World;
  let front: Front;
  let pebble: Pebble;
  let knot: NameServer;
  let nas: Scenario;
  let folder: string;
  const closing: Pick<Served, "end">[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "latchkey-own-"));
    const [place, port] = [await pebbleFolder(), await freePort()];
    // Read when Miniflare is loaded, which hands it to workerd; Deno has a variable of its own.
    process.env.NODE_EXTRA_CA_CERTS = join(place, "ca.pem");
    const { workerd } = await import("../contract/workerd.ts");
    const { deno } = await import("../contract/deno-process.ts");
    const { withDevice } = await import("../support/scenario.ts");
    const token = randomBytes(32).toString("hex");
    knot = await startKnot(folder, DOMAIN);
    closing.push(knot);
    const doh = await startDoh((message) => exchange(resolver.port, message));
    closing.push(doh);
    world = await World.create(name === "Deno" ? deno : workerd, {
      RESOLVER: doh.url,
      ACME: `https://localhost:${port}/dir caa=pebble.example`,
      FRONT_TOKEN_HASHES: createHash("sha256").update(token).digest("hex"),
      ...(name === "Deno" ? { DENO_CERT: join(place, "ca.pem") } : {}),
    });
    const held = { zone: world.ddnsZone, token };
    front = await startFront({ edge: world.origin, host: "127.0.0.1", port: 0, held });
    await front.ready;
    const stubs = { [world.ddnsZone]: front.port, [DOMAIN]: knot.port };
    const resolver = await startUnbound(
      folder,
      stubs,
      "cache-max-ttl: 0\n  cache-max-negative-ttl: 0",
    );
    closing.push(resolver);
    pebble = await startPebble(place, port, resolver.port);
    nas = await withDevice(world);
    const authorization = `Basic ${btoa(`${nas.host}:${nas.updateSecret}`)}`;
    const query = `hostname=${nas.host}&myip=203.0.113.4,2001:db8::4`;
    await fetch(`${world.origin}/nic/update?${query}`, { headers: { authorization } });
  });
  afterAll(async () => {
    await pebble?.close();
    await front?.close();
    await world?.close();
    for (const one of closing.reverse()) await one.end();
    await rm(folder, { recursive: true });
  });

  /** unbound keeps for a second what it was told to keep for none. */
  const sees = (domain: string, verdict: string) =>
    vi.waitFor(
      async () => {
        const { json } = await nas.box.ask(`/domains/${domain}/check`, "POST");
        expect(json.seen.verdict).toBe(verdict);
      },
      { timeout: 10_000, interval: 600 },
    );

  it("is another name for the device's, or shows its addresses, as Knot and unbound have it", async () => {
    const [cloud, apex] = [`Cloud.${DOMAIN}`, DOMAIN];
    const added = await nas.box.ask("/domains", "POST", { domain: cloud });
    expect(added.json).toMatchObject({ domain: cloud.toLowerCase(), seen: { verdict: "unset" } });
    await nas.box.ask("/domains", "POST", { domain: apex });
    await knot.serve(`cloud CNAME ${nas.host.toUpperCase()}.\n@ A 203.0.113.4\n@ AAAA 2001:db8::4`);
    await sees(cloud.toLowerCase(), "here");
    await sees(apex, "unproved");
    await knot.serve(
      `cloud CNAME far\nfar CNAME ${nas.host}.\n@ A 203.0.113.4\n@ AAAA 2001:db8::4\n` +
        `_acme-challenge CNAME _acme-challenge.${nas.host}.`,
    );
    await sees(cloud.toLowerCase(), "here");
    await sees(apex, "here");
    await knot.serve("cloud CNAME far\nfar CNAME cloud\n@ A 203.0.113.5");
    await sees(cloud.toLowerCase(), "loop");
    await sees(apex, "other-address");
  });

  it("is certified with the name, over the name's own challenge, and not once it leads elsewhere", async () => {
    const home = await homeOf(nas, world, folder);
    const order = async (force: boolean) => {
      const { signal } = new AbortController();
      const flags = { wildcard: true, hook: undefined, force };
      await certify({ home, signal, log: () => undefined }, flags);
      const pem = await readFile(join(home, "certificate/live/fullchain.pem"), "utf8");
      return (new X509Certificate(pem).subjectAltName ?? "")
        .replaceAll("DNS:", "")
        .split(", ")
        .sort();
    };
    const own = [nas.host, `*.${nas.host}`];
    const cloud = `cloud.${DOMAIN}`;
    await knot.serve(
      `cloud CNAME ${nas.host}.\n_acme-challenge.cloud CNAME _acme-challenge.${nas.host}.\n` +
        `@ A 203.0.113.4\n@ AAAA 2001:db8::4\n_acme-challenge CNAME _acme-challenge.${nas.host}.`,
    );
    await sees(cloud, "here");
    await sees(DOMAIN, "here");
    // Four values of one order stand side by side at one name.
    expect(await order(false)).toEqual([...own, cloud, DOMAIN].sort());
    expect((await nas.box.ask(`/domains/${cloud}`, "DELETE")).status).toBe(204);
    expect(await order(true)).toEqual([...own, DOMAIN].sort());
  });
});
