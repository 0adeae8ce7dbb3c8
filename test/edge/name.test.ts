/** The name's service on D1 and objects: what each dyndns2 client gets, and what changes. */

import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import type { DeviceStub } from "../../durable-objects/device/rpc.ts";
import { systemRandom } from "../../durable-objects/platform.ts";
import { newId } from "../../protocol/ids.ts";
import { limits } from "../../protocol/limits.ts";
import { handle } from "../../workers/app.ts";
import { type TestPorts, testPorts } from "../support/ports.ts";

const ZONE = "ddns.test";
const AGENT = { "user-agent": "test/1" };

interface Named {
  readonly id: string;
  readonly host: string;
  readonly secret: string;
  readonly stub: DeviceStub;
}

let labels = 0;

/** A device with its name on and an update secret. */
async function named(world: TestPorts, on = true): Promise<Named> {
  const id = newId("dev", "home", systemRandom.bytes);
  const label = `box-${labels++}`;
  await world.ports.directory.claimLabel(label, id);
  const stub = world.ports.devices.get(id);
  await stub.register({ deviceId: id, accountId: "acc", publicKey: "key", label });
  if (on) await stub.setFeature("name", true);
  return { id, host: `${label}.${ZONE}`, secret: (await stub.rotateUpdateSecret()) ?? "", stub };
}

function basic(user: string, password: string): Record<string, string> {
  return { authorization: `Basic ${btoa(`${user}:${password}`)}` };
}

/** Asks as a client would; answers the status and the text. */
async function ask(
  world: TestPorts,
  query: string,
  headers: Record<string, string>,
  init: RequestInit = {},
): Promise<{ status: number; text: string; headers: Headers }> {
  const request = new Request(`http://localhost:8787/nic/update${query}`, {
    ...init,
    headers: { ...AGENT, ...headers },
  });
  const response = await handle(request, world.ports);
  const text = await response.text();
  expect(response.headers.get("content-length")).toBe(String(text.length));
  expect(response.headers.get("content-type")).toMatch(/^text\/plain/);
  return { status: response.status, text, headers: response.headers };
}

describe("an update", () => {
  let world: TestPorts;
  let nas: Named;
  const update = (query: string, device = nas) =>
    ask(world, `?hostname=${device.host}${query}`, basic(device.host, device.secret));
  const addresses = () => nas.stub.records();

  beforeEach(async () => {
    world = testPorts({ env });
    nas = await named(world);
  });

  it.each([
    ["an IPv4 address", "&myip=203.0.113.4", "good 203.0.113.4\n"],
    ["an IPv6 address", "&myip=2001:DB8::0:1", "good 2001:db8::1\n"],
    ["both in a list", "&myip=203.0.113.4,2001:db8::1", "good 203.0.113.4,2001:db8::1\n"],
    ["both by name", "&myipv4=203.0.113.4&myipv6=2001:db8::1", "good 203.0.113.4,2001:db8::1\n"],
    [
      "myip beside myipv6",
      "&myip=203.0.113.4&myipv6=2001:db8::1",
      "good 203.0.113.4,2001:db8::1\n",
    ],
    ["no address", "", "good 198.51.100.7\n"],
    ["an empty address", "&myip=", "good 198.51.100.7\n"],
    ["an empty address beside a named family", "&myip=&myipv6=2001:db8::1", "good 2001:db8::1\n"],
    [
      "words of old",
      "&myip=203.0.113.4&system=dyndns&wildcard=ON&mx=m.example&backmx=NO",
      "good 203.0.113.4\n",
    ],
  ])("takes %s", async (_what, query, verdict) => {
    expect(await update(query)).toMatchObject({ status: 200, text: verdict });
  });
});
